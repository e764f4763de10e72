// Hands the consumer to a skill on request, and reports where conversations go.

const lpm = require('tertulia/lp-messaging-sdk');

const connection = lpm.createConnection({
  appId: 'transfer_bot',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.BRAND,
  authData: { username: process.env.LP_USERNAME, password: process.env.LP_PASSWORD },
});

connection.on('error', (err) => console.error(err));

// the events of all conversations can be heard at the connection
connection.on('conversation:transfer-skill', ({ conversation, skillId }) => {
  console.log('transferred to skill', skillId, conversation.conversationId);
});
connection.on('conversation:transfer-agent', ({ participant }) => {
  console.log('transferred to agent', participant.agentId);
});
connection.on('conversation:back-to-queue', ({ conversation }) => {
  console.log('back to queue', conversation.conversationId);
});

connection.on('conversation', async (conversation) => {
  conversation.on('message', async (message) => {
    if (message.participant.role !== lpm.ParticipantRole.CONSUMER) return;

    if (message.body === 'agent') {
      await conversation.sendMessage('I will find somebody for you.');
      await conversation.transfer({ skillId: process.env.LP_SKILL });
    } else {
      await conversation.sendMessage('Say "agent" to talk to a person.');
    }
  });

  await conversation.join(lpm.ParticipantRole.ASSIGNED_AGENT);
});

process.once('SIGTERM', () => connection.close());

connection.open().then(() => console.log('connected as', connection.agentId));
