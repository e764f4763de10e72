// Handles events of many conversations at once, and the events of one conversation in order, one at a time.

import { ProblemError, TimeoutError, UnreachableError } from '../errors.js';
import { jitter } from '../http/retry.js';
import { linked, onAbort, pause } from '../http/time.js';
import { Progress } from './progress.js';

/** @typedef {import('../types.js').EventJson} EventJson */

/**
 * @template Event
 * @typedef {object} BotOptions
 * @property {number} [atOnce] how many events are handled at once, 16 by default
 * @property {number} [ahead] how many events may be read and not be done, or be done after one that is not; while there
 *   are so many, no more are read; 1,000 by default
 * @property {number} [timeout] how long one run of the handler may take, in milliseconds; 300,000 by default
 * @property {number} [attempts] how often the handler runs for an event if it fails, 5 by default; failures because the
 *   gateway is away or overloaded do not count
 * @property {number} [patience] how long an event may take with all runs of the handler and the pauses between, in
 *   milliseconds; 600,000 by default. While the gateway cannot be reached, the bot waits without a limit, as it does
 *   for its events.
 * @property {(error: unknown, event: Event) => void | Promise<void>} [failed] called for an event that is given up; the
 *   bot continues after it. By default the bot continues with a warning if the conversation no longer takes the
 *   command, for example because its consumer has closed it. After any other error the bot ends with the error, and
 *   gets the event again after its next start.
 */

/**
 * @typedef {object} Run
 * @property {AbortSignal} signal aborts when the bot ends, and when the time limit of this run has passed
 * @property {number} attempt the number of this run for its event, from 1
 */

/** A bot at work. */
export class Bot {
  #make;
  #handle;
  #options;
  #keep;
  #progress = new Progress();
  /** @type {Map<string, Promise<void>>} The last event of each conversation that has one. */
  #lanes = new Map();
  #free;
  /** @type {(() => void)[]} */
  #waiting = [];
  #wake = () => {};
  #stopping = new AbortController();
  /** @type {{ error: unknown } | undefined} */
  #failure;

