// What a request causes comes a moment behind its answer, as from two services: clients begin to listen once they have
// handled the answer, and lose what comes in the same read.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { DEADLINE } from '../hearing.js';
import { account, host } from '../platform.js';

/** The least median pause between an answer and what it caused, in milliseconds. */
const PAUSE = 1;
const TRIES = 5;

/** A socket and nothing more: when each frame came. */
class Wire {
  #socket;
  #requests = 0;

  static async open(t, path) {
    const wire = new Wire();
    wire.#socket = new WebSocket(`wss://${host}/ws_api/account/${account}/messaging/${path}`);
    t.after(() => wire.#socket.terminate());
    await once(wire.#socket, 'open', { signal: AbortSignal.timeout(DEADLINE) });
    return wire;
  }

  static async consumer(t) {
    const { jwt } = await posted('signup', {});
    const wire = await Wire.open(t, 'consumer?v=3');
    await wire.request('InitConnection', {}, [{ type: '.ams.headers.ConsumerAuthentication', jwt }]);
    return wire;
  }

  static async agent(t, username) {
    const { bearer } = await posted('login?v=1.3', { username, password: 'secret' });
    return Wire.open(t, `brand/${bearer}?v=2.1`);
  }

  /** The first frame from now on that fits, and when it came. */
  next(fits) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`never heard: ${fits}`)), DEADLINE);
      const hear = (data) => {
        const frame = JSON.parse(data);
        if (!fits(frame)) return;
        clearTimeout(late);
        this.#socket.off('message', hear);
        resolve({ frame, at: performance.now() });
      };
      this.#socket.on('message', hear);
    });
  }

  /** The body of the answer to a request, and when it came. */
  async request(type, body, headers) {
    const id = String((this.#requests += 1));
    this.#socket.send(JSON.stringify({ kind: 'req', id, type, body, headers }));
    const { frame, at } = await this.next(({ reqId }) => reqId === id);
    assert.ok(frame.code < 300, JSON.stringify(frame));
    return { body: frame.body, at };
  }

  /** Asks, and only once the answer is handled begins to listen; the answer, and the pause until what it caused. */
  async caused(notification, type, body) {
    const answer = await this.request(type, body);
    const { at } = await this.next((frame) => frame.type === notification);
    return { ...answer.body, pause: at - answer.at };
  }
}

async function posted(path, body) {
  const options = { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(DEADLINE) };
  return (await fetch(`https://${host}/api/account/${account}/${path}`, options)).json();
}

/** Does something some times over and asserts the median of the pauses it took. */
async function pausing(what, attempt) {
  const pauses = [];
  for (let count = 0; count < TRIES; count += 1) pauses.push((await attempt()).pause);
  const median = pauses.sort((one, other) => one - other)[Math.floor(TRIES / 2)];
  assert.ok(median >= PAUSE, `${what}: ${pauses.map((pause) => pause.toFixed(2))}`);
}

test('a consumer that listens once its request is answered hears of the conversation it opened', async (t) => {
  const consumer = await Wire.consumer(t);
  const change = 'cqm.ExConversationChangeNotification';
  await consumer.caused(change, 'cqm.SubscribeExConversations', { stage: ['OPEN', 'CLOSE'] });
  let conversationId;
  const field = { field: 'ConversationStateField', conversationState: 'CLOSE' };
  await pausing('opening and closing', async () => {
    const opened = await consumer.caused(change, 'cm.ConsumerRequestConversation', { ttrDefName: 'NORMAL' });
    conversationId = opened.conversationId;
    const body = { conversationId, conversationField: [field] };
    const { pause } = await consumer.caused(change, 'cm.UpdateConversationField', body);
    return { pause: Math.min(opened.pause, pause) };
  });
});

test('an agent that listens once its request is answered hears what it subscribed to, opened and said', async (t) => {
  const agent = await Wire.agent(t, 'bot7');
  const change = '.ams.aam.ExConversationChangeNotification';
  await pausing('subscribing', async () => {
    const subscribed = await agent.caused(change, '.ams.aam.SubscribeExConversations', { stage: ['OPEN'] });
    const { subscriptionId } = subscribed;
    await agent.request('.ams.aam.UnsubscribeExConversations', { subscriptionId });
    return subscribed;
  });
  await agent.caused(change, '.ams.aam.SubscribeExConversations', { stage: ['OPEN'] });
  let dialogId;
  await pausing('opening', async () => {
    const opened = await agent.caused(change, '.ams.cm.AgentRequestConversation', { consumerId: `ann ${Math.random()}` });
    dialogId = opened.conversationId;
    return opened;
  });
  const join = [{ field: 'ParticipantsChange', type: 'ADD', role: 'ASSIGNED_AGENT' }];
  const joining = { conversationId: dialogId, conversationField: join };
  await agent.caused(change, '.ams.cm.UpdateConversationField', joining);
  const event = { type: 'ContentEvent', contentType: 'text/plain', message: 'hello' };
  await pausing('speaking', () => agent.caused('.ams.ms.OnlineEventDistribution', '.ams.ms.PublishEvent', { dialogId, event }));
});
