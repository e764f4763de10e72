// A consumer who asks one question, prints the answer, rates the conversation and closes it.

const lpm = require('tertulia/lp-messaging-sdk');

const clientProperties = lpm.createClientProperties({
  deviceFamily: lpm.DeviceFamily.DESKTOP,
  os: lpm.OS.OSX,
  features: [lpm.Features.RICH_CONTENT, lpm.Features.QUICK_REPLIES],
});

const connection = lpm.createConnection({
  appId: 'consumer_test',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.CONSUMER,
  clientProperties,
});

connection.on('error', (err) => console.error(err));

async function main() {
  await connection.open();
  await connection.setUserProfile({ firstName: 'Ann', lastName: 'Lee', nickName: 'annie' });

  const conversation = await connection.createConversation({
    skillId: '501',
    context: { type: lpm.ConversationContextType.CUSTOM, lang: 'en-US' },
    campaignInfo: { campaignId: '111', engagementId: '222' },
  });
  console.log('opened', conversation.conversationId);

  const answer = new Promise((resolve) => {
    conversation.on('message', (message) => {
      if (!message.sentByCurrentUser()) resolve(message);
    });
  });
  await conversation.sendMessage('Where is my parcel?');

  const message = await answer;
  console.log('answer:', message.body);
  await message.read();
  await conversation.setCsat('5', true);
  await conversation.close();
  await connection.close();
}

main();
