// One ring: a conversation that is offered to an agent.

import { path } from '../http/address.js';

/** @typedef {import('../types.js').Schemas} Schemas */
/** @typedef {import('../http/transport.js').ActOptions} ActOptions */

/** One ring. Nothing is requested until a method is called. */
export class Ring {
  #transport;

  /**
   * @param {import('../http/transport.js').Transport} transport
   * @param {string} id
   * @param {{ connection?: string }} [options] the connection to which the conversation is offered
   */
  constructor(transport, id, { connection } = {}) {
    this.#transport = transport;
    /** The ring's id. */
    this.id = id;
    /** The connection, if it was named. */
    this.connection = connection;
  }

  /**
   * Accepts the conversation.
   *
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['AcceptedRing']>}
   */
  async accept(options) {
    return this.#act('accept', options);
  }

  /**
   * Passes the conversation on.
   *
   * @param {ActOptions} [options]
   * @returns {Promise<void>}
   */
  async reject(options) {
    return this.#act('reject', options);
  }

  /**
   * @param {'accept' | 'reject'} action
   * @param {ActOptions} [options]
   */
  async #act(action, options) {
    const query = { connection: this.connection };
    return this.#transport.json({ ...options, method: 'POST', path: path`/v1/rings/${this.id}/${action}`, query });
  }
}
