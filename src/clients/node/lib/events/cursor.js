// The position of a reader of events.

/**
 * @typedef {object} Cursor
 * @property {() => string | null | Promise<string | null>} load returns the saved position; null if there is none
 * @property {(position: string) => void | Promise<void>} save keeps a position; resolves when the position is safe
 */

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
