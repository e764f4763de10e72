// Requests to one gateway: the token, time limits, repetitions, problems.

import { ProblemError, TertuliaError, TimeoutError, UnreachableError } from '../errors.js';
import { base, query } from './address.js';
import { newKey } from './key.js';
import { isWorthRepeating, retryAfter, waitAfter } from './retry.js';
import { linked, pause } from './time.js';

/** The time limit of a call with all its attempts, in milliseconds. */
const TIMEOUT = 120_000;
/** The time limit of one attempt: longer than a command may take in the gateway. */
const ATTEMPT_TIMEOUT = 40_000;

/**
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal] ends the call with the signal's reason
 * @property {number} [timeout] the time limit of the call with all its attempts, in milliseconds
 */

/**
 * @typedef {CallOptions & { key?: string }} ActOptions `key` is the idempotency key; a new one by default
 */

/**
 * @typedef {object} TransportSettings
 * @property {string} url the gateway's address
 * @property {string | (() => string | Promise<string>)} [token] the bearer token, or a function that returns it
 * @property {AbortSignal} [signal] ends every call and every stream
 * @property {typeof globalThis.fetch} [fetch]
 * @property {number} [timeout] the time limit of a call with all its attempts, in milliseconds; 120,000 by default
 * @property {number} [attemptTimeout] the time limit of one attempt, in milliseconds; 40,000 by default
 */

/**
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path as {@link path} makes it
 * @property {Record<string, import('./address.js').QueryValue | readonly import('./address.js').QueryValue[]>} [query]
 * @property {unknown} [json] the body, as JSON
 * @property {RequestInit['body']} [body] the body as it is
 * @property {RequestInit['headers']} [headers]
 * @property {string | null} [key] the idempotency key; `undefined` makes one for a POST or PUT, `null` sends none
 * @property {boolean} [mayBeGone] whether 404 means success for a repetition, because the lost answer was a success
 * @property {boolean} [repeatable] whether the request may be carried out twice; by default with a key, or if the
 *   method is not POST
 * @property {AbortSignal} [signal]
 * @property {number} [timeout]
 */

/** Requests to one gateway. */
export class Transport {
  #settings;
  #fetch;
  #url;

  /** @param {TransportSettings} settings */
  constructor(settings) {
    this.#settings = settings;
    this.#url = base(settings.url);
    this.#fetch = settings.fetch ?? ((...parameters) => globalThis.fetch(...parameters));
  }

  /** The gateway's address, without a slash at its end. */
  get url() {
    return this.#url;
  }

  /** The signal that ends everything, if there is one. */
  get signal() {
    return this.#settings.signal;
  }

  /** The bearer token, if there is one. */
  async token() {
    const { token } = this.#settings;
    return typeof token === 'function' ? token() : token;
  }

  /**
   * Sends a request, and repeats it if that is safe. Returns the answer's JSON, or `undefined` if it has no body.
   *
   * @param {Request} request
   * @returns {Promise<any>}
   * @throws {TertuliaError}
   */
  async json(request) {
    return this.attempts(request, async (attempt) => {
      const response = await this.open({
        ...attempt,
        headers: { accept: 'application/json', ...plain(attempt.headers) },
      });
      const text = await this.read(response, () => response.text(), attempt);
      return text === '' ? undefined : parsed(text, response);
    });
  }

  /**
   * As {@link json}, for an answer that is not JSON. `use` reads the body within the time limit of the attempt, or
   * returns the response; its body then has no time limit.
   *
   * @template T
   * @param {Request} request
   * @param {(response: Response) => Promise<T> | T} use
   * @returns {Promise<T>}
   * @throws {TertuliaError}
   */
  async response(request, use) {
    return this.attempts(request, async (attempt) => {
      const response = await this.open(attempt);
      return this.read(response, async () => use(response), attempt);
    });
  }

  /**
   * Sends a request once, and waits for the head of the answer.
   *
   * @param {Request} request
   * @returns {Promise<Response>} a successful one
   * @throws {TertuliaError}
   */
  async open(request) {
    const response = await this.raw(request);
    if (!response.ok) throw await this.problem(response, request.key ?? undefined);
    return response;
  }

