// The conversations that a connection has in memory, and for how long.

import { ConversationState } from './enums.js';

/** How long an unused conversation stays, in milliseconds. */
const CACHE_DURATION = 600_000;

/** @typedef {import('./conversation.js').Conversation} Conversation */

/** The conversations that users of a connection can see. */
export class Memory {
  #duration;
  #forget;
  /** @type {Map<string, Conversation>} */
  #conversations = new Map();
  /** @type {Map<string, NodeJS.Timeout>} */
  #evictions = new Map();

  /**
   * @param {number | undefined} duration how long an unused conversation stays, in milliseconds
   * @param {(conversation: Conversation) => void} forget called when a closed conversation has left
   */
  constructor(duration = CACHE_DURATION, forget) {
    this.#duration = duration;
    this.#forget = forget;
  }

  /** @param {string} id */
  get(id) {
    return this.#conversations.get(id) ?? null;
  }

  all() {
    return [...this.#conversations.values()];
  }

  /**
   * Makes a conversation visible.
   *
   * @param {Conversation} conversation
   * @returns {boolean} whether it was not visible before
   */
  show(conversation) {
    conversation._isHidden = false;
    const isNew = this.#conversations.get(conversation.conversationId) !== conversation;
    this.#conversations.set(conversation.conversationId, conversation);
    return isNew;
  }

  /**
   * Counts a use of a conversation.
   *
   * @param {Conversation} conversation
   */
  retain(conversation) {
    conversation._references += 1;
    clearTimeout(this.#evictions.get(conversation.conversationId));
    this.#evictions.delete(conversation.conversationId);
  }

  /**
   * Ends a use of a conversation. After its last use the conversation stays for some time.
   *
   * @param {Conversation} conversation
   */
  release(conversation) {
    conversation._references = Math.max(0, conversation._references - 1);
    if (conversation._references > 0 || this.#evictions.has(conversation.conversationId)) return;
    const timer = setTimeout(() => this.#evict(conversation), this.#duration);
    timer.unref();
    this.#evictions.set(conversation.conversationId, timer);
  }

  /** Ends all timers. The conversations stay visible. */
  freeze() {
    this.#evictions.forEach((timer) => clearTimeout(timer));
    this.#evictions.clear();
  }

  /** @param {Conversation} conversation */
  #evict(conversation) {
    this.#evictions.delete(conversation.conversationId);
    this.#conversations.delete(conversation.conversationId);
    conversation._isHidden = true;
    if (conversation.stage === ConversationState.CLOSE) this.#forget(conversation);
  }
}
