// One conversation: its members, its messages, and every action.

import { ProblemError } from '../errors.js';
import { path } from '../http/address.js';
import { newKey } from '../http/key.js';
import { List } from '../list.js';

/** @typedef {import('../types.js').Schemas} Schemas */
/** @typedef {import('../http/transport.js').CallOptions} CallOptions */
/** @typedef {import('../http/transport.js').ActOptions} ActOptions */
/**
 * @template Result
 * @typedef {import('../types.js').Repeatable<Result>} Repeatable
 */

/**
 * @typedef {object} ConversationOptions
 * @property {string} [connection] the connection that acts; needed if several connections see the conversation
 * @property {(kind: string) => string} [keys] makes the keys of commands that have none; used for the commands of an
 *   event
 */

/** One conversation. Nothing is requested until a method is called. */
export class Conversation {
  #transport;
  #keys;

  /**
   * @param {import('../http/transport.js').Transport} transport
   * @param {string} id
   * @param {ConversationOptions} [options]
   */
  constructor(transport, id, { connection, keys } = {}) {
    this.#transport = transport;
    this.#keys = keys;
    /** The conversation's id. */
    this.id = id;
    /** The connection that acts, if it was named. */
    this.connection = connection;
  }

  /**
   * Reads all members.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['Conversation']>}
   */
  async get(options) {
    return this.#read('', {}, options);
  }

  /**
   * Reads the messages of a dialog from the platform; of the open dialog, if none is named. Both bounds are inclusive.
   * A consumer's connection cannot read them.
   *
   * @param {{ dialog?: string, sequenceMin?: number, sequenceMax?: number, maxQuantity?: number } & CallOptions}
   *   [options]
   * @returns {Promise<Schemas['Message'][]>}
   */
  async messages({ dialog, sequenceMin, sequenceMax, maxQuantity, ...options } = {}) {
    const page = await this.#read('/messages', { dialog, sequenceMin, sequenceMax, maxQuantity }, options);
    return page.items;
  }

  /**
   * Sends a message: a text, or a text or structured content with options.
   *
   * @param {string | Schemas['NewMessage']} message
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['PublishedMessage']>>}
   */
  async send(message, options) {
    return this.#act('messages', typeof message === 'string' ? { text: message } : message, options);
  }

  /**
   * Uploads a file and sends it as a message. The name decides the file's type, or else the blob's type.
   *
   * @param {Blob} file at most 3 MiB
   * @param {{ name?: string, caption?: string, dialog?: string } & ActOptions} [options] `name` is the file's name,
   *   needed if the blob has none
   * @returns {Promise<Repeatable<Schemas['PublishedMessage']>>}
   */
  async sendFile(file, { name = fileName(file), caption, dialog, ...options } = {}) {
    const form = new FormData();
    if (caption !== undefined) form.append('caption', caption);
    if (dialog !== undefined) form.append('dialog', dialog);
    if (name === undefined) form.append('file', file);
    else form.append('file', file, name);
    return this.#act('files', form, options);
  }

  /**
   * Downloads a file that was sent in the conversation.
   *
   * @param {string} filePath the path in the message
   * @param {CallOptions} [options]
   * @returns {Promise<Response>} its body is the file
   */
  async file(filePath, options) {
    const query = { connection: this.connection, path: filePath };
    return this.#transport.response(
      { ...options, method: 'GET', path: this.#path('/files'), query },
      (response) => response,
    );
  }

  /**
   * Joins the conversation.
   *
   * @param {string | Schemas['JoinRequest']} role such as `AGENT`, `MANAGER` or `READER`
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['AcceptedCommand']>>}
   */
  async join(role, options) {
    return this.#act('join', typeof role === 'string' ? { role } : role, options);
  }

  /**
   * Leaves the conversation.
   *
   * @param {Schemas['LeaveRequest']} [request]
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['AcceptedCommand']>>}
   */
  async leave(request = {}, options = undefined) {
    return this.#act('leave', request, options);
  }

  /**
   * Transfers the conversation to a skill, to an agent, or back to the queue.
   *
   * @param {Schemas['TransferRequest']} to
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['AcceptedCommand']>>}
   */
  async transfer(to, options) {
    return this.#act('transfer', to, options);
  }

  /**
   * Closes the conversation, or one dialog.
   *
   * @param {Schemas['CloseRequest']} [request]
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['AcceptedCommand']>>}
   */
  async close(request = {}, options = undefined) {
    return this.#act('close', request, options);
  }

  /**
   * Writes a note, or replaces one.
   *
   * @param {string | Schemas['NewNote']} note
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['WrittenNote']>>}
   */
  async note(note, options) {
    return this.#act('note', typeof note === 'string' ? { noteContent: note } : note, options);
  }

  /**
   * Changes the time to respond.
   *
   * @param {string | Schemas['ResponseTime']} ttrType `NORMAL`, `URGENT`, `PRIORITIZED`, or `CUSTOM` with a value in
   *   seconds
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['AcceptedCommand']>>}
   */
  async ttr(ttrType, options) {
    return this.#act('ttr', typeof ttrType === 'string' ? { ttrType } : ttrType, options);
  }

