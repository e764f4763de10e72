// Bots that are receivers of webhooks. Each of the two examples runs in a process of its own and answers consumers
// while the service is killed repeatedly. The ledger shows that each message was answered once and in order.
//
// REPLIES="messages conversations kills" changes the numbers, for example:
// REPLIES="2000 100 10" FLOWS_WITHIN=1800 node run.js webhook-replies

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { saidIn, speakOver } from '../answers.js';
import { Service } from '../service.js';

const [MESSAGES, CONVERSATIONS, KILLS] = (process.env.REPLIES ?? '60 6 3').split(' ').map(Number);

const example = (name) => fileURLToPath(new URL(`../replies/${name}`, import.meta.url));

/** Starts a receiver in a process of its own. Returns its URL. */
async function receiver(t, command, file, secret) {
  const env = { ...process.env, PORT: '0', SECRET: secret };
  const child = spawn(command, [example(file)], { stdio: ['ignore', 'pipe', 'ignore'], env });
  t.after(() => child.kill());
  const [port] = await once(createInterface(child.stdout), 'line');
  return `http://127.0.0.1:${port}/`;
}

for (const [command, file] of [[process.execPath, 'receiver.js'], ['python3', 'receiver.py']]) {
  test(`${file} answers each message once, while the service is killed`, async (t) => {
    const service = await Service.start(t, 'bot7');
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    const url = await receiver(t, command, file, secret);
    const webhook = { url, secret, replies: true, filter: { type: ['message'] }, retries: Array(20).fill(0.1) };
    assert.equal((await service.request('POST', '/v1/webhooks', webhook)).status, 201);

    const began = Date.now();
    const kill = async () => {
      await service.kill();
      await service.begin();
    };
    const amount = { messages: MESSAGES, conversations: CONVERSATIONS };
    const conversations = await speakOver(KILLS, kill, amount);

    const said = await saidIn(conversations);
    for (const { asked, answered } of said.values()) {
      assert.deepEqual(answered, asked.map((text) => `You said: ${text}`));
    }
    const letters = await service.request('GET', '/v1/dead-letters');
    assert.deepEqual((await letters.json()).items, []);
    const seconds = ((Date.now() - began) / 1_000).toFixed(1);
    t.diagnostic(`${MESSAGES} messages of ${CONVERSATIONS} conversations, ${KILLS} kills: each answered once, ${seconds} s`);
  });
}
