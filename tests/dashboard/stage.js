// A staged gateway: the page and its headers come from a real service, the rows from a scene. What is asked of it is
// noted, and it can go away, ask for a token, and send any number of events.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { PATIENCE } from './browser.js';
import { causeOf, causes, history, overview } from './scene.js';

const HEARTBEAT = 2000;

export class Stage {
  scene;
  /** Tokens and their scopes; without any, everybody may write. */
  tokens = {};
  /** Requests that change something, as `METHOD path`. */
  acts = [];
  /** The idempotency keys of these requests and of the messages, including failed ones. */
  keys = [];
  tried = [];
  /** Addresses that were asked for, with their queries. */
  addresses = [];
  /** Seconds that have passed in the scene; real time where it is null. */
  seconds = null;
  /** Paths that answer 503. */
  failing = new Set();
  /** Promises by path: an answer that is ready waits for them. */
  #held = new Map();
  /** The time of the scene. */
  now = () => Date.now();
  #began = Date.now();
  #real;
  #server;
  #streams = new Set();
  #offset = 2_000_000;

  /** A stage for the page of the service at `real`. */
  static async start(real, scene) {
    const stage = new Stage();
    stage.#real = real;
    stage.scene = scene;
    await stage.#listen(0);
    return stage;
  }

  async #listen(port) {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => response.destroy(error));
    });
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
  }

  get address() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends every connection and listens no more, until `back`. */
  async away() {
    for (const { response } of this.#streams) response.destroy();
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async back() {
    await this.#listen(this.port);
  }

  async stop() {
    if (this.#server.listening) await this.away();
  }

  /** Streams that are open. */
  get streams() {
    return this.#streams.size;
  }

  /** Waits until so many streams are open: what is sent before reaches nobody. */
  async followed(count = 1) {
    const signal = AbortSignal.timeout(PATIENCE);
    while (this.#streams.size < count) await pause(5, undefined, { signal });
  }

  /** Sends events to every stream that wants them, no faster than they are read. */
  async send(events) {
    for (const stream of this.#streams) {
      const { types, conversation, response } = stream;
      const wanted = events.filter(
        ({ type, subject }) =>
          (types.length === 0 || types.includes(type)) && (conversation === null || subject === conversation),
      );
      const text = wanted.map((event) => `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`).join('');
      if (text !== '' && !response.write(text)) await drained(response);
    }
  }

  /** Keeps the answers of this path back until the function that is returned is called. */
  hold(path) {
    let release;
    const held = new Promise((resolve) => {
      release = resolve;
    });
    this.#held.set(path, held);
    return () => {
      this.#held.delete(path);
      release();
    };
  }

  /** The next place of the log. */
  next() {
    this.#offset += 1;
    return this.#offset;
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.address);
    this.addresses.push(request.url);
    if (!url.pathname.startsWith('/v1/')) return this.#pass(url, response);
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    const needsNone = Object.keys(this.tokens).length === 0;
    const scope = needsNone ? 'write' : this.tokens[token];
    await this.#held.get(url.pathname);
    if (request.method === 'POST' && url.pathname.endsWith('/messages'))
      this.tried.push(request.headers['idempotency-key']);
    if (this.failing.has(url.pathname)) return problem(response, 503, 'stopping', 'the service is busy');
    if (scope === undefined) return problem(response, 401, 'unauthenticated', 'a bearer token is required');
    if (request.method !== 'GET') {
      if (scope !== 'write') return problem(response, 403, 'not-permitted', "the token's scope is read");
      const body = await text(request);
      this.acts.push(`${request.method} ${url.pathname}${url.search}${body === '' ? '' : ` ${body}`}`);
      this.keys.push(request.headers['idempotency-key']);
      const told = this.#act(url, body === '' ? null : JSON.parse(body));
      if (told !== undefined) return json(response, told);
      response.writeHead(204).end();
      return undefined;
    }
    if (url.pathname === '/v1/events') return this.#follow(url, response);
    const answer = this.#read(url, scope);
    return answer === null
      ? problem(response, 404, 'unknown-conversation', 'there is no such conversation')
      : json(response, answer);
  }

  async #pass(url, response) {
    const real = await fetch(`${this.#real}${url.pathname}`);
    const headers = Object.fromEntries(
      [...real.headers].filter(([name]) => name !== 'content-length' && name !== 'date'),
    );
    response.writeHead(real.status, headers).end(Buffer.from(await real.arrayBuffer()));
  }

  #read(url, scope) {
    const { scene } = this;
    const [, , kind, id, part] = url.pathname.split('/').map(decodeURIComponent);
    switch (kind) {
      case 'overview':
        return this.#overview(url, scope);
      case 'connections':
        if (part === 'platform') return scene.names?.[url.pathname.split('/').at(-1)] ?? null;
        return page(scene.connections, url);
      case 'rings':
        return page(scene.rings, url);
      case 'webhooks':
        return page(part === 'deliveries' ? scene.deliveries : scene.webhooks, url);
      case 'bulk':
        return page(scene.jobs, url);
      case 'supervision':
        return scene.supervision;
      case 'nodes':
        return scene.nodes;
      case 'dead-letters':
        if (id === 'causes') return page(causes(scene.letters), url);
        if (id === undefined) {
          const cause = url.searchParams.get('cause');
          return page(
            scene.letters.filter((letter) => cause === null || causeOf(letter) === cause),
            url,
          );
        }
        return {
          ...scene.letters.find((letter) => letter.id === id),
          body: Buffer.from(scene.text('body', '{"dialogs":[{"channelType":null}]}')).toString('base64'),
        };
      case 'conversations': {
        if (id === undefined) return page(scene.conversations.filter(meant(url.searchParams)), url);
        const row = scene.conversations.find(({ conversationId }) => conversationId === id);
        if (row === undefined) return null;
        return part === 'messages'
          ? { items: row === scene.opened ? scene.messages : [] }
          : { participants: [], dialogs: [], ...row };
      }
      default:
        return null;
    }
  }

  /** What is released is in quarantine no more, and what was replayed or discarded is gone. */
  #act(url, body) {
    const { scene } = this;
    const [, , kind, id, act] = url.pathname.split('/').map(decodeURIComponent);
    const cause = url.searchParams.get('cause');
    if (kind === 'dead-letters') {
      const before = scene.letters.length;
      scene.letters = scene.letters.filter((letter) => (cause === null ? letter.id !== id : causeOf(letter) !== cause));
      return cause === null ? undefined : { discarded: before - scene.letters.length };
    }
    if (kind === 'rings') {
      const ring = scene.rings.find((other) => other.id === id);
      scene.rings = scene.rings.filter((other) => other !== ring);
      return { connection: ring.connection, conversationId: scene.opened.conversationId };
    }
    if (kind === 'webhooks') {
      if (act === 'test') return { delivered: true, status: 200, outcome: 'delivered' };
      const webhook = scene.webhooks.find((other) => other.id === id);
      return Object.assign(webhook, { state: body.enabled ? 'enabled' : 'disabled', reason: body.enabled ? null : 'requested' });
    }
    if (kind === 'bulk') {
      const state = { pause: 'paused', resume: 'running', cancel: 'cancelled' }[act];
      return Object.assign(
        scene.jobs.find((job) => job.id === id),
        { state },
      );
    }
    if (kind === 'conversations' && act !== 'release') return { sequence: 40 };
    for (const connection of this.scene.supervision.connections) {
      connection.quarantined = connection.quarantined.filter(({ conversation }) => conversation !== id);
    }
    return undefined;
  }

  #overview(url, scope) {
    const seconds = this.seconds ?? (Date.now() - this.#began) / 1000;
    const withPast = url.searchParams.get('history') !== 'false';
    return overview(this.scene, seconds, scope, withPast ? this.now() : null);
  }

  #follow(url, response) {
    const conversation = url.searchParams.get('conversation');
    const stream = { response, types: url.searchParams.getAll('type'), conversation };
    this.#streams.add(stream);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const alive = () => response.write(`id: ${this.scene.epoch}-${this.#offset}\n: heartbeat\n\n`);
    alive();
    if (this.scene.opened !== null && conversation === this.scene.opened.conversationId) {
      for (const event of history(this.scene)) response.write(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`);
    }
    const heartbeat = setInterval(alive, HEARTBEAT);
    response.on('close', () => {
      clearInterval(heartbeat);
      this.#streams.delete(stream);
    });
  }
}

/** Waits until there is room again, or nobody reads any more. */
async function drained(response) {
  const over = new AbortController();
  const either = ['drain', 'close'].map((event) => once(response, event, { signal: over.signal }));
  await Promise.race(either);
  for (const other of either) other.catch(() => {});
  over.abort();
}

/** Which conversations are asked for, as the gateway has it. */
function meant(asked) {
  const [stage, skill, text] = ['stage', 'skill', 'text'].map((name) => asked.get(name));
  return (row) =>
    (stage === null || row.stage === stage) &&
    (skill === null || row.skillId === skill) &&
    (text === null || [row.conversationId, row.consumer?.userId, row.skillId].some((own) => own?.includes(text)));
}

function page(rows, url) {
  const limit = Number(url.searchParams.get('limit') ?? 100);
  const from = Number(url.searchParams.get('cursor') ?? 0);
  const next = from + limit < rows.length ? String(from + limit) : null;
  return { items: rows.slice(from, from + limit), nextCursor: next };
}

function json(response, value) {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function problem(response, status, code, detail) {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: 'about:blank', title: 'Problem', status, code, detail }));
}
