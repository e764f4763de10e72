import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTertulia } from 'tertulia/testing';

test('the bot greets the consumer', async (t) => {
  const { platform, tertulia } = await startTertulia({ after: t.after.bind(t) });
  const stop = new AbortController();
  const bot = tertulia.bot((event) => event.reply('Hello'), {
    type: 'conversation',
    signal: stop.signal,
    after: 'earliest',
  });

  const conversation = await platform.open({ consumer: 'ann' });
  assert.deepEqual(await platform.answers(conversation), ['Hello']);

  stop.abort();
  await bot;
});
