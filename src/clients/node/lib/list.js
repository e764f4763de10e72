// Lists of the gateway, which come in pages.

/**
 * A list. Iterate over it to get every item: `for await (const item of list)`.
 *
 * @template Item
 */
export class List {
  #read;

  /**
   * @param {(parameters: { limit?: number, cursor?: string }) => Promise<{ items: Item[], cursor?: string | null,
   * incomplete?: string[] | null }>} read
   */
  constructor(read) {
    this.#read = read;
  }

  /**
   * Reads one page.
   *
   * @param {{ limit?: number, cursor?: string }} [parameters] at most 1,000 items, 100 by default; the cursor of the
   *   page before
   */
  async page(parameters = {}) {
    return this.#read(parameters);
  }

  /**
   * Reads page after page.
   *
   * @param {{ limit?: number, cursor?: string }} [parameters]
   * @returns {AsyncGenerator<{ items: Item[], cursor?: string | null, incomplete?: string[] | null }, void, undefined>}
   */
  async *pages({ limit, cursor } = {}) {
    do {
      const page = await this.#read({ limit, cursor });
      yield page;
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
  }

  /** @returns {AsyncGenerator<Item, void, undefined>} */
  async *[Symbol.asyncIterator]() {
    for await (const { items } of this.pages()) yield* items;
  }

  /** Reads the whole list. */
  async all() {
    /** @type {Item[]} */
    const items = [];
    for await (const item of this) items.push(item);
    return items;
  }
}
