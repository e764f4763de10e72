// How far a reader is that handles several events at once.

/** The events that are being handled, in their order, and those after them that are done. */
export class Progress {
  /** @type {Set<{ id: string, isDone: boolean }>} */
  #entries = new Set();

  /** How many positions are kept. */
  get size() {
    return this.#entries.size;
  }

  /**
   * Adds the next event.
   *
   * @param {string} id its position
   */
  begin(id) {
    const entry = { id, isDone: false };
    this.#entries.add(entry);
    return entry;
  }

  /**
   * Marks an event as done.
   *
   * @param {{ id: string, isDone: boolean }} entry
   * @returns {string | undefined} the newest position before which all is done, if it has changed
   */
  finish(entry) {
    entry.isDone = true;
    let position;
    for (const each of this.#entries) {
      if (!each.isDone) break;
      this.#entries.delete(each);
      position = each.id;
    }
    return position;
  }
}
