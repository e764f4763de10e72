// What happened lately, apart from what is said: the newest first, so many at most.

import { millis } from "../format.js";
import { connectionOf, describe } from "./events.js";

const MOST = 100;
const TOLD = new Set([
  "close", "skill-change", "back-to-queue", "transfer-skill", "transfer-agent", "consumer-step-up", "command-failed", "gap",
  "conversation-restarted", "conversation-quarantined", "connection.connected", "connection.disconnected",
  "connection.resumed", "connection.failed",
]);

export class Activity {
  items = [];
  #onChange;

  constructor({ onChange }) {
    this.#onChange = onChange;
  }

  take(event, type) {
    if (!TOLD.has(type)) return;
    const [text, tone] = describe(type, event.data);
    const item = {
      id: event.id,
      at: millis(event.time) ?? Date.now(),
      text,
      tone,
      connection: connectionOf(event),
      conversation: event.subject ?? null,
    };
    this.items.unshift(item);
    if (this.items.length > MOST) this.items.length = MOST;
    this.#onChange();
  }

  forget() {
    this.items = [];
  }
}
