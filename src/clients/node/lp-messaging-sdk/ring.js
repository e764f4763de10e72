// Offers of conversations to an agent.

import { TertuliaError } from '../lib/errors.js';
import { Emitter } from './emitter.js';
import { RingState } from './enums.js';

/** Errors after which an answer to a ring is given again. */
const REPEATED = ['unknown-ring', 'outcome-unknown', 'unreachable'];
/** How long an answer waits for a change of the connection before it is given again, in milliseconds. */
const AT_MOST = 1_000;

/** The events of a ring, by its new state. */
const EVENTS = {
  [RingState.ACCEPTED]: 'accepted',
  [RingState.REJECTED]: 'rejected',
  [RingState.CANCELLED]: 'cancelled',
  [RingState.EXPIRED]: 'expired',
};

/** An offer of a conversation. Emits `accepted`, `rejected`, `cancelled` and `expired`, each with the ring. */
export class Ring extends Emitter {
  /**
   * @param {import('./connection.js').Connection} connection
   * @param {{ ringId: string, ringState: string, ringExpirationTs?: number | null, conversationId?: string | null,
   *   skillId?: string | null, consumerId?: string | null }} offer
   */
  constructor(connection, offer) {
    super();
    this.connection = connection;
    this.ringId = offer.ringId;
    this.ringState = offer.ringState;
    /** When the ring expires, in milliseconds since the epoch. */
    this.ringExpirationTs = offer.ringExpirationTs ?? null;
    this.brandId = connection.accountId;
    this.conversationId = offer.conversationId ?? null;
    this.skillId = offer.skillId ?? null;
    this.consumerId = offer.consumerId ?? null;
  }

  /** Takes the conversation. Resolves when the connection has the conversation. */
  async accept() {
    await this.#answer(RingState.ACCEPTED);
  }

  /** Passes the conversation on to another agent. */
  async reject() {
    await this.#answer(RingState.REJECTED);
  }

  /** @param {{ ringState: string, ringExpirationTs?: number | null }} offer */
  _apply({ ringState, ringExpirationTs }) {
    this.ringExpirationTs = ringExpirationTs ?? this.ringExpirationTs;
    if (ringState === this.ringState) return;
    this.ringState = ringState;
    const event = EVENTS[ringState];
    if (event !== undefined) this._dispatch(event, this);
  }

  /** @param {unknown} error */
  _failed(error) {
    this.connection._failed(error);
  }

  /**
   * Answers the ring. While the gateway's connection is lost, the gateway does not know the ring, so the answer waits. An answer
   * whose outcome is unknown is given again while the ring waits: the platform takes one answer to a ring.
   *
   * @param {string} state
   */
  async #answer(state) {
    for (;;) {
      try {
        await this.connection._commands.answerRing(this.ringId, state);
        // The event that says so may have been missed.
        this._apply({ ringState: state });
        return;
      } catch (error) {
        if (this.ringState === state) return;
        const mayBeRepeated = error instanceof TertuliaError && REPEATED.includes(error.code);
        const isOver = this.ringState !== RingState.WAITING || (this.ringExpirationTs ?? 0) < Date.now();
        if (!mayBeRepeated || isOver) throw error;
        const change = this.connection._session.nextChange(AT_MOST);
        await change.happened;
        change.cancel();
      }
    }
  }
}
