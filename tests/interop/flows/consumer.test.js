// What the other side of the platform gets from an agent's SDK.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent } from '../agent.js';
import { Consumer } from '../consumer.js';

test('a consumer gets the answer and the receipt of the agent, and not what agents say in private', async (t) => {
  const consumer = await Consumer.connect(t);
  const { conversationId } = await consumer.request('cm.ConsumerRequestConversation', { ttrDefName: 'NORMAL' });
  await consumer.request('ms.SubscribeMessagingEvents', { conversationId, dialogId: conversationId, fromSeq: 0 });
  const event = { type: 'ContentEvent', contentType: 'text/plain', message: 'hello' };
  await consumer.request('ms.PublishEvent', { conversationId, dialogId: conversationId, event });

  const agent = await Agent.onDuty(t, 'bot1');
  await agent.takeRing(conversationId);
  await agent.publish(conversationId, { type: 'AcceptStatusEvent', status: 'READ', sequenceList: [0] });
  const secret = { ...event, message: 'a difficult one' };
  await agent.request('publishEvent', {
    dialogId: conversationId,
    messageAudience: 'AGENTS_AND_MANAGERS',
    event: secret,
  });
  await agent.sayIn(conversationId, 'how can I help?');

  const answer = await consumer.event(conversationId, (change) => change.event.message === 'how can I help?');
  assert.deepEqual([answer.originatorId, answer.originatorMetadata.role], [agent.id, 'ASSIGNED_AGENT']);
  const sequences = consumer
    .events(conversationId)
    .map(({ sequence, event }) => [sequence, event.message ?? event.status]);
  assert.deepEqual(sequences, [
    [0, 'hello'],
    [1, 'READ'],
    [3, 'how can I help?'],
  ]);
});

test('a conversation that an agent opens reaches its consumer', async (t) => {
  const consumer = await Consumer.connect(t);
  const agent = await Agent.onDuty(t, 'bot1');
  const { conversationId } = await agent.request('agentRequestConversation', { consumerId: consumer.id });
  await agent.takeRing(conversationId);
  await consumer.request('ms.SubscribeMessagingEvents', { conversationId, dialogId: conversationId, fromSeq: 0 });
  await agent.sayIn(conversationId, 'you have won');
  await consumer.event(conversationId, ({ event }) => event.message === 'you have won');
});
