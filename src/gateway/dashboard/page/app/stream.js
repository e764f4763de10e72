// One event stream, read with fetch so that the token can be a header, and resumed after the last event seen.

import { address } from './api.js';
import { authorization } from './session.js';
import { EventParser } from './sse.js';

/** The gateway sends something at least every 15 s; silence of this length means a dead connection. */
const SILENT_FOR = 40_000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;

const open = new Set();

/** Called when the service answers: all waiting streams reconnect at once. */
export function hurryStreams() {
  for (const stream of open) stream.hurry();
}

/**
 * Follows `v1/events`. `onEvent(event)` is called for each event, `onState(name, detail)` with "connecting", "live",
 * "waiting" (with the time of the next attempt) or "refused" (with the status: a token is required).
 */
export class Stream {
  #parameters;
  #onEvent;
  #onState;
  #last;
  #tries = 0;
  #abort = null;
  #wake = null;
  #closed = false;

  constructor({ parameters = {}, after, onEvent, onState = () => {} }) {
    this.#parameters = parameters;
    this.#last = after;
    this.#onEvent = onEvent;
    this.#onState = onState;
    open.add(this);
    this.#run().finally(() => open.delete(this));
  }

  /** Reconnects at once if the stream is waiting. */
  hurry() {
    this.#wake?.();
  }

  close() {
    this.#closed = true;
    this.#abort?.abort();
    this.#wake?.();
  }

  async #run() {
    while (!this.#closed) {
      this.#onState('connecting');
      const status = await this.#follow().catch(() => 0);
      if (this.#closed) return;
      if (status === 401 || status === 403) {
        this.#onState('refused', status);
        return;
      }
      const most = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#tries);
      const pause = most / 2 + Math.random() * (most / 2);
      this.#tries += 1;
      this.#onState('waiting', Date.now() + pause);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, pause);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
  }

  /** Reads one connection to its end; returns the status if the connection was refused. */
  async #follow() {
    this.#abort = new AbortController();
    const headers = { accept: 'text/event-stream', ...authorization() };
    if (this.#last !== undefined) headers['last-event-id'] = this.#last;
    let silence;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => this.#abort.abort(), SILENT_FOR);
    };
    heard();
    try {
      const response = await fetch(address('v1/events', this.#parameters), {
        headers,
        signal: this.#abort.signal,
        cache: 'no-store',
      });
      if (!response.ok || this.#closed) return response.status;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new EventParser((event) => this.#take(event));
      this.#onState('live');
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return response.status;
        heard();
        this.#tries = 0;
        if (this.#closed) return response.status;
        parser.take(value);
      }
    } finally {
      clearTimeout(silence);
    }
  }

  #take({ id, data }) {
    if (id !== undefined) this.#last = id;
    if (data === '') return;
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return;
    }
    this.#onEvent(event);
  }
}
