// An event with the actions that answer it.

import { Conversation } from '../resources/conversation.js';

/** @typedef {import('../types.js').EventJson} EventJson */

/** The longest name of a reader, so that the longest key of an event's command has at most 64 characters. */
const NAME_LENGTH = 16;

/** An event: its members, and actions in its conversation. */
export class EventActions {
  #transport;
  #name;
  /** @type {Conversation | undefined} */
  #conversation;
  /** @type {Map<string, number>} */
  #used = new Map();

  /**
   * @param {import('../http/transport.js').Transport} transport
   * @param {string | undefined} name
   * @param {EventJson} event
   */
  constructor(transport, name, event) {
    this.#transport = transport;
    this.#name = name;
    Object.assign(this, event);
  }

  /**
   * The conversation of the event, on the event's connection. The keys of its commands are derived from the event's id:
   * when the handler runs again after a crash, its commands act once. Such a command resolves with `repeated: true` if
   * an earlier run has sent something else in its place.
   *
   * @throws {TypeError} the event concerns no conversation
   */
  get conversation() {
    const { id, subject, connection, type } = /** @type {EventJson} */ (/** @type {unknown} */ (this));
    if (subject === undefined) throw new TypeError(`event ${id} of type ${type} concerns no conversation`);
    const keys = (/** @type {string} */ kind) => this.#key(id, kind);
    this.#conversation ??= new Conversation(this.#transport, subject, { connection, keys });
    return this.#conversation;
  }

  /**
   * Sends a message in the conversation of the event, exactly once: the first answer's key is `<event id>/0`, the next
   * one's `<event id>/1`.
   *
   * @param {Parameters<Conversation['send']>[0]} message
   * @param {Parameters<Conversation['send']>[1]} [options]
   */
  async reply(message, options) {
    return this.conversation.send(message, options);
  }

  /**
   * @param {string} id
   * @param {string} kind
   */
  #key(id, kind) {
    const number = this.#used.get(kind) ?? 0;
    this.#used.set(kind, number + 1);
    const parts = [this.#name, id, kind === 'messages' ? undefined : kind, number];
    return parts.filter((part) => part !== undefined).join('/');
  }
}

/**
 * Checks the name of a reader.
 *
 * @param {string | undefined} name
 */
export function checkName(name) {
  if (name === undefined || /^[\x21-\x7e]{1,16}$/.test(name)) return;
  throw new TypeError(`${JSON.stringify(name)} is not a name of 1 to ${NAME_LENGTH} printable ASCII characters`);
}
