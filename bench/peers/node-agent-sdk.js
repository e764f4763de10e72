// node-agent-sdk as a client of the comparison, used as its README says: it subscribes to the messages of each
// conversation that it sees, and reconnects when its socket is closed. The README waits 5 s before that; this does not.

import { Agent } from 'node-agent-sdk';
import { account, fail, hear, hold, host, lastHeard, logins, serve } from './client.js';

/** Logs in; resolves when the bot gets rings. */
function bot(username) {
  return new Promise((resolve) => {
    const agent = new Agent({ accountId: account, csdsDomain: host, username, password: 'secret', requestTimeout: 60_000 });
    /** The conversations to whose messages this socket is subscribed. */
    let subscribed = new Set();

    const succeed = (then = () => {}) => (error) => (error ? fail(error) : then());

    agent.on('connected', () => {
      subscribed = new Set();
      agent.setAgentState({ availability: 'ONLINE' }, succeed());
      agent.subscribeExConversations({ agentIds: [agent.agentId], convState: ['OPEN'] }, succeed());
      agent.subscribeRoutingTasks({}, succeed(resolve));
    });
    agent.on('closed', () => agent.reconnect(true));
    agent.on('error', fail);

    agent.on('routing.RoutingTaskNotification', ({ changes }) => {
      for (const { ringId, ringState } of changes.flatMap(({ result }) => result.ringsDetails)) {
        if (ringState === 'WAITING') agent.updateRingState({ ringId, ringState: 'ACCEPTED' }, succeed());
      }
    });
    agent.on('cqm.ExConversationChangeNotification', ({ changes }) => {
      for (const { type, result } of changes) {
        if (type !== 'UPSERT' || subscribed.has(result.convId)) continue;
        subscribed.add(result.convId);
        hold(result.convId);
        agent.subscribeMessagingEvents({ dialogId: result.convId, fromSeq: lastHeard(result.convId) }, succeed());
      }
    });
    agent.on('ms.MessagingEventNotification', ({ dialogId, changes }) => {
      for (const { sequence, event, originatorMetadata } of changes) {
        if (event.type === 'ContentEvent' && originatorMetadata.role === 'CONSUMER') hear(dialogId, sequence);
      }
    });
  });
}

await Promise.all(logins.map(bot));
await serve();
