// A button that changes something: disabled, with the reason, where the token may only look.

import { el, setAttribute, setText } from '../dom.js';

const READ_ONLY = 'Your token may only read. Enter one that may write to do this.';

/**
 * `act()` does it and may fail with a problem; `done` is what is said afterwards. A terse one tells why it is disabled in
 * its title only, because another beside it tells the same.
 */
export class Action {
  element;
  #button;
  #said;
  #label;
  #isTerse;
  #reason = null;

  constructor({ label, describe, act, done, announce, isTerse = false }) {
    this.#label = label;
    this.#isTerse = isTerse;
    this.#said = el('span', { class: 'action-said' });
    this.#button = el('button', { class: 'button small', type: 'button', text: label, 'aria-label': describe });
    this.element = el('span', { class: 'action' }, this.#button, this.#said);
    this.#button.addEventListener('click', async (event) => {
      event.stopPropagation();
      if (this.#reason || this.#button.getAttribute('aria-busy') === 'true') return;
      setAttribute(this.#button, 'aria-busy', 'true');
      setText(this.#said, '');
      try {
        await act();
        announce(done);
        setText(this.#said, done);
      } catch (problem) {
        announce(problem.message);
        setText(this.#said, problem.message);
      }
      setAttribute(this.#button, 'aria-busy', null);
    });
  }

  /** Lets it be pressed, or tells why not. It keeps the focus either way, so that the reason can be heard. */
  allow(scope, otherwise = null) {
    const reason = scope === 'write' ? otherwise : READ_ONLY;
    if (reason === this.#reason) return;
    this.#reason = reason;
    setAttribute(this.#button, 'aria-disabled', reason ? 'true' : null);
    setAttribute(this.#button, 'title', reason);
    setText(this.#button, this.#label);
    setText(this.#said, reason === READ_ONLY && !this.#isTerse ? 'Needs a token that may write' : '');
  }
}
