// The main road of a bot: a ring, its conversation, what the consumer said, an echo, a receipt.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent, Refused } from '../agent.js';
import { ledger, openConversation, say } from '../platform.js';

test('an agent takes a ring, reads what waited, echoes what is said and leaves READ receipts', async (t) => {
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await openConversation();
  await say(conversation, 'is anybody there?');
  await agent.takeRing(conversation);

  await agent.request('subscribeMessagingEvents', { dialogId: conversation, fromSeq: -1 });
  const waited = await agent.text(conversation, 'is anybody there?');
  assert.deepEqual([waited.sequence, waited.isMe(), waited.originatorMetadata.role], [0, false, 'CONSUMER']);

  assert.deepEqual(await agent.sayIn(conversation, 'echo: is anybody there?'), { sequence: 1 });
  const echoed = await agent.text(conversation, 'echo: is anybody there?');
  assert.deepEqual([echoed.sequence, echoed.isMe(), echoed.originatorId], [1, true, agent.id]);

  assert.equal(await say(conversation, 'good'), 2);
  const { sequence } = await agent.text(conversation, 'good');
  const receipt = { type: 'AcceptStatusEvent', status: 'READ', sequenceList: [0, sequence] };
  assert.deepEqual(await agent.publish(conversation, receipt), { sequence: 3 });
  const read = await agent.event(conversation, ({ event }) => event.status === 'READ');
  assert.deepEqual(read.event.sequenceList, [0, 2]);

  const truth = (await ledger(conversation)).map(({ sequence, role, type, text }) => [sequence, role, type, text]);
  assert.deepEqual(truth, [
    [0, 'CONSUMER', 'ContentEvent', 'is anybody there?'],
    [1, 'ASSIGNED_AGENT', 'ContentEvent', 'echo: is anybody there?'],
    [2, 'CONSUMER', 'ContentEvent', 'good'],
    [3, 'ASSIGNED_AGENT', 'AcceptStatusEvent', null],
  ]);
});

test('a conversation tells its last message and its new assignee', async (t) => {
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await agent.takeConversation();
  await say(conversation, 'the last word');
  const last = ({ result }) => result.lastContentEventNotification?.event.message === 'the last word';
  const { details } = await agent.conversation(conversation, last);
  assert.equal(details.getMyRole(), 'ASSIGNED_AGENT');
  assert.deepEqual(
    details.dialogs.map(({ dialogId, dialogType }) => [dialogId, dialogType]),
    [[conversation, 'MAIN']],
  );
});

test('a ring that is rejected goes to the next agent', async (t) => {
  const [first, second] = [await Agent.onDuty(t, 'bot1'), await Agent.onDuty(t, 'bot2')];
  const conversation = await openConversation();
  const rung = await Promise.race(
    [first, second].map(async (agent) => ({ agent, ring: await agent.ring(conversation) })),
  );
  const other = rung.agent === first ? second : first;
  await rung.agent.request('updateRingState', { ringId: rung.ring.ringId, ringState: 'REJECTED' });
  await rung.agent.ring(conversation, 'REJECTED');
  await other.takeRing(conversation);
  const again = rung.agent.request('updateRingState', { ringId: rung.ring.ringId, ringState: 'ACCEPTED' });
  await assert.rejects(again, (error) => error instanceof Refused && error.code === 400);
});

test('rich content, private messages and typing come back as they were sent, with their metadata', async (t) => {
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await agent.takeConversation();

  const metadata = [{ type: 'ExternalId', id: 'card-1' }];
  const content = { type: 'vertical', elements: [{ type: 'text', text: 'choose' }] };
  await agent.publish(conversation, { type: 'RichContentEvent', content }, metadata);
  const rich = await agent.event(conversation, ({ event }) => event.type === 'RichContentEvent');
  assert.deepEqual([rich.event.content, rich.metadata], [content, metadata]);

  const event = { type: 'ContentEvent', contentType: 'text/plain', message: 'between us' };
  const messageAudience = 'AGENTS_AND_MANAGERS';
  await agent.request('publishEvent', { dialogId: conversation, messageAudience, event });
  assert.equal((await agent.text(conversation, 'between us')).messageAudience, messageAudience);

  assert.deepEqual(await agent.publish(conversation, { type: 'ChatStateEvent', chatState: 'COMPOSING' }), {
    sequence: 0,
  });
  const typing = await agent.event(conversation, ({ event }) => event.chatState === 'COMPOSING');
  assert.equal(typing.sequence, undefined);
});

test('a request that the platform refuses fails with its code and text', async (t) => {
  const agent = await Agent.onDuty(t, 'bot1');
  const unknown = { code: 404, body: 'Conversation not found' };
  await assert.rejects(agent.sayIn('no-such-dialog', 'hello?'), unknown);
  const elsewhere = await openConversation({ skill: '501' });
  await agent.ring(elsewhere);
  await assert.rejects(agent.sayIn(elsewhere, 'not mine yet'), {
    code: 400,
    body: 'Agent does not exist in conversation',
  });
});
