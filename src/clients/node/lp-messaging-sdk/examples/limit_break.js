// Counts the open conversations of the account, of which the platform puts about a thousand into one notification.

const lpm = require('tertulia/lp-messaging-sdk');

const connection = lpm.createConnection({
  appId: 'monitor',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.BRAND,
  authData: { username: process.env.LP_USERNAME, password: process.env.LP_PASSWORD },
  createDefaultSubscription: false,
  limitBreakEnabled: true,
});

connection.on('error', (err) => console.error(err));

connection.on('limit-break', (info) => console.log('limit break', JSON.stringify(info)));

async function main() {
  await connection.open();

  const subscription = await connection.createConversationSubscription({
    query: { stage: [lpm.ConversationState.OPEN] },
    waitForFirstNotification: true,
  });
  const open = connection.getAllKnownConversations();
  console.log('open', open.length);

  const waiting = open.filter((conversation) => conversation.assignedAgent === null);
  console.log('waiting', waiting.length);

  subscription.on('conversation', (conversation) => console.log('new', conversation.conversationId));
  subscription.on('conversation-deleted', (conversation) => console.log('gone', conversation.conversationId));
}

process.once('SIGTERM', () => connection.close());

main();