  /**
   * Sets the deadline of the next response.
   *
   * @param {number | Date} time milliseconds since the epoch, or a date
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['AcceptedCommand']>>}
   */
  async manualEttr(time, options) {
    return this.#act('manual-ettr', { time: Number(time) }, options);
  }

  /**
   * Rates the conversation, as its consumer.
   *
   * @param {number | Schemas['ConsumerRating']} rating from 0 to 5
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['AcceptedCommand']>>}
   */
  async csat(rating, options) {
    return this.#act('csat', typeof rating === 'number' ? { csatRate: rating } : rating, options);
  }

  /**
   * Gives the conversation to another identity of its consumer.
   *
   * @param {string} newConsumerUserId
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['AcceptedCommand']>>}
   */
  async consumerTakeover(newConsumerUserId, options) {
    return this.#act('consumer-takeover', { newConsumerUserId }, options);
  }

  /**
   * Marks messages as read.
   *
   * @param {number | number[] | Schemas['MessageReceipt']} sequences
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['AcceptedCommand']>>}
   */
  async read(sequences, options) {
    return this.#act('read', receipt(sequences), options);
  }

  /**
   * Marks messages as accepted.
   *
   * @param {number | number[] | Schemas['MessageReceipt']} sequences
   * @param {ActOptions} [options]
   * @returns {Promise<Repeatable<Schemas['AcceptedCommand']>>}
   */
  async accept(sequences, options) {
    return this.#act('accept', receipt(sequences), options);
  }

  /**
   * Shows this side as typing, or sets another chat state. By default the request has no key, because a chat state that
   * cannot be sent now is worth nothing later.
   *
   * @param {string | Schemas['ChatStateChange']} [chatState] `COMPOSING` by default
   * @param {Omit<ActOptions, 'key'> & { key?: string | null }} [options]
   * @returns {Promise<Schemas['AcceptedCommand']>}
   */
  async chatState(chatState = 'COMPOSING', options = undefined) {
    const json = typeof chatState === 'string' ? { chatState } : chatState;
    const query = { connection: this.connection };
    return this.#transport.json({
      key: null,
      repeatable: true,
      ...options,
      method: 'POST',
      path: this.#path('/chat-state'),
      query,
      json,
    });
  }

  /**
   * Returns the conversation's state, to load it at another service.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['Snapshot']>}
   */
  async snapshot(options) {
    return this.#read('/snapshot', {}, options);
  }

  /**
   * Unloads the conversation from the connection.
   *
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['LoadedConversation']>}
   */
  async unload(options) {
    return this.#bare('/unload', options);
  }

  /**
   * Lets a conversation continue that was given up.
   *
   * @param {ActOptions} [options]
   * @returns {Promise<void>}
   */
  async release(options) {
    return this.#bare('/release', options);
  }

  /**
   * The commands that wait.
   *
   * @param {CallOptions} [options]
   * @returns {List<Schemas['WaitingCommand']>}
   */
  commands(options) {
    return new List((parameters) => this.#read('/commands', parameters, options));
  }

  /**
   * Cancels a command that was not sent yet.
   *
   * @param {string} key
   * @param {CallOptions} [options]
   * @returns {Promise<void>}
   */
  async cancelCommand(key, options) {
    const query = { connection: this.connection };
    return this.#transport.json({ ...options, method: 'DELETE', path: this.#path(path`/commands/${key}`), query });
  }

  /** @param {string} rest */
  #path(rest) {
    return path`/v1/conversations/${this.id}` + rest;
  }

  /**
   * @param {string} rest
   * @param {Record<string, any>} query
   * @param {CallOptions} [options]
   */
  async #read(rest, query, options) {
    return this.#transport.json({
      ...options,
      method: 'GET',
      path: this.#path(rest),
      query: { connection: this.connection, ...query },
    });
  }

  /**
   * @param {string} rest
   * @param {ActOptions} [options]
   */
  async #bare(rest, options) {
    return this.#transport.json({
      ...options,
      method: 'POST',
      path: this.#path(rest),
      query: { connection: this.connection },
    });
  }

  /**
   * @param {string} kind
   * @param {object} body
   * @param {ActOptions} [options]
   */
  async #act(kind, body, options = {}) {
    const isOfEvent = options.key === undefined && this.#keys !== undefined;
    const key = options.key ?? this.#keys?.(kind) ?? newKey();
    const query = { connection: this.connection };
    const content = body instanceof FormData ? { body } : { json: body };
    try {
      const done = await this.#transport.json({
        ...options,
        method: 'POST',
        path: this.#path(`/${kind}`),
        query,
        ...content,
        key,
      });
      return { key, ...done };
    } catch (error) {
      // An earlier run of the event's handler has sent another body under this key, for example another text of a
      // model.
      if (isOfEvent && error instanceof ProblemError && error.code === 'key-reused')
        return { key, sequence: null, repeated: true };
      throw error;
    }
  }
}

/** @param {Blob} file */
function fileName(file) {
  return 'name' in file && typeof file.name === 'string' ? file.name : undefined;
}

/** @param {number | number[] | Schemas['MessageReceipt']} sequences */
function receipt(sequences) {
  if (typeof sequences === 'number') return { sequences: [sequences] };
  return Array.isArray(sequences) ? { sequences } : sequences;
}
