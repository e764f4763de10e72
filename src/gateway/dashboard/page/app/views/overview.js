// The first view: whether all is well, the throughput, and the latest activity.

import { el, reconcile, setAttribute, setText } from '../dom.js';
import { NOTHING, bytes, count, countdown, rate, short, timeOfDay, took } from '../format.js';
import { Action } from '../parts/action.js';
import { Chart } from '../parts/chart.js';
import { ofFailure, setState, state, stateElement } from '../states.js';
import { setTime, timeElement } from '../times.js';

/** The most rows of the activity. */
const SHOWN = 200;
const NAMED = 4;
/** The least time between two updates of the activity, so that people can read it. */
const CALM = 700;

export class OverviewView {
  title = 'Overview';
  element;
  #model;
  #tiles;
  #throughput;
  #latency;
  #attention;
  #activity;
  #drawn = -1;
  #told = -Infinity;

  constructor(model) {
    this.#model = model;
    this.#tiles = new Map(
      [
        ['connections', 'Connections', '#/connections'],
        ['conversations', 'Conversations', '#/conversations'],
        ['events', 'Events'],
        ['commands', 'Commands'],
        ['latency', 'Frame to event, p99'],
        ['memory', 'Memory'],
      ].map(([name, label, href]) => [name, tile(label, href)]),
    );
    this.#throughput = new Chart({
      title: 'Throughput',
      hint: 'What the service handles per second',
      series: [
        { label: 'Frames in', colour: '--line-3' },
        { label: 'Events', colour: '--line-1', fill: '--fill-1' },
        { label: 'Commands', colour: '--line-2' },
      ],
      format: (value) => `${rate(value)}/s`,
    });
    this.#latency = new Chart({
      title: 'Latency',
      hint: 'Time from a frame to its events, inside the service',
      series: [
        { label: 'Median', colour: '--line-2' },
        { label: '99th percentile', colour: '--line-1', fill: '--fill-1' },
      ],
      format: (value) => took(value),
    });
    this.#attention = el('ul', { class: 'rows attention' });
    this.#activity = el('ol', { class: 'rows activity' });
    this.element = el(
      'section',
      { class: 'view overview', 'aria-label': 'Overview' },
      el('h1', { class: 'unseen', tabindex: -1, text: 'Overview' }),
      el(
        'ul',
        { class: 'tiles', 'aria-label': 'The service in numbers' },
        [...this.#tiles.values()].map(({ element }) => element),
      ),
      el('div', { class: 'charts' }, this.#throughput.element, this.#latency.element),
      el(
        'div',
        { class: 'columns' },
        el(
          'section',
          { class: 'panel', 'aria-labelledby': 'attention' },
          el('div', { class: 'panel-head' }, el('h2', { id: 'attention', text: 'Needs attention' })),
          this.#attention,
        ),
        el(
          'section',
          { class: 'panel', 'aria-labelledby': 'activity' },
          el('div', { class: 'panel-head' }, el('h2', { id: 'activity', text: 'Lately' })),
          el(
            'div',
            { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'What happened lately' },
            this.#activity,
          ),
        ),
      ),
    );
  }

  show() {
    this.#model.fleet.refresh();
    this.#model.supervision.loader.request();
    this.#model.rings.watch(true);
    this.#drawn = -1;
    this.#told = -Infinity;
  }

  hide() {
    this.#model.rings.watch(false);
  }

  /** Called once a second. */
  tick() {
    this.#model.rings.refresh();
  }

  render() {
    const { overview } = this.#model;
    this.#numbers(overview);
    if (overview.at !== this.#drawn) {
      this.#drawn = overview.at;
      const { time, frames, events, commands, p50, p99 } = overview.columns();
      this.#throughput.show([time, frames, events, commands]);
      this.#latency.show([time, p50, p99]);
    }
    this.#attend();
    this.#tell();
  }

  #numbers({ now, rates }) {
    const put = (name, value, more, tone) => {
      const { value: number, more: words, element } = this.#tiles.get(name);
      setText(number, value);
      setText(words, more);
      setAttribute(element, 'data-tone', tone);
    };
    if (!now) {
      for (const name of this.#tiles.keys()) put(name, NOTHING, '', null);
      return;
    }
    const { connections, conversations, counts, latency, journal } = now;
    const isAll = connections.ready === connections.total;
    put(
      'connections',
      count(connections.ready),
      connections.total === 0 ? 'none configured' : isAll ? 'all ready' : `of ${count(connections.total)} ready`,
      isAll ? null : connections.failed > 0 ? 'bad' : 'warn',
    );
    put(
      'conversations',
      count(conversations.inMemory + conversations.asleep),
      asleep(conversations),
    );
    put('events', `${rate(rates.events)}/s`, `${count(counts.events)} in all`);
    const answered = latency?.command?.p99;
    put(
      'commands',
      `${rate(rates.commands)}/s`,
      `${answered === null || answered === undefined ? '' : `p99 ${took(answered)}, `}${counts.commandsFailed > 0 ? `${count(counts.commandsFailed)} failed` : 'none failed'}`,
    );
    const last = latency?.frameToEvent;
    put(
      'latency',
      took(last?.p99 ?? NaN),
      last?.p50 === undefined || last?.p50 === null ? 'no frames lately' : `median ${took(last.p50)}`,
    );
    put(
      'memory',
      bytes(now.residentBytes),
      waiting(journal),
    );
  }

  #attend() {
    const items = attention(this.#model);
    reconcile(
      this.#attention,
      items,
      ({ key }) => key,
      ({ ring }) => {
        const shown = {
          state: stateElement(),
          text: el('span', { class: 'row-text' }),
          link: ring ? null : el('a', { class: 'row-link' }),
          actions: ring ? this.#answers(ring) : [],
        };
        const actions = shown.actions.map(({ element }) => element);
        const element = el('li', {}, shown.state, shown.text, shown.link, actions);
        element.shown = shown;
        return element;
      },
      ({ shown }, { word, tone, text, href, link }) => {
        for (const action of shown.actions) action.allow(this.#model.scope());
        setState(shown.state, [word, tone]);
        setText(shown.text, text);
        if (shown.link === null) return;
        setText(shown.link, link ?? '');
        setAttribute(shown.link, 'href', href);
      },
    );
  }

  /** The buttons that answer an offer. */
  #answers(ring) {
    const { rings, announce } = this.#model;
    return [
      new Action({
        label: 'Reject',
        isTerse: true,
        describe: `Reject the conversation offered to ${ring.connection}`,
        done: 'Rejected',
        announce,
        act: () => rings.reject(ring),
      }),
      new Action({
        label: 'Accept',
        describe: `Accept the conversation offered to ${ring.connection}`,
        done: 'Accepted',
        announce,
        act: async () => {
          const { conversationId } = await rings.accept(ring);
          location.hash = `#/conversations/${encodeURIComponent(conversationId)}`;
        },
      }),
    ];
  }

  #tell() {
    if (performance.now() - this.#told < CALM && this.#activity.childElementCount > 0) {
      this.#model.changed();
      return;
    }
    this.#told = performance.now();
    const { items } = this.#model.activity;
    if (items.length === 0) {
      reconcile(
        this.#activity,
        [{ id: 'none' }],
        ({ id }) => id,
        () =>
          el('li', {
            class: 'row-empty',
            text: 'Nothing notable has happened yet. Messages, transfers, faults and reconnects appear here.',
          }),
      );
      return;
    }
    reconcile(
      this.#activity,
      items.slice(0, SHOWN),
      ({ id }) => id,
      ({ at, text, tone, connection, conversation }) => {
        const time = timeElement({ class: 'row-time' });
        setTime(time, at);
        const mark = tone ? state('', tone) : el('span', { class: 'state' });
        const name = conversation
          ? el('a', {
              class: 'id',
              href: `#/conversations/${encodeURIComponent(conversation)}`,
              title: conversation,
              text: short(conversation),
            })
          : el('span', { class: 'id', text: connection ?? '' });
        return el('li', {}, mark, el('span', { class: 'row-text' }, name, ' ', el('span', { text })), time);
      },
    );
  }
}

