// Parses Server-Sent Events from pieces of text (HTML standard). Fields that the gateway never sends are not parsed.

/** The longest event accepted; this gateway sends no longer event. */
const LONGEST = 1 << 24;

/** Takes pieces of a stream and calls `onEvent({ id, data })` for each whole event; data is "" for a heartbeat. */
export class EventParser {
  #rest = '';
  #data = [];
  #id;
  #onEvent;

  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  /** Takes the next piece, which may end anywhere in an event. */
  take(piece) {
    const text = this.#rest + piece;
    let from = 0;
    for (;;) {
      const end = text.indexOf('\n', from);
      if (end < 0) break;
      this.#line(text.charCodeAt(end - 1) === 13 ? text.slice(from, end - 1) : text.slice(from, end));
      from = end + 1;
    }
    this.#rest = from === 0 ? text : text.slice(from);
    if (this.#rest.length > LONGEST) throw new Error('the response is not an event stream');
  }

  #line(line) {
    if (line === '') {
      const event = { id: this.#id, data: this.#data.join('\n') };
      this.#data = [];
      if (event.id !== undefined || event.data !== '') this.#onEvent(event);
      return;
    }
    if (line.startsWith('data:')) this.#data.push(value(line, 5));
    else if (line.startsWith('id:')) this.#id = value(line, 3);
  }
}

function value(line, from) {
  return line.charCodeAt(from) === 32 ? line.slice(from + 1) : line.slice(from);
}
