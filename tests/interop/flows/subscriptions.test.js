// Each subscription is answered with its id and followed by a first notification.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent, Refused } from '../agent.js';
import { openConversation, say } from '../platform.js';

test('a subscription to conversations begins with those that are there', async (t) => {
  const conversation = await openConversation();
  const agent = await Agent.connect(t, 'bot1');
  const { subscriptionId } = await agent.request('subscribeExConversations', { convState: ['OPEN'] });
  assert.ok(subscriptionId);
  const { type, details } = await agent.conversation(conversation);
  assert.equal(type, 'UPSERT');
  assert.deepEqual([details.state, details.stage, details.skillId], ['OPEN', 'OPEN', '-1']);
  assert.deepEqual(
    details.participants.map(({ role }) => role),
    ['CONSUMER'],
  );
});

test('a subscription that was ended tells nothing more', async (t) => {
  const conversation = await openConversation();
  const agent = await Agent.connect(t, 'bot1');
  const ended = await agent.request('subscribeExConversations', { convState: ['OPEN'] });
  // Its snapshot comes a moment after its answer.
  await agent.heard('cqm.ExConversationChangeNotification');
  await agent.request('unsubscribeExConversations', { subscriptionId: ended.subscriptionId });
  await assert.rejects(agent.request('unsubscribeExConversations', { subscriptionId: ended.subscriptionId }), Refused);
  agent.forget();
  await say(conversation, 'to nobody');
  const live = await agent.request('subscribeExConversations', { convState: ['OPEN'] });
  // What the ended one had to tell would have come before this.
  const first = await agent.heard('cqm.ExConversationChangeNotification');
  assert.equal(first.subscriptionId, live.subscriptionId);
});

test('a subscription to rings begins with those that wait, if any', async (t) => {
  const unrung = await Agent.connect(t, 'bot8');
  const { subscriptionId } = await unrung.request('subscribeRoutingTasks', {});
  assert.deepEqual(await unrung.heard('routing.RoutingTaskNotification'), { subscriptionId, changes: [] });
  assert.ok(await unrung.request('updateRoutingTaskSubscription', { subscriptionId }));

  const conversation = await openConversation();
  const rung = await Agent.onDuty(t, 'bot1');
  const { ringId } = await rung.ring(conversation);
  rung.forget();
  await rung.request('subscribeRoutingTasks', {});
  assert.equal((await rung.ring(conversation)).ringId, ringId);
});

test('a subscription to the own state tells it now and whenever it changes', async (t) => {
  const agent = await Agent.connect(t, 'bot1');
  const { subscriptionId } = await agent.request('subscribeAgentsState', {});
  const availability = ({ changes }) => changes[0].result.availability;
  assert.equal((await agent.heard('routing.AgentStateNotification')).subscriptionId, subscriptionId);
  for (const state of ['ONLINE', 'OCCUPIED', 'AWAY']) {
    assert.equal(await agent.request('setAgentState', { availability: state }), 'Agent state updated successfully');
    await agent.heard('routing.AgentStateNotification', (body) => availability(body) === state);
  }
});