  /**
   * @param {object} parts
   * @param {(json: EventJson) => any} parts.make gives an event its actions; called for each run of the handler
   * @param {(event: any, run: Run) => unknown} parts.handle
   * @param {(position: string) => Promise<void> | void} parts.save
   * @param {BotOptions<any>} parts.options
   */
  constructor({ make, handle, save, options }) {
    this.#make = make;
    this.#handle = handle;
    this.#options = {
      atOnce: 16,
      ahead: 1_000,
      timeout: 300_000,
      attempts: 5,
      patience: 600_000,
      failed: endUnlessMoot,
      ...given(options),
    };
    for (const name of /** @type {const} */ (['atOnce', 'ahead', 'attempts'])) {
      if (!(this.#options[name] >= 1)) throw new TypeError(`${name} must be at least 1`);
    }
    this.#free = this.#options.atOnce;
    this.#keep = new Keeper(save, (error) => this.#stop(error));
  }

  /**
   * Handles events until their end, or until `signal` aborts; then waits for the handlers that run.
   *
   * @param {(signal: AbortSignal) => AsyncIterable<{ id: string | undefined, event: EventJson | undefined }>} read
   * @param {AbortSignal | undefined} signal
   */
  async run(read, signal) {
    const ends = linked([signal, this.#stopping.signal]);
    const forget = onAbort(ends.signal, () => this.#wake());
    try {
      for await (const { id, event } of read(ends.signal)) {
        if (id === undefined) continue;
        const entry = this.#progress.begin(id);
        if (event === undefined) this.#finish(entry);
        else this.#queue(entry, event, ends.signal);
        while (this.#progress.size >= this.#options.ahead && !ends.signal.aborted) await this.#change();
      }
    } catch (error) {
      this.#stop(error);
    } finally {
      await Promise.all(this.#lanes.values());
      await this.#keep.end();
      forget();
      ends.release();
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /**
   * @param {{ id: string, isDone: boolean }} entry
   * @param {EventJson} event
   * @param {AbortSignal} signal
   */
  #queue(entry, event, signal) {
    const lane = event.subject ?? event.connection ?? '';
    const before = this.#lanes.get(lane) ?? Promise.resolve();
    const work = before.then(() => this.#work(entry, event, signal));
    this.#lanes.set(lane, work);
    work.then(() => {
      if (this.#lanes.get(lane) === work) this.#lanes.delete(lane);
    });
  }

  /**
   * Handles one event as soon as there is room. Never rejects.
   *
   * @param {{ id: string, isDone: boolean }} entry
   * @param {EventJson} json
   * @param {AbortSignal} signal
   */
  async #work(entry, json, signal) {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise((/** @type {(value: void) => void} */ resolve) => this.#waiting.push(resolve));
    try {
      if (!signal.aborted && (await this.#attempts(json, signal))) this.#finish(entry);
    } catch (error) {
      this.#stop(error);
    }
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }

  /**
   * Runs the handler until it succeeds or the event is given up.
   *
   * @param {EventJson} json
   * @param {AbortSignal} signal
   * @returns {Promise<boolean>} whether the event is done
   */
  async #attempts(json, signal) {
    const end = Date.now() + this.#options.patience;
    let failures = 0;
    for (let attempt = 1; ; attempt += 1) {
      const event = this.#make(json);
      try {
        await this.#once(event, attempt, signal);
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        if (!isBusy(error) && !isAway(error)) failures += 1;
        const wait = jitter(attempt);
        const isLate = Date.now() + wait >= end && !isAway(error);
        if (error instanceof Overdue || failures >= this.#options.attempts || isLate) {
          await this.#giveUp(error, event);
          return true;
        }
        await pause(wait, signal);
        if (signal.aborted) return false;
      }
    }
  }

  /**
   * Calls `failed`, which may act in a conversation that no longer takes a command either.
   *
   * @param {unknown} error
   * @param {any} event
   */
  async #giveUp(error, event) {
    try {
      await this.#options.failed(error, event);
    } catch (failure) {
      endUnlessMoot(failure, event);
    }
  }

  /**
   * Runs the handler once.
   *
   * @param {any} event
   * @param {number} attempt
   * @param {AbortSignal} signal
   */
  async #once(event, attempt, signal) {
    const { timeout } = this.#options;
    const overdue = () => new Overdue(`the handler of event ${event.id} did not end within ${timeout} ms`);
    const run = linked([signal], timeout, overdue);
    let forget = () => {};
    const late = new Promise((_, reject) => {
      forget = onAbort(run.signal, () => run.signal.reason instanceof Overdue && reject(run.signal.reason));
    });
    try {
      await Promise.race([late, (async () => this.#handle(event, { signal: run.signal, attempt }))()]);
    } finally {
      forget();
      run.release();
    }
  }

  /** @param {{ id: string, isDone: boolean }} entry */
  #finish(entry) {
    const position = this.#progress.finish(entry);
    if (position !== undefined) this.#keep.keep(position);
    this.#wake();
  }

  /** @param {unknown} error */
  #stop(error) {
    this.#failure ??= { error };
    this.#stopping.abort();
  }

  /** Waits until an event is done or the bot ends. */
  async #change() {
    await new Promise((/** @type {(value: void) => void} */ resolve) => {
      this.#wake = resolve;
    });
  }
}

/** The handler took too long and may still run, so that it must not run again. */
class Overdue extends TimeoutError {}

/** Saves the newest position, one save at a time. */
class Keeper {
  #save;
  #fail;
  /** @type {string | undefined} */
  #next;
  /** @type {Promise<void> | undefined} */
  #running;

  /**
   * @param {(position: string) => Promise<void> | void} save
   * @param {(error: unknown) => void} fail
   */
  constructor(save, fail) {
    this.#save = save;
    this.#fail = fail;
  }

  /** @param {string} position */
  keep(position) {
    this.#next = position;
    this.#running ??= this.#run();
  }

  /** Waits until the newest position is saved. */
  async end() {
    await this.#running;
  }

  async #run() {
    try {
      while (this.#next !== undefined) {
        const position = this.#next;
        this.#next = undefined;
        await this.#save(position);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#running = undefined;
    }
  }
}

/**
 * Whether the gateway cannot be reached.
 *
 * @param {unknown} error
 */
function isAway(error) {
  return error instanceof UnreachableError || (error instanceof TimeoutError && !(error instanceof Overdue));
}

/**
 * Whether the gateway or the connection can carry out nothing at present.
 *
 * @param {unknown} error
 */
function isBusy(error) {
  return error instanceof ProblemError && [429, 503].includes(error.status);
}

/**
 * The default of `failed`: warns if the conversation no longer takes the command, else ends the bot.
 *
 * @param {unknown} error
 * @param {EventJson} event
 */
function endUnlessMoot(error, event) {
  const isMoot =
    error instanceof ProblemError && ([404, 409].includes(error.status) || error.code === 'platform-rejected');
  if (!isMoot) throw error;
  console.warn(`tertulia: event ${event.id} was given up: ${error.message}`);
}

/**
 * The options that are given.
 *
 * @template {object} Options
 * @param {Options} options
 * @returns {Options}
 */
function given(options) {
  return /** @type {Options} */ (
    Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  );
}
