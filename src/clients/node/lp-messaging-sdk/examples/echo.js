// Repeats what the consumer says.

const lpm = require('tertulia/lp-messaging-sdk');

const connection = lpm.createConnection({
  appId: 'echo_bot',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.BRAND,
  authData: { username: process.env.LP_USERNAME, password: process.env.LP_PASSWORD },
});

connection.on('error', (err) => console.error(err));

connection.on('conversation', async (conversation) => {
  conversation.on('message', (message) => {
    // ignore all messages not from the consumer
    if (message.participant.role !== lpm.ParticipantRole.CONSUMER) return;

    conversation.sendMessage(`You said: ${message.body}`).catch((err) => console.error(err));
  });

  conversation.on('close', () => console.log('closed', conversation.conversationId));

  await conversation.join(lpm.ParticipantRole.AGENT);
  console.log('joined', conversation.conversationId);
});

process.once('SIGTERM', () => connection.close());

connection.open().then(() => console.log('connected as', connection.agentId));
