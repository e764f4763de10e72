// Reports each message of the consumer as arrived and as read, and prints when the consumer has read an answer.

const lpm = require('tertulia/lp-messaging-sdk');

const connection = lpm.createConnection({
  appId: 'receipts_bot',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.BRAND,
  authData: { username: process.env.LP_USERNAME, password: process.env.LP_PASSWORD },
});

connection.on('error', (err) => console.error(err));

connection.on('conversation', async (conversation) => {
  conversation.on('message', async (message) => {
    if (message.participant.role !== lpm.ParticipantRole.CONSUMER) return;

    await message.accept();
    await message.read();
    await conversation.sendMessage('I have read it.');
  });

  conversation.on('message-delivery-event', (messages) => {
    for (const message of messages) {
      if (message.sentByCurrentUser() && message.hasConsumerRead()) console.log('the consumer read', message.sequence);
    }
  });

  await conversation.join(lpm.ParticipantRole.AGENT);
  console.log('joined', conversation.conversationId);
});

process.once('SIGTERM', () => connection.close());

connection.open().then(() => console.log('connected as', connection.agentId));
