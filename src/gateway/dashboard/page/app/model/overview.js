// The numbers of the process, read every two seconds, and its recent past: the last hour by minute as recorded by the
// service, and the last quarter of an hour as recorded by this page.

import { get } from '../api.js';
import { millis } from '../format.js';

const EVERY = 2000;
const EVERY_HIDDEN = 15_000;
/** How often the past is read as well. */
const PAST_EVERY = 60_000;
/** Points of the charts: fifteen minutes. */
const POINTS = 450;
/** Responses further apart than this are not joined by a line. */
const APART = 10;
const MINUTE = 60;

const COUNTED = { events: 'events', commands: 'commandsDone', frames: 'frames' };
const LATENCIES = ['p50', 'p99'];

export class Overview {
  now = null;
  rates = { events: null, commands: null, frames: null };
  /** The last hour by minute; empty before the first read. */
  minutes = [];
  /** The newest notable events that the service keeps, the newest first. */
  notable = [];
  /** The samples that this page has recorded, in columns. The first column is the time in seconds. */
  #seen = { time: [], events: [], commands: [], frames: [], p50: [], p99: [] };
  problem = null;
  /** When the last response arrived. */
  at = null;
  #answered;
  /** Resolves with the first response. */
  first = this.#toCome();
  #before = null;
  #timer = null;
  #asking = null;
  #pastAt = -Infinity;
  #onChange;
  #onAnswer;
  #onPast;

  /** Calls `onPast(notable)` after each read of the past. */
  constructor({ onChange, onAnswer = () => {}, onPast = () => {} }) {
    this.#onPast = onPast;
    this.#onChange = onChange;
    this.#onAnswer = onAnswer;
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.ask();
    });
  }

  /** Reads now and then periodically. Responses to earlier requests, maybe for another token, are ignored. */
  async ask() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const withPast = performance.now() - this.#pastAt >= PAST_EVERY;
      const now = await get('v1/overview', withPast ? {} : { history: false }, asking.signal);
      if (withPast) this.#takePast(now);
      this.#take(now);
      this.problem = null;
    } catch (problem) {
      if (asking.signal.aborted) return;
      this.problem = problem;
    }
    this.#onAnswer();
    this.#onChange();
    this.#timer = setTimeout(() => this.ask(), document.hidden ? EVERY_HIDDEN : EVERY);
  }

  /** Forgets data that was read with another token. */
  forget() {
    this.now = null;
    this.first = this.#toCome();
    this.#before = null;
    this.#pastAt = -Infinity;
    this.minutes = [];
    this.notable = [];
    for (const column of Object.values(this.#seen)) column.length = 0;
  }

  /** Reads the past with the next response. */
  readPast() {
    this.#pastAt = -Infinity;
  }

  /** Sums of the last hour; null before the first read. */
  hour() {
    if (this.now === null) return null;
    const sum = (name) => this.minutes.reduce((total, minute) => total + minute[name], 0);
    return { reconnects: sum('reconnects'), restarts: sum('restarts') };
  }

  /** Columns for the charts: minutes until this page was opened, then the samples of this page. */
  columns() {
    const seen = this.#seen;
    const columns = Object.fromEntries(Object.keys(seen).map((name) => [name, []]));
    const began = seen.time[0] ?? Date.now() / 1000;
    const put = (time, values) => {
      for (const [name, column] of Object.entries(columns)) column.push(name === 'time' ? time : (values[name] ?? null));
    };
    for (const minute of this.minutes) {
      const starts = (millis(minute.time) ?? 0) / 1000;
      const length = Math.min(MINUTE, began - starts);
      // A minute that has just begun has too few samples.
      if (length < MINUTE / 6) break;
      const time = starts + length / 2;
      const last = columns.time.at(-1);
      // The service did not run between these minutes.
      if (last !== undefined && time - last > 1.5 * MINUTE) put(last + 1, {});
      const each = (number) => (number === null ? null : number / length);
      const { frames, events, commands, p50, p99 } = minute;
      put(time, { frames: each(frames), events: each(events), commands: each(commands), p50, p99 });
    }
    for (const [name, column] of Object.entries(seen)) columns[name].push(...column);
    return columns;
  }

  #takePast({ minutes, notable }) {
    this.#pastAt = performance.now();
    this.minutes = minutes ?? [];
    this.notable = notable ?? [];
    this.#onPast(this.notable);
  }

  #toCome() {
    return new Promise((resolve) => {
      this.#answered = resolve;
    });
  }

  #take(now) {
    const at = performance.now();
    const before = this.#before;
    this.#before = { at, now };
    this.now = now;
    this.#answered(now);
    this.at = Date.now();
    // A restarted service counts from zero.
    if (before !== null && now.uptimeSeconds < before.now.uptimeSeconds) this.readPast();
    const goesOn =
      before !== null && now.uptimeSeconds >= before.now.uptimeSeconds && now.counts.events >= before.now.counts.events;
    const seconds = goesOn ? (at - before.at) / 1000 : 0;
    if (goesOn && seconds < 0.5) return;
    const last = this.#seen.time.at(-1);
    const time = Date.now() / 1000;
    if (last !== undefined && time - last > APART) this.#put(last + 1, () => null);
    for (const [name, counter] of Object.entries(COUNTED)) {
      this.rates[name] = goesOn && now.counts[counter] !== null ? (now.counts[counter] - before.now.counts[counter]) / seconds : null;
    }
    this.#put(time, (name) =>
      LATENCIES.includes(name) ? (now.latency?.frameToEvent?.[name] ?? null) : this.rates[name],
    );
  }

  #put(time, value) {
    for (const [name, column] of Object.entries(this.#seen)) {
      column.push(name === 'time' ? time : value(name));
      if (column.length > POINTS) column.splice(0, column.length - POINTS);
    }
  }
}
