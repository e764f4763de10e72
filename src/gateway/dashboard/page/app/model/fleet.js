// The connections, and how late each of them reports what happens on the platform.

import { list } from '../api.js';
import { ofConnection } from '../states.js';
import { Loader } from './loader.js';
import { connectionOf } from './events.js';
import { millis } from '../format.js';

/** Connections that the page holds at most. */
const MOST = 5000;
/** The weight of the newest message in the average lag; a single message says little. */
const WEIGHT = 0.25;

export class Fleet {
  connections = new Map();
  more = false;
  #lags = new Map();
  #onChange;
  loader;

  constructor({ onChange }) {
    this.#onChange = onChange;
    this.loader = new Loader((signal) => this.#load(signal), { least: 2000, onChange });
  }

  /** Reads the list if it was never read or is older than the given milliseconds. */
  refresh(older = 15_000) {
    if (!this.loader.loaded || Date.now() - this.loader.at > older) this.loader.request();
  }

  take(event, type) {
    const id = connectionOf(event);
    if (id === null) return;
    if (type.startsWith('connection.')) {
      this.loader.request();
      return;
    }
    if (type === 'message') this.#behind(id, event);
  }

  /** Whether a connection speaks for one consumer or for many. */
  isForConsumers(id) {
    return ['consumer', 'connector'].includes(this.connections.get(id)?.role);
  }

  /** Average seconds between the platform's timestamp and the event, over the last messages; null before the first. */
  lag(id) {
    return this.#lags.get(id) ?? null;
  }

  /** How many connections are in each tone, and in each state. */
  counts() {
    const counts = new Map();
    for (const { state } of this.connections.values()) {
      const [word, tone] = ofConnection(state);
      const known = counts.get(word) ?? { word, tone, count: 0 };
      known.count += 1;
      counts.set(word, known);
    }
    const order = ['bad', 'warn', 'good', 'idle'];
    return [...counts.values()].sort(
      (one, other) => order.indexOf(one.tone) - order.indexOf(other.tone) || other.count - one.count,
    );
  }

  forget() {
    this.connections.clear();
    this.#lags.clear();
    this.loader.forget();
  }

  #behind(id, event) {
    const [stamp, told] = [millis(event.data?.time), millis(event.time)];
    if (stamp === null || told === null) return;
    const seconds = Math.max(0, told - stamp) / 1000;
    const before = this.#lags.get(id);
    if (before === undefined && this.#lags.size >= MOST) return;
    this.#lags.set(id, before === undefined ? seconds : before + (seconds - before) * WEIGHT);
    this.#onChange();
  }

  async #load(signal) {
    const { items, more } = await list('v1/connections', {}, MOST, signal);
    const next = new Map(items.map((connection) => [connection.id, connection]));
    for (const id of this.#lags.keys()) if (!next.has(id)) this.#lags.delete(id);
    this.connections = next;
    this.more = more;
  }
}
