// The stream of a connection's events, and the conversations that it keeps up to date.

import { ProblemError } from '../lib/errors.js';
import { memoryCursor } from '../lib/events/cursor.js';
import { Conversation } from './conversation.js';
import { applyState } from './differences.js';
import { applyEvent } from './events.js';
import { ConversationState, UserType } from './enums.js';
import { fromGateway } from './state.js';

/** How many states are read at the same time. */
const PARALLEL = 8;

/** @typedef {{ name: string, data: any, time: string }} GatewayEvent `name` is the type without `tertulia.` */
/** @typedef {{ sequence: number, role?: string | null, text?: string | null, time?: number | null }} LastMessage */

/**
 * @typedef {object} Entry a conversation of the feed
 * @property {Conversation} conversation
 * @property {GatewayEvent[] | null} waiting the events that came while its state is read; null if they are applied as they come
 * @property {Promise<void>} prepared resolves when its state was read
 */

/** Follows the events of one connection of the gateway. */
export class Feed {
  #connection;
  #tertulia;
  #id;
  #stop = new AbortController();
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** The stages whose conversations were read. @type {Set<string>} */
  #stages = new Set();
  #loading = Promise.resolve();
  #ended = Promise.resolve();

  /**
   * @param {import('./connection.js').Connection} connection
   * @param {import('../lib/tertulia.js').Tertulia} tertulia
   * @param {string} id of the gateway's connection
   */
  constructor(connection, tertulia, id) {
    this.#connection = connection;
    this.#tertulia = tertulia;
    this.#id = id;
  }

  /** Follows the events from now on. */
  async begin() {
    const now = await this.#tertulia.log({ connection: this.#id, after: 'latest' }).page({ limit: 1 });
    this.#ended = this.#follow(/** @type {string} */ (now.cursor)).catch((error) => this.#connection._lost(error));
  }

  /** Ends the stream. */
  end() {
    this.#stop.abort();
  }

  /** Resolves when no event is processed any more. */
  async ended() {
    await this.#ended;
  }

  /**
   * Reads the conversations of these stages that exist already.
   *
   * @param {readonly string[]} stages
   */
  loaded(stages) {
    const missing = stages.filter((stage) => !this.#stages.has(stage));
    if (missing.length === 0) return this.#loading;
    missing.forEach((stage) => this.#stages.add(stage));
    const loading = this.#load(missing).catch((error) => {
      // Nobody waits for the conversations of a connection that ended.
      if (this.#stop.signal.aborted) return;
      missing.forEach((stage) => this.#stages.delete(stage));
      throw error;
    });
    const before = this.#loading.catch(() => {});
    this.#loading = Promise.all([before, loading]).then(() => {});
    return this.#loading;
  }

  /** The conversations whose state is known. */
  all() {
    const known = [...this.#entries.values()].filter(({ waiting }) => waiting === null);
    return known.map(({ conversation }) => conversation).filter((conversation) => conversation._hasState);
  }

  /** @param {Conversation} conversation */
  has(conversation) {
    return this.#entries.get(conversation.conversationId)?.conversation === conversation;
  }

  /**
   * The conversation with an id; a new one if there is none.
   *
   * @param {string} id
   */
  conversation(id) {
    return this.#entry(id).conversation;
  }

  /** @param {string} id */
  forget(id) {
    this.#entries.delete(id);
  }

  /** @param {string} position */
  async #follow(position) {
    const events = this.#tertulia.events({
      connection: this.#id,
      cursor: memoryCursor(position),
      signal: this.#stop.signal,
      onInterruption: () => this.#connection._interrupted(),
    });
    for await (const event of events) this.#take(event);
  }

