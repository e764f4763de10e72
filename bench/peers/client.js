// What every client of the comparison does beside its library: the lines of `tertulia-bench peers`, and the counts.

import { createInterface } from 'node:readline';

const assignment = JSON.parse(process.env.TERTULIA_PEER);

export const account = assignment.account;
/** `host:port` of everything, over TLS. */
export const host = new URL(assignment.discovery).host;
export const logins = Array.from({ length: assignment.bots }, (_, index) => `bot${index + 1}`);

/** The highest sequence heard in each conversation, -1 before the first message. */
const heard = new Map();
let messages = 0;
let arrived = () => {};

/** Whether the conversation is new. */
export function hold(conversation) {
  if (heard.has(conversation)) return false;
  heard.set(conversation, -1);
  arrived();
  return true;
}

export function lastHeard(conversation) {
  return heard.get(conversation) ?? -1;
}

/** Counts a consumer's message, unless it was counted before. */
export function hear(conversation, sequence) {
  if (sequence <= lastHeard(conversation)) return;
  heard.set(conversation, sequence);
  messages += 1;
  arrived();
}

/** Ends the client, because the measurement would be wrong. */
export function fail(error) {
  console.error(error);
  process.exit(1);
}

function until(isEnough) {
  return new Promise((resolve) => {
    arrived = () => {
      if (isEnough()) resolve();
    };
    arrived();
  });
}

/** Does what the lines on standard input say, until they end. Call this when all bots are ready. */
export async function serve() {
  console.log();
  for await (const line of createInterface(process.stdin)) {
    const ask = JSON.parse(line);
    if (ask.hold) await until(() => heard.size >= ask.hold.conversations);
    else if (ask.hear) await until(() => messages >= ask.hear.messages);
    else globalThis.gc?.();
    console.log();
  }
  process.exit(0);
}
