// Takes the conversations that routing offers, answers them, and closes them on request.

const lpm = require('tertulia/lp-messaging-sdk');

const connection = lpm.createConnection({
  appId: 'agent_bot',
  accountId: process.env.ACCOUNT_ID,
  userType: lpm.UserType.BRAND,
  authData: { username: process.env.LP_USERNAME, password: process.env.LP_PASSWORD },
});

connection.on('error', (err) => console.error(err));

connection.on('ring', async (ring) => {
  // ignore old rings
  if (ring.ringState !== lpm.RingState.WAITING) return;

  await ring.accept();
  console.log('accepted', ring.conversationId);
});

connection.on('conversation', (conversation) => {
  conversation.on('message', async (message) => {
    const { assignedAgent } = conversation;
    const isMine = assignedAgent !== null && assignedAgent.agentId === connection.agentId;
    if (!isMine || message.participant.role !== lpm.ParticipantRole.CONSUMER) return;

    if (message.body === 'bye') {
      await conversation.close();
      return;
    }
    await conversation.sendMessage('How can I help you?');
  });
});

process.once('SIGTERM', () => connection.close());

async function main() {
  await connection.open();

  // the agent must be online and subscribed to receive rings
  await connection.setAgentState({ agentState: lpm.AgentState.ONLINE });
  await connection.createRoutingTaskSubscription();
  console.log('online as', connection.agentId);
}

main();
