// What a view shows instead of its content: loading, empty, or the problem.

import { el } from '../dom.js';

/** Fills `element` with a notice about `loader`; returns false if there is content to show. */
export function noticeFor(loader, isEmpty, empty) {
  if (loader.problem && (!loader.loaded || isEmpty)) return failed(loader.problem, () => loader.request());
  if (!loader.loaded) return el('div', { class: 'notice waiting', role: 'status' }, el('p', { text: 'Reading…' }));
  return isEmpty ? notice(...empty) : null;
}

export function notice(title, text, ...more) {
  return el('div', { class: 'notice' }, el('h3', { text: title }), el('p', { text }), more);
}

export function failed(problem, again) {
  const isAbsent = problem.status === 404 && problem.code === 'not-found';
  const text = isAbsent ? 'This service does not have this yet.' : problem.message || 'The service did not say why.';
  const button = isAbsent ? null : el('button', { class: 'button', type: 'button', text: 'Try again', click: again });
  return notice(
    isAbsent ? 'Not available' : problem.status === 0 ? 'The service cannot be reached' : 'The data could not be read',
    text,
    button,
  );
}

/** Shows a notice in place of `content`, or the content if no notice is needed. */
export class Place {
  element;
  #content;
  #shown = null;

  constructor(content) {
    this.#content = content;
    this.element = el('div', { class: 'place' }, content);
  }

  /** `key` identifies a notice, so that the same notice is not inserted twice. */
  show(key, make) {
    if (key === this.#shown) return;
    this.#shown = key;
    this.element.replaceChildren(key === null ? this.#content : make());
  }

  /** As `noticeFor`. */
  settle(loader, isEmpty, empty) {
    const key =
      loader.problem && (!loader.loaded || isEmpty)
        ? `failed ${loader.problem.message}`
        : !loader.loaded
          ? 'waiting'
          : isEmpty
            ? `empty ${empty[0]}`
            : null;
    this.show(key, () => noticeFor(loader, isEmpty, empty));
  }
}
