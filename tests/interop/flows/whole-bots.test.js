// Complete bots that read the stream of events. Each of the two examples runs in a process of its own, and the service
// and the bot are killed in turns. The ledger shows that each message was answered once, in order, and that each answer
// has data from the first event of the conversation.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { saidIn, speakOver } from '../answers.js';
import { Service } from '../service.js';

const MESSAGES = 40;
const CONVERSATIONS = 5;
const KILLS = 4;

/** The two examples, each with a login of its own, because rings go to any free agent. */
for (const [command, name, login] of [[process.execPath, 'bot.js', 'bot5'], ['python3', 'bot.py', 'bot6']]) {
  test(`${name} answers each message once, while it and the service are killed`, async (t) => {
    const service = await Service.start(t, login);
    const directory = await mkdtemp(join(tmpdir(), 'tertulia-bot-'));
    const example = fileURLToPath(new URL(`../bots/${name}`, import.meta.url));
    const start = () => {
      const given = [example, `http://${service.gateway}`, 'bots', join(directory, 'cursor')];
      return spawn(command, given, { stdio: ['ignore', 'ignore', 'ignore'] });
    };
    let bot = start();
    const kill = async () => {
      const ended = once(bot, 'exit');
      bot.kill('SIGKILL');
      await ended;
    };
    t.after(async () => {
      await kill();
      await rm(directory, { recursive: true });
    });

    const killInTurns = async (time) => {
      if (time % 2 === 0) {
        await service.kill();
        await service.begin();
      } else {
        await kill();
        bot = start();
      }
    };
    const amount = { messages: MESSAGES, conversations: CONVERSATIONS };
    const conversations = await speakOver(KILLS, killInTurns, amount);

    for (const { asked, answered } of (await saidIn(conversations)).values()) {
      assert.deepEqual(answered, asked.map((text) => `Skill -1 heard: ${text}`));
    }
  });
}
