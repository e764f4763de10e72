// A socket that is lost, and what the agent finds when it is back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent } from '../agent.js';
import { fault, say } from '../platform.js';

/** Goes on with the same or with a new bearer. */
async function reconnect(agent, keepsBearer) {
  const connected = agent.connected();
  agent.sdk.reconnect(keepsBearer);
  await connected;
}

for (const [how, keepsBearer] of [
  ['the same bearer', true],
  ['a new login', false],
]) {
  test(`an agent whose connection is lost comes back by ${how} and misses nothing`, async (t) => {
    const agent = await Agent.onDuty(t, 'bot1');
    const conversation = await agent.takeConversation();
    await fault('drop', 'bot1');
    assert.equal(await agent.closed(), 1006);
    await say(conversation, 'are you there?');

    agent.forget();
    await reconnect(agent, keepsBearer);
    await agent.goOnDuty();
    const { details } = await agent.conversation(conversation);
    assert.equal(details.getMyRole(), 'ASSIGNED_AGENT');
    await agent.request('subscribeMessagingEvents', { dialogId: conversation, fromSeq: -1 });
    await agent.text(conversation, 'are you there?');
    await agent.sayIn(conversation, 'I am');
    await agent.text(conversation, 'I am');
  });
}
