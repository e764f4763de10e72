// The stand-in of the platform: its consumers, its faults, and its ledger.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '../http/time.js';
import { Program } from './program.js';

/** How long a start may take, in milliseconds. */
export const START_WITHIN = 30_000;
/** How long `until` waits by default, in milliseconds. */
const UNTIL = 15_000;
const LOOK_EVERY = 20;
/** How long one request to the control interface may take, in milliseconds. */
const CONTROL_WITHIN = 10_000;

/**
 * @typedef {object} PlatformOptions
 * @property {number} [agents] the number of agents, with the logins `bot1`, `bot2`, … and the password `secret`; 4 by
 *   default
 * @property {boolean} [survey] whether a survey opens when a conversation's main dialog closes
 * @property {'none' | 'flaky' | 'hostile'} [faults] how badly the platform behaves
 * @property {readonly string[]} [options] more options of `tertulia emulate`
 * @property {(stop: () => Promise<void>) => void} [after] registers what runs after the test: `t.after` of `node:test`,
 *   `onTestFinished` of Vitest
 */

/**
 * A line of the ledger: an event that the platform accepted.
 *
 * @typedef {object} Entry
 * @property {string} conversation
 * @property {string} dialog
 * @property {number} sequence
 * @property {string} role the author's role, such as `CONSUMER` or `ASSIGNED_AGENT`
 * @property {string} originator
 * @property {string} audience
 * @property {string} type
 * @property {string | null} text
 * @property {any} metadata
 * @property {number} time in milliseconds since the epoch
 */

/** A running stand-in. */
export class Platform {
  #program;
  #folder;

  /**
   * @param {Program} program
   * @param {string} folder
   * @param {{ listen: string, control: string, account: string, ca: string }} ready
   */
  constructor(program, folder, ready) {
    this.#program = program;
    this.#folder = folder;
    /** `host:port` of everything that is over TLS, discovery too. */
    this.listen = ready.listen;
    /** The address of the control interface. */
    this.control = `http://${ready.control}`;
    /** The account's id. */
    this.account = ready.account;
    /** The file with the certificate authority that clients trust. */
    this.ca = ready.ca;
  }

