// The service and the bot are killed under traffic, and every message is answered exactly once.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startTertulia } from '../lib/testing/index.js';

const BOT = fileURLToPath(new URL('support/mortal_bot.js', import.meta.url));
const CONVERSATIONS = 6;
const MESSAGES = 10;
/** After how many answers each process of the bot kills itself; the last one does not. */
const LIVES = [1, 2, 4, 8, 12, Infinity];
/** After how many messages of consumers the service is killed. */
const KILLS = [12, 30, 48];

test('every message is answered exactly once, in order, although the service and the bot are killed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tertulia-resume-'));
  t.after(() => rm(folder, { recursive: true }));
  const { platform, service } = await startTertulia({ after: (stop) => t.after(stop) });
  let bot;
  let begun = 0;
  const lives = (async () => {
    for (const life of LIVES) {
      const env = {
        ...process.env,
        TERTULIA_URL: service.url,
        CURSOR: join(folder, 'cursor'),
        LIVES_FOR: String(life),
      };
      bot = spawn(process.execPath, [BOT], { env, stdio: 'inherit' });
      begun += 1;
      const [, signal] = await once(bot, 'exit');
      assert.equal(signal, life === Infinity ? 'SIGTERM' : 'SIGKILL');
    }
  })();
  t.after(() => bot.kill('SIGKILL'));
  const conversations = await Promise.all(Array.from({ length: CONVERSATIONS }, () => platform.open()));
  let said = 0;
  for (let number = 0; number < MESSAGES; number += 1) {
    for (const conversation of conversations) {
      await platform.say(conversation, `${number}`);
      said += 1;
      if (!KILLS.includes(said)) continue;
      await service.kill();
      await service.start();
    }
  }
  const expected = Array.from({ length: MESSAGES }, (_, number) => `${number}`);
  for (const conversation of conversations) {
    const answers = await platform.answers(conversation, { count: MESSAGES, timeout: 30_000 });
    assert.deepEqual(
      answers.map((text) => text.split(',')[0]),
      expected,
    );
  }
  await platform.until(() => begun === LIVES.length);
  bot.kill('SIGTERM');
  await lives;
  const { agentMessages } = await platform.summary();
  assert.equal(agentMessages, CONVERSATIONS * MESSAGES);
});
