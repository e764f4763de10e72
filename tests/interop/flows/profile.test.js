// What an agent learns about a consumer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent } from '../agent.js';
import { Consumer } from '../consumer.js';
import { openConversation } from '../platform.js';

const consumerOf = ({ participants }) => participants.find(({ role }) => role === 'CONSUMER').id;

test('the profile that a consumer has set reaches the agent of its conversation', async (t) => {
  const consumer = await Consumer.connect(t);
  await consumer.request('userprofile.SetUserProfile', {
    firstName: 'Ann',
    lastName: 'Lee',
    privateData: { mobileNum: '+15550100', email: 'ann@example.com' },
    authenticatedData: { lp_sdes: [{ type: 'ctmrinfo', info: { ctype: 'vip' } }] },
  });
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await agent.takeConversation({ consumer: consumer.id });
  const { details } = await agent.conversation(conversation);
  assert.equal(consumerOf(details), consumer.id);

  assert.deepEqual(await agent.request('getUserProfile', consumerOf(details)), [
    { type: 'ctmrinfo', info: { ctype: 'vip' }, auth: {} },
    { type: 'ctmrinfo', info: { imei: '+15550100' } },
    {
      type: 'personal',
      personal: { firstname: 'Ann', lastname: 'Lee', contacts: [{ email: 'ann@example.com', phone: '+15550100' }] },
    },
  ]);
});

test('a consumer without a profile has an empty one', async (t) => {
  const agent = await Agent.connect(t, 'bot1');
  const conversation = await openConversation();
  await agent.request('subscribeExConversations', { convState: ['OPEN'] });
  const { details } = await agent.conversation(conversation);
  assert.deepEqual(await agent.request('getUserProfile', consumerOf(details)), []);
});
