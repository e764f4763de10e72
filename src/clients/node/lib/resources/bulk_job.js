// One bulk job: the same operation on many conversations.

import { path } from '../http/address.js';
import { List } from '../list.js';

/** @typedef {import('../types.js').Schemas} Schemas */
/** @typedef {import('../http/transport.js').CallOptions} CallOptions */
/** @typedef {import('../http/transport.js').ActOptions} ActOptions */

/** One bulk job. Nothing is requested until a method is called. */
export class BulkJob {
  #transport;

  /**
   * @param {import('../http/transport.js').Transport} transport
   * @param {string} id
   */
  constructor(transport, id) {
    this.#transport = transport;
    /** The job's id. */
    this.id = id;
  }

  /**
   * Reads its progress.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['BulkJob']>}
   */
  async get(options) {
    return this.#transport.json({ ...options, method: 'GET', path: this.#path('') });
  }

  /**
   * What happened to each conversation.
   *
   * @param {import('../types.js').Filter<'listBulkItemsQuery'> & CallOptions} [options]
   * @returns {List<Schemas['BulkItem']>}
   */
  items({ outcome, ...options } = {}) {
    const read = (/** @type {object} */ page) =>
      this.#transport.json({ ...options, method: 'GET', path: this.#path('/items'), query: { outcome, ...page } });
    return new List(read);
  }

  /**
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['BulkJob']>}
   */
  async pause(options) {
    return this.#act('pause', options);
  }

  /**
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['BulkJob']>}
   */
  async resume(options) {
    return this.#act('resume', options);
  }

  /**
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['BulkJob']>}
   */
  async cancel(options) {
    return this.#act('cancel', options);
  }

  /** @param {string} rest */
  #path(rest) {
    return path`/v1/bulk/${this.id}` + rest;
  }

  /**
   * @param {string} action
   * @param {ActOptions} [options]
   */
  async #act(action, options) {
    return this.#transport.json({ ...options, method: 'POST', path: this.#path(`/${action}`) });
  }
}
