// The webhooks, and the newest deliveries of one of them.

import { list, patch, post } from '../api.js';
import { Loader } from './loader.js';

const MOST = 100;
const DELIVERIES = 50;

export class Webhooks {
  webhooks = [];
  /** The id of the webhook whose deliveries are read. */
  open = null;
  deliveries = [];
  loader;
  /** Reads the deliveries of the open webhook. */
  attempts;

  constructor({ onChange }) {
    this.loader = new Loader(
      async (signal) => {
        this.webhooks = (await list('v1/webhooks', {}, MOST, signal, { page: MOST })).items;
      },
      { least: 2000, onChange },
    );
    this.attempts = new Loader(
      async (signal) => {
        const { open } = this;
        if (open === null) return;
        const path = `v1/webhooks/${encodeURIComponent(open)}/deliveries`;
        this.deliveries = (await list(path, {}, DELIVERIES, signal, { page: DELIVERIES })).items;
      },
      { least: 2000, onChange },
    );
  }

  show(id) {
    if (id === this.open) return;
    this.open = id;
    this.deliveries = [];
    this.attempts.forget();
    if (id !== null) this.attempts.request();
  }

  async enable(id, enabled) {
    await patch(`v1/webhooks/${encodeURIComponent(id)}`, { enabled });
    this.loader.request();
  }

  /** Sends a test event. Returns the result as text. */
  async test(id) {
    const { delivered, status, outcome } = await post(`v1/webhooks/${encodeURIComponent(id)}/test`);
    this.attempts.request();
    return `${delivered ? 'Delivered' : `Not delivered: ${outcome}`}${status ? ` (${status})` : ''}`;
  }

  forget() {
    this.webhooks = [];
    this.show(null);
    this.loader.forget();
  }
}
