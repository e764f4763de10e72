// One dead letter: a notification, command or delivery that could not be handled.

import { path } from '../http/address.js';

/** @typedef {import('../types.js').Schemas} Schemas */
/** @typedef {import('../http/transport.js').CallOptions} CallOptions */
/** @typedef {import('../http/transport.js').ActOptions} ActOptions */

/** One dead letter. Nothing is requested until a method is called. */
export class DeadLetter {
  #transport;

  /**
   * @param {import('../http/transport.js').Transport} transport
   * @param {string} id
   */
  constructor(transport, id) {
    this.#transport = transport;
    /** The dead letter's id. */
    this.id = id;
  }

  /**
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['DeadLetter']>}
   */
  async get(options) {
    return this.#transport.json({ ...options, method: 'GET', path: this.#path('') });
  }

  /**
   * Handles it again.
   *
   * @param {ActOptions} [options]
   * @returns {Promise<void>}
   */
  async replay(options) {
    return this.#transport.json({ ...options, method: 'POST', path: this.#path('/replay') });
  }

  /**
   * Deletes it.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<void>}
   */
  async discard(options) {
    return this.#transport.json({ ...options, method: 'DELETE', path: this.#path(''), mayBeGone: true });
  }

  /** @param {string} rest */
  #path(rest) {
    return path`/v1/dead-letters/${this.id}` + rest;
  }
}
