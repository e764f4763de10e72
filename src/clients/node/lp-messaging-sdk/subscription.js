// Subscriptions: which conversations of a connection a bot sees, and whether it sees rings.

import { randomUUID } from 'node:crypto';
import { Emitter } from './emitter.js';
import { SubscriptionState } from './enums.js';
import { toProtocol } from './state.js';

/** The platform puts at most this many conversations into one notification before a subscription needs a second one. */
const LIMIT_BREAK = 900;

/**
 * Which conversations. A list means any of its members.
 *
 * @typedef {object} SubscriptionQuery
 * @property {string} [accountId]
 * @property {string | string[]} [agentId] as `account.user`
 * @property {string} [consumerId]
 * @property {string} [conversationId]
 * @property {string | string[]} [state]
 * @property {string | string[]} [stage]
 * @property {string | string[]} [dialogType]
 * @property {number} [lastUpdateAfter] in milliseconds since the epoch
 * @property {number} [lastUpdateBefore] in milliseconds since the epoch
 */

/**
 * A part of the conversations that the gateway's connection sees. Events: `conversation` and `conversation-deleted` with
 * the conversation; `upsert`, `delete` and `notification` in the form of the platform's protocol.
 */
export class ConversationSubscription extends Emitter {
  #connection;

  /**
   * @param {import('./connection.js').Connection} connection
   * @param {SubscriptionQuery} query
   */
  constructor(connection, query) {
    super();
    this.#connection = connection;
    this.query = query;
    /** Null before `init`. */
    this.subscriptionId = /** @type {string | null} */ (null);
    this.state = /** @type {string} */ (SubscriptionState.INITIAL);
    this.parentSubscription = null;
    /** @type {Map<string, import('./conversation.js').Conversation>} */
    this.conversations = new Map();
  }

  get connection() {
    return this.#connection;
  }

  /**
   * Begins the subscription.
   *
   * @param {boolean} [waitForFirst] whether to wait for the conversations that exist already
   */
  async init(waitForFirst = true) {
    this.subscriptionId = randomUUID();
    this.state = SubscriptionState.SUBSCRIBED;
    this.#connection._subscriptions.add(this);
    const first = this.#begin();
    if (waitForFirst) await first;
    else first.catch((error) => this.#connection._report(error));
  }

  /** Ends the subscription. Its conversations stay in memory for `conversationsCacheDuration`. */
  async unsubscribe() {
    if (this.state !== SubscriptionState.SUBSCRIBED) {
      this.#connection._report(new Error(`cannot unsubscribe: the subscription is ${this.state}`));
      return;
    }
    this.state = SubscriptionState.UNSUBSCRIBED;
    this.#connection._subscriptions.delete(this);
    for (const conversation of this.conversations.values()) this.#connection._release(conversation);
    this.conversations.clear();
  }

  /**
   * Takes up a conversation that the query describes, and drops one that it describes no longer.
   *
   * @param {import('./conversation.js').Conversation} conversation
   */
  _consider(conversation) {
    const { conversationId } = conversation;
    const isKnown = this.conversations.has(conversationId);
    const isWanted = this.#connection._feedHas(conversation) && matches(this.query, conversation);
    if (!isKnown && !isWanted) return;
    const change = isWanted ? 'upsert' : 'delete';
    if (this.listenerCount(change) > 0) this._dispatch(change, toProtocol(conversation));
    if (isWanted && !isKnown) this.#add(conversation);
    if (!isWanted) this.#drop(conversation);
    this.#notify(isWanted ? 'UPSERT' : 'DELETE', [conversation]);
  }

  /** @param {unknown} error */
  _failed(error) {
    this.#connection._failed(error);
  }

  async #begin() {
    for (const conversation of this.#connection._withState()) this._consider(conversation);
    await this.#connection._loaded(this.query);
    this.#notify('UPSERT', [...this.conversations.values()]);
    if (!this.#connection._isLimitBroken) return;
    // The gateway reads the pages, so that one notification has all conversations.
    this.#connection._dispatch('limit-break', {
      creatingChildSub: false,
      conversationLimitThreshold: LIMIT_BREAK,
      notificationChangeCount: this.conversations.size,
    });
  }

  /** @param {import('./conversation.js').Conversation} conversation */
  #add(conversation) {
    this.conversations.set(conversation.conversationId, conversation);
    this.#connection._retain(conversation);
    if (!this.#connection._show(conversation)) return;
    this._dispatch('conversation', conversation);
    this.#connection._dispatch('conversation', conversation);
  }

  /** @param {import('./conversation.js').Conversation} conversation */
  #drop(conversation) {
    this._dispatch('conversation-deleted', conversation);
    this.conversations.delete(conversation.conversationId);
    this.#connection._release(conversation);
  }

  /**
   * @param {'UPSERT' | 'DELETE'} type
   * @param {import('./conversation.js').Conversation[]} conversations
   */
  #notify(type, conversations) {
    const isHeard = this.listenerCount('notification') + this.#connection.listenerCount('conversationNotification') > 0;
    if (!isHeard) return;
    const body = {
      subscriptionId: this.subscriptionId,
      changes: conversations.map((each) => ({ type, result: toProtocol(each) })),
    };
    this._dispatch('notification', body);
    this.#connection._dispatch('conversationNotification', body);
  }
}

/**
 * Whether a query describes a conversation.
 *
 * @param {SubscriptionQuery} query
 * @param {import('./conversation.js').Conversation} conversation
 */
export function matches(query, conversation) {
  const { dialogs, updateTime } = conversation;
  const participants = dialogs.flatMap((dialog) => dialog.participants);
  const has = (/** @type {any} */ wanted, /** @type {unknown[]} */ values) =>
    wanted === undefined || wanted === null || [wanted].flat().some((each) => values.includes(each));
  return (
    has(query.accountId, [conversation.accountId]) &&
    has(query.conversationId, [conversation.conversationId]) &&
    has(query.stage, [conversation.stage]) &&
    has(query.state, [conversation.stage, ...dialogs.map(({ state }) => state)]) &&
    has(
      query.dialogType,
      dialogs.map(({ dialogType }) => dialogType),
    ) &&
    has(
      query.consumerId,
      participants.filter(({ role }) => role === 'CONSUMER').map(({ userId }) => userId),
    ) &&
    has(
      query.agentId,
      participants.flatMap(({ agentId, userId }) => [agentId, userId]),
    ) &&
    (query.lastUpdateAfter == null || (updateTime ?? 0) >= query.lastUpdateAfter) &&
    (query.lastUpdateBefore == null || (updateTime ?? 0) <= query.lastUpdateBefore)
  );
}

/**
 * A subscription to the rings of a connection's agent. Events: `ring` with the ring; `upsert` and `notification` in the form of
 * the platform's protocol.
 */
export class RoutingTaskSubscription extends Emitter {
  #connection;
  #end;

  /**
   * @param {import('./connection.js').Connection} connection
   * @param {(subscription: RoutingTaskSubscription) => void} end
   */
  constructor(connection, end) {
    super();
    this.#connection = connection;
    this.#end = end;
    this.subscriptionId = randomUUID();
    this.state = /** @type {string} */ (SubscriptionState.SUBSCRIBED);
    /** @type {Map<string, import('./ring.js').Ring>} */
    this.rings = new Map();
  }

  get connection() {
    return this.#connection;
  }

  /** Ends the subscription. */
  async unsubscribe() {
    this.state = SubscriptionState.UNSUBSCRIBED;
    this.#end(this);
    this.rings.clear();
  }

  /** @param {unknown} error */
  _failed(error) {
    this.#connection._failed(error);
  }
}
