// lp-messaging-sdk as a client of the comparison. LP_MESSAGING_SDK is the folder of the package. The SDK reconnects and
// subscribes by itself; the missed messages are queried by the program, because the SDK does not query them.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { account, fail, hear, hold, host, lastHeard, logins, serve } from './client.js';

const folder = process.env.LP_MESSAGING_SDK ?? fail('LP_MESSAGING_SDK must be the folder of the package');
const sdk = createRequire(import.meta.url)(resolve(folder));
// The discovery service's address is fixed in the SDK.
sdk.CSDS.lookup = async () => host;

const isOfConsumer = ({ participant }) => participant.role === 'CONSUMER';

async function bot(username) {
  const connection = sdk.createConnection({
    appId: 'tertulia-peers',
    accountId: account,
    userType: sdk.UserType.BRAND,
    authData: { username, password: 'secret' },
  });
  const conversations = [];

  // The SDK reports warnings as errors, and the loss of its socket as errors of the requests in flight. A conversation or
  // a message that is lost ends the measurement in any case.
  const log = (error) => console.error(`${username}: ${error.message}`);

  connection.on('ring', (ring) => {
    if (ring.ringState === sdk.RingState.WAITING) ring.accept().catch(log);
  });
  connection.on('conversation', (conversation) => {
    const id = conversation.conversationId;
    conversation.on('message', (message) => {
      if (isOfConsumer(message)) hear(id, message.sequence);
    });
    conversations.push(conversation);
    hold(id);
  });
  connection.on('reconnect', () => {
    for (const conversation of conversations) catchUp(conversation).catch(log);
  });
  connection.on('error', log);

  await connection.open();
  await connection.setAgentState({ agentState: sdk.AgentState.ONLINE });
  await connection.createRoutingTaskSubscription();
}

async function catchUp(conversation) {
  const missed = await conversation.queryMessages({ sequenceMin: lastHeard(conversation.conversationId) });
  for (const message of missed.filter(isOfConsumer)) hear(conversation.conversationId, message.sequence);
}

await Promise.all(logins.map(bot));
await serve();
