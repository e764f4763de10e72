// The rings of a connection's agent, and who sees them.

import { RingState } from './enums.js';
import { ringNotification } from './notifications.js';
import { Ring } from './ring.js';
import { RoutingTaskSubscription } from './subscription.js';

/** The rings that are kept, at most. The oldest is forgotten first. */
const KEPT = 1_000;

/** The rings of one connection. */
export class Rings {
  #connection;
  /** @type {Map<string, Ring>} */
  #rings = new Map();
  /** @type {Set<RoutingTaskSubscription>} */
  #subscriptions = new Set();

  /** @param {import('./connection.js').Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /** Adds a subscription, and emits the rings that wait. */
  async subscribe() {
    const subscription = new RoutingTaskSubscription(this.#connection, (ended) => this.#subscriptions.delete(ended));
    // The subscription comes first, so that no ring falls between the list and the events.
    this.#subscriptions.add(subscription);
    const { id, tertulia } = this.#connection._session;
    for (const { id: ringId, ...offer } of await tertulia.rings({ connection: id }).all()) {
      if (!subscription.rings.has(ringId))
        this.take({ ...offer, ringId, ringState: this.#rings.get(ringId)?.ringState ?? RingState.WAITING });
    }
    return subscription;
  }

  /**
   * Takes a new ring, or a new state of a known one. Without a subscription nobody sees rings.
   *
   * @param {ConstructorParameters<typeof Ring>[1]} offer
   */
  take(offer) {
    if (this.#subscriptions.size === 0) return;
    const known = this.#rings.get(offer.ringId);
    const ring = known ?? this.#keep(new Ring(this.#connection, offer));
    known?._apply(offer);
    for (const subscription of this.#subscriptions) {
      const isNew = !subscription.rings.has(ring.ringId);
      subscription.rings.set(ring.ringId, ring);
      const notification = ringNotification(ring, subscription.subscriptionId);
      subscription._dispatch('upsert', notification.changes[0].result);
      if (isNew) subscription._dispatch('ring', ring);
      subscription._dispatch('notification', notification);
    }
    this.#connection._wire(
      'routingTaskNotification',
      '.ams.routing.RoutingTaskNotification',
      ringNotification(ring, null),
    );
    if (known === undefined) this.#connection._dispatch('ring', ring);
  }

  /** Ends all subscriptions. */
  clear() {
    this.#subscriptions.clear();
    this.#rings.clear();
  }

  /** @param {Ring} ring */
  #keep(ring) {
    this.#rings.set(ring.ringId, ring);
    if (this.#rings.size > KEPT) {
      const [oldest] = this.#rings.keys();
      this.#rings.delete(oldest);
      for (const { rings } of this.#subscriptions) rings.delete(oldest);
    }
    return ring;
  }
}
