// Greets each new conversation, as an agent manager who sees all of them.

const lpm = require('tertulia/lp-messaging-sdk');

const connection = lpm.createConnection({
  appId: 'greeting_bot',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.BRAND,
  authData: { username: process.env.LP_USERNAME, password: process.env.LP_PASSWORD },
});

connection.on('error', (err) => console.error(err));

connection.on('conversation', async (conversation) => {
  await conversation.join(lpm.ParticipantRole.MANAGER);
  await conversation.sendMessage('Welcome! An agent will be with you shortly.');
  console.log('greeted', conversation.conversationId);
});

process.once('SIGTERM', () => connection.close());

connection.open().then(() => console.log('connected as', connection.agentId));
