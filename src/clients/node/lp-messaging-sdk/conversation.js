// Conversations: their members, their dialogs, and what a connection does in them.

import { ProblemError } from '../lib/errors.js';
import { applyState } from './differences.js';
import { Dialog } from './dialog.js';
import { bubble, Emitter } from './emitter.js';
import { ConversationState, CsatStatus, DialogState, DialogType, ParticipantRole } from './enums.js';
import { Message } from './message.js';
import { Participant } from './participant.js';
import { restore, serialize } from './serialized.js';
import { COUNTS, digest, fromProtocol, PLAIN } from './state.js';

/**
 * A conversation. Its events are those of lp-messaging-sdk; the README lists them.
 */
export class Conversation extends Emitter {
  #connection;
  #digest = /** @type {string | null} */ (null);
  #hasState = false;
  #isClosed = false;

  /**
   * @param {import('./connection.js').Connection} connection
   * @param {string} conversationId
   */
  constructor(connection, conversationId) {
    super();
    this.#connection = connection;
    this.conversationId = conversationId;
    /** The brand's account. @type {string | null} */
    this.accountId = null;
    /** The installation of the connector that made the conversation. @type {string | null} */
    this.appInstId = null;
    /** @type {number | string | null} */
    this.campaignId = null;
    /** @type {number | string | null} */
    this.engagementId = null;
    /** @type {any} */
    this.clientProperties = null;
    /** @type {string | null} */
    this.closeReason = null;
    /** In milliseconds since the epoch, as all times. @type {number | null} */
    this.closeTime = null;
    /** @type {any} */
    this.context = null;
    /** The consumer's rating, from 0 to 5. @type {number | null} */
    this.csat = null;
    /** @type {boolean | null} */
    this.firstConversation = null;
    /** @type {string | null} */
    this.groupId = null;
    /** The account that handles the conversation now. @type {string | null} */
    this.handlerAccountId = null;
    /** @type {string | null} */
    this.handlerSkillId = null;
    /** The notes of agents as the platform stores them. @type {string | null} */
    this.note = null;
    this.notificationCount = 0;
    this.notificationIgnoredCount = 0;
    this.notificationOutOfOrderCount = 0;
    /** Unread messages by user id. @type {Record<string, number> | null} */
    this.numberOfunreadMessages = null;
    /** @type {import('./skill.js').Skill | null} */
    this.skill = null;
    /** One of `ConversationState`. @type {string | null} */
    this.stage = null;
    /** @type {number | null} */
    this.startTime = null;
    /** Until when the agent must respond. @type {number | null} */
    this.ttrEffective = null;
    /** The deadline that an agent set. @type {number | null} */
    this.ttrEffectiveManual = null;
    /** @type {string | null} */
    this.ttrType = null;
    /** In seconds. @type {number | null} */
    this.ttrValue = null;
    /** @type {number | null} */
    this.updateTime = null;
    /** @type {Dialog[]} */
    this.dialogs = [];
    /** Whether no subscription has the conversation yet, so that its events concern nobody. */
    this._isHidden = false;
    /** Subscriptions and loads that need the conversation in memory. */
    this._references = 0;
    this._isLoaded = false;
    /** Whether the newest event was in the state already that this side had read. */
    this._isRepeated = false;
    /** Older messages from the history are no news. In milliseconds since the epoch. */
    this._newsAfter = 0;
  }

  /** @returns {import('./connection.js').Connection} */
  get connection() {
    return this.#connection;
  }

  /** The dialog in which this side speaks: the main dialog while it is open, then the newest open one; null if none is. */
  get openDialog() {
    if (this.stage === ConversationState.CLOSE) return null;
    const open = this.dialogs.filter(({ state }) => state === DialogState.OPEN);
    return open.find(({ dialogType }) => dialogType === DialogType.MAIN) ?? open.at(-1) ?? null;
  }

  get mainDialog() {
    return this.dialogs.find(({ dialogType }) => dialogType === DialogType.MAIN) ?? null;
  }

  /** The assigned agent in the open dialog; null without an agent, and in a closed conversation. */
  get assignedAgent() {
    return this.openDialog?.assignedAgent ?? null;
  }

  /** The consumer in the open dialog; null without a consumer, and in a closed conversation. */
  get consumer() {
    return this.openDialog?.consumer ?? null;
  }

  /**
   * The last updated dialog of a type; null if there is none.
   *
   * @param {string} type one of `DialogType`
   */
  getDialog(type) {
    const ofType = this.dialogs.filter(({ dialogType }) => dialogType === type);
    return ofType.sort((a, b) => (b.updateTime ?? 0) - (a.updateTime ?? 0))[0] ?? null;
  }

