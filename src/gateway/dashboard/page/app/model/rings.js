// The conversations that are offered to agents and wait for an answer.

import { list, newKey, post } from '../api.js';
import { Loader } from './loader.js';

/** The most offers that the page holds. */
const MOST = 100;
/** How often offers are read while there are any, because offers expire. */
const EVERY = 5000;

export class Rings {
  rings = [];
  #watched = false;
  /** The idempotency key of each answer, so that a repeated answer acts once. */
  #keys = new Map();
  loader;

  constructor({ onChange }) {
    this.loader = new Loader(
      async (signal) => {
        const { items } = await list('v1/rings', {}, MOST, signal, { page: MOST });
        this.rings = items;
        this.#keys.clear();
      },
      { least: 3000, onChange },
    );
  }

  watch(watched) {
    this.#watched = watched;
    if (watched) this.loader.request();
  }

  refresh() {
    if (this.rings.length > 0 && Date.now() - this.loader.at > EVERY) this.loader.request();
  }

  take(type) {
    if (type === 'ring' && this.#watched) this.loader.request();
  }

  async accept(ring) {
    return this.#answer(ring, 'accept');
  }

  async reject(ring) {
    await this.#answer(ring, 'reject');
  }

  async #answer(ring, answer) {
    const name = `${ring.connection} ${ring.id} ${answer}`;
    if (!this.#keys.has(name)) this.#keys.set(name, newKey());
    const path = `v1/rings/${encodeURIComponent(ring.id)}/${answer}`;
    const told = await post(path, { connection: ring.connection }, undefined, this.#keys.get(name));
    this.rings = this.rings.filter((other) => other !== ring);
    this.loader.request();
    return told;
  }

  forget() {
    this.rings = [];
    this.loader.forget();
  }
}
