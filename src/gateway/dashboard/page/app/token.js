// Where a token is entered, and what the one that is entered allows.

import { el, setAttribute, setText } from './dom.js';
import { hasToken, setToken } from './session.js';

const SCOPES = { read: 'May read', write: 'May write' };

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
    this.#forget = el('button', { class: 'quiet', type: 'button', text: 'Forget it', click: () => this.#use('') });
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
        text: 'It is kept for this tab only, and sent nowhere but to this service. With one that may only read, everything can be seen and nothing changed.',
      }),
      el(
        'div',
        { class: 'dialog-end' },
        this.#forget,
        el('button', { class: 'quiet', type: 'button', text: 'Cancel', click: () => this.#dialog.close() }),
        el('button', { class: 'button primary', type: 'submit', text: 'Use it' }),
      ),
    );
    this.#dialog = el('dialog', { 'aria-labelledby': 'token-title' }, form);
    document.body.append(this.#dialog);
    button.addEventListener('click', () => this.#open());
    setText(button, 'Token');
  }

  /** The service asks for a token; opens the dialog the first time. */
  ask(problem) {
    setText(this.#button, 'Enter token');
    this.#button.removeAttribute('aria-label');
    setText(this.#problem, problem ?? '');
    if (this.#refused) return;
    this.#refused = true;
    this.#open();
  }

  /** The service answered, and told what the caller may do. */
  known(scope) {
    this.#refused = false;
    const word = hasToken() ? (SCOPES[scope] ?? 'Token') : scope === 'write' ? 'No token needed' : 'Token';
    setText(this.#button, word);
    setAttribute(this.#button, 'aria-label', hasToken() ? `${word}. Change the token` : `${word}. Enter a token`);
  }

  #open() {
    // Whoever is typing already goes on.
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
    // What a header cannot carry is no token.
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
