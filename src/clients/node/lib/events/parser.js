// Parses Server-Sent Events (HTML standard) from pieces of text.

import { TertuliaError } from '../errors.js';

/** The longest event accepted, in characters. The gateway's events are much shorter. */
const LONGEST = 1 << 24;

/**
 * @typedef {object} Item
 * @property {string | undefined} id the last id of the stream
 * @property {string | null} data null for a heartbeat, which has an id at most
 */

/** Takes the pieces of one stream. */
export class Parser {
  #rest = '';
  /** @type {string[]} */
  #data = [];
  #hasData = false;
  #length = 0;
  /** @type {string | undefined} */
  #id;
  #isFirst = true;
  /** Whether the last piece ended with CR: a LF that follows belongs to it. */
  #endedWithReturn = false;

  /** @type {number | undefined} When to reconnect after a break, in milliseconds, as the stream asks. */
  retry;

  /**
   * Takes the next piece, which may end anywhere, and returns the items that are complete with it.
   *
   * @param {string} piece
   * @returns {Item[]}
   * @throws {TertuliaError} an event is too long
   */
  take(piece) {
    /** @type {Item[]} */
    const items = [];
    if (piece === '') return items;
    if (this.#isFirst && piece.charCodeAt(0) === 0xfeff) piece = piece.slice(1);
    this.#isFirst = false;
    if (this.#endedWithReturn && piece[0] === '\n') piece = piece.slice(1);
    this.#endedWithReturn = piece.endsWith('\r');
    const lines = (this.#rest + piece).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const item = this.#line(line);
      if (item !== undefined) items.push(item);
    }
    if (this.#rest.length + this.#length > LONGEST)
      throw new TertuliaError('bad-answer', `an event is longer than ${LONGEST} characters`);
    return items;
  }

  /** @param {string} line */
  #line(line) {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const start = line[colon + 1] === ' ' ? colon + 2 : colon + 1;
    const value = colon < 0 ? '' : line.slice(start);
    if (name === 'data') {
      this.#data.push(value);
      this.#hasData = true;
      this.#length += value.length;
    } else if (name === 'id') {
      if (!value.includes('\0')) this.#id = value;
    } else if (name === 'retry' && /^\d+$/.test(value)) {
      this.retry = Number(value);
    }
    return undefined;
  }

  /** @returns {Item | undefined} */
  #end() {
    const data = this.#hasData ? this.#data.join('\n') : null;
    this.#data = [];
    this.#hasData = false;
    this.#length = 0;
    return data === null && this.#id === undefined ? undefined : { id: this.#id, data };
  }
}
