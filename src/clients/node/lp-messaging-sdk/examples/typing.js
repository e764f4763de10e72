// Shows the consumer that an answer is being written.

const lpm = require('tertulia/lp-messaging-sdk');

const connection = lpm.createConnection({
  appId: 'typing_bot',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.BRAND,
  authData: { username: process.env.LP_USERNAME, password: process.env.LP_PASSWORD },
});

const thinkAbout = (text) => new Promise((resolve) => setTimeout(resolve, 50, text.toUpperCase()));

connection.on('error', (err) => console.error(err));

connection.on('conversation', async (conversation) => {
  conversation.on('message', async (message) => {
    if (message.participant.role !== lpm.ParticipantRole.CONSUMER) return;

    const dialog = conversation.openDialog;
    await dialog.setChatState(lpm.ParticipantChatState.COMPOSING);
    await conversation.sendMessage(await thinkAbout(message.body));
    await dialog.setChatState(lpm.ParticipantChatState.ACTIVE);
  });

  await conversation.join(lpm.ParticipantRole.AGENT);
  conversation.consumer.on('chatStateChange', (chatState) => console.log('the consumer is', chatState));
  console.log('joined', conversation.conversationId);
});

process.once('SIGTERM', () => connection.close());

connection.open().then(() => console.log('connected as', connection.agentId));
