// Errors as users of lp-messaging-sdk expect them: with `isTimeout`, `conversationId` and `dialogId`.

import { TertuliaError } from '../lib/errors.js';

/** Codes of the gateway that mean that the platform did not answer in time. */
const LATE = ['timed-out', 'timeout', 'outcome-unknown'];

/**
 * Adds to an error of a request what the SDK adds.
 *
 * @param {unknown} error
 * @param {{ conversationId?: string, dialogId?: string }} place
 * @returns {unknown} the same error
 */
export function placed(error, place) {
  if (error instanceof TertuliaError) Object.assign(error, place, { isTimeout: LATE.includes(error.code) });
  return error;
}

/**
 * Refuses what only a program with a login of its own can do.
 *
 * @param {string} what
 * @param {string} instead
 */
export function unsupported(what, instead) {
  return new Error(`${what} is not supported, because the gateway holds the login: ${instead}`);
}
