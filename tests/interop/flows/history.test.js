// Reading what was said before.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent } from '../agent.js';
import { openConversation, say } from '../platform.js';

/** An agent with a conversation in which these texts were said, all of which it has heard live. */
async function heardLive(t, texts) {
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await agent.takeConversation();
  for (const text of texts) {
    await say(conversation, text);
    await agent.text(conversation, text);
  }
  return { agent, conversation };
}

/** Asks for a dialog's history; what comes back in one piece. */
async function history(agent, dialogId, bounds) {
  agent.forget();
  await agent.request('subscribeMessagingEvents', { dialogId, ...bounds });
  const changes = await agent.heard('ms.MessagingEventNotification', (body) => body.changes);
  return changes.map(({ sequence, event }) => `${sequence} ${event.message}`);
}

test('the history of a dialog is complete, in order, and cut by its bounds', async (t) => {
  const { agent, conversation } = await heardLive(t, ['zero', 'one', 'two', 'three']);
  assert.deepEqual(await history(agent, conversation, { fromSeq: -1 }), ['0 zero', '1 one', '2 two', '3 three']);
  assert.deepEqual(await history(agent, conversation, { fromSeq: 2 }), ['2 two', '3 three']);
  const middle = { fromSeq: -1, olderThanSequence: 3, maxQuantity: 2 };
  assert.deepEqual(await history(agent, conversation, middle), ['0 zero', '1 one']);
});

test('the bound that the SDK sends by itself brings the whole dialog', async (t) => {
  const { agent, conversation } = await heardLive(t, ['zero', 'one']);
  assert.deepEqual(await history(agent, conversation, {}), ['0 zero', '1 one']);
});

test('own messages of earlier connections are known as own', async (t) => {
  const before = await Agent.onDuty(t, 'bot1');
  const conversation = await before.takeConversation();
  await before.sayIn(conversation, 'mine');
  const after = await Agent.connect(t, 'bot1');
  await after.request('subscribeMessagingEvents', { dialogId: conversation, fromSeq: -1 });
  const mine = await after.text(conversation, 'mine');
  assert.deepEqual([mine.isMe(), mine.originatorId], [true, after.id]);
});

test('the history is for those who take part', async (t) => {
  const conversation = await openConversation();
  const agent = await Agent.connect(t, 'bot1');
  const asked = agent.request('subscribeMessagingEvents', { dialogId: conversation });
  await assert.rejects(asked, { code: 400, body: 'Agent does not exist in conversation' });
});
