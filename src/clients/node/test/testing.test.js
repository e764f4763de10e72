// The processes that `tertulia/testing` starts also end, whatever happens to the test.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { findProgram, startPlatform, startService, startTertulia } from '../lib/testing/index.js';
import { toml } from '../lib/testing/toml.js';

const module = new URL('../lib/testing/index.js', import.meta.url).href;
const USE = `
  import { startTertulia } from '${module}';
  const { platform, service } = await startTertulia();
  console.log(JSON.stringify([platform.control, service.url]));
`;

/** Whether anything answers at an address. */
const answers = (url) =>
  fetch(url).then(
    () => true,
    () => false,
  );

/**
 * Runs a script that starts everything and then ends in its own way; its addresses, its folder for files, and its end.
 */
async function script(t, text) {
  const folder = await mkdtemp(join(tmpdir(), 'tertulia-testing-'));
  t.after(() => rm(folder, { recursive: true }));
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env,
  });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  const [line] = await once(createInterface(child.stdout), 'line');
  return { child, ended, folder, addresses: JSON.parse(line) };
}

for (const [how, rest] of Object.entries({
  fails: 'throw new Error("failed");',
  exits: 'process.exit(3);',
  'is killed': 'await new Promise(() => setInterval(() => {}, 1e6));',
})) {
  test(`the processes end and their files go when the test's process ${how}`, async (t) => {
    const { child, ended, folder, addresses } = await script(t, USE + rest);
    if (how === 'is killed') {
      assert.ok(await answers(`${addresses[0]}/sessions`));
      child.kill('SIGKILL');
    }
    await ended;
    const deadline = Date.now() + 10_000;
    for (const address of addresses) {
      while (await answers(address)) assert.ok(Date.now() < deadline, `${address} still answers`);
    }
    while ((await readdir(folder)).length > 0) assert.ok(Date.now() < deadline, 'files stay');
  });
}

/** Lets `act` run with a folder of its own for temporary files, and returns the files that stay in the folder. */
async function leftOver(t, act) {
  const folder = await mkdtemp(join(tmpdir(), 'tertulia-testing-'));
  t.after(() => rm(folder, { recursive: true }));
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  try {
    await act();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
  return readdir(folder);
}

test('parts that are started alone are stopped by the runner of the tests, and leave no files', async (t) => {
  const stops = [];
  const after = (stop) => stops.unshift(stop);
  const left = await leftOver(t, async () => {
    const platform = await startPlatform({ agents: 1, after });
    const connections = [{ id: 'agent', login: { username: 'bot1' } }];
    const service = await startService({ platform, connections, after });
    assert.equal((await platform.sessions()).length, 1);
    assert.equal((await service.tertulia.connection('agent').get()).account, platform.account);
    for (const stop of stops) await stop();
    assert.equal(await answers(service.url), false);
  });
  assert.deepEqual(left, []);
});

test('a runner of tests that takes no hook at that time gets its error, and nothing stays', async (t) => {
  const after = () => {
    throw new Error('no hooks now');
  };
  const left = await leftOver(t, async () => {
    for (const start of [startPlatform, startService, startTertulia])
      await assert.rejects(start({ after }), /no hooks now/);
  });
  assert.deepEqual(left, []);
});

test('the service is killed and started again at the same address, on its data', async (t) => {
  const { platform, service, tertulia } = await startTertulia({ after: (stop) => t.after(stop) });
  const { url } = service;
  const conversation = await platform.open();
  await platform.until(async () => (await tertulia.conversations().all()).length === 1);
  await service.kill();
  assert.equal(await answers(url), false);
  await service.start();
  assert.equal(service.url, url);
  assert.equal((await tertulia.conversation(conversation).get()).stage, 'OPEN');
});

test('a mistake in the settings is an error with the words of the program', async () => {
  await assert.rejects(
    startService({ settings: { gateway: { lissten: 'x' } } }),
    /ended with 1 before it was ready[^]*lissten/,
  );
});

test('many consumers speak, faults happen, and the ledger has everything', async (t) => {
  const { platform, tertulia } = await startTertulia({ after: (stop) => t.after(stop) });
  const stop = new AbortController();
  const bot = tertulia.bot(async (event) => event.data.role === 'CONSUMER' && event.reply('yes'), {
    type: 'message',
    after: 'earliest',
    signal: stop.signal,
  });
  const id = await platform.traffic({ conversations: 5, messages: 3, rate: 100 });
  await platform.fault({ fault: 'drop', side: 'brand', user: 'bot1' });
  const { agentMessages, conversations } = await platform.until(async () => {
    const summary = await platform.summary();
    return summary.agentMessages >= 15 && summary;
  });
  assert.deepEqual([agentMessages, conversations], [15, 5]);
  assert.equal((await platform.trafficSoFar(id)).sent, 15);
  stop.abort();
  await bot;
});

test('TERTULIA_BIN names the program, or else the program is the first on the PATH that is not a script of this package', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tertulia-path-'));
  t.after(() => rm(folder, { recursive: true }));
  assert.equal(findProgram({ TERTULIA_BIN: '/some/where', PATH: folder }), '/some/where');
  assert.equal(findProgram({ PATH: folder }), undefined);
  await writeFile(join(folder, 'tertulia'), '', { mode: 0o644 });
  assert.equal(findProgram({ PATH: folder }), undefined);
  await rm(join(folder, 'tertulia'));
  await writeFile(join(folder, 'tertulia'), '', { mode: 0o755 });
  assert.equal(findProgram({ PATH: `/nowhere:${folder}` }), join(folder, 'tertulia'));
});

test('a configuration is written in TOML', () => {
  const text = toml({
    platform: undefined,
    gateway: { listen: '127.0.0.1:0', tokens: [{ name: 'a"b\\c' }], none: undefined },
    connections: [{ id: 'a', n: 1, on: true }],
  });
  assert.equal(
    text,
    '[gateway]\n"listen" = "127.0.0.1:0"\n"tokens" = [{ "name" = "a\\"b\\\\c" }]\n\n[[connections]]\n"id" = "a"\n"n" = 1\n"on" = true\n',
  );
});
