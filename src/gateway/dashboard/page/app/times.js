// Time elements that show how long ago a moment was and stay up to date.

import { el, setText, setAttribute } from './dom.js';
import { NOTHING, absolute, ago, countdown } from './format.js';

/** Makes an empty time element. */
export function timeElement(attributes = {}) {
  return el('time', attributes);
}

/** Sets the moment of a time element: relative in its text, absolute in its title. */
export function setTime(element, millis) {
  if (millis === null || millis === undefined) {
    element.at = undefined;
    setText(element, NOTHING);
    element.removeAttribute('title');
    return;
  }
  if (element.at !== millis) {
    element.at = millis;
    setAttribute(element, 'datetime', new Date(millis).toISOString());
    setAttribute(element, 'title', absolute(millis));
  }
  setText(element, ago(millis));
}

/** Sets the moment of a deadline element, which counts down and then shows how long it is overdue. */
export function setDeadline(element, millis) {
  element.deadline = millis ?? undefined;
  if (millis === null || millis === undefined) {
    setText(element, 'No deadline');
    setAttribute(element, 'data-tone', 'idle');
    element.removeAttribute('title');
    return;
  }
  const left = millis - Date.now();
  setText(element, left >= 0 ? `${countdown(millis)} left` : `${countdown(millis)} overdue`);
  setAttribute(element, 'data-tone', left < 0 ? 'bad' : left < 120_000 ? 'warn' : 'good');
  setAttribute(element, 'title', absolute(millis));
}

/** Updates every time element below `root`. */
export function tick(root) {
  for (const element of root.querySelectorAll('time')) {
    if (element.deadline !== undefined) setDeadline(element, element.deadline);
    else if (element.at !== undefined) setText(element, ago(element.at));
  }
}
