// A webhook's receiver, whose signatures are verified by the reference library of Standard Webhooks: it fails, hangs,
// goes away and comes back, the service dies meanwhile, and every event comes, in order for each conversation.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { ledger, openConversation, say } from '../platform.js';
import { Service } from '../service.js';

/** The longest that everything together may take to arrive, in milliseconds. */
const ARRIVES_WITHIN = 60_000;

/** A receiver that verifies what it is sent and remembers what it took. */
class Receiver {
  #accepted = [];
  #forged = [];
  #waiting = new Set();
  #behave = () => 200;
  #server = null;
  #port = 0;

  /** Listens, where it listened before if it did. */
  async listen() {
    this.#server = createServer((request, response) => this.#receive(request, response));
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = this.#server.address().port;
  }

  /** Is there no more, open connections included. */
  async leave() {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  /** What was answered by 200, in order. */
  get accepted() {
    return this.#accepted;
  }

  get forged() {
    return this.#forged;
  }

  /** `behave` answers the status for an event; null hangs, undefined hangs up. */
  behave(behave) {
    this.#behave = behave;
  }

  trust(...secrets) {
    this.webhooks = secrets.map((secret) => new Webhook(secret));
  }

  async #receive(request, response) {
    let body = '';
    for await (const chunk of request) body += chunk;
    for (const webhook of this.webhooks) {
      try {
        webhook.verify(body, request.headers);
      } catch (error) {
        this.#forged.push({ error: error.message, body });
      }
    }
    const event = JSON.parse(body);
    assert.equal(request.headers['webhook-id'], event.id);
    const status = this.#behave(event);
    if (status === null) return;
    if (status === undefined) {
      request.socket.destroy();
      return;
    }
    if (status === 200) this.#accepted.push(event);
    response.writeHead(status).end();
    for (const look of this.#waiting) look();
  }

  /** Waits until `is` holds. */
  until(what, is) {
    if (is()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => settle(() => reject(new Error(`never: ${what}`))), ARRIVES_WITHIN);
      const look = () => is() && settle(resolve);
      const settle = (outcome) => {
        clearTimeout(late);
        this.#waiting.delete(look);
        outcome();
      };
      this.#waiting.add(look);
    });
  }
}

/** The same numbers with each seed: mulberry32. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The first delivery of each event of each conversation, in the order in which they came. */
function byConversation(events) {
  const heard = new Map();
  const seen = new Set();
  for (const event of events) {
    if (seen.has(event.id)) continue;
    seen.add(event.id);
    if (!heard.has(event.subject)) heard.set(event.subject, []);
    heard.get(event.subject).push(event);
  }
  return heard;
}

test('a receiver that fails, hangs, leaves and comes back gets every event in order, each verified', async (t) => {
  const service = await Service.start(t, 'bot8');
  const receiver = new Receiver();
  await receiver.listen();
  t.after(() => receiver.leave());

  // Some for what fails at random, the others for as long as it is away.
  const retries = [...Array(10).fill(0.05), ...Array(10).fill(1)];
  const made = await service.request('POST', '/v1/webhooks', { url: receiver.url, retries });
  assert.equal(made.status, 201);
  const { id, secret } = await made.json();
  receiver.trust(secret);

  const conversations = [];
  for (let number = 0; number < 12; number += 1) conversations.push(await openConversation());
  const speak = async (rounds) => {
    for (let round = 0; round < rounds; round += 1) {
      await Promise.all(conversations.map((conversation) => say(conversation, `number ${round}`)));
    }
  };
  const told = () => new Set(receiver.accepted.map(({ id }) => id)).size;

  // It takes what comes.
  await speak(2);
  await receiver.until('the first messages', () => told() >= 24);

  // It fails, redirects, hangs and hangs up, at random.
  const dice = random(7);
  const thrown = new Set();
  receiver.behave(() => {
    const outcome = [null, undefined, 500, 301, 429, 200, 200, 200, 200, 200][Math.floor(dice() * 10)];
    thrown.add(outcome);
    return outcome;
  });
  await speak(4);
  await receiver.until('every kind of failure', () => thrown.size === 6);

  // It goes away, the service dies too, and both come back. Both secrets are good meanwhile.
  await receiver.leave();
  const rotated = await service.request('POST', `/v1/webhooks/${id}/secret`, {});
  receiver.trust(secret, (await rotated.json()).secret);
  await speak(2);
  await service.kill();
  await speak(1);
  await service.begin();
  receiver.behave(() => 200);
  await receiver.listen();
  await service.request('PATCH', `/v1/webhooks/${id}`, { enabled: true });
  await speak(1);

  const messages = () => [...byConversation(receiver.accepted).values()].flat().filter(({ type }) => type === 'tertulia.message');
  const own = () => messages().filter(({ subject }) => conversations.includes(subject)).length;
  await receiver.until('every message', () => own() >= 12 * 10);

  const heard = byConversation(receiver.accepted);
  for (const conversation of conversations) {
    const events = heard.get(conversation);
    // Sequences have no holes, so nothing is missing and nothing is out of order.
    const first = Number(events[0].sequence);
    assert.deepEqual(
      events.map(({ sequence }) => Number(sequence)),
      events.map((_, place) => first + place),
    );
    const bodies = events.filter(({ type }) => type === 'tertulia.message').map(({ data }) => data.body);
    assert.deepEqual(bodies, (await ledger(conversation)).map(({ text }) => text));
  }
  assert.deepEqual(receiver.forged, []);
  const letters = await service.request('GET', '/v1/dead-letters');
  assert.deepEqual((await letters.json()).items, []);
});
