// The messages of consumers and agents, read from the stand-in's ledger.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { openConversation, say, wholeLedger } from './platform.js';

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
async function answered(conversations, count) {
  const deadline = Date.now() + 60_000 + 100 * count;
  for (;;) {
    const said = [...(await saidIn(conversations)).values()];
    const now = said.reduce((sum, { answered }) => sum + answered.length, 0);
    if (now >= count) return;
    assert.ok(Date.now() < deadline, `only ${now} of ${count} messages are answered`);
    await pause(100);
  }
}

/**
 * Opens conversations and speaks in them in turns, `messages` in all. In between it waits for a random part of the answers
 * and calls `kill(time)`, `kills` times. Returns the ids of the conversations when every message was answered.
 */
export async function speakOver(kills, kill, { messages, conversations: count }) {
  const conversations = [];
  for (let number = 0; number < count; number += 1) conversations.push(await openConversation());
  let sent = 0;
  for (let time = 0; time <= kills; time += 1) {
    const before = sent;
    for (const until = Math.round((messages * (time + 1)) / (kills + 1)); sent < until; sent += 1) {
      await say(conversations[sent % count], `number ${sent}`);
    }
    if (time === kills) break;
    await answered(conversations, before + Math.round((sent - before) * Math.random()));
    await kill(time);
  }
  await answered(conversations, messages);
  return conversations;
}
