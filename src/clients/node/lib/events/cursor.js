// The position of a reader of events.

import { TertuliaError } from '../errors.js';

/**
 * @typedef {object} Cursor
 * @property {() => string | null | Promise<string | null>} load returns the saved position, or null before the first one
 * @property {(position: string) => void | Promise<void>} save keeps a position; resolves when the position is safe
 */

/** What a saved position can be: the id of an event, or an end of the log. */
const POSITION = /^([!-~]+-\d+|earliest|latest)$/;

/**
 * Refuses a damaged position. With one, the reader would begin with the next event and miss others.
 *
 * @template {string | null | undefined} Position
 * @param {Position} position
 * @param {string} where it was saved
 * @returns {Position}
 */
export function checked(position, where) {
  if (typeof position !== 'string' || POSITION.test(position)) return position;
  const what = position === '' ? 'is empty' : `has ${JSON.stringify(position.slice(0, 100))}, which is not the id of an event`;
  throw new TertuliaError('bad-cursor', `${where} ${what}: write a position into it, or delete it to begin with the next event`);
}

/**
 * A position in memory, for tests and for readers that begin with the next event after each start.
 *
 * @param {string | null} [position] the first position
 * @returns {Cursor}
 */
export function memoryCursor(position = null) {
  return {
    load: () => position,
    save: (next) => {
      position = next;
    },
  };
}