  /** The newest message of the consumer that this side knows; null if there is none. */
  getLatestConsumerMessage() {
    const messages = this.dialogs.flatMap((dialog) => dialog.messages);
    const said = messages.filter(({ participant }) => participant.role === ParticipantRole.CONSUMER);
    return said.sort((a, b) => (b.time ?? 0) - (a.time ?? 0))[0] ?? null;
  }

  /**
   * @param {string} text at most 8,000 characters
   * @param {object | object[] | null} [metadata]
   * @param {object | null} [quickReplies]
   * @returns {Promise<{ sequence: number }>}
   */
  async sendMessage(text, metadata, quickReplies) {
    return this.#open().sendMessage(text, metadata, quickReplies);
  }

  /**
   * @param {string} text at most 8,000 characters; only agents and agent managers see it
   * @param {object | object[] | null} [metadata]
   * @returns {Promise<{ sequence: number }>}
   */
  async sendPrivateMessage(text, metadata) {
    return this.#open().sendPrivateMessage(text, metadata);
  }

  /**
   * @param {object} message at most 15,000 characters as JSON
   * @param {object | object[] | null} [metadata]
   * @param {object | null} [quickReplies]
   * @returns {Promise<{ sequence: number }>}
   */
  async sendRichText(message, metadata, quickReplies) {
    return this.#open().sendRichText(message, metadata, quickReplies);
  }

  /** @param {{ maxQuantity?: string | number, sequenceMin?: string | number, sequenceMax?: string | number }} [query] */
  async queryMessages(query) {
    return this.#open().queryMessages(query);
  }

  /**
   * @param {ArrayBuffer | Uint8Array} buffer
   * @param {string} [caption]
   */
  async uploadFile(buffer, caption) {
    return this.#open().uploadFile(buffer, caption);
  }

  /**
   * @param {string} relativePath the path in the file's message
   * @returns {Promise<{ data: ArrayBuffer, filename: string | null }>}
   */
  async downloadFile(relativePath) {
    return this.#connection._commands.download(this, relativePath);
  }

  /** @param {string} participantRole one of `ParticipantRole` */
  async join(participantRole) {
    await this.#open().join(participantRole);
  }

  /** Ends the part of this connection's agent in the open dialog. */
  async leave() {
    await this.#open().leave();
  }

  /**
   * Transfers the conversation, and removes the assigned agent. Without an agent and a skill nothing happens.
   *
   * @param {{ agentId?: string | null, skillId?: string | null }} [to]
   */
  async transfer({ agentId = null, skillId = null } = {}) {
    await this._act('transfer', { agentId, skillId });
  }

  /** Closes the whole conversation. To let a survey begin, close the main dialog instead. */
  async close() {
    const before = this.stage;
    this.stage = ConversationState.CLOSING;
    try {
      await this._act('close', { survey: false });
      this.stage = ConversationState.CLOSE;
    } catch (error) {
      if (this.stage === ConversationState.CLOSING) this.stage = before;
      throw error;
    }
  }

  /**
   * Gives the conversation to another identity of its consumer.
   *
   * @param {string} newConsumerUserId
   */
  async consumerTakeover(newConsumerUserId) {
    if (!newConsumerUserId) throw new Error('newConsumerUserId is required');
    await this._act('consumerTakeover', newConsumerUserId);
  }

  /**
   * Rates the conversation, as its consumer.
   *
   * @param {string | number} csatRate from 0 to 5
   * @param {boolean} [csatResolutionConfirmation] whether the consumer's issue was resolved
   * @param {string} [csatStatus] one of `CsatStatus`
   */
  async setCsat(csatRate, csatResolutionConfirmation, csatStatus = CsatStatus.FILLED) {
    if (!/^[0-5]$/.test(String(csatRate))) throw new Error(`csatRate must be a number from 0 to 5, not ${csatRate}`);
    await this._act('csat', { csatRate, csatResolutionConfirmation, csatStatus });
  }

  /**
   * @param {string} ttrType one of `TTRType`
   * @param {number} [value] in seconds; only with the type `CUSTOM`
   */
  async setTTR(ttrType, value = 0) {
    await this._act('ttr', ttrType === 'CUSTOM' ? { ttrType, value } : { ttrType });
  }

  /** @param {number} time the deadline of the next response, in milliseconds since the epoch */
  async setManualETTR(time) {
    await this._act('manualEttr', time);
  }

  /**
   * Replaces the whole note, the notes of others too.
   *
   * @deprecated use {@link setAgentNote}
   * @param {string} note at most 5,000 characters
   */
  async setNote(note) {
    this.#open();
    await this.#connection._commands.changeField(this, { field: 'Note', note });
  }