  /**
   * Sends a request once, and returns the answer with any status.
   *
   * @param {Request} request
   * @returns {Promise<Response>}
   * @throws {UnreachableError}
   */
  async raw(request) {
    const { method, path, json, signal, key } = request;
    const headers = new Headers(request.headers);
    const token = await this.token();
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    if (typeof key === 'string') headers.set('idempotency-key', key);
    if (json !== undefined) headers.set('content-type', 'application/json');
    const body = json === undefined ? request.body : JSON.stringify(json);
    /** @type {RequestInit & { duplex?: 'half' }} */
    const init = { method, headers, body, signal, cache: 'no-store' };
    // A body that is a stream is sent before the answer is read.
    if (body instanceof ReadableStream) init.duplex = 'half';
    try {
      return await this.#fetch(this.#url + path + query(request.query ?? {}), init);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw new UnreachableError(`${method} ${path}: no answer from ${this.#url}`, {
        cause: error,
        key: key ?? undefined,
      });
    }
  }

  /**
   * Reads the body of an answer.
   *
   * @template T
   * @param {Response} response
   * @param {() => Promise<T>} how
   * @param {Request} request
   * @returns {Promise<T>}
   * @throws {UnreachableError} the body broke off
   */
  async read(response, how, { method, path, signal, key }) {
    try {
      return await how();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      const message = `${method} ${path}: the answer with status ${response.status} broke off`;
      throw new UnreachableError(message, { cause: error, key: key ?? undefined });
    }
  }

  /**
   * Makes the error of an unsuccessful answer.
   *
   * @param {Response} response
   * @param {string} [key]
   */
  async problem(response, key) {
    const text = await response.text().catch(() => '');
    return new ProblemError(response.status, members(text) ?? { detail: text.slice(0, 500) }, {
      key,
      requestId: response.headers.get('x-request-id') ?? undefined,
      retryAfter: retryAfter(response.headers.get('retry-after')),
    });
  }

  /**
   * Makes attempts until one succeeds, a repetition is useless or unsafe, or the time limit has passed.
   *
   * @template T
   * @param {Request} request
   * @param {(attempt: Request) => Promise<T>} attempt
   * @returns {Promise<T>}
   */
  async attempts(request, attempt) {
    const { method } = request;
    const key = request.key === undefined && ['POST', 'PUT'].includes(method) ? newKey() : (request.key ?? undefined);
    const isRepeatable = request.repeatable ?? (key !== undefined || method !== 'POST');
    const timeout = request.timeout ?? this.#settings.timeout ?? TIMEOUT;
    const end = Date.now() + timeout;
    const name = `${method} ${request.path}`;
    for (let tries = 0; ; tries += 1) {
      const left = end - Date.now();
      const limit = Math.max(0, Math.min(this.#settings.attemptTimeout ?? ATTEMPT_TIMEOUT, left));
      const late = () => new UnreachableError(`${name}: no answer within ${limit} ms`, { key });
      const { signal, release } = linked([request.signal, this.#settings.signal], limit, late);
      let failure;
      try {
        if (signal.aborted) throw signal.reason;
        return await attempt({ ...request, key, signal });
      } catch (error) {
        const stop = [request.signal, this.#settings.signal].find((each) => each?.aborted);
        if (stop !== undefined) throw stop.reason;
        if (tries > 0 && request.mayBeGone && error instanceof ProblemError && error.status === 404) {
          return /** @type {T} */ (undefined);
        }
        failure = error;
      } finally {
        release();
      }
      if (!isWorthRepeating(failure, isRepeatable)) throw failure;
      const wait = waitAfter(failure, tries);
      if (Date.now() + wait >= end) {
        if (failure instanceof ProblemError) throw failure;
        throw new TimeoutError(`${name}: not done within ${timeout} ms`, { cause: failure, key });
      }
      const waiting = linked([request.signal, this.#settings.signal]);
      await pause(wait, waiting.signal);
      waiting.release();
      if (waiting.signal.aborted) throw waiting.signal.reason;
    }
  }
}

/**
 * @param {string} text
 * @param {Response} response
 */
function parsed(text, response) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TertuliaError('bad-answer', `the answer of ${response.url} is not JSON`, { cause });
  }
}

/** @param {RequestInit['headers']} [headers] */
function plain(headers) {
  return Object.fromEntries(new Headers(headers));
}

/**
 * The members of a JSON object, if the text is one.
 *
 * @param {string} text
 * @returns {Record<string, unknown> | undefined}
 */
function members(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
