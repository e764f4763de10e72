// Each state has a word, a tone and a shape; each of the three is enough to recognise the state.

import { el, setAttribute, setText, svg } from './dom.js';

const SHAPES = {
  good: 'M6 1a5 5 0 1 1 0 10a5 5 0 0 1 0-10z',
  warn: 'M6 1.2L11.4 10.8H.6z',
  bad: 'M1.5 1.5h9v9h-9z',
  idle: 'M6 1.9a4.1 4.1 0 1 1 0 8.2a4.1 4.1 0 0 1 0-8.2z',
  held: 'M6 .5L11.5 6L6 11.5L.5 6z',
};

const CONNECTION = {
  idle: ['Not started', 'idle'],
  logging_in: ['Logging in', 'warn'],
  waiting_to_log_in: ['Waiting to log in', 'warn'],
  connecting: ['Connecting', 'warn'],
  verifying: ['Verifying', 'warn'],
  resuming: ['Resuming', 'warn'],
  ready: ['Ready', 'good'],
  waiting_to_reconnect: ['Waiting to reconnect', 'warn'],
  stopping: ['Stopping', 'idle'],
  stopped: ['Stopped', 'idle'],
  failed: ['Failed', 'bad'],
  moving: ['Moving', 'warn'],
};

const STAGE = { OPEN: ['Open', 'good'], CLOSE: ['Closed', 'idle'], LOCKED: ['Locked', 'warn'] };

const FAILURE = {
  credentials_refused: 'The login was refused: wrong credentials',
};

const WAITING = {
  credentials_refused: 'The platform refuses a login that worked before',
  logged_in_elsewhere: 'The user is logged in elsewhere too',
  login_held: 'Another connection of this machine holds the login',
  token_refused: 'The platform refuses the socket although it granted the token',
};

/** A connection's state; a state unknown to this page is shown under its own name. */
export function ofConnection(state) {
  const name = String(state ?? '').replaceAll('-', '_');
  return CONNECTION[name] ?? [sentence(name) || 'Unknown', 'idle'];
}

export function ofStage(stage) {
  return STAGE[stage] ?? [stage ? sentence(stage.toLowerCase()) : 'Unknown', 'idle'];
}

export function ofFailure(reason) {
  return FAILURE[reason] ?? sentence(String(reason ?? ''));
}

/** Why a connection waits, if somebody may have to act; empty if the cause passes by itself. */
export function ofWaiting(waiting) {
  return WAITING[waiting?.reason] ?? '';
}

/** A name of the protocol as words. */
export function sentence(name) {
  const words = name.replaceAll(/[_-]+/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** An element that shows a state. */
export function stateElement() {
  const path = svg('path');
  const word = el('span', { class: 'state-word' });
  const element = el(
    'span',
    { class: 'state' },
    svg('svg', { viewBox: '0 0 12 12', 'aria-hidden': 'true' }, path),
    word,
  );
  element.parts = { path, word };
  return element;
}

export function setState(element, [word, tone]) {
  setAttribute(element, 'data-tone', tone);
  setAttribute(element.parts.path, 'd', SHAPES[tone] ?? SHAPES.idle);
  setText(element.parts.word, word);
}

export function state(word, tone) {
  const element = stateElement();
  setState(element, [word, tone]);
  return element;
}
