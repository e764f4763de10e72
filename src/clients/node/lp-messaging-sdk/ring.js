// Offers of conversations to an agent.

import { Emitter } from './emitter.js';
import { RingState } from './enums.js';

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
    await this.connection._commands.answerRing(this.ringId, RingState.ACCEPTED);
  }

  /** Passes the conversation on to another agent. */
  async reject() {
    await this.connection._commands.answerRing(this.ringId, RingState.REJECTED);
  }

  /** @param {{ ringState: string, ringExpirationTs?: number | null }} offer */
  _apply({ ringState, ringExpirationTs }) {
    this.ringExpirationTs = ringExpirationTs ?? this.ringExpirationTs;
    if (ringState === this.ringState) return;
    this.ringState = ringState;
    const event = EVENTS[ringState];
    if (event !== undefined) this._tell(event, this);
  }

  /** @param {unknown} error */
  _failed(error) {
    this.connection._failed(error);
  }
}
