// The examples run as they are, and the README shows them as they are.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startTertulia } from '../lib/testing/index.js';

const root = fileURLToPath(new URL('..', import.meta.url));
let running;
let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tertulia-examples-'));
  await cp(join(root, 'examples'), folder, { recursive: true });
  await mkdir(join(folder, 'node_modules'));
  await symlink(root, join(folder, 'node_modules/tertulia'));
  running = await startTertulia({
    connections: [{ id: 'bots-1', login: { username: 'bot1' }, rings: 'accept', agent_state: 'ONLINE' }],
  });
});
after(async () => {
  await running?.stop();
  await rm(folder, { recursive: true });
});

/** Runs an example as a process of its own until the test ends, and waits until the example follows the events. */
async function example(t, name, environment = {}) {
  const env = { ...process.env, TERTULIA_URL: running.service.url, ...environment };
  const bot = spawn(process.execPath, [name], { cwd: folder, env, stdio: 'inherit' });
  t.after(async () => {
    bot.kill('SIGTERM');
    if (bot.exitCode === null && bot.signalCode === null) await once(bot, 'exit');
  });
  const cursor = join(folder, name.replace('.mjs', '.cursor'));
  await running.platform.until(() =>
    readFile(cursor).then(
      () => true,
      () => false,
    ),
  );
}

test('echo.mjs answers every message', async (t) => {
  const { platform } = running;
  await example(t, 'echo.mjs');
  const conversation = await platform.open();
  await platform.say(conversation, 'hello');
  await platform.say(conversation, 'again');
  assert.deepEqual(await platform.answers(conversation, { count: 2 }), ['You said: hello', 'You said: again']);
  await platform.close(conversation);
});

test('model.mjs answers with the text of a model, and transfers a conversation that it cannot answer', async (t) => {
  const { platform, tertulia } = running;
  const asked = [];
  const model = createServer(async (request, response) => {
    const { messages } = JSON.parse(Buffer.concat(await request.toArray()));
    asked.push({ url: request.url, messages });
    const { content } = messages.at(-1);
    if (content === 'impossible') return response.writeHead(500).end();
    return response.end(
      JSON.stringify({ choices: [{ message: { role: 'assistant', content: `An answer to ${content}` } }] }),
    );
  });
  model.listen(0, '127.0.0.1');
  await once(model, 'listening');
  t.after(() => model.close());
  const MODEL_URL = `http://127.0.0.1:${model.address().port}/v1`;
  await example(t, 'model.mjs', { MODEL_URL, MODEL_NAME: 'any', SKILL_OF_PEOPLE: '501' });
  const conversation = await platform.open();
  await platform.say(conversation, 'hello');
  assert.deepEqual(await platform.answers(conversation), ['An answer to hello']);
  await platform.say(conversation, 'again');
  assert.deepEqual(await platform.answers(conversation, { count: 2 }), ['An answer to hello', 'An answer to again']);
  const [system, ...said] = asked.at(-1).messages;
  assert.equal(system.role, 'system');
  assert.deepEqual(said, [
    { role: 'user', content: 'hello' },
    { role: 'assistant', content: 'An answer to hello' },
    { role: 'user', content: 'again' },
  ]);
  assert.equal(asked.at(-1).url, '/v1/chat/completions');
  await platform.say(conversation, 'impossible');
  await platform.until(async () => (await tertulia.conversation(conversation).get()).skillId === '501');
});

test('the README shows every example as it is', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  for (const name of await readdir(join(root, 'examples'))) {
    const text = await readFile(join(root, 'examples', name), 'utf8');
    assert.ok(readme.includes(`\`\`\`js\n${text}\`\`\``), `examples/${name} is not in the README as it is`);
  }
});
