// How conversations end: at once, by a dialog with a survey behind it, by the consumer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent } from '../agent.js';
import { closeByConsumer, say } from '../platform.js';

const RESOLVED = 'OK Conversation resolved successfully';
const gone = ({ type }) => type === 'DELETE';

test('an agent closes a conversation, which leaves its subscription with its whole tree', async (t) => {
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await agent.takeConversation();
  assert.equal(
    await agent.change(conversation, { field: 'ConversationStateField', conversationState: 'CLOSE' }),
    RESOLVED,
  );
  const { details } = await agent.conversation(conversation, gone);
  assert.deepEqual([details.state, details.stage, details.closeReason], ['CLOSE', 'CLOSE', 'AGENT']);
  assert.deepEqual(
    details.dialogs.map(({ state, closedBy }) => [state, closedBy]),
    [['CLOSE', 'AGENT']],
  );
  await assert.rejects(agent.sayIn(conversation, 'too late'), { code: 400 });
});

test('a closed main dialog opens a survey, and the conversation ends with it', async (t) => {
  const agent = await Agent.onDuty(t, 'bot1');
  const watcher = await Agent.connect(t, 'bot2');
  await watcher.request('subscribeExConversations', { stage: ['OPEN'] });
  const conversation = await agent.takeConversation();
  const closing = (dialogId) => ({ field: 'DialogChange', type: 'UPDATE', dialog: { dialogId, state: 'CLOSE' } });

  assert.equal(await agent.change(conversation, closing(conversation)), RESOLVED);
  const surveyed = ({ details }) => details.dialogs.some(({ dialogType }) => dialogType === 'POST_SURVEY');
  const { details } = await watcher.conversation(conversation, surveyed);
  assert.deepEqual([details.state, details.stage], ['CLOSE', 'OPEN']);
  const survey = details.dialogs.find(({ dialogType }) => dialogType === 'POST_SURVEY');
  assert.equal(survey.state, 'OPEN');

  const join = { field: 'ParticipantsChange', type: 'ADD', role: 'AGENT', dialogId: survey.dialogId };
  assert.equal(await watcher.change(conversation, join), 'OK Agent added successfully');
  await watcher.sayIn(survey.dialogId, 'how was it?');
  await say(conversation, 'fine');
  await watcher.text(survey.dialogId, 'fine');
  assert.equal(await watcher.change(conversation, closing(survey.dialogId)), RESOLVED);
  assert.equal((await watcher.conversation(conversation, gone)).details.stage, 'CLOSE');
});

test('a consumer who leaves closes the conversation for its agent', async (t) => {
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await agent.takeConversation();
  await closeByConsumer(conversation);
  assert.equal((await agent.conversation(conversation, gone)).details.closeReason, 'CONSUMER');
});
