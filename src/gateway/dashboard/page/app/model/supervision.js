// What was restarted, what is in quarantine, and what could not be handled.

import { get, list, post, remove } from '../api.js';
import { Loader } from './loader.js';

/** The most causes of dead letters that the page holds. Causes with the newest letters come first. */
const MOST_CAUSES = 200;
/** The most letters of one cause that are replayed together. */
const MOST_LETTERS = 1000;

export class Supervision {
  tree = null;
  loader;

  constructor({ onChange }) {
    this.loader = new Loader(
      async (signal) => {
        this.tree = await get('v1/supervision', {}, signal);
      },
      { least: 2000, onChange },
    );
  }

  take(type) {
    if (type === 'conversation-restarted' || type === 'conversation-quarantined' || type === 'connection.failed')
      this.loader.request();
  }

  async release(connection, conversation) {
    await post(`v1/conversations/${encodeURIComponent(conversation)}/release`, { connection });
    this.loader.request();
  }

  forget() {
    this.tree = null;
    this.loader.forget();
  }
}

export class DeadLetters {
  causes = [];
  more = false;
  loader;

  constructor({ onChange }) {
    this.loader = new Loader(
      async (signal) => {
        const { items, more } = await list('v1/dead-letters/causes', {}, MOST_CAUSES, signal, { page: MOST_CAUSES });
        this.causes = items;
        this.more = more;
      },
      { least: 2000, onChange },
    );
  }

  /** The number of letters of the causes that were read. */
  get count() {
    return this.causes.reduce((sum, { count }) => sum + count, 0);
  }

  /** A whole dead letter, its bytes in base64. */
  async whole(id) {
    return get(`v1/dead-letters/${encodeURIComponent(id)}`);
  }

  /** Replays every letter of a cause, the oldest first. Returns their number. Stops at the first failure. */
  async replayAll(cause) {
    const { items } = await list('v1/dead-letters', { cause }, MOST_LETTERS);
    let replayed = 0;
    try {
      for (const { id } of items) {
        await post(`v1/dead-letters/${encodeURIComponent(id)}/replay`);
        replayed += 1;
      }
    } catch (problem) {
      if (replayed > 0) problem.message = `${replayed} were handed over again. Then: ${problem.message}`;
      throw problem;
    } finally {
      this.loader.request();
    }
    return replayed;
  }

  /** Discards every letter of a cause. Returns their number. */
  async discardAll(cause) {
    const { discarded } = await remove('v1/dead-letters', { cause });
    this.causes = this.causes.filter(({ id }) => id !== cause);
    this.loader.request();
    return discarded;
  }

  forget() {
    this.causes = [];
    this.loader.forget();
  }
}
