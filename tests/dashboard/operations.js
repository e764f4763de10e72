// The operational data of the staged scene: its past, offers, webhooks, bulk jobs, and the names of skills and agents.

import { EPOCH, MINUTE, NOW, SECOND, SKILLS, at, numbers } from './moment.js';

/** The notable events from before the page was opened, the newest first. */
export function notable(rows, text) {
  const happened = (kind, before, connection, data, conversation = null) => ({
    id: `${EPOCH}-${Math.round(900_000 - before / SECOND)}`,
    time: at(before),
    kind,
    connection,
    conversation,
    data,
  });
  return [
    happened('dead-letters', 2 * MINUTE, 'bots-3', {
      count: 12,
      letterKind: 'frame',
      reason: text('reason', 'malformed frame: EOF while parsing a list at line 1 column 88'),
    }),
    happened('connection.disconnected', 3 * MINUTE, 'bots-4', { code: 1011, by: 'platform', reason: 'server_error' }),
    happened('conversation-restarted', 4 * MINUTE, 'bots-3', { restarts: 2 }, rows[4 % rows.length].conversationId),
    happened('connection.lacking', 11 * MINUTE, 'bots-4', { lacking: { histories: 3 } }),
    happened('webhook-failing', 17 * MINUTE, null, { webhook: 'wh-orders', lastError: text('error', '503') }),
    happened('connection.disconnected', 41 * MINUTE, 'whatsapp-us', { code: null, by: 'transport', reason: 'dead_peer' }),
    happened('connection.failed', 47 * MINUTE, 'bulk-night', { reason: 'credentials_refused' }),
    happened('service-started', 540 * MINUTE, null, { version: '0.1.0' }),
  ];
}

export function rings(text) {
  return [
    {
      id: 'ring-1',
      connection: 'bots-1',
      conversationId: 'c0ffee00-1111-4222-a333-444455556666',
      skillId: text('skill', 'billing'),
      consumerId: 'a71c05f2-6d0b-4c64-a3a5-58a6bb0de8d1',
      ringExpirationTs: NOW + 3 * MINUTE,
    },
  ];
}

export function webhooks(text) {
  const webhook = (id, url, more) => ({
    id,
    url: text('url', url),
    filter: {},
    ordered: true,
    retries: [5],
    state: 'enabled',
    reason: null,
    since: null,
    created: at(600 * MINUTE),
    cursor: `${EPOCH}-1000000`,
    pending: 0,
    failingSince: null,
    isReceiverDown: false,
    lastDelivery: at(3 * SECOND),
    lastError: null,
    oldSecretsUntil: [],
    ...more,
  });
  return [
    webhook('wh-crm', 'https://crm.example/hooks/tertulia', { filter: { type: ['message', 'close'] } }),
    webhook('wh-orders', 'https://orders.example/events', {
      cursor: `${EPOCH}-999100`,
      pending: 412,
      failingSince: at(17 * MINUTE),
      isReceiverDown: true,
      lastDelivery: at(18 * MINUTE),
      lastError: text('error', 'the receiver answered 503'),
    }),
    webhook('wh-old', 'https://old.example/hook', { state: 'disabled', reason: 'gone', since: at(200 * MINUTE) }),
  ];
}

export function deliveries(rows) {
  return Array.from({ length: 12 }, (_, place) => ({
    eventId: `${EPOCH}-${999_990 - place}`,
    type: place % 3 === 0 ? 'tertulia.close' : 'tertulia.message',
    conversation: rows[place % rows.length].conversationId,
    attempt: place === 0 ? 4 : 1,
    time: at((4 + place * 9) * SECOND),
    durationMs: 18 + place * 3,
    outcome: place === 0 ? 'server-error' : 'delivered',
    status: place === 0 ? 503 : 200,
    nextTry: place === 0 ? new Date(NOW + 5 * MINUTE).toISOString() : null,
  }));
}

export function jobs() {
  const job = (id, more) => ({
    id,
    operation: 'close',
    arguments: { survey: false },
    filter: { updatedBefore: at(24 * 60 * MINUTE) },
    listed: null,
    state: 'running',
    failure: null,
    rate: 20,
    matched: 4200,
    done: 1650,
    refused: 12,
    unknown: 0,
    left: 2538,
    inFlight: 4,
    created: at(2 * MINUTE),
    started: at(2 * MINUTE),
    ended: null,
    estimatedEnd: new Date(NOW + 2 * MINUTE).toISOString(),
    ...more,
  });
  return [
    job('job-2'),
    job('job-1', {
      operation: 'transfer',
      arguments: { skillId: 'returns' },
      state: 'finished',
      matched: 80,
      done: 80,
      refused: 0,
      left: 0,
      inFlight: 0,
      ended: at(90 * MINUTE),
      estimatedEnd: null,
    }),
  ];
}

export function names(text) {
  return {
    skills: SKILLS.slice(0, 4).map((id) => ({ id, name: text('skill name', `${id[0].toUpperCase()}${id.slice(1)} desk`) })),
    users: Array.from({ length: 24 }, (_, place) => ({
      id: 3_901_122_000 + place,
      pid: place === 7 ? '1cb34384-a1ea-4da4-9d59-97c285e0c488' : `p-${place}`,
      fullName: text('agent name', ['Ana Reis', 'Bruno Sá', 'Carla Luz', 'Duarte Gil'][place % 4]),
      loginName: `agent${place}`,
    })),
  };
}

/** The last hour by minute, up to the time `began`. */
export function minutes(scene, began) {
  if (scene.connections.length === 0) return [];
  const number = numbers(21);
  return Array.from({ length: 60 }, (_, place) => {
    const time = Math.floor(began / MINUTE) * MINUTE - (59 - place) * MINUTE;
    const swing = Math.sin(place / 9);
    // The service did not run for three minutes.
    return place > 20 && place < 24
      ? null
      : {
          time: new Date(time).toISOString(),
          frames: Math.round(60 * (1650 + 120 * swing + number(90))),
          events: Math.round(60 * (1120 + 80 * swing + number(60))),
          commands: 60 * (340 + number(40)),
          commandsFailed: place === 50 ? 3 : 0,
          p50: 0.00034 + number(60) / 1e6,
          p99: 0.0021 + number(1100) / 1e6,
          reconnects: place % 11 === 0 ? 3 : 0,
          restarts: place === 55 ? 8 : 0,
        };
  }).filter((minute) => minute !== null);
}
