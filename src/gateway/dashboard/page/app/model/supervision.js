// What was restarted, what is in quarantine, and what could not be handled.

import { get, list, post, remove } from '../api.js';
import { Loader } from './loader.js';

/** Dead letters that the page holds; the gateway lists the oldest first. */
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
  letters = [];
  more = false;
  loader;

  constructor({ onChange }) {
    this.loader = new Loader(
      async (signal) => {
        const { items, more } = await list('v1/dead-letters', {}, MOST_LETTERS, signal);
        this.letters = items.sort((one, other) => (one.id < other.id ? 1 : -1));
        this.more = more;
      },
      { least: 2000, onChange },
    );
  }

  /** A whole dead letter, its bytes in base64. */
  async whole(id) {
    return get(`v1/dead-letters/${encodeURIComponent(id)}`);
  }

  async replay(id) {
    await post(`v1/dead-letters/${encodeURIComponent(id)}/replay`);
    this.#gone(id);
  }

  async discard(id) {
    await remove(`v1/dead-letters/${encodeURIComponent(id)}`);
    this.#gone(id);
  }

  #gone(id) {
    this.letters = this.letters.filter((letter) => letter.id !== id);
    this.loader.request();
  }

  forget() {
    this.letters = [];
    this.loader.forget();
  }
}
