// The client of one gateway.

import { Bot } from './events/bot.js';
import { checked } from './events/cursor.js';
import { follow } from './events/follow.js';
import { EventActions, checkName } from './events/event.js';
import { query } from './http/address.js';
import { linked } from './http/time.js';
import { Transport } from './http/transport.js';
import { List } from './list.js';
import { BulkJob } from './resources/bulk_job.js';
import { Connection } from './resources/connection.js';
import { Conversation } from './resources/conversation.js';
import { DeadLetter } from './resources/dead_letter.js';
import { Node } from './resources/node.js';
import { Ring } from './resources/ring.js';
import { Webhook } from './resources/webhook.js';

/** @typedef {import('./types.js').Schemas} Schemas */
/** @typedef {import('./types.js').EventType} EventType */
/** @typedef {import('./types.js').EventJson} EventJson */
/** @typedef {import('./http/transport.js').CallOptions} CallOptions */
/** @typedef {import('./http/transport.js').ActOptions} ActOptions */
/** @typedef {import('./http/transport.js').TransportSettings} TransportSettings */
/**
 * @template {EventType} [Type=EventType]
 * @typedef {import('./types.js').EventOf<Type>} EventOf
 */

/**
 * Which events: several values of a filter mean any of them.
 *
 * @template {EventType} [Type=EventType]
 * @typedef {object} EventFilter
 * @property {string | readonly string[]} [connection]
 * @property {string | readonly string[]} [conversation]
 * @property {Type | readonly Type[]} [type] such as `message`, or whole: `tertulia.message`
 */

/**
 * @typedef {object} ReaderOptions
 * @property {string} [after] where to begin if the cursor has no position: an event's id, `earliest` or `latest`, the
 *   default
 * @property {import('./events/cursor.js').Cursor} [cursor] keeps the reader's position
 * @property {string} [name] a prefix of the keys of this reader's commands, if another reader answers the same events;
 *   at most 16 characters
 * @property {AbortSignal} [signal] ends the reader
 * @property {number} [silence] the gateway sends something every 15 s; a stream that is silent for longer than this is
 *   broken; in milliseconds, 40,000 by default
 * @property {(interruption: import('./events/follow.js').Interruption) => void} [onInterruption] called each time the
 *   stream ends, before the pause that precedes the next attempt
 */

/**
 * @typedef {Partial<TransportSettings>} ConnectOptions
 */

/** The client of one gateway. Make one with {@link connect}. */
export class Tertulia {
  #transport;

  /** @param {TransportSettings} settings */
  constructor(settings) {
    this.#transport = new Transport(settings);
  }

  /** The gateway's address. */
  get url() {
    return this.#transport.url;
  }

  /**
   * Follows the events, over reconnects, until the loop breaks or a signal aborts. With a cursor, an event's position
   * is saved when the next event is asked for, that is after the loop's body has ended: a reader that is killed gets
   * the event again. Actions of the event itself, such as `event.reply(…)`, then act once.
   *
   * A `tertulia.gap` event says that events are missing. To end a call of `next` that waits, abort the signal.
   *
   * @template {EventType} [Type=EventType]
   * @param {EventFilter<Type> & ReaderOptions} [options]
   * @returns {AsyncGenerator<EventOf<Type>, void, undefined>}
   * @throws {import('./errors.js').TertuliaError} the gateway refuses the stream
   */
  async *events({ cursor, name, ...options } = {}) {
    checkName(name);
    let saved = checked(await cursor?.load(), 'the cursor');
    const after = saved ?? options.after;
    for await (const { id, event } of this.#follow({ ...options, after })) {
      if (event !== undefined) yield /** @type {any} */ (this.event(event, { name }));
      if (cursor === undefined || id === undefined || id === saved) continue;
      await cursor.save(id);
      saved = id;
    }
  }

