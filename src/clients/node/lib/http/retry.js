// Which requests are repeated, and when.

import { ProblemError, UnreachableError } from '../errors.js';

/** The first pause is at most this long, in milliseconds. */
export const FIRST_PAUSE = 250;
/** No pause is longer, unless the gateway asks for a longer one. */
export const LONGEST_PAUSE = 10_000;

/** Statuses of a request that was not carried out. */
const NOT_DONE = [429, 503];
/** Statuses of a request that failed and may have had its effect. */
const MAYBE_DONE = [500, 502, 504];
/** Codes that a repetition does not change. */
const FINAL = ['dead-lettered', 'secret-not-shared'];

/**
 * Whether the same request may succeed later, so that it is worth repeating.
 *
 * @param {unknown} error
 * @param {boolean} isRepeatable whether the request may be carried out twice: it reads, or it has a key
 */
export function isWorthRepeating(error, isRepeatable) {
  if (error instanceof UnreachableError) return isRepeatable;
  if (!(error instanceof ProblemError) || FINAL.includes(error.code)) return false;
  if (NOT_DONE.includes(error.status) || error.code === 'key-in-use') return true;
  return isRepeatable && MAYBE_DONE.includes(error.status);
}

/**
 * Chooses a pause with full jitter: a random part of a limit that doubles with each attempt.
 *
 * @param {number} attempt from 0
 * @param {{ first?: number, longest?: number, random?: () => number }} [options]
 * @returns {number} milliseconds
 */
export function jitter(attempt, { first = FIRST_PAUSE, longest = LONGEST_PAUSE, random = Math.random } = {}) {
  return random() * Math.min(longest, first * 2 ** Math.min(attempt, 30));
}

/**
 * Returns the wait before the next attempt: the wait that the gateway asks for, and jitter.
 *
 * @param {unknown} error
 * @param {number} attempt from 0
 * @param {{ first?: number, longest?: number, random?: () => number }} [options]
 * @returns {number} milliseconds
 */
export function waitAfter(error, attempt, options) {
  const asked = error instanceof ProblemError ? (error.retryAfter ?? 0) : 0;
  return asked + jitter(attempt, options);
}

/**
 * Reads the header `Retry-After`: seconds or a date.
 *
 * @param {string | null} value
 * @param {number} [now]
 * @returns {number | undefined} milliseconds
 */
export function retryAfter(value, now = Date.now()) {
  if (value === null || value === '') return undefined;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
