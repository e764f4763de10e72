// One node of a service that has several.

import { path } from '../http/address.js';

/** @typedef {import('../types.js').Schemas} Schemas */
/** @typedef {import('../http/transport.js').CallOptions} CallOptions */
/** @typedef {import('../http/transport.js').ActOptions} ActOptions */

/** One node. Nothing is requested until a method is called. */
export class Node {
  #transport;

  /**
   * @param {import('../http/transport.js').Transport} transport
   * @param {string} name
   */
  constructor(transport, name) {
    this.#transport = transport;
    /** The node's name. */
    this.name = name;
  }

  /**
   * Reads its state, its duties and its last moves.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['NodeWithMoves']>}
   */
  async get(options) {
    return this.#transport.json({ ...options, method: 'GET', path: path`/v1/nodes/${this.name}` });
  }

  /**
   * Moves all its connections to other nodes, and keeps it empty.
   *
   * @param {ActOptions} [options]
   * @returns {Promise<void>}
   */
  async drain(options) {
    return this.#transport.json({ ...options, method: 'POST', path: path`/v1/nodes/${this.name}/drain` });
  }
}
