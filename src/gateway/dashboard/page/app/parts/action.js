// A button that changes something; disabled, with the reason, if the token may only read.

import { el, setAttribute, setText } from '../dom.js';

const READ_ONLY = 'Your token may only read. Enter a token that may write to do this.';

/**
 * `act()` does the work and may fail with a problem; `done` is announced afterwards. A terse button shows its reason in
 * its title only, because another button beside it shows the same reason.
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

  /** Enables the button, or disables it with a reason. It stays focusable, so that a screen reader reads the reason. */
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
