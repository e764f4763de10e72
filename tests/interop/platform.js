// The emulator that the launcher has started: where it is, and its control interface.

import assert from 'node:assert/strict';
import { DEADLINE } from './hearing.js';

const { listen, control, account } = JSON.parse(process.env.TERTULIA_EMULATOR);

export { account };

/** `host:port` of everything over TLS, discovery too. */
export const host = listen;

async function order(path, body) {
  const response = await fetch(`http://${control}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(DEADLINE),
  });
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return text;
}

/** A simulated consumer opens a conversation; its id. */
export async function openConversation(options = {}) {
  return JSON.parse(await order('/conversations', options)).id;
}

/** The consumer of a conversation says something; the sequence it got. */
export async function say(conversation, text) {
  return JSON.parse(await order(`/conversations/${conversation}/messages`, { text })).sequence;
}

/** The consumer of a conversation closes it. */
export async function closeByConsumer(conversation) {
  await order(`/conversations/${conversation}/close`, {});
}

/** One fault, now. */
export async function fault(fault, user) {
  await order('/faults', { fault, side: 'brand', user, count: 1 });
}

/** What the platform really accepted, in order. */
export async function wholeLedger() {
  const lines = (await order('/ledger')).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line));
}

/** What the platform really accepted in a conversation, in order. */
export async function ledger(conversation) {
  return (await wholeLedger()).filter((entry) => entry.conversation === conversation);
}
