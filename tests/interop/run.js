// Starts the emulator, runs every flow against it, or those that are named, and stops it. Node reads
// NODE_EXTRA_CA_CERTS only when it starts, so the flows run in a node of their own that starts after the emulator has
// written its CA.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The time limit of all flows together, in milliseconds. FLOWS_WITHIN sets another limit, in seconds. */
const DEADLINE = Number(process.env.FLOWS_WITHIN ?? 120) * 1_000;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const binary = process.env.TERTULIA_BIN ?? here('../../target/debug/tertulia');

/** An emulator in a process of its own: its ready line, and its exit code when it ends. */
async function start(ca, signal) {
  const loopback = '127.0.0.1:0';
  const options = ['--listen', loopback, '--control', loopback, '--ca-out', ca, '--agents', '8', '--survey'];
  const environment = { RUST_LOG: 'warn', ...process.env };
  const stdio = ['ignore', 'pipe', 'inherit'];
  const emulator = spawn(binary, ['emulate', ...options], { stdio, env: environment, signal });
  const ended = once(emulator, 'exit').then(([code]) => code);
  const failed = ended.then((code) => {
    throw new Error(`the emulator ended with ${code} before it was ready`);
  });
  const [ready] = await Promise.race([once(createInterface(emulator.stdout), 'line'), failed]);
  return { emulator, ready, ended };
}

async function runFlows(ca, ready, signal) {
  const wanted = process.argv.slice(2);
  const all = (await readdir(here('flows'))).filter((name) => name.endsWith('.test.js'));
  const flows = all.filter((name) => wanted.length === 0 || wanted.includes(name.replace('.test.js', '')));
  // One file at a time: rings go to whichever agent of the account is free.
  const options = ['--test', '--test-concurrency=1', '--test-reporter=spec'];
  const environment = { ...process.env, NODE_EXTRA_CA_CERTS: ca, TERTULIA_EMULATOR: ready };
  const files = flows.map((name) => here(`flows/${name}`));
  const node = spawn(process.execPath, [...options, ...files], { stdio: 'inherit', env: environment, signal });
  const [code] = await once(node, 'exit');
  return code === 0;
}

const directory = await mkdtemp(join(tmpdir(), 'tertulia-interop-'));
try {
  const signal = AbortSignal.timeout(DEADLINE);
  const ca = join(directory, 'ca.pem');
  const { emulator, ready, ended } = await start(ca, signal);
  try {
    process.exitCode = (await runFlows(ca, ready, signal)) ? 0 : 1;
  } finally {
    emulator.kill('SIGTERM');
  }
  const code = await ended;
  if (code !== 0) throw new Error(`the emulator ended with ${code}`);
} finally {
  await rm(directory, { recursive: true });
}
