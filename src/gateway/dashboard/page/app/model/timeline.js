// One conversation: its members, and its messages and events in one timeline.

import { get } from '../api.js';
import { cut, millis } from '../format.js';
import { Stream } from '../stream.js';
import { Loader } from './loader.js';
import { connectionOf, describe, textOf, typeOf } from './events.js';

/** Items shown at most: the newest. */
const MOST = 400;
/** Events of the service that are searched for this conversation's events before the page opened it. */
const LOOK_BACK = 50_000;
const LONGEST_TEXT = 8000;
/** Event types that the timeline leaves out: they mean nothing to people or repeat a message. */
const LEFT_OUT = new Set([
  'message-delivery',
  'chat-state',
  'command-sent',
  'notification-ignored',
  'notification-out-of-order',
]);

export class Timeline {
  id;
  members = null;
  /** By key, in no order. */
  #items = new Map();
  #sorted = null;
  /** Older items were left out. */
  cut = false;
  /** The participants who are typing, by user id. */
  typing = new Map();
  #stream = null;
  #closed = false;
  #refresh;
  #onChange;
  loader;
  #messages;
  #canQuery;

  /** `newest` promises the cursor of the newest event; `canQuery` tells whether a connection can query messages. */
  constructor(id, { newest, canQuery, onChange }) {
    this.id = id;
    this.#canQuery = canQuery;
    this.#onChange = onChange;
    this.loader = new Loader((signal) => this.#load(signal), { least: 1000, onChange });
    this.#messages = new Loader((signal) => this.#loadMessages(signal), { least: 1000, onChange });
    this.loader.request();
    newest.then((cursor) => this.#follow(cursor));
    // Reads the members that no event reports.
    this.#refresh = setInterval(() => this.loader.request(), 15_000);
  }

  close() {
    this.#closed = true;
    this.#stream?.close();
    this.loader.close();
    this.#messages.close();
    clearInterval(this.#refresh);
  }

  /** All items in the order of time. */
  items() {
    this.#sorted ??= [...this.#items.values()].sort((one, other) => one.at - other.at || one.place - other.place);
    return this.#sorted;
  }

  #follow(newest) {
    if (this.#closed) return;
    this.#stream = new Stream({
      parameters: { conversation: this.id },
      after: before(newest, LOOK_BACK),
      onEvent: (event) => this.#take(event),
    });
  }

  async #load(signal) {
    this.members = await get(`v1/conversations/${encodeURIComponent(this.id)}`, {}, signal);
    this.queryFirst();
  }

  /** Queries the messages unless that was done or tried before. */
  queryFirst() {
    const { loaded, reading, problem } = this.#messages;
    if (!loaded && !reading && problem === null) this.#requestMessages();
  }

  /** Only agents can query messages, and the members come through an agent's connection if there is one. */
  #requestMessages() {
    if (this.members && this.#canQuery(this.members.connection)) this.#messages.request();
  }

  async #loadMessages(signal) {
    const path = `v1/conversations/${encodeURIComponent(this.id)}/messages`;
    const { items } = await get(path, { maxQuantity: 100 }, signal);
    for (const message of items) this.#message(message);
  }

  #take(event) {
    const type = typeOf(event);
    // The stream reported a gap: everything is read again.
    if (!event.subject) {
      this.loader.request();
      this.#requestMessages();
      return;
    }
    if (type === 'message') {
      this.#message(event.data, millis(event.time));
      this.typing.delete(event.data?.originatorId);
    } else if (type === 'chat-state') {
      const { userId, chatState } = event.data ?? {};
      if (chatState === 'COMPOSING' && this.typing.size < 20) this.typing.set(userId, Date.now());
      else this.typing.delete(userId);
    } else if (type === 'update') {
      // The timeline does not show updates. The page loads the conversation again and shows its new members.
      this.loader.request();
    } else if (!LEFT_OUT.has(type)) {
      const [text, tone] = describe(type, event.data);
      const at = millis(event.time) ?? Date.now();
      // Each connection that sees the conversation reports an event; it is shown once unless it is about a connection.
      const own = type.startsWith('conversation-') || type === 'command-failed';
      const key = own ? event.id : `${type} ${text} ${Math.round(at / 5000)}`;
      this.#put(key, { kind: 'event', at, place: 0, text, tone, type, connection: connectionOf(event) });
      this.loader.request();
    }
    this.#changed();
  }

  #message(message, told = null) {
    if (!message) return;
    const { dialogId, sequence, role, originatorId, messageAudience } = message;
    this.#put(`${dialogId}/${sequence}`, {
      kind: 'message',
      at: millis(message.time) ?? told ?? 0,
      place: Number(sequence) || 0,
      sequence,
      role: role ?? null,
      from: originatorId ?? null,
      isPrivate: messageAudience === 'AGENTS_AND_MANAGERS',
      text: cut(textOf(message), LONGEST_TEXT),
    });
  }

  #put(key, item) {
    this.#items.set(key, { ...item, key });
    this.#sorted = null;
    if (this.#items.size > MOST) {
      this.cut = true;
      this.#items.delete(this.items()[0].key);
      this.#sorted = null;
    }
  }

  #changed() {
    this.#onChange();
  }
}

/** The cursor `events` events before `newest`. */
function before(newest, events) {
  const at = newest?.lastIndexOf('-') ?? -1;
  if (at < 0) return undefined;
  return `${newest.slice(0, at)}-${Math.max(0, Number(newest.slice(at + 1)) - events)}`;
}
