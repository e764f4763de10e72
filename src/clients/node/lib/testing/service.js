// The service itself, connected to a stand-in or to nothing.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '../http/time.js';
import { connect } from '../tertulia.js';
import { START_WITHIN } from './platform.js';
import { Program } from './program.js';
import { toml } from './toml.js';

const LOOK_EVERY = 20;
/** How long the connections may take, in milliseconds; a stand-in with faults refuses logins. */
const READY_WITHIN = 90_000;
/** The environment variable with the password of the stand-in's agents. */
const PASSWORD = 'TERTULIA_TEST_PASSWORD';

/** @typedef {import('../tertulia.js').Tertulia} Tertulia */
/**
 * A connection as in the configuration. The password of an agent of the stand-in is added if it is absent.
 *
 * @typedef {{ id: string, role?: string, account?: string, login?: Record<string, any> } & Record<string, any>}
 *   ConnectionSettings
 */

/**
 * @typedef {object} ServiceOptions
 * @property {import('./platform.js').Platform} [platform] the stand-in; without one, the service has no connections
 * @property {readonly ConnectionSettings[]} [connections] by default one, `bots`: the agent `bot1`, who accepts every
 *   conversation
 * @property {Record<string, any>} [settings] more of the configuration, by section: `{ gateway: { allowed_origins: [] }
 *   }`
 * @property {Record<string, string>} [environment] more environment variables, such as the passwords of logins
 * @property {string} [token] the token that callers must show; none by default
 * @property {(stop: () => Promise<void>) => void} [after] registers what runs after the test: `t.after` of `node:test`,
 *   `onTestFinished` of Vitest
 */

/** A running service, with a data folder of its own. */
export class Service {
  #folder;
  #environment;
  #token;
  /** @type {Program | undefined} */
  #program;
  /** @type {string | undefined} */
  #address;

  /**
   * @param {string} folder
   * @param {Record<string, string>} environment
   * @param {string | undefined} token
   */
  constructor(folder, environment, token) {
    this.#folder = folder;
    this.#environment = environment;
    this.#token = token;
  }

  /** The gateway's address. It stays the same over `kill` and `start`. */
  get url() {
    return `http://${this.#address}`;
  }

  /** A client of the gateway. */
  get tertulia() {
    return connect({ url: this.url, token: this.#token });
  }

  /** Starts the process, and waits until the service is ready. */
  async start() {
    const configuration = join(this.#folder, 'tertulia.toml');
    const listen = this.#address === undefined ? {} : { TERTULIA_GATEWAY__LISTEN: this.#address };
    const environment = { ...this.#environment, ...listen, RUST_LOG: 'info' };
    const program = new Program(['run', '--log-format', 'json', '--config', configuration], environment, this.#folder);
    this.#program = program;
    program.drain('stdout');
    this.#address = await program.line('stderr', gateway, START_WITHIN);
    const end = Date.now() + READY_WITHIN;
    for (;;) {
      const readiness = await this.tertulia.readiness();
      if (readiness.ready) return;
      if (Date.now() > end) {
        throw new Error(`the service was not ready within ${READY_WITHIN} ms: ${JSON.stringify(readiness)}`);
      }
      await pause(LOOK_EVERY);
    }
  }

  /** Ends the process at once, as a crash would. `start` starts it again on the same data. */
  async kill() {
    await this.#program?.kill();
  }

  /** Ends the service, and removes its data. */
  async stop() {
    await this.#program?.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/**
 * Starts the service on a free port of loopback, and waits until it is ready.
 *
 * @param {ServiceOptions} [options]
 * @returns {Promise<Service>}
 */
export async function startService({ platform, connections, settings = {}, environment = {}, token, after } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'tertulia-service-'));
  const variables = {
    [PASSWORD]: 'secret',
    ...(token === undefined ? {} : { TERTULIA_TEST_TOKEN: token }),
    ...environment,
  };
  const service = new Service(folder, variables, token);
  try {
    const defaults = platform === undefined ? [] : [BOT];
    const configuration = {
      platform: platform && { discovery: `https://${platform.listen}`, ca_file: platform.ca, ...settings.platform },
      engine: { path: join(folder, 'data'), leases: join(folder, 'leases'), ...settings.engine },
      gateway: {
        listen: '127.0.0.1:0',
        tokens:
          token === undefined ? undefined : [{ name: 'test', token: { env: 'TERTULIA_TEST_TOKEN' }, scope: 'admin' }],
        ...settings.gateway,
      },
      ...rest(settings),
      connections: (connections ?? defaults).map((connection) => complete(connection, platform)),
    };
    await writeFile(join(folder, 'tertulia.toml'), toml(configuration));
    await service.start();
    after?.(() => service.stop());
    return service;
  } catch (error) {
    await service.stop();
    throw error;
  }
}

/** The connection that a service has by default. */
const BOT = { id: 'bots', login: { username: 'bot1' }, rings: 'accept', agent_state: 'ONLINE' };

/**
 * @param {ConnectionSettings} connection
 * @param {import('./platform.js').Platform | undefined} platform
 */
function complete({ login, ...more }, platform) {
  const isAgent = login?.username !== undefined && Object.keys(login).length === 1;
  return {
    role: 'brand',
    account: platform?.account,
    login: isAgent ? { ...login, password: { env: PASSWORD } } : login,
    ...more,
  };
}

/** @param {Record<string, any>} settings */
function rest({ platform, engine, gateway, ...others }) {
  return others;
}

/**
 * The gateway's address, if the log line has it.
 *
 * @param {string} line
 * @returns {string | undefined}
 */
function gateway(line) {
  try {
    const { message, gateway } = JSON.parse(line);
    return message === 'running' ? gateway : undefined;
  } catch {
    return undefined;
  }
}
