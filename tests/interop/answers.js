// The messages of consumers and agents, read from the stand-in's ledger.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { wholeLedger } from './platform.js';

/** The messages of consumers and of agents in each of these conversations, in order. */
export async function saidIn(conversations) {
  const said = new Map(conversations.map((conversation) => [conversation, { asked: [], answered: [] }]));
  for (const { conversation, role, type, text } of await wholeLedger()) {
    if (type !== 'ContentEvent' || !said.has(conversation)) continue;
    said.get(conversation)[role === 'CONSUMER' ? 'asked' : 'answered'].push(text);
  }
  return said;
}

/** Waits until `count` messages are answered, for at most 60 s and another 0.1 s for each message. */
export async function answered(conversations, count) {
  const deadline = Date.now() + 60_000 + 100 * count;
  for (;;) {
    const said = [...(await saidIn(conversations)).values()];
    const now = said.reduce((sum, { answered }) => sum + answered.length, 0);
    if (now >= count) return;
    assert.ok(Date.now() < deadline, `only ${now} of ${count} messages are answered`);
    await pause(100);
  }
}
