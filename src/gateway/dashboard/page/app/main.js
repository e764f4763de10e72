// The page: its models and views, which view is open, and when the page is drawn.

import { el, setAttribute, setText } from './dom.js';
import { count, span } from './format.js';
import { Live } from './live.js';
import { Activity } from './model/activity.js';
import { BulkJobs } from './model/bulk.js';
import { Conversations } from './model/conversations.js';
import { FOLLOWED, typeOf } from './model/events.js';
import { Fleet } from './model/fleet.js';
import { Names } from './model/names.js';
import { Nodes } from './model/nodes.js';
import { Overview } from './model/overview.js';
import { Rings } from './model/rings.js';
import { DeadLetters, Supervision } from './model/supervision.js';
import { Webhooks } from './model/webhooks.js';
import { hasToken } from './session.js';
import { Stream, hurryStreams } from './stream.js';
import { prepareTheme } from './theme_switch.js';
import { tick } from './times.js';
import { TokenDialog } from './token.js';
import { BulkView } from './views/bulk.js';
import { ConnectionsView } from './views/connections.js';
import { ConversationsView } from './views/conversations.js';
import { DeadLettersView } from './views/dead_letters.js';
import { NodesView } from './views/nodes.js';
import { OverviewView } from './views/overview.js';
import { SupervisionView } from './views/supervision.js';
import { WebhooksView } from './views/webhooks.js';

/** The least time between two drawings, however many events arrive. */
const LEAST_BETWEEN = 100;

const main = document.getElementById('main');
const announcer = document.getElementById('announce');

let frame = null;
let drawn = 0;
let view = null;
let stream = null;

function changed() {
  if (frame !== null) return;
  frame = setTimeout(() => requestAnimationFrame(draw), Math.max(0, drawn + LEAST_BETWEEN - performance.now()));
}

function draw() {
  frame = null;
  drawn = performance.now();
  view?.render();
  frameOf();
}

function announce(text) {
  setText(announcer, '');
  requestAnimationFrame(() => setText(announcer, text));
}

const live = new Live(document.getElementById('live'));
const activity = new Activity({ onChange: changed });
const fleet = new Fleet({ onChange: changed });
const overview = new Overview({
  onChange: changed,
  onAnswer: answered,
  onPast: (notable) => activity.remember(notable),
});
const scope = () => overview.now?.scope ?? 'read';
const model = {
  overview,
  live,
  changed,
  announce,
  fleet,
  conversations: new Conversations({ onChange: changed }),
  activity,
  supervision: new Supervision({ onChange: changed }),
  deadLetters: new DeadLetters({ onChange: changed }),
  rings: new Rings({ onChange: changed }),
  webhooks: new Webhooks({ onChange: changed }),
  bulk: new BulkJobs({ onChange: changed }),
  nodes: new Nodes({ onChange: changed }),
  names: new Names({ fleet, scope, onChange: namesCame }),
  scope,
};

/** Shows the rows again, with names in place of ids. */
function namesCame() {
  model.conversations.version += 1;
  changed();
}

const VIEWS = [
  { path: '', view: new OverviewView(model), badge: () => null },
  {
    path: 'connections',
    view: new ConnectionsView(model),
    badge: () => badge(overview.now?.connections.failed, 'failed', 'bad'),
  },
  { path: 'conversations', view: new ConversationsView(model), badge: () => null },
  { path: 'webhooks', view: new WebhooksView(model), badge: () => null },
  { path: 'bulk', view: new BulkView(model), badge: () => null },
  {
    path: 'supervision',
    view: new SupervisionView(model),
    badge: () => badge(overview.now?.conversations.quarantined, 'quarantined', 'held'),
  },
  {
    path: 'dead-letters',
    view: new DeadLettersView(model),
    badge: () => badge(overview.now?.deadLetters, 'kept', 'held'),
  },
  {
    path: 'nodes',
    view: new NodesView(model),
    badge: () => badge(model.nodes.silent, 'silent', 'bad'),
    isThere: isOfSeveral,
  },
];

