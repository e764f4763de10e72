// A button that changes something; disabled, with the reason, if the token may only read.

import { el, setAttribute, setText } from '../dom.js';
import { mayWrite } from '../session.js';

/** The time in which a second click confirms, in milliseconds. */
const ARMED = 6000;
const READ_ONLY = 'Your token may only read. Enter a token that may write to do this.';

/**
 * `act()` does the work and may fail with a problem. Afterwards the button announces the result of `act()`, or `done` if
 * there is no result. A disabled button has the reason in its title. If the token may only read, a text beside the
 * button says so. A terse button has no such text, because another button beside it has the same text. If `confirm()`
 * returns a question, the button asks the question and acts when it is clicked again.
 */
export class Action {
  element;
  #button;
  #said;
  #label;
  #describe;
  #isTerse;
  #reason = null;
  #confirm;
  /** Ends the time in which a second click confirms. */
  #disarm = null;

  constructor({ label, describe, act, done, announce, confirm = () => null, isTerse = false }) {
    this.#confirm = confirm;
    this.#label = label;
    this.#describe = describe;
    this.#isTerse = isTerse;
    this.#said = el('span', { class: 'action-said' });
    this.#button = el('button', { class: 'button small', type: 'button' });
    this.#show(label);
    this.element = el('span', { class: 'action' }, this.#button, this.#said);
    this.#button.addEventListener('click', async (event) => {
      event.stopPropagation();
      if (this.#reason || this.#button.getAttribute('aria-busy') === 'true') return;
      if (this.#asks(announce)) return;
      setAttribute(this.#button, 'aria-busy', 'true');
      setText(this.#said, '');
      try {
        const told = (await act()) ?? done;
        announce(told);
        setText(this.#said, told);
      } catch (problem) {
        announce(problem.message);
        setText(this.#said, problem.message);
      }
      setAttribute(this.#button, 'aria-busy', null);
    });
  }

  /** Shows a text on the button. The label for screen readers begins with the same text. */
  #show(text) {
    setText(this.#button, text);
    const isSaid = this.#describe.toLowerCase().startsWith(text.toLowerCase());
    setAttribute(this.#button, 'aria-label', isSaid ? this.#describe : `${text}: ${this.#describe}`);
  }

  /** Does the same as a click on the button. */
  click() {
    this.#button.click();
  }

  /** Asks the question, if there is one and if it was not asked just before. */
  #asks(announce) {
    const isArmed = this.#disarm !== null;
    clearTimeout(this.#disarm);
    this.#disarm = null;
    this.#show(this.#label);
    const question = isArmed ? null : this.#confirm();
    if (question === null) return false;
    this.#show(question);
    announce(question);
    this.#disarm = setTimeout(() => {
      this.#disarm = null;
      this.#show(this.#label);
    }, ARMED);
    return true;
  }

  /** Changes the label. */
  name(label) {
    if (label === this.#label) return;
    this.#label = label;
    if (this.#disarm === null) this.#show(label);
  }

  /** Enables the button, or disables it with a reason. It stays focusable, so that a screen reader reads the reason. */
  allow(scope, otherwise = null) {
    const reason = mayWrite(scope) ? otherwise : READ_ONLY;
    if (reason === this.#reason) return;
    this.#reason = reason;
    setAttribute(this.#button, 'aria-disabled', reason ? 'true' : null);
    setAttribute(this.#button, 'title', reason);
    if (this.#disarm === null) this.#show(this.#label);
    setText(this.#said, reason === READ_ONLY && !this.#isTerse ? 'Needs a token that may write' : '');
  }
}
