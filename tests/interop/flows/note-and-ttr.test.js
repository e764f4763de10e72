// What an agent sets on a conversation: the note, the response time, the deadline.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent } from '../agent.js';

test('an agent writes the note', async (t) => {
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await agent.takeConversation();
  const note = JSON.stringify([{ agentId: agent.id, name: 'Bot', noteContent: 'wants a refund', time: 1, noteId: 'n' }]);
  assert.equal(await agent.change(conversation, { field: 'Note', note }), 'OK Update note success');
  const tooLong = { field: 'Note', note: 'x'.repeat(5001) };
  await assert.rejects(agent.change(conversation, tooLong), { code: 400 });
});

test('an agent sets the response time and the deadline, and is told of both', async (t) => {
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await agent.takeConversation();
  const urgent = { field: 'TTRField', ttrType: 'CUSTOM', value: 77 };
  assert.equal(await agent.change(conversation, urgent), 'Update TTR ended successfully');
  const { details } = await agent.conversation(conversation, ({ details }) => details.ttr.ttrType === 'CUSTOM');
  assert.equal(details.ttr.value, 77);

  const deadline = { field: 'ManualETTR', time: 4_000_000_000_000 };
  assert.equal(await agent.change(conversation, deadline), 'Update manual Ettr ended successfully');
  await agent.conversation(conversation, ({ details }) => details.manualETTR === deadline.time);
});
