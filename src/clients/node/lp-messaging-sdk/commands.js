// What a connection does at the gateway: commands in conversations, and the errors of requests.

import { RingState } from './enums.js';
import { placed } from './errors.js';
import { fileName } from './file_name.js';

/** @typedef {import('./conversation.js').Conversation} Conversation */
/** @typedef {import('./dialog.js').Dialog} Dialog */

/** The commands of one connection. */
export class Commands {
  #connection;

  /** @param {import('./connection.js').Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /**
   * Runs a command in a conversation.
   *
   * @param {Conversation} conversation
   * @param {string} method of the gateway's conversation
   * @param {any} body
   * @returns {Promise<any>}
   */
  async act({ conversationId }, method, body) {
    const place = { conversationId, dialogId: body?.dialog };
    return this.request(({ handle }) => /** @type {any} */ (handle.conversation(conversationId))[method](body), place);
  }

  /**
   * Changes a field for which the gateway has no command.
   *
   * @param {Conversation} conversation
   * @param {object} field
   */
  async changeField({ conversationId }, field) {
    const body = { conversationId, conversationField: [field] };
    await this.#connection.send({ type: '.ams.cm.UpdateConversationField', body });
  }

  /**
   * @param {Dialog} dialog
   * @param {string} [closedBy]
   * @param {string} [closedCause]
   */
  async closeDialog({ dialogId, conversation }, closedBy, closedCause) {
    if (closedBy === undefined && closedCause === undefined) {
      await this.act(conversation, 'close', { dialog: dialogId });
      return;
    }
    const dialog = { dialogId, state: 'CLOSE', closedBy, closedCause };
    await this.changeField(conversation, { field: 'DialogChange', type: 'UPDATE', dialog });
  }

  /**
   * Reads messages from the platform.
   *
   * @param {Dialog} dialog
   * @param {{ maxQuantity?: string | number, sequenceMin?: string | number, sequenceMax?: string | number }} query
   */
  async history({ dialogId, conversation: { conversationId } }, query) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
    const numbers = Object.fromEntries(given.map(([name, value]) => [name, Number(value)]));
    const place = { conversationId, dialogId };
    return this.request(
      ({ handle }) => handle.conversation(conversationId).messages({ dialog: dialogId, ...numbers }),
      place,
    );
  }

  /**
   * @param {Dialog} dialog
   * @param {ArrayBuffer | Uint8Array} content
   * @param {string} [caption]
   * @returns {Promise<{ sequence: number | null | undefined }>}
   */
  async upload({ dialogId, conversation: { conversationId } }, content, caption) {
    const name = fileName(content);
    const file = new Blob([/** @type {BlobPart} */ (content)]);
    const place = { conversationId, dialogId };
    const options = { name, caption, dialog: dialogId };
    const sent = await this.request(({ handle }) => handle.conversation(conversationId).sendFile(file, options), place);
    return { sequence: sent.sequence };
  }

  /**
   * @param {Conversation} conversation
   * @param {string} relativePath
   */
  async download({ conversationId }, relativePath) {
    return this.request(
      async ({ handle }) => {
        const response = await handle.conversation(conversationId).file(relativePath);
        const disposition = response.headers.get('content-disposition') ?? '';
        return { data: await response.arrayBuffer(), filename: /filename="([^"]*)"/.exec(disposition)?.[1] ?? null };
      },
      { conversationId },
    );
  }

  /**
   * Answers a ring, once. Without a key, because the gateway keeps an unknown outcome under its key.
   *
   * @param {string} ringId
   * @param {string} ringState
   */
  async answerRing(ringId, ringState) {
    const options = /** @type {any} */ ({ key: null });
    await this.request(async ({ id, tertulia }) => {
      const ring = tertulia.ring(ringId, { connection: id });
      return ringState === RingState.ACCEPTED ? ring.accept(options) : ring.reject(options);
    });
  }

  /**
   * Sends a request. An error gets the members that the SDK has, and is emitted as `timeout` if it is one.
   *
   * @template T
   * @param {(session: import('./session.js').Session) => Promise<T>} send
   * @param {{ conversationId?: string, dialogId?: string }} [place]
   * @returns {Promise<T>}
   */
  async request(send, place = {}) {
    try {
      return await send(this.#connection._session);
    } catch (error) {
      placed(error, place);
      if (/** @type {any} */ (error).isTimeout) this.#connection._dispatch('timeout', error);
      throw error;
    }
  }
}
