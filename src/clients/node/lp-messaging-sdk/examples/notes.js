// Writes a summary into the notes of each conversation that closes.

const lpm = require('tertulia/lp-messaging-sdk');

const connection = lpm.createConnection({
  appId: 'notes_bot',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.BRAND,
  authData: { username: process.env.LP_USERNAME, password: process.env.LP_PASSWORD },
  defaultSubscriptionQuery: { stage: ['OPEN', 'CLOSE'] },
});

connection.on('error', (err) => console.error(err));

connection.on('conversation', async (conversation) => {
  // ignore conversations that closed before
  if (conversation.stage !== lpm.ConversationState.OPEN) return;

  conversation.on('close', async () => {
    const said = conversation.mainDialog.messages.map((message) => message.body).join(' / ');
    const { truncated } = await conversation.setAgentNote({
      noteContent: `The consumer said: ${said}`,
      isAutoSummary: true,
    });
    console.log('noted', conversation.conversationId, truncated ? 'in part' : 'in full');
  });

  await conversation.join(lpm.ParticipantRole.READER);
  console.log('watching', conversation.conversationId);
});

process.once('SIGTERM', () => connection.close());

connection.open().then(() => console.log('connected as', connection.agentId));
