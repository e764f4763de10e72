// Discovery, the ways to log in, and the session that follows.

import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { test } from 'node:test';
import { Agent } from '../agent.js';
import { DEADLINE } from '../hearing.js';
import { fault } from '../platform.js';

test('an agent logs in by password, learns its id and opens its socket', async (t) => {
  const agent = await Agent.connect(t, 'bot1');
  assert.match(agent.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(agent.sdk.connected, true);
});

test('the same agent logs in by its keys and by an assertion', async (t) => {
  const [key, secret, accessToken] = ['bot1-key', 'bot1-secret', 'bot1-token'];
  const keys = { appKey: key, secret, accessToken, accessTokenSecret: 'bot1-token-secret' };
  const byKeys = await Agent.connect(t, 'bot1', keys);
  const byAssertion = await Agent.connect(t, 'bot1', { assertion: Buffer.from('bot1').toString('base64') });
  assert.equal(byAssertion.id, byKeys.id);
});

test('a bearer opens a second socket without a login', async (t) => {
  const agent = await Agent.connect(t, 'bot1');
  const second = await Agent.connect(t, undefined, { token: agent.sdk.token, userId: agent.sdk.userId });
  assert.ok((await second.request('getClock', {})).currentTime > 0);
});

test('a wrong password and an unknown bearer open nothing', async (t) => {
  await assert.rejects(Agent.connect(t, 'bot1', { password: 'guessed' }), /Wrong user name or password/);
  await assert.rejects(Agent.connect(t, undefined, { token: 'guessed', userId: '1' }), /401/);
});

test('the clock of the platform is told in milliseconds', async (t) => {
  const agent = await Agent.connect(t, 'bot1');
  const { currentTime } = await agent.request('getClock', {});
  assert.ok(Number.isInteger(currentTime) && currentTime > 1_600_000_000_000, String(currentTime));
});

test('the session is refreshed with the cookie and the csrf token of its login', { timeout: DEADLINE }, async (t) => {
  const refreshed = new Promise((resolve) => {
    diagnostics.subscribe('http.client.response.finish', ({ request, response }) => {
      if (request.path.includes('/refresh')) resolve(response.statusCode);
    });
  });
  // An agent whom nobody else logs in: one more refresh may be on its way when the test ends.
  await Agent.connect(t, 'bot8', { password: 'secret', refreshSessionInterval: 10 });
  assert.equal(await refreshed, 200);
});

test('a session that has been ended is closed and refused its refresh', async (t) => {
  const agent = await Agent.connect(t, 'bot1', { password: 'secret', refreshSessionInterval: 10 });
  await fault('expire-token', 'bot1');
  assert.equal(await agent.closed(), 4401);
  assert.equal((await agent.complaint()).code, 401);
});