  /**
   * A consumer opens a conversation.
   *
   * @param {{ skill?: string, consumer?: string, profile?: object }} [options]
   * @returns {Promise<string>} the conversation's id
   */
  async open(options = {}) {
    return (await this.#post('/conversations', options)).id;
  }

  /**
   * The consumer of a conversation says something.
   *
   * @param {string} conversation
   * @param {string} text
   * @returns {Promise<number>} the message's sequence
   */
  async say(conversation, text) {
    return (await this.#post(`/conversations/${conversation}/messages`, { text })).sequence;
  }

  /**
   * The consumer closes a conversation.
   *
   * @param {string} conversation
   */
  async close(conversation) {
    await this.#post(`/conversations/${conversation}/close`, {});
  }

  /**
   * Many consumers open conversations and speak.
   *
   * @param {{ conversations?: number, messages?: number, rate?: number, skill?: string, textBytes?: number }} options
   *   `rate` is in messages per second, of all together
   * @returns {Promise<string>} the id of this traffic
   */
  async traffic(options) {
    return (await this.#post('/traffic', options)).id;
  }

  /**
   * Returns the progress of some traffic.
   *
   * @param {string} id
   * @returns {Promise<{ opened: number, sent: number, answered: number }>}
   */
  async trafficSoFar(id) {
    return JSON.parse(await this.#get(`/traffic/${id}`));
  }

  /**
   * Causes one fault now, or faults by seed from now on.
   *
   * @param {{ fault: string, side?: 'brand' | 'consumer', user?: string, count?: number } & Record<string, unknown> | {
   *   mode: 'none' | 'flaky' | 'hostile', seed?: number }} fault
   */
  async fault(fault) {
    await this.#post('/faults', fault);
  }

  /**
   * Returns the events that the platform accepted, in order.
   *
   * @param {string} [conversation] only the events of this conversation
   * @returns {Promise<Entry[]>}
   */
  async ledger(conversation) {
    const lines = (await this.#get('/ledger')).split('\n').filter((line) => line !== '');
    const entries = lines.map((line) => JSON.parse(line));
    return conversation === undefined ? entries : entries.filter((entry) => entry.conversation === conversation);
  }

  /**
   * The ledger in numbers.
   *
   * @returns {Promise<{ conversations: number, consumerMessages: number, agentMessages: number } & Record<string,
   *   any>>}
   */
  async summary() {
    return JSON.parse(await this.#get('/ledger/summary'));
  }

  /**
   * The open sockets of each login.
   *
   * @returns {Promise<{ side: string, user: string, now: number, max: number }[]>}
   */
  async sessions() {
    return JSON.parse(await this.#get('/sessions'));
  }

  /**
   * Waits for messages of agents in a conversation.
   *
   * @param {string} conversation
   * @param {{ count?: number, timeout?: number }} [options] how many messages to wait for, 1 by default; in
   *   milliseconds
   * @returns {Promise<(string | null)[]>} the texts of the agents' messages
   */
  async answers(conversation, { count = 1, timeout } = {}) {
    return this.until(
      async () => {
        const entries = (await this.ledger(conversation)).filter(
          ({ role, type }) => role !== 'CONSUMER' && type !== 'AcceptStatusEvent' && type !== 'ChatStateEvent',
        );
        return entries.length >= count && entries.map(({ text }) => text);
      },
      { timeout },
    );
  }

  /**
   * Waits until `check` returns something true, and returns it.
   *
   * @template T
   * @param {() => T | Promise<T>} check
   * @param {{ timeout?: number }} [options] in milliseconds
   * @returns {Promise<Exclude<T, false | null | undefined | 0 | ''>>}
   */
  async until(check, { timeout = UNTIL } = {}) {
    const end = Date.now() + timeout;
    for (;;) {
      const value = await check();
      if (value) return /** @type {any} */ (value);
      if (Date.now() > end) throw new Error(`not so within ${timeout} ms: ${check}`);
      await pause(LOOK_EVERY);
    }
  }

  /** Ends the stand-in. */
  async stop() {
    await this.#program.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** @param {string} path */
  async #get(path) {
    return this.#request(path, {});
  }

  /**
   * @param {string} path
   * @param {object} body
   */
  async #post(path, body) {
    const text = await this.#request(path, { method: 'POST', body: JSON.stringify(body) });
    return text === '' ? undefined : JSON.parse(text);
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   */
  async #request(path, init) {
    const response = await fetch(this.control + path, { ...init, signal: AbortSignal.timeout(CONTROL_WITHIN) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} of the stand-in: ${response.status} ${text}`);
    return text;
  }
}

/**
 * Starts a stand-in of the platform on free ports of loopback.
 *
 * @param {PlatformOptions} [options]
 * @returns {Promise<Platform>}
 */
export async function startPlatform({ agents = 4, survey = false, faults = 'none', options = [], after } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'tertulia-platform-'));
  const loopback = '127.0.0.1:0';
  const own = [
    '--listen',
    loopback,
    '--control',
    loopback,
    '--ca-out',
    join(folder, 'ca.pem'),
    '--agents',
    String(agents),
    '--faults',
    faults,
  ];
  /** @type {Program | undefined} */
  let program;
  try {
    program = new Program(['emulate', ...own, ...(survey ? ['--survey'] : []), ...options], {}, folder);
    program.drain('stderr');
    const platform = new Platform(
      program,
      folder,
      JSON.parse(await program.line('stdout', (line) => line, START_WITHIN)),
    );
    after?.(() => platform.stop());
    return platform;
  } catch (error) {
    await program?.kill().catch(() => {});
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