/** Whether the service has several nodes. */
function isOfSeveral() {
  return Number.isFinite(overview.now?.nodes);
}

function badge(number, word, tone) {
  return number > 0 ? { text: count(number), label: `${count(number)} ${word}`, tone } : null;
}

for (const entry of VIEWS) {
  entry.badgeElement = el('span', { class: 'badge', hidden: true });
  entry.link = el('a', { href: `#/${entry.path}` }, el('span', { text: entry.view.title }), entry.badgeElement);
  entry.item = el('li', { hidden: Boolean(entry.isThere) }, entry.link);
  document.getElementById('views').append(entry.item);
}

/** Draws the frame around the view: badges and the service's uptime. */
function frameOf() {
  for (const { badge: of, badgeElement, isThere, item } of VIEWS) {
    if (isThere) setAttribute(item, 'hidden', isThere() ? null : true);
    const shown = of();
    setAttribute(badgeElement, 'hidden', shown ? null : true);
    setText(badgeElement, shown?.text ?? '');
    setAttribute(badgeElement, 'aria-label', shown?.label ?? null);
    setAttribute(badgeElement, 'data-tone', shown?.tone ?? null);
  }
  const { now } = overview;
  setText(document.getElementById('uptime'), now ? `up ${span(now.uptimeSeconds)} · ${now.version}` : '');
}

function route() {
  if (location.hash !== '' && !location.hash.startsWith('#/')) return;
  const [path, ...rest] = location.hash.slice(2).split('/').map(part);
  const entry = VIEWS.find((candidate) => candidate.path === (path ?? '')) ?? VIEWS[0];
  const isNew = entry.view !== view;
  if (isNew) {
    view?.hide();
    view = entry.view;
    main.replaceChildren(view.element);
    for (const { view: other, link } of VIEWS) setAttribute(link, 'aria-current', other === view ? 'page' : null);
    document.title = view.title === 'Overview' ? 'Tertulia' : `${view.title} · Tertulia`;
  }
  view.show(rest);
  // Keyboard users continue from the new heading.
  if (isNew && document.activeElement?.closest?.('.side, .tile, .rows'))
    main.querySelector('h1')?.focus({ preventScroll: true });
  draw();
}

function part(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Reads everything again: the data may come from another service or for another token. */
function readAnew() {
  model.fleet.loader.request();
  model.conversations.invalidate();
  model.supervision.loader.request();
  model.deadLetters.loader.request();
  overview.readPast();
}

const dialog = new TokenDialog({
  button: document.getElementById('token'),
  onChange: () => {
    for (const part of [
      overview,
      model.fleet,
      model.conversations,
      model.activity,
      model.supervision,
      model.deadLetters,
      model.rings,
      model.webhooks,
      model.bulk,
      model.nodes,
      model.names,
    ])
      part.forget();
    begin();
    readAnew();
    // The open views were read with the previous token.
    view?.hide();
    route();
  },
});

function answered() {
  const { problem, now } = overview;
  live.answered(problem);
  if (problem?.status === 401) dialog.ask(hasToken() ? 'The service does not know this token.' : null);
  else if (now) dialog.known(now.scope);
  if (!problem) hurryStreams();
}

function begin() {
  stream?.close();
  stream = new Stream({
    parameters: { type: FOLLOWED },
    onEvent: take,
    onState: (state, detail) => {
      if (state === 'live' && live.was('waiting')) readAnew();
      live.stream(state, detail);
      changed();
    },
  });
  overview.ask();
}

function take(event) {
  const type = typeOf(event);
  if (type === 'gap' && !event.subject) {
    readAnew();
    return;
  }
  model.conversations.take(event, type);
  model.fleet.take(event, type);
  model.activity.take(event, type);
  model.supervision.take(type);
  model.rings.take(type);
}

prepareTheme(document.getElementById('theme'));
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', route);
addEventListener('online', () => {
  hurryStreams();
  overview.ask();
});
setInterval(() => {
  if (document.hidden) return;
  tick(main);
  view?.tick?.();
  if (isOfSeveral()) model.nodes.look();
  live.tick();
}, 1000);
begin();
route();