/** A token for some of the connections gets no numbers of the whole process. */
function asleep({ asleep: number }) {
  if (number === null) return '';
  return number > 0 ? `${count(number)} asleep` : 'all in memory';
}

function waiting({ waiting: number }) {
  if (number === null) return '';
  return number > 0 ? `${count(number)} steps to be stored` : 'everything is stored';
}

function tile(label, href) {
  const value = el('b', { class: 'tile-value', text: NOTHING });
  const more = el('span', { class: 'tile-more' });
  const inside = [el('span', { class: 'tile-label', text: label }), value, more];
  const element = el('li', { class: 'tile' }, href ? el('a', { href }, inside) : inside);
  return { element, value, more };
}

/** What needs attention, the worst first; a single "all well" item if nothing does. */
function attention({ overview, fleet, live, rings, names }) {
  const items = [];
  const { now } = overview;
  if (!now) {
    const text = {
      away: 'The service does not answer',
      locked: 'The service asks for a token',
      up: 'Asking the service…',
    };
    const state = live.state();
    return [{ key: state, word: state === 'up' ? 'Reading' : 'Unknown', tone: 'idle', text: text[state] }];
  }
  if (live.state() === 'away') {
    const text = `The service does not answer. What is shown is from ${timeOfDay(overview.at)}`;
    items.push({ key: 'away', word: 'Out of reach', tone: 'bad', text });
  }
  if (!now.journal.healthy) {
    items.push({
      key: 'journal',
      word: 'Not kept',
      tone: 'bad',
      text: 'The last commit failed and is being retried; sockets are held back until it succeeds',
    });
  }
  for (const ring of rings.rings.slice(0, NAMED)) {
    const skill = ring.skillId && ring.skillId !== '-1' ? `, skill ${names.skill(ring.connection, ring.skillId)}` : '';
    const expires = ring.ringExpirationTs > Date.now() ? `, ${countdown(ring.ringExpirationTs)} left` : '';
    items.push({
      key: `r ${ring.connection} ${ring.id}`,
      word: 'Offered',
      tone: 'held',
      text: `A conversation is offered to ${ring.connection}${skill}${expires}`,
      ring,
    });
  }
  const failed = [...fleet.connections.values()].filter(({ state: name }) => name === 'failed');
  for (const connection of failed.slice(0, NAMED)) {
    items.push({
      key: `c ${connection.id}`,
      word: 'Failed',
      tone: 'bad',
      text: `${connection.id}: ${ofFailure(connection.failure) || connection.lastError || 'the connection has failed'}`,
      href: `#/connections/${encodeURIComponent(connection.id)}`,
      link: 'Look',
    });
  }
  if (now.connections.failed > Math.min(failed.length, NAMED)) {
    items.push({
      key: 'failed',
      word: 'Failed',
      tone: 'bad',
      text: `${count(now.connections.failed - Math.min(failed.length, NAMED))} ${failed.length > 0 ? 'more ' : ''}connections have failed`,
      href: '#/connections',
      link: 'Show',
    });
  }
  if (now.conversations.quarantined > 0) {
    items.push({
      key: 'quarantine',
      word: 'Quarantined',
      tone: 'held',
      text: plural(
        now.conversations.quarantined,
        'conversation kept failing and is quarantined',
        'conversations kept failing and are quarantined',
      ),
      href: '#/supervision',
      link: 'Release',
    });
  }
  if (now.deadLetters > 0) {
    items.push({
      key: 'letters',
      word: 'Dead letters',
      tone: 'held',
      text: plural(
        now.deadLetters,
        'notification, command or delivery could not be handled',
        'notifications, commands or deliveries could not be handled',
      ),
      href: '#/dead-letters',
      link: 'Look',
    });
  }
  if (now.connections.working > 0) {
    items.push({
      key: 'working',
      word: 'On the way',
      tone: 'warn',
      text: plural(now.connections.working, 'connection is not ready yet', 'connections are not ready yet'),
      href: '#/connections',
      link: 'Show',
    });
  }
  const { reconnects, restarts } = overview.hour();
  const recovered = [
    reconnects > 0 ? plural(reconnects, 'reconnect', 'reconnects') : '',
    restarts > 0 ? plural(restarts, 'restart', 'restarts') : '',
  ].filter(Boolean);
  if (recovered.length > 0) {
    items.push({
      key: 'recovered',
      word: 'Recovered',
      tone: 'warn',
      text: `${recovered.join(' and ')} in the last hour`,
      href: '#/supervision',
      link: 'Look',
    });
  }
  if (items.length === 0) {
    const text =
      now.connections.total === 0
        ? 'No connection is configured yet. Add [[connections]] to tertulia.toml, or try tertulia demo --keep'
        : `Every connection is ready, nothing is in quarantine, and there are no dead letters`;
    items.push({
      key: 'fine',
      word: now.connections.total === 0 ? 'Empty' : 'All well',
      tone: now.connections.total === 0 ? 'idle' : 'good',
      text,
    });
  }
  return items;
}

function plural(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many}`;
}
