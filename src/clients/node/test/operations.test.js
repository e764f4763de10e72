// The client has every operation of the service's OpenAPI document, with every parameter.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startService } from '../lib/testing/index.js';
import { json, recorded } from './support/recording.js';

const act = { key: 'key-1' };
const page = { limit: 7, cursor: 'next' };
const filter = { connection: ['c 1', 'c 2'], conversation: 'v', type: ['message', 'tertulia.close'], after: 'e-1' };
const conversation = (tertulia) => tertulia.conversation('conversation/1', { connection: 'bots' });
const connection = (tertulia) => tertulia.connection('connection/1');
const ring = (tertulia) => tertulia.ring('ring/1', { connection: 'bots' });
const webhook = (tertulia) => tertulia.webhook('webhook/1');
const job = (tertulia) => tertulia.bulkJob('job/1');
const letter = (tertulia) => tertulia.deadLetter('letter/1');
const node = (tertulia) => tertulia.node('node/1');
const platform = (method) => (tertulia) =>
  connection(tertulia).platform('service/1', '/path/1?v=1', { method, body: 'x' });

/** A WebSocket that tells the recorded client where it connects. */
function socket(tertulia, requests) {
  const WebSocket = function (address, protocols) {
    requests.push({
      method: 'GET',
      url: new URL(address),
      protocols,
      headers: { 'sec-websocket-protocol': 'tertulia' },
    });
  };
  return tertulia.socket({ ...filter, WebSocket });
}

/** How each operation is called, with all its parameters. */
const CALLS = {
  getHealth: (tertulia) => tertulia.health(),
  getMetrics: (tertulia) => tertulia.metrics(),
  getOpenApi: (tertulia) => tertulia.openapi(),
  getReadiness: (tertulia) => tertulia.readiness(),
  takeBackup: (tertulia) => tertulia.backup(),
  listBulkJobs: (tertulia) => tertulia.bulkJobs().page(page),
  startBulkJob: (tertulia) => tertulia.startBulkJob({ operation: 'close', filter: { all: true } }, act),
  getBulkJob: (tertulia) => job(tertulia).get(),
  cancelBulkJob: (tertulia) => job(tertulia).cancel(act),
  listBulkItems: (tertulia) => job(tertulia).items({ outcome: 'done' }).page(page),
  pauseBulkJob: (tertulia) => job(tertulia).pause(act),
  resumeBulkJob: (tertulia) => job(tertulia).resume(act),
  listConnections: (tertulia) => tertulia.connections().page(page),
  addConnection: (tertulia) => tertulia.addConnection({ id: 'x', account: '1', role: 'consumer' }, act),
  removeConnection: (tertulia) => connection(tertulia).remove(),
  getConnection: (tertulia) => connection(tertulia).get(),
  setAgentState: (tertulia) => connection(tertulia).agentState('AWAY', act),
  createConversation: (tertulia) => connection(tertulia).createConversation({ skillId: '1' }, act),
  moveConnection: (tertulia) => connection(tertulia).move('node-2', act),
  deletePlatformService: platform('DELETE'),
  getPlatformService: (tertulia) => connection(tertulia).platform('service/1', 'path/1?v=1'),
  headPlatformService: (tertulia) => connection(tertulia).platform('service/1', 'path/1?v=1', { method: 'HEAD' }),
  optionsPlatformService: platform('OPTIONS'),
  patchPlatformService: platform('PATCH'),
  postPlatformService: platform('POST'),
  putPlatformService: platform('PUT'),
  sendRequest: (tertulia) => connection(tertulia).request({ type: 'ms.PublishEvent', body: {} }, act),
  restartConnection: (tertulia) => connection(tertulia).restart(act),
  stepUpConsumer: (tertulia) => connection(tertulia).stepUp({ connectorId: '1', code: 'x' }, act),
  listConversations: (tertulia) => {
    const all = { connection: 'bots', stage: 'OPEN', skill: '1', agent: '2', consumer: '3', text: 'hello' };
    return tertulia.conversations(all).page(page);
  },
  loadConversation: (tertulia) => tertulia.loadConversation({}, { connection: 'bots', ...act }),
  getConversation: (tertulia) => conversation(tertulia).get(),
  markAccepted: (tertulia) => conversation(tertulia).accept(1, act),
  setChatState: (tertulia) => conversation(tertulia).chatState('COMPOSING', act),
  closeConversation: (tertulia) => conversation(tertulia).close({ survey: false }, act),
  listCommands: (tertulia) => conversation(tertulia).commands().page(page),
  cancelCommand: (tertulia) => conversation(tertulia).cancelCommand('key/1'),
  takeOverConsumer: (tertulia) => conversation(tertulia).consumerTakeover('new', act),
  rateConversation: (tertulia) => conversation(tertulia).csat(5, act),
  downloadFile: (tertulia) => conversation(tertulia).file('/a/b'),
  uploadFile: (tertulia) => conversation(tertulia).sendFile(new Blob(['x']), { name: 'x.pdf', caption: 'x', ...act }),
  joinConversation: (tertulia) => conversation(tertulia).join('MANAGER', act),
  leaveConversation: (tertulia) => conversation(tertulia).leave({}, act),
  setManualDeadline: (tertulia) => conversation(tertulia).manualEttr(new Date(1_790_000_000_000), act),
  listMessages: (tertulia) =>
    conversation(tertulia).messages({ dialog: 'd', sequenceMin: 0, sequenceMax: 9, maxQuantity: 5 }),
  sendMessage: (tertulia) => conversation(tertulia).send('hello', act),
  setNote: (tertulia) => conversation(tertulia).note('a note', act),
  markRead: (tertulia) => conversation(tertulia).read([1, 2], act),
  releaseConversation: (tertulia) => conversation(tertulia).release(act),
  getSnapshot: (tertulia) => conversation(tertulia).snapshot(),
  transferConversation: (tertulia) => conversation(tertulia).transfer({ skillId: '501' }, act),
  setResponseTime: (tertulia) => conversation(tertulia).ttr({ ttrType: 'CUSTOM', value: 60 }, act),
  unloadConversation: (tertulia) => conversation(tertulia).unload(act),
  discardDeadLetters: (tertulia) => tertulia.discardDeadLetters({ cause: 'x' }),
  listDeadLetters: (tertulia) => tertulia.deadLetters({ cause: 'x' }).page(page),
  listDeadLetterCauses: (tertulia) => tertulia.deadLetterCauses().page(page),
  discardDeadLetter: (tertulia) => letter(tertulia).discard(),
  getDeadLetter: (tertulia) => letter(tertulia).get(),
  replayDeadLetter: (tertulia) => letter(tertulia).replay(act),
  readEvents: (tertulia) => tertulia.log(filter).page({ limit: 7 }),
  openEventSocket: socket,
  receivePlatformWebhook: (tertulia) => connection(tertulia).intake({ a: 1 }, { signature: 'sha256=x' }),
  listNodes: (tertulia) => tertulia.nodes(),
  rebalanceNodes: (tertulia) => tertulia.rebalance(act),
  getNode: (tertulia) => node(tertulia).get(),
  drainNode: (tertulia) => node(tertulia).drain(act),
  getOverview: (tertulia) => tertulia.overview({ history: false }),
  listRings: (tertulia) => tertulia.rings({ connection: 'bots' }).page(page),
  acceptRing: (tertulia) => ring(tertulia).accept(act),
  rejectRing: (tertulia) => ring(tertulia).reject(act),
  getSupervision: (tertulia) => tertulia.supervision(),
  listWebhooks: (tertulia) => tertulia.webhooks().page(page),
  createWebhook: (tertulia) => tertulia.createWebhook({ url: 'https://receiver.example/' }, act),
  deleteWebhook: (tertulia) => webhook(tertulia).delete(),
  getWebhook: (tertulia) => webhook(tertulia).get(),
  changeWebhook: (tertulia) => webhook(tertulia).change({ enabled: true }),
  listDeliveries: (tertulia) => webhook(tertulia).deliveries().page(page),
  rotateWebhookSecret: (tertulia) => webhook(tertulia).rotateSecret({}, act),
  testWebhook: (tertulia) => webhook(tertulia).test(act),
};

