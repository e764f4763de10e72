// Runs the survey that begins when the main dialog of a conversation closes.

const lpm = require('tertulia/lp-messaging-sdk');

const connection = lpm.createConnection({
  appId: 'survey_bot',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.BRAND,
  authData: { username: process.env.LP_USERNAME, password: process.env.LP_PASSWORD },
});

connection.on('error', (err) => console.error(err));

async function survey(conversation, dialog) {
  dialog.on('message', async (message) => {
    if (message.participant.role !== lpm.ParticipantRole.CONSUMER) return;

    console.log('rated', message.body);
    await dialog.sendMessage('Thank you!');
    await dialog.close(lpm.DialogCloseReason.AGENT, 'survey complete');
  });

  await dialog.join(lpm.ParticipantRole.AGENT);
  await dialog.sendMessage('How was it, from 1 to 5?');
}

connection.on('conversation', (conversation) => {
  conversation.on('dialog', (dialog) => {
    if (dialog.dialogType === lpm.DialogType.POST_SURVEY)
      survey(conversation, dialog).catch((err) => console.error(err));
  });
});

process.once('SIGTERM', () => connection.close());

connection.open().then(() => console.log('connected as', connection.agentId));
