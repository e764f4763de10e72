// The part of a connection that is at the gateway: found or added, waited for, added again if it was lost, removed.

import { ProblemError } from '../lib/errors.js';
import { connect } from '../lib/tertulia.js';
import { attach, attachAgain } from './attach.js';
import { Feed } from './feed.js';

/** How long one request, and the opening, may take, in milliseconds. */
const RESPONSE_TIMEOUT = 60_000;

/** One use of a connection of the gateway. */
export class Session {
  #connection;
  #restoring = /** @type {Promise<void> | null} */ (null);
  /** Called at each event of the gateway's connection. @type {Set<() => void>} */
  #watchers = new Set();

  /** @param {import('./connection.js').Connection} connection */
  constructor(connection) {
    const {
      gatewayUrl: url,
      gatewayToken: token,
      fetch,
      responseTimeout: timeout = RESPONSE_TIMEOUT,
    } = connection._options;
    this.#connection = connection;
    /** How long one request may take, in milliseconds. */
    this.timeout = timeout;
    this.tertulia = connect({ url, token, fetch, timeout });
    this.attached = /** @type {import('./attach.js').Attached | null} */ (null);
    this.feed = /** @type {Feed | null} */ (null);
  }

  /** The gateway's connection. */
  get handle() {
    return this.tertulia.connection(this.id);
  }

  get id() {
    if (this.attached === null) throw new Error('the connection is not open');
    return this.attached.id;
  }

  /**
   * Finds or adds the connection, follows its events, and waits until it is ready.
   *
   * @returns {Promise<{ agentId: string | null, userId: string | null }>}
   */
  async begin() {
    this.attached = await attach(this.tertulia, this.#connection._options);
    this.feed = new Feed(this.#connection, this.tertulia, this.id);
    await this.feed.begin();
    return this.#ready(this.timeout);
  }

  /** Ends the stream of events, and removes a connection that was added. */
  async end() {
    this.feed?.end();
    if (!this.attached?.isAdded) return;
    await this.handle.remove().catch((error) => this.#connection._report(error));
  }

  /** The gateway's connection has changed. */
  changed() {
    this.#watchers.forEach((watcher) => watcher());
  }

  /** The gateway may have restarted, and lost a connection that was added. */
  interrupted() {
    this.#restoring ??= this.#restore().finally(() => {
      this.#restoring = null;
    });
  }

  /**
   * @param {string} reason
   * @param {string | null} [lastError]
   */
  notReady(reason, lastError = null) {
    const { accountId } = this.#connection;
    const error = new Error(
      `cannot connect account ${accountId}: ${reason}${lastError === null ? '' : `: ${lastError}`}`,
    );
    return Object.assign(error, { code: reason });
  }

  /**
   * @param {number} limit in milliseconds
   * @returns {Promise<{ agentId: string | null, userId: string | null }>}
   */
  async #ready(limit) {
    const end = Date.now() + limit;
    for (;;) {
      const change = this.nextChange(end - Date.now());
      try {
        const { state, failure, waiting, lastError, agentId = null, userId = null } = await this.handle.get();
        if (state === 'ready') return { agentId, userId };
        const reason = failure ?? waiting?.reason ?? state;
        const isHeld = reason === 'login_held' && this.attached?.isAdded;
        if (state === 'failed' || reason === 'credentials_refused' || isHeld) throw this.notReady(reason, lastError);
        if (await change.happened) continue;
        throw Object.assign(this.notReady(`not ready within ${limit} ms: ${reason}`, lastError), { isTimeout: true });
      } finally {
        change.cancel();
      }
    }
  }

  /**
   * Watches for a change of the gateway's connection.
   *
   * @param {number} limit in milliseconds
   * @returns {{ happened: Promise<boolean>, cancel: () => void }}
   */
  nextChange(limit) {
    /** @type {(isChanged: boolean) => void} */
    let resolve;
    const happened = new Promise((settle) => {
      resolve = settle;
    });
    const watcher = () => resolve(true);
    const timer = setTimeout(() => resolve(false), Math.max(0, limit));
    this.#watchers.add(watcher);
    const cancel = () => {
      clearTimeout(timer);
      this.#watchers.delete(watcher);
    };
    return { happened, cancel };
  }

  async #restore() {
    try {
      await this.handle.get();
    } catch (error) {
      const isLost = error instanceof ProblemError && error.code === 'unknown-connection';
      const again =
        isLost && this.attached?.isAdded
          ? attachAgain(this.tertulia, this.#connection._options, this.id)
          : Promise.reject(error);
      await again.catch((failure) => this.#connection._report(failure));
    }
  }
}
