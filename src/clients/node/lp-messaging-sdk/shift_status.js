// The work hours of the account's skills, read once a minute.

import { Emitter } from './emitter.js';
import { connectionOf } from './tokens.js';

/** In milliseconds. */
const EVERY = 60_000;
/** The part of the interval that is random, so that many bots do not ask at the same time. */
const SPREAD = 0.1;

/** Reads the shift status and gives it to the connection. Emits `shiftStatusData` with the list. */
export class ShiftStatusPoller extends Emitter {
  #connection;
  #timer = /** @type {NodeJS.Timeout | null} */ (null);
  #isStopped = true;

  /** @param {{ token?: string, connection?: import('./connection.js').Connection }} of a connection, or the word of its `getToken()` */
  constructor({ token = '', connection = connectionOf(token) }) {
    super();
    this.#connection = connection;
  }

  /** Resolves when the first shift status was read. */
  async start() {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    await this.#poll();
  }

  stop() {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** @param {unknown} error */
  _failed(error) {
    this.#connection._failed(error);
  }

  async #poll() {
    const start = Date.now();
    try {
      const list = await this.#read();
      if (this.#isStopped) return;
      this.#connection._dispatch('getShiftStatus#response', { start, end: Date.now() });
      this.#connection.processShiftStatusResponse(list);
      this._dispatch('shiftStatusData', list);
    } catch (error) {
      if (this.#isStopped) return;
      this.#connection._dispatch('getShiftStatus#error', error);
    }
    this.#timer = setTimeout(() => void this.#poll(), EVERY * (1 - Math.random() * SPREAD));
    this.#timer.unref();
  }

  async #read() {
    const path = `/api/account/${this.#connection.accountId}/shift-status`;
    const response = await this.#connection.platform('asyncMessagingEnt', path);
    if (!response.ok) throw new Error(`the shift status was refused with ${response.status}`);
    return response.json();
  }
}
