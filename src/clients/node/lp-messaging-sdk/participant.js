// Participants of a dialog.

import { Emitter } from './emitter.js';
import { ParticipantChatState, ParticipantRole, ParticipantState } from './enums.js';

/** Somebody who takes part in a dialog. Emits `roleChange`, `stateChange` and `chatStateChange`, each with the new value. */
export class Participant extends Emitter {
  static get ParticipantRole() {
    return ParticipantRole;
  }

  static get ParticipantState() {
    return ParticipantState;
  }

  static get ParticipantChatState() {
    return ParticipantChatState;
  }

  #report;

  /**
   * @param {{ userId: string | null, agentId?: string | null, role?: string | null, state?: string, chatState?: string }} members
   * @param {(error: unknown) => void} report takes the errors of listeners
   */
  constructor({ userId, agentId = null, role = null, state = ParticipantState.ACTIVE, chatState }, report) {
    super();
    this.#report = report;
    this.userId = userId;
    /** Null for a consumer. */
    this.agentId = agentId;
    this.role = role;
    this.state = state;
    this.chatState =
      chatState ?? (state === ParticipantState.REMOVED ? ParticipantChatState.REMOVED : ParticipantChatState.ACTIVE);
  }

  /** @param {string | null | undefined} role */
  _setRole(role) {
    this.#set('role', role, 'roleChange');
  }

  /** @param {string | undefined} state */
  _setState(state) {
    this.#set('state', state, 'stateChange');
  }

  /** @param {string | undefined} chatState */
  _setChatState(chatState) {
    this.#set('chatState', chatState, 'chatStateChange');
  }

  /**
   * Takes part again. The event of the dialog says so; the participant has none.
   *
   * @param {{ role: string, state: string, chatState?: string }} members
   */
  _return({ role, state, chatState = ParticipantChatState.ACTIVE }) {
    Object.assign(this, { role, state, chatState });
  }

  /** Has left. The event of the dialog says so; the participant has none. */
  _setRemoved() {
    this.state = ParticipantState.REMOVED;
    this.chatState = ParticipantChatState.REMOVED;
  }

  /** @param {unknown} error */
  _failed(error) {
    this.#report(error);
  }

  /**
   * @param {'role' | 'state' | 'chatState'} member
   * @param {string | null | undefined} value
   * @param {string} event
   */
  #set(member, value, event) {
    if (value === undefined || value === null || value === this[member]) return;
    this[member] = value;
    this._dispatch(event, value);
  }
}