  /**
   * Runs a bot: handles events of many conversations at once, and events of one conversation in order. With a cursor,
   * the saved position is never after an event that is not done: a bot that is killed gets the event again, and the
   * answers of the event itself, such as `event.reply(…)`, act once.
   *
   * A handler that fails runs again after a pause.
   *
   * @template {EventType} [Type=EventType]
   * @param {(event: EventOf<Type>, run: import('./events/bot.js').Run) => unknown} handler
   * @param {EventFilter<Type> & ReaderOptions & import('./events/bot.js').BotOptions<EventOf<Type>>} [options]
   * @returns {Promise<void>} resolves when `signal` has aborted and the handlers that ran have ended
   * @throws {unknown} the error of an event that was given up, if there is no option `failed`; an error of the cursor;
   *   the gateway refuses the stream
   */
  async bot(handler, options = {}) {
    const { cursor, name, signal, atOnce, ahead, timeout, attempts, patience, failed, ...reader } = options;
    checkName(name);
    const after = checked(await cursor?.load(), 'the cursor') ?? options.after;
    const bot = new Bot({
      make: (json) => this.event(json, { name }),
      handle: (event, run) => {
        if (event.type === 'tertulia.gap' && event.subject === undefined) {
          console.warn('tertulia: the log does not have the position of this bot; events before the next one may be missing');
        }
        return handler(event, run);
      },
      save: async (position) => cursor?.save(position),
      options: { atOnce, ahead, timeout, attempts, patience, failed },
    });
    const ends = linked([signal, this.#transport.signal]);
    try {
      await bot.run((until) => this.#follow({ onInterruption: warn, ...reader, after, signal: until }), ends.signal);
    } finally {
      ends.release();
    }
  }

  /**
   * Gives an event its actions, for example one that came by a webhook.
   *
   * @template {EventType} [Type=EventType]
   * @param {EventJson} json
   * @param {{ name?: string }} [options]
   * @returns {EventOf<Type>}
   */
  event(json, { name } = {}) {
    return /** @type {any} */ (new EventActions(this.#transport, name, json));
  }

  /**
   * The events that are in the log already, from a position to its end.
   *
   * @template {EventType} [Type=EventType]
   * @param {EventFilter<Type> & { after?: string } & CallOptions} [options] `after` is `earliest` by default
   */
  log({ connection, conversation, type, after = 'earliest', ...options } = {}) {
    const read = async (/** @type {{ limit?: number, cursor?: string }} */ { limit, cursor = after }) => {
      const parameters = { connection, conversation, type, after: cursor, limit };
      const page = await this.#get('/v1/events', parameters, options);
      // Only an unchanged cursor means the end.
      return page.cursor === cursor ? { ...page, cursor: null } : page;
    };
    return /** @type {List<import('./types.js').EventJsonOf<Type>>} */ (new List(read));
  }

  /**
   * Opens a WebSocket on which each message is one event as JSON. It does not reconnect; {@link events} does.
   *
   * @param {EventFilter & { after?: string, WebSocket?: any }} [options] the class that makes the socket; the global
   *   one by default
   * @returns {Promise<WebSocket>}
   */
  async socket({ connection, conversation, type, after, WebSocket = globalThis.WebSocket } = {}) {
    if (WebSocket === undefined)
      throw new TypeError('there is no global WebSocket: give a class as the option WebSocket');
    const token = await this.#transport.token();
    const protocols = token === undefined ? ['tertulia'] : ['tertulia', `bearer.${base64url(token)}`];
    const address = `${this.url.replace(/^http/, 'ws')}/v1/events/socket${query({ connection, conversation, type, after })}`;
    return new WebSocket(address, protocols);
  }

  /**
   * The connections.
   *
   * @param {CallOptions} [options]
   * @returns {List<Schemas['Connection']>}
   */
  connections(options) {
    return this.#list('/v1/connections', {}, options);
  }

  /**
   * Adds a connection.
   *
   * @param {Schemas['ConnectionDefinition']} definition
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['AddedConnection']>}
   */
  async addConnection(definition, options) {
    return this.#post('/v1/connections', { ...options, json: definition });
  }

  /**
   * One connection, by its id.
   *
   * @param {string} id
   */
  connection(id) {
    return new Connection(this.#transport, id);
  }

  /**
   * The known conversations.
   *
   * @param {import('./types.js').Filter<'listConversationsQuery'> & CallOptions} [options]
   * @returns {List<Schemas['ConversationInBrief']>}
   */
  conversations({ signal, timeout, ...filter } = {}) {
    return this.#list('/v1/conversations', filter, { signal, timeout });
  }

  /**
   * One conversation, by its id.
   *
   * @param {string} id
   * @param {{ connection?: string }} [options] the connection that acts; needed if several connections see the
   *   conversation
   */
  conversation(id, { connection } = {}) {
    return new Conversation(this.#transport, id, { connection });
  }

  /**
   * Loads a conversation from a snapshot.
   *
   * @param {Schemas['Snapshot']} snapshot
   * @param {{ connection: string } & ActOptions} options
   * @returns {Promise<Schemas['LoadedConversation']>}
   */
  async loadConversation(snapshot, { connection, ...options }) {
    return this.#post('/v1/conversations/load', { ...options, query: { connection }, json: snapshot });
  }

  /**
   * The conversations that are offered.
   *
   * @param {import('./types.js').Filter<'listRingsQuery'> & CallOptions} [options]
   * @returns {List<Schemas['Ring']>}
   */
  rings({ connection, ...options } = {}) {
    return this.#list('/v1/rings', { connection }, options);
  }

  /**
   * One ring, by its id.
   *
   * @param {string} id
   * @param {{ connection?: string }} [options]
   */
  ring(id, options) {
    return new Ring(this.#transport, id, options);
  }

  /**
   * The webhooks.
   *
   * @param {CallOptions} [options]
   * @returns {List<Schemas['Webhook']>}
   */
  webhooks(options) {
    return this.#list('/v1/webhooks', {}, options);
  }

  /**
   * Creates a webhook. Only this answer has its secret.
   *
   * @param {Schemas['NewWebhook']} webhook
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['CreatedWebhook']>}
   */
  async createWebhook(webhook, options) {
    return this.#post('/v1/webhooks', { ...options, json: webhook });
  }

  /**
   * One webhook, by its id.
   *
   * @param {string} id
   */
  webhook(id) {
    return new Webhook(this.#transport, id);
  }

  /**
   * The bulk jobs.
   *
   * @param {CallOptions} [options]
   * @returns {List<Schemas['BulkJob']>}
   */
  bulkJobs(options) {
    return this.#list('/v1/bulk', {}, options);
  }

  /**
   * Starts a bulk job. With `dryRun`, only reports how many conversations match.
   *
   * @template {import('./types.js').BulkOrder} Order
   * @param {Order} order
   * @param {ActOptions} [options]
   * @returns {Promise<Order extends { dryRun: true } ? Schemas['BulkDryRun'] : Schemas['BulkJob']>}
   */
  async startBulkJob(order, options) {
    return this.#post('/v1/bulk', { ...options, json: order });
  }

  /**
   * One bulk job, by its id.
   *
   * @param {string} id
   */
  bulkJob(id) {
    return new BulkJob(this.#transport, id);
  }

  /**
   * The dead letters.
   *
   * @param {import('./types.js').Filter<'listDeadLettersQuery'> & CallOptions} [options]
   * @returns {List<Schemas['DeadLetterInBrief']>}
   */
  deadLetters({ cause, ...options } = {}) {
    return this.#list('/v1/dead-letters', { cause }, options);
  }

  /**
   * The causes of the dead letters.
   *
   * @param {CallOptions} [options]
   * @returns {List<Schemas['DeadLetterCause']>}
   */
  deadLetterCauses(options) {
    return this.#list('/v1/dead-letters/causes', {}, options);
  }

  /**
   * Deletes the dead letters of one cause.
   *
   * @param {{ cause: string } & CallOptions} options
   * @returns {Promise<Schemas['DiscardedDeadLetters']>}
   */
  async discardDeadLetters({ cause, ...options }) {
    return this.#transport.json({ ...options, method: 'DELETE', path: '/v1/dead-letters', query: { cause } });
  }

  /**
   * One dead letter, by its id.
   *
   * @param {string} id
   */
  deadLetter(id) {
    return new DeadLetter(this.#transport, id);
  }

  /**
   * Reads the failures, and the conversations and connections that were given up.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['Supervision']>}
   */
  async supervision(options) {
    return this.#get('/v1/supervision', {}, options);
  }

  /**
   * The service in numbers, its last hour and its notable events.
   *
   * @param {import('./types.js').Filter<'getOverviewQuery'> & CallOptions} [options]
   * @returns {Promise<Schemas['Overview']>}
   */
  async overview({ history, ...options } = {}) {
    return this.#get('/v1/overview', { history }, options);
  }

  /**
   * The nodes of the service, and what moved lately.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['Nodes']>}
   */
  async nodes(options) {
    return this.#get('/v1/nodes', {}, options);
  }

  /**
   * One node, by its name.
   *
   * @param {string} name
   */
  node(name) {
    return new Node(this.#transport, name);
  }

  /**
   * Ends the draining of all nodes, and distributes the connections again.
   *
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['Rebalanced']>}
   */
  async rebalance(options) {
    return this.#post('/v1/nodes/rebalance', { ...options });
  }

  /**
   * Copies the store while the service runs. Needs a token of scope `admin`.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Response>} its body is a tar archive
   */
  async backup(options) {
    const request = { ...options, method: 'POST', path: '/v1/backup', key: null };
    return this.#transport.response(request, (response) => response);
  }

  /**
   * Whether the process is alive.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['Health']>}
   */
  async health(options) {
    return this.#get('/healthz', {}, options);
  }

  /**
   * Returns whether the service is ready, and the reason if it is not; also resolves if the service is not ready.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['Readiness']>}
   */
  async readiness(options) {
    const request = { ...options, method: 'GET', path: '/readyz' };
    return this.#transport.attempts(request, async (attempt) => {
      const response = await this.#transport.raw(attempt);
      if (!response.ok && response.status !== 503) throw await this.#transport.problem(response);
      return this.#transport.read(response, () => response.json(), attempt);
    });
  }

  /**
   * The metrics, as text for Prometheus.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<string>}
   */
  async metrics(options) {
    return this.#transport.response({ ...options, method: 'GET', path: '/metrics' }, (response) => response.text());
  }

  /**
   * The OpenAPI document of the service.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  async openapi(options) {
    return this.#get('/openapi.json', {}, options);
  }

  /** @param {EventFilter & ReaderOptions} options */
  #follow({ connection, conversation, type, after, signal, silence, onInterruption }) {
    return follow(this.#transport, {
      filter: { connection, conversation, type },
      after,
      signal,
      silence,
      onInterruption,
    });
  }

  /**
   * @param {string} path
   * @param {Record<string, any>} parameters
   * @param {CallOptions} [options]
   */
  async #get(path, parameters, options) {
    return this.#transport.json({ ...options, method: 'GET', path, query: parameters });
  }

  /**
   * @param {string} path
   * @param {Omit<import('./http/transport.js').Request, 'method' | 'path'>} request
   */
  async #post(path, request) {
    return this.#transport.json({ ...request, method: 'POST', path });
  }

  /**
   * @param {string} path
   * @param {Record<string, any>} filter
   * @param {CallOptions} [options]
   * @returns {List<any>}
   */
  #list(path, filter, options) {
    return new List((page) => this.#get(path, { ...filter, ...page }, options));
  }
}

/** @param {string} text */
function base64url(text) {
  const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
  return btoa(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/**
 * Makes the client of a gateway. Nothing is requested until a method is called.
 *
 * @param {ConnectOptions} [options] `url` and `token` are the environment's `TERTULIA_URL` and `TERTULIA_TOKEN` by
 *   default
 * @throws {TypeError} there is no address
 */
export function connect(options = {}) {
  const environment = globalThis.process?.env ?? {};
  const url = options.url ?? environment.TERTULIA_URL;
  if (!url) throw new TypeError('no gateway: give its address as the option url, or set TERTULIA_URL');
  return new Tertulia({ ...options, url, token: options.token ?? (environment.TERTULIA_TOKEN || undefined) });
}

/**
 * Says once for each time without a gateway that a bot waits for it. A first attempt often fails because the gateway is
 * restarted.
 *
 * @param {import('./events/follow.js').Interruption} interruption
 */
function warn({ error, attempt }) {
  if (attempt === 2) console.warn(`tertulia: no events, trying again: ${error instanceof Error ? error.message : error}`);
}