  /** @param {any} event */
  #take({ type, subject, data, time }) {
    const name = type.replace('tertulia.', '');
    if (subject === undefined) {
      if (name === 'gap') this.#reload();
      else this.#connection._event(name, data);
      return;
    }
    const isKnown = this.#entries.has(subject);
    const entry = this.#entry(subject);
    // What the state contains already changes nothing when the event is delivered.
    if (!isKnown && name !== 'conversation') this.#prepare(entry, this.#read(subject));
    this.#deliver(entry, { name, data, time });
  }

  /** @param {string} id @returns {Entry} */
  #entry(id) {
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const conversation = new Conversation(this.#connection, id);
    conversation._isHidden = true;
    const entry = { conversation, waiting: null, prepared: Promise.resolve() };
    this.#entries.set(id, entry);
    return entry;
  }

  /** @param {Entry} entry @param {GatewayEvent} event */
  #deliver(entry, event) {
    const { conversation, waiting } = entry;
    if (waiting !== null) {
      waiting.push(event);
      return;
    }
    if (event.name === 'conversation') {
      if (this.#needsHistory(conversation, event.data)) this.#prepare(entry, Promise.resolve(event.data));
      else this.#adopt(conversation, event.data);
      return;
    }
    applyEvent(conversation, event);
    this.#connection._raw(conversation, event);
    if (event.name === 'update') this.#changed(conversation);
  }

  /**
   * Lets the subscriptions see a change. A closed conversation that none of them sees is forgotten.
   *
   * @param {Conversation} conversation
   */
  #changed(conversation) {
    this.#connection._changed(conversation);
    const isOver = conversation._isHidden && conversation.stage === ConversationState.CLOSE;
    if (isOver) this.#entries.delete(conversation.conversationId);
  }

  /**
   * Brings a conversation to a state of the gateway, and lets the subscriptions see the conversation.
   *
   * @param {Conversation} conversation
   * @param {any} state
   */
  #adopt(conversation, state) {
    this.#install(conversation, state);
    this.#changed(conversation);
  }

  /** @param {Conversation} conversation @param {any} state */
  #install(conversation, state) {
    const members = fromGateway(state);
    if (conversation._hasState) applyState(conversation, members);
    else conversation._install(members);
  }

  /**
   * Reads what a conversation needs before anybody sees it. Its events wait meanwhile.
   *
   * @param {Entry} entry
   * @param {Promise<any>} reading the conversation's state
   * @param {LastMessage | null} [lastMessage]
   */
  #prepare(entry, reading, lastMessage = null) {
    entry.waiting = [];
    entry.prepared = this.#prepared(entry, reading, lastMessage);
    return entry.prepared;
  }

  /** @param {Entry} entry @param {Promise<any>} reading @param {LastMessage | null} lastMessage */
  async #prepared(entry, reading, lastMessage) {
    const { conversation } = entry;
    try {
      const state = await reading;
      const needsHistory = this.#needsHistory(conversation, state);
      this.#install(conversation, state);
      summarize(conversation, lastMessage);
      // A conversation whose messages cannot be read is seen all the same.
      if (needsHistory)
        await conversation.openDialog?.getAllPublishEvents().catch((error) => this.#connection._report(error));
      this.#changed(conversation);
    } catch (error) {
      this.#entries.delete(conversation.conversationId);
      if (!this.#stop.signal.aborted && !isGone(error)) this.#connection._report(error);
    }
    const waiting = entry.waiting ?? [];
    entry.waiting = null;
    for (const event of waiting) this.#deliver(entry, event);
  }

  /** @param {Conversation} conversation @param {any} state */
  #needsHistory(conversation, { stage }) {
    const { getAllMessages, userType } = this.#connection._options;
    return (
      getAllMessages === true &&
      userType === UserType.BRAND &&
      conversation._isHidden &&
      stage === ConversationState.OPEN
    );
  }

  /** @param {string} id */
  #read(id) {
    return this.#tertulia.connection(this.#id).conversation(id).get({ signal: this.#stop.signal });
  }

  /** @param {readonly string[]} stages */
  async #load(stages) {
    const briefs = await this.#briefs(stages);
    const queue = briefs[Symbol.iterator]();
    const work = async () => {
      for (const { conversationId, lastMessage } of queue) {
        const entry = this.#entry(conversationId);
        if (entry.waiting === null) this.#prepare(entry, this.#read(conversationId), lastMessage);
        await entry.prepared;
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    return briefs;
  }

  /** @param {readonly string[]} stages */
  async #briefs(stages) {
    const all = await this.#tertulia.conversations({ connection: this.#id, signal: this.#stop.signal }).all();
    return all.filter(({ stage }) => stages.includes(stage ?? ''));
  }

  /** Reads all states again, because events were missed. */
  async #reload() {
    const before = this.all();
    try {
      const present = new Set((await this.#load([...this.#stages])).map(({ conversationId }) => conversationId));
      for (const conversation of before.filter(({ conversationId }) => !present.has(conversationId))) {
        this.#entries.delete(conversation.conversationId);
        this.#connection._changed(conversation);
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#connection._report(error);
    }
  }
}

/** @param {unknown} error */
function isGone(error) {
  return error instanceof ProblemError && error.code === 'unknown-conversation';
}

/**
 * Keeps the newest message, of which a list of conversations has only the text.
 *
 * @param {Conversation} conversation
 * @param {LastMessage | null} message
 */
function summarize({ mainDialog }, message) {
  if (message?.text == null || mainDialog === null) return;
  const author = mainDialog.participants.find(({ role }) => role === message.role);
  const { sequence, time, role, text } = message;
  mainDialog._keep({ sequence, time, role, body: text, contentType: null, originatorId: author?.userId ?? null });
}
