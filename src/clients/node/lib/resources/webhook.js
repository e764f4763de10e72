// One webhook: a receiver to which the service delivers events.

import { path } from '../http/address.js';
import { List } from '../list.js';

/** @typedef {import('../types.js').Schemas} Schemas */
/** @typedef {import('../http/transport.js').CallOptions} CallOptions */
/** @typedef {import('../http/transport.js').ActOptions} ActOptions */

/** One webhook. Nothing is requested until a method is called. */
export class Webhook {
  #transport;

  /**
   * @param {import('../http/transport.js').Transport} transport
   * @param {string} id
   */
  constructor(transport, id) {
    this.#transport = transport;
    /** The webhook's id. */
    this.id = id;
  }

  /**
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['Webhook']>}
   */
  async get(options) {
    return this.#transport.json({ ...options, method: 'GET', path: this.#path('') });
  }

  /**
   * Changes members of the webhook; absent members stay as they are.
   *
   * @param {Schemas['WebhookChanges']} changes
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['Webhook']>}
   */
  async change(changes, options) {
    return this.#transport.json({ ...options, method: 'PATCH', path: this.#path(''), json: changes });
  }

  /**
   * @param {CallOptions} [options]
   * @returns {Promise<void>}
   */
  async delete(options) {
    return this.#transport.json({ ...options, method: 'DELETE', path: this.#path(''), mayBeGone: true });
  }

  /**
   * Sends a test event, and returns the receiver's answer.
   *
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['WebhookTest']>}
   */
  async test(options) {
    return this.#transport.json({ ...options, method: 'POST', path: this.#path('/test') });
  }

  /**
   * Changes the secret. The old secret signs beside the new one for a day. Only the first answer has the new secret.
   *
   * @param {Schemas['WebhookSecret']} [secret] a random secret by default
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['NewWebhookSecret']>}
   */
  async rotateSecret(secret = {}, options = undefined) {
    return this.#transport.json({ ...options, method: 'POST', path: this.#path('/secret'), json: secret });
  }

  /**
   * The newest attempts to deliver an event.
   *
   * @param {CallOptions} [options]
   * @returns {List<Schemas['Delivery']>}
   */
  deliveries(options) {
    return new List((query) =>
      this.#transport.json({ ...options, method: 'GET', path: this.#path('/deliveries'), query }),
    );
  }

  /** @param {string} rest */
  #path(rest) {
    return path`/v1/webhooks/${this.id}` + rest;
  }
}
