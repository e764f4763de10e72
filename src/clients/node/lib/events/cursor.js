// Where a reader of events stands, over its restarts.

/**
 * @typedef {object} Cursor
 * @property {() => string | null | Promise<string | null>} load returns the saved position; null if there is none
 * @property {(position: string) => void | Promise<void>} save keeps a position; resolves when the position is safe
 */

/**
 * A position in memory: for tests, and for readers that begin with what happens next after each start.
 *
 * @param {string | null} [position] where the reader stands at first
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
