// The process in numbers, read every two seconds, and its history over the last quarter of an hour.

import { get } from '../api.js';

const EVERY = 2000;
const EVERY_HIDDEN = 15_000;
/** Points of the charts: fifteen minutes. */
const POINTS = 450;
/** Responses further apart than this are not joined by a line. */
const APART = 10;

const COUNTED = { events: 'events', commands: 'commandsDone', frames: 'frames' };
const LATENCIES = ['p50', 'p99'];

export class Overview {
  now = null;
  rates = { events: null, commands: null, frames: null };
  /** Columns as the charts take them; the first is the time in seconds. */
  history = { time: [], events: [], commands: [], frames: [], p50: [], p99: [] };
  problem = null;
  /** When the last response arrived. */
  at = null;
  #answered;
  /** Resolves with the first response. */
  first = this.#toCome();
  #before = null;
  #timer = null;
  #asking = null;
  #onChange;
  #onAnswer;

  constructor({ onChange, onAnswer = () => {} }) {
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
      this.#take(await get('v1/overview', {}, asking.signal));
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
    for (const column of Object.values(this.history)) column.length = 0;
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
    const goesOn =
      before !== null && now.uptimeSeconds >= before.now.uptimeSeconds && now.counts.events >= before.now.counts.events;
    const seconds = goesOn ? (at - before.at) / 1000 : 0;
    if (goesOn && seconds < 0.5) return;
    const { history } = this;
    const last = history.time.at(-1);
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
    for (const [name, column] of Object.entries(this.history)) {
      column.push(name === 'time' ? time : value(name));
      if (column.length > POINTS) column.splice(0, column.length - POINTS);
    }
  }
}
