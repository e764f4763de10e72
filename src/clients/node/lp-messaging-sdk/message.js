// Messages of a dialog.

import { ContentType, MessageAudience, ParticipantRole } from './enums.js';

/** A message. */
export class Message {
  #acceptedBy = new Map();
  #readBy = new Map();

  /**
   * @param {import('./dialog.js').Dialog} dialog
   * @param {{ sequence: number, time?: number | null, messageAudience?: string | null, metadata?: unknown[] | null,
   *   body: unknown, contentType?: string | null, quickReplies?: unknown, originatorId?: string | null,
   *   role?: string | null }} members
   */
  constructor(dialog, members) {
    /** The place of the message in its dialog, from 0. */
    this.sequence = members.sequence;
    /** When the platform received the message, in milliseconds since the epoch. */
    this.time = members.time ?? null;
    this.messageAudience = members.messageAudience ?? MessageAudience.UNKNOWN;
    this.metadata = members.metadata ?? null;
    /** Text, or an object if the message has structured content or a file. */
    this.body = members.body;
    /** Null for a message of which only a summary is known. */
    this.contentType = members.contentType ?? (typeof members.body === 'object' ? ContentType.RICH_TEXT : null);
    this.quickReplies = members.quickReplies ?? null;
    this.participant = dialog._author(members.originatorId ?? null, members.role ?? null);
    // A message that is written to JSON must not contain its dialog, which contains the message.
    Object.defineProperties(this, {
      dialog: { value: dialog },
      conversation: { value: dialog.conversation },
    });
    /** @type {import('./dialog.js').Dialog} */
    this.dialog;
    /** @type {import('./conversation.js').Conversation} */
    this.conversation;
  }

  /** Whether the message is a file, which `downloadFile(relativePath)` of the conversation returns. */
  get isDownloadable() {
    return this.contentType === ContentType.HOSTED_FILE;
  }

  get relativePath() {
    return this.#ofFile('relativePath');
  }

  get fileType() {
    return this.#ofFile('fileType');
  }

  get caption() {
    return this.#ofFile('caption');
  }

  get preview() {
    return this.#ofFile('preview');
  }

  /** Reports that the message arrived. */
  async accept() {
    await this.dialog.sendAcceptStatus([this.sequence]);
  }

  /** Reports that the message was read. */
  async read() {
    await this.dialog.sendReadStatus([this.sequence]);
  }

  /** Whether somebody read the message who was the consumer at that time. */
  hasConsumerRead() {
    return this.#isReadBy(ParticipantRole.CONSUMER) || this.sequence <= this.dialog._readByConsumer;
  }

  /** Whether somebody read the message who was the assigned agent at that time. */
  hasAssignedAgentRead() {
    return this.#isReadBy(ParticipantRole.ASSIGNED_AGENT) || this.sequence <= this.dialog._readByAssignedAgent;
  }

  /** Whether this connection's user wrote the message. */
  sentByCurrentUser() {
    return this.dialog._isSelf(this.participant);
  }

  /**
   * Keeps the first receipt of each kind by each user.
   *
   * @param {'ACCEPT' | 'READ'} status
   * @param {string | null} userId
   * @param {string | null} role the role of the user at the time of the receipt
   */
  _receipt(status, userId, role) {
    const receipts = status === 'READ' ? this.#readBy : this.#acceptedBy;
    if (!receipts.has(userId)) receipts.set(userId, role);
  }

  /** The receipts, for {@link Message._restore}. */
  _receipts() {
    return { acceptedBy: [...this.#acceptedBy], readBy: [...this.#readBy] };
  }

  /** @param {{ acceptedBy: [string | null, string | null][], readBy: [string | null, string | null][] }} receipts */
  _restore({ acceptedBy, readBy }) {
    this.#acceptedBy = new Map(acceptedBy);
    this.#readBy = new Map(readBy);
  }

  /** @param {string} role */
  #isReadBy(role) {
    return [...this.#readBy.values()].includes(role);
  }

  /** @param {string} member */
  #ofFile(member) {
    return this.isDownloadable ? (/** @type {any} */ (this.body)?.[member] ?? null) : null;
  }
}
