// The dialog that asks for a token, and the button that shows what the current token allows.

import { el, setAttribute, setText } from './dom.js';
import { hasToken, mayWrite, setToken } from './session.js';

const SCOPES = { read: 'May read', write: 'May write', admin: 'May administer' };

export class TokenDialog {
  #button;
  #dialog;
  #input;
  #problem;
  #forget;
  #onChange;
  #refused = false;

  constructor({ button, onChange }) {
    this.#button = button;
    this.#onChange = onChange;
    this.#input = el('input', {
      type: 'password',
      id: 'token-input',
      class: 'field wide',
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-describedby': 'token-hint token-problem',
    });
    this.#problem = el('p', { class: 'problem', id: 'token-problem', role: 'alert' });
    this.#forget = el('button', { class: 'quiet', type: 'button', text: 'Forget token', click: () => this.#use('') });
    const form = el(
      'form',
      { submit: (event) => this.#submit(event) },
      el('h2', { id: 'token-title', text: 'Token' }),
      el('label', { for: 'token-input', text: 'A token of this gateway' }),
      this.#input,
      this.#problem,
      el('p', {
        class: 'hint',
        id: 'token-hint',
        text: 'The token is kept for this tab only and sent only to this service. A token with the scope read shows everything and changes nothing.',
      }),
      el(
        'div',
        { class: 'dialog-end' },
        this.#forget,
        el('button', { class: 'quiet', type: 'button', text: 'Cancel', click: () => this.#dialog.close() }),
        el('button', { class: 'button primary', type: 'submit', text: 'Use the token' }),
      ),
    );
    this.#dialog = el('dialog', { 'aria-labelledby': 'token-title' }, form);
    document.body.append(this.#dialog);
    button.addEventListener('click', () => this.#open());
    setText(button, 'Token');
  }

  /** Called when the service requires a token. Opens the dialog the first time only. */
  ask(problem) {
    setText(this.#button, 'Enter token');
    this.#button.removeAttribute('aria-label');
    setText(this.#problem, problem ?? '');
    if (this.#refused) return;
    this.#refused = true;
    this.#open();
  }

  /** Called when the service has answered with the token's scope. */
  known(scope) {
    this.#refused = false;
    const word = hasToken() ? (SCOPES[scope] ?? 'Token') : mayWrite(scope) ? 'No token needed' : 'Token';
    setText(this.#button, word);
    setAttribute(this.#button, 'aria-label', hasToken() ? `${word}. Change the token` : `${word}. Enter a token`);
  }

  #open() {
    // An open dialog keeps what the user has typed.
    if (this.#dialog.open) return;
    setAttribute(this.#forget, 'hidden', hasToken() ? null : true);
    this.#input.value = '';
    this.#dialog.showModal();
    this.#input.focus();
  }

  #submit(event) {
    event.preventDefault();
    const token = this.#input.value.trim();
    if (token === '') {
      setText(this.#problem, 'Enter a token, or cancel.');
      return;
    }
    // A token travels in a header, so only visible ASCII characters are valid.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      setText(this.#problem, 'A token has no spaces and only plain characters.');
      return;
    }
    this.#use(token);
  }

  #use(token) {
    setToken(token);
    setText(this.#problem, '');
    this.#refused = false;
    this.#dialog.close();
    this.#onChange();
  }
}