/** Ways of `events` to say where a reader begins; the stream uses the header, and pages use the parameter. */
const OTHERWISE = { readEvents: ['Last-Event-ID'] };

let service;
let operations;

before(async () => {
  service = await startService();
  const document = await service.tertulia.openapi();
  const methods = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [
      operation.operationId,
      { method: method.toUpperCase(), path, ...operation },
    ]),
  );
  operations = Object.fromEntries(methods);
});
after(() => service?.stop());

test('the client has every operation of the document and no other', () => {
  assert.deepEqual(Object.keys(CALLS).sort(), Object.keys(operations).sort());
});

for (const [id, call] of Object.entries(CALLS)) {
  test(`${id} sends what the document describes`, async () => {
    const { requests, tertulia } = recorded(() => json({ items: [], cursor: null }));
    await call(tertulia, requests);
    assert.equal(requests.length, 1);
    const [{ method, url, headers, body }] = requests;
    const { method: expected, path, parameters = [], requestBody } = operations[id];
    assert.equal(method, expected);
    const inPlace = (_, name) => (name === 'path' ? 'path/1' : encodeURIComponent(`${name}/1`));
    assert.equal(url.pathname, `/base${path.replace(/\{(\w+)\}/g, inPlace)}`);
    if (path.endsWith('/{path}')) assert.equal(url.search, '?v=1');
    else assert.deepEqual([...new Set(url.searchParams.keys())].sort(), names(parameters, 'query'));
    for (const name of names(parameters, 'header').filter((name) => !OTHERWISE[id]?.includes(name))) {
      assert.ok(new Headers(headers).has(name), `the header ${name} is missing`);
    }
    const hasKey = names(parameters, 'header').includes('Idempotency-Key');
    assert.equal(new Headers(headers).get('idempotency-key'), hasKey ? 'key-1' : null);
    const mayHaveBody = requestBody !== undefined || path.includes('/platform/');
    assert.ok(mayHaveBody ? body !== undefined || !requestBody : body === undefined, `the body is ${body}`);
  });
}

function names(parameters, place) {
  return parameters
    .filter((parameter) => parameter.in === place)
    .map(({ name }) => name)
    .sort();
}
