// Dialogs: their participants, their messages, and what a connection does in them.

import { bubble, Emitter } from './emitter.js';
import { ChannelType, DialogState, DialogType, ParticipantRole, ParticipantState } from './enums.js';
import { Message } from './message.js';
import { Participant } from './participant.js';

/**
 * A dialog of a conversation. Events: `close`, `participant-added`, `participant-removed`, `participant-suggested`,
 * `participant-suggested-removed`, `back-to-queue`, `transfer-agent`, `transfer-skill`, `consumer-step-up`, `message`,
 * `message-delivery-event`, `notification-out-of-order`.
 */
export class Dialog extends Emitter {
  /** Everything with a sequence in this dialog; the value is the message, if it is one. @type {Map<number, Message | null>} */
  #records = new Map();
  /** Who has left, so that messages find their author. @type {Map<string, Participant>} */
  #departed = new Map();

  /**
   * @param {import('./conversation.js').Conversation} conversation
   * @param {string} dialogId
   */
  constructor(conversation, dialogId) {
    super();
    Object.defineProperty(this, 'conversation', { value: conversation });
    /** @type {import('./conversation.js').Conversation} */
    this.conversation;
    this.dialogId = dialogId;
    this.dialogType = /** @type {string} */ (DialogType.MAIN);
    this.channelType = /** @type {string} */ (ChannelType.MESSAGING);
    this.state = /** @type {string} */ (DialogState.OPEN);
    /** In milliseconds since the epoch. */
    this.startTime = /** @type {number | null} */ (null);
    this.updateTime = /** @type {number | null} */ (null);
    /** @type {Participant[]} */
    this.participants = [];
    /** By sequence. @type {Message[]} */
    this.messages = [];
    /** The newest message that was read before this side knew the dialog; -1 if none. */
    this._readByConsumer = -1;
    this._readByAssignedAgent = -1;
  }

  /** The participant who is assigned or to whom the dialog is offered; null if there is none. */
  get assignedAgent() {
    return this.#withRole(ParticipantRole.ASSIGNED_AGENT);
  }

  get consumer() {
    return this.#withRole(ParticipantRole.CONSUMER);
  }

  /** The participant that is this connection's user; null if the user does not take part. */
  getSelfParticipant() {
    return this.participants.find((participant) => this._isSelf(participant)) ?? null;
  }

  /** @param {string | null} userId */
  getParticipant(userId) {
    return this.participants.find((participant) => participant.userId === userId) ?? null;
  }

  /** @param {string} agentId as `account.user` */
  getParticipantByAgentId(agentId) {
    return (
      this.participants.find((participant) => participant.agentId !== null && participant.agentId === agentId) ?? null
    );
  }

  /** @param {string} userId */
  getRemovedParticipant(userId) {
    return this.#departed.get(userId) ?? null;
  }

  /**
   * Publishes a text.
   *
   * @param {string} text at most 8,000 characters
   * @param {object | object[] | null} [metadata]
   * @param {object | null} [quickReplies]
   * @returns {Promise<{ sequence: number }>}
   */
  async sendMessage(text, metadata, quickReplies) {
    if (!text) throw new Error(`cannot send an empty message to conversation ${this.conversation.conversationId}`);
    return this.#send({ text, metadata, quickReplies });
  }

  /**
   * Publishes a text that only agents and agent managers see.
   *
   * @param {string} text at most 8,000 characters
   * @param {object | object[] | null} [metadata]
   * @returns {Promise<{ sequence: number }>}
   */
  async sendPrivateMessage(text, metadata) {
    return this.#send({ text, metadata, private: true });
  }

  /**
   * Publishes structured content.
   *
   * @param {object} message at most 15,000 characters as JSON
   * @param {object | object[] | null} [metadata]
   * @param {object | null} [quickReplies]
   * @returns {Promise<{ sequence: number }>}
   */
  async sendRichText(message, metadata, quickReplies) {
    return this.#send({ richText: message, metadata, quickReplies });
  }

  /**
   * Reports that messages arrived. An empty list sends nothing.
   *
   * @param {number[]} sequences
   */
  async sendAcceptStatus(sequences) {
    if (sequences.length > 0) await this.#act('accept', { sequences });
  }

