// The service itself, connected to the emulator: started and stopped by a flow, with a data directory of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DEADLINE } from './hearing.js';
import { account, host } from './platform.js';

const binary = process.env.TERTULIA_BIN ?? fileURLToPath(new URL('../../target/debug/tertulia', import.meta.url));

/** How long it may take to be ready, in milliseconds. */
const READY_WITHIN = 60_000;

/** A bot that takes every ring. */
const configuration = (directory, login) => `
[platform]
discovery = "https://${host}"
ca_file = "${process.env.NODE_EXTRA_CA_CERTS}"

[[connections]]
id = "bots"
account = "${account}"
role = "brand"
login = { username = "${login}", password = { env = "PASSWORD" } }
rings = "accept"
agent_state = "ONLINE"

[engine]
path = "${join(directory, 'data')}"

[gateway]
listen = "127.0.0.1:0"

[webhooks]
allow_internal = true
attempt_within = "500ms"
`;

export class Service {
  #process;
  #directory;

  /** Starts it as the bot `login`, ready; it ends with the test. */
  static async start(t, login) {
    const service = new Service();
    service.#directory = await mkdtemp(join(tmpdir(), 'tertulia-service-'));
    await writeFile(service.#file, configuration(service.#directory, login));
    t.after(async () => {
      await service.kill();
      await rm(service.#directory, { recursive: true });
    });
    await service.begin();
    return service;
  }

  get #file() {
    return join(this.#directory, 'tertulia.toml');
  }

  /** Starts the process, and waits until its connection is ready. */
  async begin() {
    const options = ['run', '--log-format', 'json', '--config', this.#file];
    // The next process listens on the same address, because callers still use it.
    const listen = this.gateway === undefined ? {} : { TERTULIA_GATEWAY__LISTEN: this.gateway };
    const env = { ...process.env, ...listen, PASSWORD: 'secret', RUST_LOG: 'info' };
    this.#process = spawn(binary, options, { stdio: ['ignore', 'ignore', 'pipe'], env });
    const lines = createInterface(this.#process.stderr);
    this.gateway = await new Promise((resolve, reject) => {
      const said = [];
      lines.on('line', (line) => {
        said.push(line);
        const { message, gateway } = JSON.parse(line);
        if (message === 'running') resolve(gateway);
      });
      this.#process.once('exit', (code) => reject(new Error(`the service ended with ${code}: ${said.join('\n')}`)));
      this.#process.once('error', reject);
    });
    const deadline = Date.now() + READY_WITHIN;
    while (!(await this.request('GET', '/readyz')).ok) {
      if (Date.now() > deadline) throw new Error('the service was never ready');
      await pause(50);
    }
  }

  /** Ends the process at once, as a crash would. */
  async kill() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  /** One request to the gateway. */
  async request(method, path, body) {
    return fetch(`http://${this.gateway}${path}`, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE),
    });
  }
}
