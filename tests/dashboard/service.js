// The service and the platform stand-in, each a process of its own that ends with its test.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const BINARY = process.env.TERTULIA_BIN ?? fileURLToPath(new URL('../../target/debug/tertulia', import.meta.url));
/** How long a process may take to be ready, and to end, in milliseconds. */
const PATIENCE = 60_000;
const SAID = 200;

/** One process of the binary. */
class Process {
  #child;
  #ended;
  #said = [];
  #listeners = new Set();

  constructor(options) {
    const environment = { RUST_LOG: 'warn', ...process.env, PASSWORD: 'secret' };
    this.#child = spawn(BINARY, options, { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
    this.#ended = once(this.#child, 'exit').then(([code]) => code);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface(stream).on('line', (line) => {
        if (this.#said.length < SAID) this.#said.push(line);
        for (const listener of this.#listeners) listener(line);
      });
    }
  }

  /** What `read` makes of the first line that it makes something of. */
  async line(read) {
    const found = new Promise((resolve) => {
      const listener = (line) => {
        const made = read(line);
        if (made === undefined) return;
        this.#listeners.delete(listener);
        resolve(made);
      };
      this.#listeners.add(listener);
    });
    return this.within(found);
  }

  /** Waits for `ready`, unless the process ends or takes too long. */
  async within(ready) {
    const told = (why) => new Error(`the process ${why}: ${this.#said.join('\n')}`);
    const late = new AbortController();
    const deadline = pause(PATIENCE, undefined, { signal: late.signal }).then(() =>
      Promise.reject(told('was not ready in time')),
    );
    const gone = this.#ended.then((code) => Promise.reject(told(`ended with ${code}`)));
    try {
      return await Promise.race([ready, deadline, gone]);
    } finally {
      deadline.catch(() => {});
      gone.catch(() => {});
      late.abort();
    }
  }

  /** Ends it, by force where it does not. */
  async stop(signal = 'SIGTERM') {
    this.#child.kill(signal);
    const force = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE);
    const code = await this.#ended;
    clearTimeout(force);
    return code;
  }
}

/** Ends what a test began, the last first. The returned function takes what to do for each. */
export function endings(t) {
  const ends = [];
  t.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  return (end) => ends.push(end);
}

/** `tertulia demo --keep` with these options. */
export async function demo(...options) {
  const process = new Process(['demo', '--keep', ...options]);
  const address = await process.line((line) => /^gateway: (.*)$/.exec(line)?.[1]);
  return { address, stop: () => process.stop('SIGINT') };
}

/** A platform stand-in with its control interface, and the files of a service in front of it. */
export class Platform {
  #process;
  #directory;
  #ready;

  static async start() {
    const platform = new Platform();
    platform.#directory = await mkdtemp(join(tmpdir(), 'tertulia-dashboard-'));
    const loopback = '127.0.0.1:0';
    const options = ['--listen', loopback, '--control', loopback, '--ca-out', join(platform.#directory, 'ca.pem')];
    platform.#process = new Process(['emulate', ...options]);
    platform.#ready = await platform.#process.line((line) => (line.startsWith('{') ? JSON.parse(line) : undefined));
    return platform;
  }

  /** A simulated consumer opens a conversation; its id. */
  async open(options = {}) {
    return (await this.#order('/conversations', options)).id;
  }

  /** The consumer of a conversation says something. */
  async say(conversation, text) {
    await this.#order(`/conversations/${conversation}/messages`, { text });
  }

  /** Waits until a service in front of this platform knows the conversation. */
  async known(service, conversation) {
    await this.#process.within(answers(`${service.address}/v1/conversations/${conversation}`));
  }

  /** `tertulia run` with one bot on this platform; its gateway listens on `port`. */
  async run(port) {
    const file = join(this.#directory, 'tertulia.toml');
    await writeFile(file, this.#configuration(port));
    const process = new Process(['run', '--config', file]);
    const address = `http://127.0.0.1:${port}`;
    try {
      await process.within(answers(`${address}/readyz`));
    } catch (error) {
      await process.stop('SIGKILL');
      throw error;
    }
    return { address, stop: (signal) => process.stop(signal) };
  }

  async stop() {
    await this.#process.stop();
    await rm(this.#directory, { recursive: true });
  }

  #configuration(port) {
    const path = (name) => JSON.stringify(join(this.#directory, name));
    return `
[platform]
discovery = "https://${this.#ready.listen}"
ca_file = ${path('ca.pem')}

[[connections]]
id = "bots-1"
account = "${this.#ready.account}"
role = "brand"
login = { username = "bot1", password = { env = "PASSWORD" } }
rings = "accept"
agent_state = "ONLINE"

[engine]
path = ${path('data')}

[gateway]
listen = "127.0.0.1:${port}"
`;
  }

  async #order(path, body) {
    const response = await fetch(`http://${this.#ready.control}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }
}

/** Waits until an address answers well. */
async function answers(address) {
  for (;;) {
    const response = await fetch(address).catch(() => null);
    await response?.arrayBuffer();
    if (response?.ok) return;
    await pause(50);
  }
}

/** A port that is free now. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
