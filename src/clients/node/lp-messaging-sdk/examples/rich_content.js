// Answers with a card, and with quick replies below a text.

const lpm = require('tertulia/lp-messaging-sdk');

const connection = lpm.createConnection({
  appId: 'rich_content_bot',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.BRAND,
  authData: { username: process.env.LP_USERNAME, password: process.env.LP_PASSWORD },
});

const card = {
  type: 'vertical',
  elements: [
    { type: 'text', text: 'Our new model' },
    { type: 'button', title: 'Buy', click: { actions: [{ type: 'publishText', text: 'buy' }] } },
  ],
};

const quickReplies = {
  type: 'quickReplies',
  itemsPerRow: 2,
  replies: ['yes', 'no'].map((text) => ({
    type: 'button',
    title: text,
    click: { actions: [{ type: 'publishText', text }] },
  })),
};

connection.on('error', (err) => console.error(err));

connection.on('conversation', async (conversation) => {
  conversation.on('message', async (message) => {
    if (message.participant.role !== lpm.ParticipantRole.CONSUMER) return;

    await conversation.sendRichText(card, [{ type: 'ExternalId', id: 'card-1' }]);
    await conversation.sendMessage('Do you like it?', null, quickReplies);
  });

  await conversation.join(lpm.ParticipantRole.AGENT);
});

process.once('SIGTERM', () => connection.close());

connection.open().then(() => console.log('connected as', connection.agentId));