  /**
   * Reports that messages were read. An empty list sends nothing.
   *
   * @param {number[]} sequences
   */
  async sendReadStatus(sequences) {
    if (sequences.length > 0) await this.#act('read', { sequences });
  }

  /**
   * Reports what this side does, such as typing.
   *
   * @param {string} chatState one of `ParticipantChatState`
   */
  async setChatState(chatState) {
    await this.#act('chatState', { chatState });
  }

  /** @param {string} role one of `ParticipantRole` */
  async join(role) {
    await this.#act('join', { role });
  }

  /** Ends the part of this connection's agent in the dialog. */
  async leave() {
    await this.#act('leave', {});
  }

  /**
   * Closes this dialog. The survey begins if this is the main dialog and the account has a survey.
   *
   * @param {string} [reason] one of `DialogCloseReason`
   * @param {string} [cause] any text
   */
  async close(reason, cause) {
    await this.conversation.connection._commands.closeDialog(this, reason, cause);
  }

  /**
   * Reads messages from the platform and keeps them in `messages`. They cause no `message` events.
   *
   * @param {{ maxQuantity?: string | number, sequenceMin?: string | number, sequenceMax?: string | number }} [query] both
   *   bounds are inclusive
   * @returns {Promise<Message[]>} the messages of the answer
   */
  async queryMessages(query = {}) {
    const items = await this.conversation.connection._commands.history(this, query);
    return items.map((item) => this._keep(item) ?? /** @type {Message} */ (this.#records.get(item.sequence)));
  }

  /** Reads the messages from the first that is missing. */
  async getAllPublishEvents() {
    let missing = 0;
    while (this.#records.has(missing)) missing += 1;
    return this.queryMessages({ sequenceMin: missing });
  }

  /**
   * Uploads a file and publishes its message.
   *
   * @param {ArrayBuffer | Uint8Array} buffer
   * @param {string} [caption]
   */
  async uploadFile(buffer, caption) {
    return this.conversation.connection._commands.upload(this, buffer, caption);
  }

  /** @param {Participant | null} participant */
  _isSelf(participant) {
    const { agentId, userId } = this.conversation.connection;
    if (participant === null) return false;
    return [
      [participant.agentId, agentId],
      [participant.userId, userId],
    ].some(([its, own]) => own !== null && its === own);
  }

  /**
   * Who wrote a message: a participant, or somebody who left.
   *
   * @param {string | null} userId
   * @param {string | null} role the author's role at that time
   */
  _author(userId, role) {
    if (userId === null) return new Participant({ userId, role, state: ParticipantState.REMOVED }, this.#report);
    const known = this.getParticipant(userId) ?? this.getRemovedParticipant(userId);
    if (known !== null) return known;
    const departed = new Participant({ userId, role, state: ParticipantState.REMOVED }, this.#report);
    this.#departed.set(userId, departed);
    return departed;
  }

  /**
   * Takes over the members of a state without events.
   *
   * @param {import('./state.js').DialogMembers} members
   */
  _install(members) {
    for (const name of /** @type {const} */ (['dialogType', 'channelType', 'state', 'startTime', 'updateTime'])) {
      const value = members[name];
      if (value !== undefined && value !== null) /** @type {any} */ (this)[name] = value;
    }
    this._readByConsumer = Math.max(this._readByConsumer, members.readByConsumer ?? -1);
    this._readByAssignedAgent = Math.max(this._readByAssignedAgent, members.readByAssignedAgent ?? -1);
    if (members.participants === undefined) return;
    const present = new Set(members.participants.map(({ userId }) => userId));
    for (const each of this.participants) if (each.userId === null || !present.has(each.userId)) this._depart(each);
    for (const each of members.participants) this._present(each);
  }

  /**
   * Makes somebody a participant, or updates them. Emits only the participant's own events.
   *
   * @param {import('./state.js').ParticipantMembers} members
   * @returns {Participant}
   */
  _present(members) {
    const known = this.getParticipant(members.userId);
    if (known === null) return this.#join(members);
    known.agentId ??= members.agentId ?? null;
    known._setRole(members.role);
    known._setState(members.state);
    known._setChatState(members.chatState);
    return known;
  }

  /** @param {Participant} participant */
  _depart(participant) {
    this.participants = this.participants.filter((each) => each !== participant);
    participant._setRemoved();
    if (participant.userId !== null) this.#departed.set(participant.userId, participant);
  }

  /**
   * Keeps a message in the order of sequences.
   *
   * @param {ConstructorParameters<typeof Message>[1]} members
   * @returns {Message | null} null if the message is known already
   */
  _keep(members) {
    const known = this.#records.get(members.sequence);
    // A message from a summary of the conversation lacks most members.
    const isSummary = known?.contentType === null && members.contentType != null;
    if (known !== undefined && !isSummary) return null;
    const message = new Message(this, members);
    this.#records.set(message.sequence, message);
    const after = this.messages.findIndex(({ sequence }) => sequence >= message.sequence);
    const place = after === -1 ? this.messages.length : after;
    this.messages.splice(place, known ? 1 : 0, message);
    return known ? null : message;
  }

  /**
   * Takes a receipt, and returns the known messages that it names. A receipt that is known already names none.
   *
   * @param {{ sequence: number, sequences: number[], status: string, originatorId?: string | null, role?: string | null }} receipt
   */
  _receipt({ sequence, sequences, status, originatorId = null, role = null }) {
    if (this.#records.has(sequence)) return [];
    this.#records.set(sequence, null);
    const messages = sequences.map((each) => this.#records.get(each)).filter((each) => each instanceof Message);
    if (status === 'ACCEPT' || status === 'READ') {
      for (const message of messages) /** @type {Message} */ (message)._receipt(status, originatorId, role);
    }
    return messages;
  }

  /** The sequences of everything in this dialog. */
  _sequences() {
    return [...this.#records.keys()];
  }

  /** @param {readonly number[]} sequences */
  _restoreSequences(sequences) {
    for (const sequence of sequences) if (!this.#records.has(sequence)) this.#records.set(sequence, null);
  }

  /** @returns {readonly Participant[]} */
  _departed() {
    return [...this.#departed.values()];
  }

  /** @param {import('./state.js').ParticipantMembers} members */
  _restoreDeparted(members) {
    this.#departed.set(members.userId, new Participant(members, this.#report));
  }

  /**
   * Emits an event of this dialog at the highest level that listens.
   *
   * @param {string} name
   * @param {unknown} [payload]
   */
  _emit(name, payload) {
    const { conversation } = this;
    if (conversation._isHidden) return;
    const above = name === 'close' ? 'dialog:close' : name;
    const own = payload === undefined ? [] : [payload];
    bubble([
      conversation._atConnection(above, payload, this),
      { emitter: conversation, name: above, payload: own },
      { emitter: this, name, payload: own },
    ]);
  }

  /** @param {unknown} error */
  _failed(error) {
    this.conversation._failed(error);
  }

  /** @param {unknown} error */
  #report = (error) => this._failed(error);

  /** @param {import('./state.js').ParticipantMembers} members */
  #join(members) {
    const departed = this.#departed.get(members.userId);
    this.#departed.delete(members.userId);
    departed?._return(members);
    const participant = departed ?? new Participant(members, this.#report);
    participant.agentId ??= members.agentId ?? null;
    this.participants.push(participant);
    return participant;
  }

  /** @param {string} role */
  #withRole(role) {
    return this.participants.find((participant) => participant.role === role) ?? null;
  }

  /** @param {{ metadata?: object | object[] | null, quickReplies?: object | null } & Record<string, unknown>} message */
  async #send({ metadata, quickReplies, ...message }) {
    const list = metadata === undefined || metadata === null ? [] : [metadata].flat();
    const { sequence } = await this.#act('send', {
      ...message,
      metadata: list,
      quickReplies: quickReplies ?? undefined,
    });
    return { sequence };
  }

  /**
   * @param {string} command
   * @param {object} body
   */
  #act(command, body) {
    return this.conversation._act(command, { ...body, dialog: this.dialogId });
  }
}
