// Handing a conversation on: to a skill, to another agent, back to the queue; and joining one as a manager.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent } from '../agent.js';
import { say } from '../platform.js';

const REMOVED = 'OK Agent removed successfully';
/** A new object for each request, since the SDK writes the sender's id into it. */
const leave = () => ({ field: 'ParticipantsChange', type: 'REMOVE', role: 'ASSIGNED_AGENT' });
const toSkill = (skill) => ({ field: 'Skill', type: 'UPDATE', skill });
const gone = ({ type }) => type === 'DELETE';

/** An agent with a conversation, who takes no more of them, and another one who does. */
async function agentAndSuccessor(t) {
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await agent.takeConversation();
  await agent.request('setAgentState', { availability: 'AWAY' });
  const successor = await Agent.onDuty(t, 'bot2');
  return { agent, conversation, successor };
}

test('a conversation goes to another skill, and an agent of it is rung', async (t) => {
  const { agent, conversation, successor } = await agentAndSuccessor(t);
  await say(conversation, 'I want to return this');
  assert.equal(await agent.change(conversation, leave(), toSkill('502')), REMOVED);
  await agent.conversation(conversation, gone);

  await successor.takeRing(conversation);
  const { details } = await successor.conversation(conversation, ({ details }) => details.skillId === '502');
  assert.equal(agent.roleIn(details), undefined);
  await successor.request('subscribeMessagingEvents', { dialogId: conversation, fromSeq: -1 });
  await successor.text(conversation, 'I want to return this');
  await successor.sayIn(conversation, 'certainly');
  await assert.rejects(agent.sayIn(conversation, 'still here'), { code: 400 });
});

test('a conversation goes to the agent who is suggested, as soon as that one accepts', async (t) => {
  const { agent, conversation, successor } = await agentAndSuccessor(t);
  const suggest = { field: 'ParticipantsChange', type: 'SUGGEST', role: 'ASSIGNED_AGENT', userId: successor.id };
  assert.equal(await agent.change(conversation, leave(), suggest, toSkill('501')), REMOVED);

  const suggested = await successor.conversation(conversation);
  const states = ({ details }) => details.dialogs[0].participantsDetails.map(({ role, state }) => [role, state]);
  assert.deepEqual(states(suggested), [
    ['CONSUMER', 'ACTIVE'],
    ['ASSIGNED_AGENT', 'SUGGESTED'],
  ]);

  await successor.takeRing(conversation);
  const active = (change) => states(change).some(([role, state]) => role === 'ASSIGNED_AGENT' && state === 'ACTIVE');
  const { details } = await successor.conversation(conversation, active);
  assert.equal(details.skillId, '501');
  assert.equal(details.dialogs[0].participantsDetails.find(({ role }) => role === 'ASSIGNED_AGENT').id, successor.id);
});

test('a conversation goes back to its queue when its agent leaves it', async (t) => {
  const { agent, conversation, successor } = await agentAndSuccessor(t);
  assert.equal(await agent.change(conversation, leave()), REMOVED);
  await agent.conversation(conversation, gone);
  await successor.takeRing(conversation);
  assert.equal(await successor.change(conversation, leave()), REMOVED);
  await assert.rejects(successor.change(conversation, leave()), { code: 400 });
});

test('a manager joins a conversation, reads along and leaves', async (t) => {
  const { agent, conversation, successor: manager } = await agentAndSuccessor(t);
  const asManager = (type) => ({ field: 'ParticipantsChange', type, role: 'MANAGER' });
  assert.equal(await manager.change(conversation, asManager('ADD')), 'OK Agent added successfully');
  await manager.conversation(conversation, ({ details }) => details.getMyRole() === 'MANAGER');
  await agent.sayIn(conversation, 'somebody is listening');
  await manager.text(conversation, 'somebody is listening');
  assert.equal(await manager.change(conversation, asManager('REMOVE')), REMOVED);
  await manager.conversation(conversation, gone);
});
