// One stream of events that reconnects: the position, the time limits, the pauses.

import { TertuliaError, UnreachableError } from '../errors.js';
import { isWorthRepeating, waitAfter } from '../http/retry.js';
import { linked, pause } from '../http/time.js';
import { Parser } from './parser.js';

/** The gateway sends something every 15 s. A stream that is silent for this long is broken. In milliseconds. */
export const SILENCE = 40_000;
/** The time limit of a connection attempt, in milliseconds. */
const CONNECT = 20_000;
/**
 * The first pause before a new attempt is at most this long, if the gateway does not say otherwise. In milliseconds.
 */
const FIRST_PAUSE = 1_000;

/**
 * @typedef {object} Interruption
 * @property {unknown} error why the stream ended, if known
 * @property {number} attempt the number of attempts that have failed since the stream last had an event or a heartbeat
 * @property {number} wait the pause before the next attempt, in milliseconds
 */

/**
 * @typedef {object} FollowOptions
 * @property {Record<string, string | readonly string[] | undefined>} filter
 * @property {string} [after] an id, `earliest` or `latest`
 * @property {AbortSignal} [signal] ends the stream
 * @property {number} [silence] in milliseconds
 * @property {(interruption: Interruption) => void} [onInterruption]
 */

/**
 * Follows the events. Each item has the position after it; `event` is undefined for a heartbeat. The stream reconnects
 * after its last item until `signal` aborts, which ends the generator.
 *
 * @param {import('../http/transport.js').Transport} transport
 * @param {FollowOptions} options
 * @returns {AsyncGenerator<{ id: string | undefined, event: any }, void, undefined>}
 * @throws {TertuliaError} the gateway refuses the stream
 */
export async function* follow(transport, { filter, after, signal: given, silence = SILENCE, onInterruption }) {
  const { signal, release } = linked([given, transport.signal]);
  let last = after;
  let tries = 0;
  let first = FIRST_PAUSE;
  try {
    while (!signal.aborted) {
      let error;
      const connection = new Connection(transport, signal, silence);
      try {
        await connection.open(filter, last);
        for await (const item of connection.items()) {
          tries = 0;
          first = connection.retry ?? first;
          last = item.id ?? last;
          yield item;
        }
      } catch (failure) {
        if (signal.aborted) return;
        if (!isWorthRepeating(failure, true)) throw failure;
        error = failure;
      } finally {
        connection.close();
      }
      if (signal.aborted) return;
      const wait = waitAfter(error, tries, { first });
      tries += 1;
      onInterruption?.({ error, attempt: tries, wait });
      await pause(wait, signal);
    }
  } finally {
    release();
  }
}

/** One connection of the stream. */
class Connection {
  #transport;
  #silence;
  #controller = new AbortController();
  #stop;
  #parser = new Parser();
  /** @type {ReadableStreamDefaultReader<Uint8Array> | undefined} */
  #reader;

  /**
   * @param {import('../http/transport.js').Transport} transport
   * @param {AbortSignal} signal
   * @param {number} silence
   */
  constructor(transport, signal, silence) {
    this.#transport = transport;
    this.#silence = silence;
    this.#stop = linked([signal, this.#controller.signal]);
  }

  /** When to reconnect, in milliseconds, as the gateway asks. */
  get retry() {
    return this.#parser.retry;
  }

  /**
   * @param {FollowOptions['filter']} filter
   * @param {string | undefined} after
   */
  async open(filter, after) {
    const isEnd = after === 'earliest' || after === 'latest';
    /** @type {Record<string, string>} */
    const headers = { accept: 'text/event-stream' };
    if (after !== undefined && !isEnd) headers['last-event-id'] = after;
    const query = isEnd ? { ...filter, after } : filter;
    const request = { method: 'GET', path: '/v1/events', query, headers, signal: this.#stop.signal };
    const response = await this.#within(CONNECT, 'no answer', () => this.#transport.open(request));
    if (response.body === null) throw new UnreachableError('the event stream has no body');
    this.#reader = response.body.getReader();
  }

  /** @returns {AsyncGenerator<{ id: string | undefined, event: any }, void, undefined>} */
  async *items() {
    const reader = /** @type {ReadableStreamDefaultReader<Uint8Array>} */ (this.#reader);
    const decoder = new TextDecoder();
    for (;;) {
      // The time limit runs only while this side reads, because a slow caller is no silence of the gateway.
      const { done, value } = await this.#within(this.#silence, 'silent', () => reader.read());
      if (done) return;
      for (const { id, data } of this.#parser.take(decoder.decode(value, { stream: true }))) {
        yield { id, event: data === null ? undefined : parsed(data) };
      }
    }
  }

  close() {
    this.#controller.abort();
    this.#stop.release();
    this.#reader?.cancel().catch(() => {});
  }

  /**
   * @template T
   * @param {number} limit
   * @param {string} what
   * @param {() => Promise<T>} act
   * @returns {Promise<T>}
   */
  async #within(limit, what, act) {
    const late = () => new UnreachableError(`the event stream was broken off: ${what} for ${limit} ms`);
    const timer = setTimeout(() => this.#controller.abort(late()), limit);
    try {
      return await act();
    } catch (error) {
      if (this.#controller.signal.aborted) throw this.#controller.signal.reason;
      if (error instanceof TertuliaError) throw error;
      throw new UnreachableError('the event stream broke off', { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** @param {string} data */
function parsed(data) {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new TertuliaError('bad-answer', 'an event is not JSON', { cause });
  }
}