  /**
   * Adds an agent's note, or replaces the one with the same id. The notes of others stay.
   *
   * @param {string | { noteContent: string, agentId?: string | null, name?: string | null, noteId?: string | null, isAutoSummary?: boolean, truncateEnabled?: boolean }} note
   * @param {string | null} [agentId] the connection's agent by default
   * @param {string | null} [name] the name of the connection's agent by default
   * @param {string | null} [noteId] as `agentId::timeInMs`
   * @param {boolean} [isAutoSummary]
   * @param {boolean} [truncateEnabled] whether the note may be cut to fit
   * @returns {Promise<{ truncated: boolean, truncatedText: string | null, noteId: string | null }>}
   * @throws {Error} `No room left to add agent note`
   */
  async setAgentNote(note, agentId, name, noteId, isAutoSummary, truncateEnabled) {
    const given =
      typeof note === 'object' ? note : { noteContent: note, agentId, name, noteId, isAutoSummary, truncateEnabled };
    try {
      const written = await this._act('note', {
        noteContent: given.noteContent,
        agentId: given.agentId ?? undefined,
        name: given.name ?? undefined,
        noteId: given.noteId ?? undefined,
        isAutoSummary: given.isAutoSummary ?? false,
        truncateEnabled: given.truncateEnabled ?? true,
      });
      return { truncated: written.truncated, truncatedText: written.truncatedText, noteId: written.noteId };
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'note-full') throw error;
      throw new Error('No room left to add agent note', { cause: error });
    }
  }

  /**
   * Takes over a state of the platform's protocol, and emits what it changes.
   *
   * @param {any} state with `conversationDetails`
   */
  processStateNotification(state) {
    const next = digest(state);
    if (this.#hasState && next === this.#digest) {
      this.notificationIgnoredCount += 1;
      this._dispatch('notification-ignored', state);
      return;
    }
    if (!state?.conversationDetails) {
      this._report(new Error(`a state of conversation ${this.conversationId} has no conversationDetails`));
      return;
    }
    const members = fromProtocol(state);
    if (this.#hasState && this.updateTime !== null && members.updateTime < this.updateTime) {
      this.notificationOutOfOrderCount += 1;
      this._dispatch('notification-out-of-order', state);
      return;
    }
    this.notificationCount += 1;
    this.#digest = next;
    if (this.#hasState) applyState(this, members);
    else this._install(members);
    this._lastContent(state.lastContentEventNotification);
    this._dispatch('notification', state);
  }

  /** Frees a conversation that `connection.loadConversation` has loaded. */
  unload() {
    this.#connection._unload(this);
  }

  /** The conversation as JSON, for `loadConversation`. Message bodies are digests. */
  serialize() {
    return serialize(this, this.#digest);
  }

  /**
   * @param {import('./connection.js').Connection} connection
   * @param {string} text of {@link serialize}
   */
  static deserialize(connection, text) {
    const { conversationId, digest: known } = JSON.parse(text);
    const conversation = new Conversation(connection, conversationId);
    restore(conversation, text);
    conversation.#digest = known;
    conversation.#hasState = true;
    conversation.#isClosed = conversation.stage === ConversationState.CLOSE;
    return conversation;
  }

  /**
   * Takes over a whole state without events.
   *
   * @param {Record<string, any> & { dialogs?: import('./state.js').DialogMembers[] }} members
   */
  _install(members) {
    const { dialogs = [], skillId, ...others } = members;
    this._assign(others);
    if (skillId !== undefined) this.skill = this.#connection._skill(skillId);
    for (const each of dialogs) (this._dialog(each.dialogId) ?? this.#add(each.dialogId))._install(each);
    this.#hasState = true;
    this.#isClosed = this.stage === ConversationState.CLOSE;
    this._newsAfter = this.updateTime ?? 0;
  }

  /** Whether a state of the conversation is known. */
  get _hasState() {
    return this.#hasState;
  }

  /** A conversation that was just made has an open main dialog, before its first state. */
  _begin() {
    this.stage = ConversationState.OPEN;
    this.#add(this.conversationId);
  }

  /**
   * Sets members that have no event.
   *
   * @param {Record<string, any>} members
   */
  _assign(members) {
    const { csat, context, clientProperties } = members;
    for (const name of [...PLAIN, ...COUNTS])
      if (members[name] !== undefined) /** @type {any} */ (this)[name] = members[name];
    if (csat !== undefined) this.csat = csat;
    if (context !== undefined) this.context = context;
    if (clientProperties !== undefined) this.clientProperties = clientProperties;
  }

  /** @param {string | null} groupId */
  _changeGroup(groupId) {
    if (groupId === this.groupId) return;
    this._emit('group-change', { prevGroupId: this.groupId, newGroupId: groupId });
    this.groupId = groupId;
  }

  /**
   * @param {string | null} skillId
   * @returns {boolean} whether the skill is another one
   */
  _changeSkill(skillId) {
    const before = this.skill?.skillId ?? null;
    if (skillId === before) return false;
    this._emit('skill-change', { prevSkillId: before, newSkillId: skillId });
    this.skill = this.#connection._skill(skillId);
    return true;
  }

  /** @param {{ closeTime?: number | null, closeReason?: string | null }} close */
  _closed({ closeTime = null, closeReason = null }) {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this._assign({ stage: ConversationState.CLOSE, closeTime, closeReason });
    this._emit('close');
  }

  /** @param {{ ttrType?: string | null, ttrValue?: number | null, ttrEffective?: number | null }} ttr */
  _changeTtr({ ttrType = this.ttrType, ttrValue = this.ttrValue, ttrEffective = this.ttrEffective }) {
    const isSame = ttrType === this.ttrType && ttrValue === this.ttrValue;
    this._assign({ ttrType, ttrValue, ttrEffective });
    if (!isSame) this._emit('ttr-change', { ttrValue, ttrType, ttrEffective });
  }

  /** @param {{ ttrEffectiveManual: number | null, ttrEffective?: number | null }} ettr */
  _changeManualEttr({ ttrEffectiveManual, ttrEffective = this.ttrEffective }) {
    const isSame = ttrEffectiveManual === this.ttrEffectiveManual;
    this._assign({ ttrEffectiveManual, ttrEffective });
    if (!isSame) this._emit('manual-ettr-change', { ttrEffectiveManual, ttrEffective });
  }

  /** @param {string} dialogId */
  _dialog(dialogId) {
    return this.dialogs.find((dialog) => dialog.dialogId === dialogId) ?? null;
  }

  /** @param {import('./state.js').DialogMembers} members */
  _openDialog(members) {
    const dialog = this.#add(members.dialogId);
    dialog._install(members);
    this._emit('dialog', dialog);
    return dialog;
  }

  /**
   * @param {Dialog} dialog
   * @param {object} state the dialog's last state
   */
  _dialogClosed(dialog, state) {
    if (dialog.state === DialogState.CLOSE) return;
    dialog.state = DialogState.CLOSE;
    dialog._emit('close', state);
  }

  /**
   * Takes the newest message of a state, which the main dialog may lack.
   *
   * @param {any} record of the platform's protocol
   */
  _lastContent(record) {
    if (!record?.event || this.mainDialog === null) return;
    const {
      sequence,
      serverTimestamp,
      metadata,
      messageAudience,
      originatorPId,
      originatorId,
      originatorMetadata,
      event,
    } = record;
    const message = this.mainDialog._keep({
      sequence,
      time: serverTimestamp,
      metadata,
      messageAudience,
      body: event.message ?? event.content,
      contentType: event.contentType ?? event.type,
      originatorId: originatorPId ?? originatorId,
      role: originatorMetadata?.role,
    });
    if (message !== null) this.mainDialog._emit('message', message);
  }

  /**
   * Sends a command.
   *
   * @param {string} command the name of a method of the gateway's conversation
   * @param {unknown} body
   */
  async _act(command, body) {
    return this.#connection._commands.act(this, command, body);
  }

  /**
   * Emits an event of this conversation at the highest level that listens.
   *
   * @param {string} name
   * @param {unknown} [payload]
   */
  _emit(name, payload) {
    if (this._isHidden) return;
    bubble([
      this._atConnection(name, payload),
      { emitter: this, name, payload: payload === undefined ? [] : [payload] },
    ]);
  }

  /**
   * The same event at the connection, where its payload also names the conversation.
   *
   * @param {string} name
   * @param {unknown} payload
   * @param {Dialog} [dialog]
   */
  _atConnection(name, payload, dialog) {
    /** @type {Record<string, unknown>} */
    const whole = { ...named(payload), conversation: this };
    if (dialog !== undefined) whole.dialog = dialog;
    // lp-messaging-sdk has the payload under this name.
    if (payload !== undefined) whole[0] = payload;
    return { emitter: this.#connection, name: `conversation:${name}`, payload: [whole] };
  }

  /** @param {unknown} error */
  _failed(error) {
    this.#connection._failed(error);
  }

  /**
   * Reports an error that no caller waits for.
   *
   * @param {unknown} error
   */
  _report(error) {
    this.#connection._report(error);
  }

  /** @param {string} dialogId */
  #add(dialogId) {
    const dialog = new Dialog(this, dialogId);
    this.dialogs.push(dialog);
    return dialog;
  }

  #open() {
    if (this.openDialog === null) throw new Error(`no open dialog in conversation ${this.conversationId}`);
    return this.openDialog;
  }
}

/**
 * The members of a payload, for a payload that has a name of its own too.
 *
 * @param {any} payload
 * @returns {Record<string, unknown>}
 */
function named(payload) {
  if (payload === undefined) return {};
  if (Array.isArray(payload)) return { messages: payload };
  if (payload instanceof Message) return { message: payload };
  if (payload instanceof Participant) return { participant: payload };
  if (payload instanceof Dialog) return { dialog: payload };
  return payload;
}
