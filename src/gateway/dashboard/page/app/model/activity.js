// The latest events, the newest first: the events that the service recorded, the events since the page was opened, and
// a message from time to time.

import { cut, millis } from '../format.js';
import { sentence } from '../states.js';
import { connectionOf, describe, roleOf, textOf } from './events.js';

const MOST = 100;
/** Messages shown at most, and the least time between two: enough to show life without hiding other events. */
const MESSAGES = 8;
const BETWEEN_MESSAGES = 1500;
const PREVIEW = 120;
const TOLD = new Set([
  'close',
  'skill-change',
  'back-to-queue',
  'transfer-skill',
  'transfer-agent',
  'consumer-step-up',
  'command-failed',
  'gap',
  'conversation-restarted',
  'conversation-quarantined',
  'connection.connected',
  'connection.disconnected',
  'connection.resumed',
  'connection.lacking',
  'connection.waiting',
  'connection.identity-lost',
  'connection.failed',
]);

export class Activity {
  /** The notable events that the service recorded. */
  #past = [];
  #notable = [];
  #messages = [];
  #saidAt = -Infinity;
  #onChange;

  constructor({ onChange }) {
    this.#onChange = onChange;
  }

  get items() {
    const seen = new Set(this.#notable.map(({ id }) => id));
    const past = this.#past.filter(({ id }) => !seen.has(id));
    return [...this.#notable, ...past, ...this.#messages].sort((one, other) => other.at - one.at);
  }

  /** Takes the notable events that the service recorded. */
  remember(notable) {
    this.#past = notable.map(({ id, time, kind, connection, conversation, data }) => {
      const [text, tone] = describe(kind, data);
      return { id, at: millis(time) ?? 0, text, tone, connection, conversation };
    });
    this.#onChange();
  }

  take(event, type) {
    if (type === 'message') {
      const now = performance.now();
      if (now - this.#saidAt < BETWEEN_MESSAGES) return;
      this.#saidAt = now;
      const { role } = event.data ?? {};
      const text = cut(`${sentence(roleOf(role))}: ${textOf(event.data)}`, PREVIEW);
      this.#keep(this.#messages, MESSAGES, event, text, null);
    } else if (TOLD.has(type)) {
      const [text, tone] = describe(type, event.data);
      this.#keep(this.#notable, MOST, event, text, tone);
    }
  }

  forget() {
    this.#past = [];
    this.#notable = [];
    this.#messages = [];
  }

  #keep(items, most, event, text, tone) {
    const at = millis(event.time) ?? Date.now();
    items.unshift({
      id: event.id,
      at,
      text,
      tone,
      connection: connectionOf(event),
      conversation: event.subject ?? null,
    });
    if (items.length > most) items.length = most;
    this.#onChange();
  }
}
