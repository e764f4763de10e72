// The stream of events: where it begins and resumes, how it ends, and when the cursor is saved.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, memoryCursor } from '../lib/index.js';
import { fileCursor } from '../lib/node.js';
import { gateway, item, stream } from './support/gateway.js';

/** Takes the first `count` events, with the cursor's position at each. */
async function take(events, count, cursor) {
  const taken = [];
  if (count === 0) return taken;
  for await (const { id } of events) {
    taken.push(cursor === undefined ? id : [id, cursor.load()]);
    if (taken.length === count) break;
  }
  return taken;
}

test('the stream is asked for with the filter, the token and the position', async (t) => {
  const { requests, tertulia } = await gateway(t, (response) => stream(response).write(item(1, 'message')));
  await take(tertulia.events({ connection: 'bots', conversation: ['c', 'd'], type: 'message', after: 'earliest' }), 1);
  await take(tertulia.events({ after: 'e-7' }), 1);
  await take(tertulia.events(), 1);
  await take(tertulia.events({ cursor: memoryCursor('e-8'), after: 'earliest' }), 1);
  const asked = requests.map(({ url, headers }) => [url, headers['last-event-id']]);
  assert.deepEqual(asked, [
    ['/v1/events?connection=bots&conversation=c&conversation=d&type=message&after=earliest', undefined],
    ['/v1/events', 'e-7'],
    ['/v1/events', undefined],
    ['/v1/events', 'e-8'],
  ]);
  assert.ok(
    requests.every(
      ({ headers }) => headers.authorization === 'Bearer secret' && headers.accept === 'text/event-stream',
    ),
  );
});

test('a stream that ends or breaks is resumed after its last event or heartbeat', async (t) => {
  const endings = [
    (response) => response.end(item(1, 'message') + item(2, 'message')),
    (response) => response.write(item(3, 'message') + item(5), () => response.destroy()),
    (response) => response.end('id: e-6\ndata: {"half'),
    (response) => response.write(item(6, 'message')),
  ];
  const { requests, tertulia } = await gateway(t, (response, _, number) => endings[number](stream(response)));
  const interruptions = [];
  const events = tertulia.events({ after: 'e-0', onInterruption: (interruption) => interruptions.push(interruption) });
  assert.deepEqual(await take(events, 4), ['e-1', 'e-2', 'e-3', 'e-6']);
  assert.deepEqual(
    requests.map(({ headers }) => headers['last-event-id']),
    ['e-0', 'e-2', 'e-5', 'e-5'],
  );
  assert.deepEqual(
    interruptions.map(({ attempt, error }) => [attempt, error?.code]),
    [
      [1, undefined],
      [1, 'unreachable'],
      [2, undefined],
    ],
  );
});

test('a gateway that is away or overloaded is tried again', async (t) => {
  const { requests, tertulia } = await gateway(t, (response, request, number) => {
    if (number === 0) return stream(response).end();
    if (number === 1) return request.socket.destroy();
    if (number === 2)
      return response.writeHead(503, { 'content-type': 'application/problem+json' }).end('{"code":"too-many-streams"}');
    return stream(response).write(item(1, 'message'));
  });
  assert.deepEqual(await take(tertulia.events(), 1), ['e-1']);
  assert.equal(requests.length, 4);
});

test('a refused stream is an error', async (t) => {
  const { tertulia } = await gateway(t, (response) =>
    response
      .writeHead(401, { 'content-type': 'application/problem+json' })
      .end('{"code":"unauthenticated","status":401}'),
  );
  await assert.rejects(take(tertulia.events(), 1), { code: 'unauthenticated', status: 401 });
});

test('a silent stream is broken off; a reader that is slow is not', async (t) => {
  const { requests, tertulia } = await gateway(t, (response, _, number) => {
    stream(response).write(item(number * 2 + 1, 'message') + item(number * 2 + 2, 'message'));
  });
  const interruptions = [];
  const events = tertulia.events({ silence: 50, onInterruption: ({ error }) => interruptions.push(error.message) });
  const ids = [];
  for await (const { id } of events) {
    ids.push(id);
    const isSlow = id === 'e-1';
    if (isSlow) await new Promise((resolve) => setTimeout(resolve, 150));
    if (isSlow) assert.equal(requests.length, 1);
    if (id === 'e-3') break;
  }
  assert.deepEqual(ids, ['e-1', 'e-2', 'e-3']);
  assert.deepEqual(new Set(interruptions), new Set(['the event stream was broken off: silent for 50 ms']));
});

test('a signal ends the loop, while it waits for an event and while it waits to reconnect', async (t) => {
  for (const answer of [(response) => stream(response).write(item(1)), (_, request) => request.socket.destroy()]) {
    const controller = new AbortController();
    const { requests, tertulia } = await gateway(t, (...parameters) => {
      answer(...parameters);
      setImmediate(() => controller.abort());
    });
    assert.deepEqual(await take(tertulia.events({ signal: controller.signal }), 1), []);
    assert.equal(requests.length, 1);
    assert.deepEqual(await take(tertulia.events({ signal: AbortSignal.abort() }), 1), []);
    assert.equal(requests.length, 1);
  }
});

test('break closes the connection', async (t) => {
  const closed = [];
  const { tertulia } = await gateway(t, (response) => {
    closed.push(new Promise((resolve) => response.once('close', resolve)));
    stream(response).write(item(1, 'message') + item(2, 'message'));
  });
  await take(tertulia.events(), 1);
  await Promise.all(closed);
});

test('an event is saved when the next one is asked for, and a heartbeat at once', async (t) => {
  const { tertulia } = await gateway(t, (response) =>
    stream(response).write(item(4) + item(5, 'message') + item(6, 'message') + item(7) + item(8, 'message')),
  );
  const cursor = memoryCursor();
  const taken = await take(tertulia.events({ cursor }), 3, cursor);
  assert.deepEqual(taken, [
    ['e-5', 'e-4'],
    ['e-6', 'e-5'],
    ['e-8', 'e-7'],
  ]);
  assert.equal(cursor.load(), 'e-7', 'the loop broke before it had handled the last event');
});

test('a gap is an event', async (t) => {
  const { tertulia } = await gateway(t, (response) =>
    stream(response).write(item(9, 'gap', { data: { missed: 3, snapshot: '/v1/conversations' } })),
  );
  for await (const event of tertulia.events({ type: 'message', after: 'e-1' })) {
    assert.equal(event.type, 'tertulia.gap');
    assert.equal(event.data.missed, 3);
    break;
  }
});

test('an event has the members of its JSON, and actions with keys of its own', async (t) => {
  const { requests, tertulia } = await gateway(t, (response, { url }) => {
    if (url.startsWith('/v1/events'))
      return stream(response).write(item(1, 'message') + item(2, 'connection.resumed', { subject: undefined }));
    return response.end('{"sequence":1}');
  });
  const events = tertulia.events({ name: 'shop' });
  const { value: event } = await events.next();
  assert.deepEqual(Object.keys(event), [
    'specversion',
    'id',
    'source',
    'subject',
    'connection',
    'type',
    'time',
    'datacontenttype',
    'data',
  ]);
  await event.reply('one');
  await event.reply({ text: 'two', private: true });
  await event.conversation.close();
  await event.conversation.chatState();
  await event.reply('three', { key: 'mine' });
  const sent = requests.slice(1).map(({ url, headers, text }) => [url, headers['idempotency-key'], text]);
  assert.deepEqual(sent, [
    ['/v1/conversations/c/messages?connection=bots', 'shop/e-1/0', '{"text":"one"}'],
    ['/v1/conversations/c/messages?connection=bots', 'shop/e-1/1', '{"text":"two","private":true}'],
    ['/v1/conversations/c/close?connection=bots', 'shop/e-1/close/0', '{}'],
    ['/v1/conversations/c/chat-state?connection=bots', undefined, '{"chatState":"COMPOSING"}'],
    ['/v1/conversations/c/messages?connection=bots', 'mine', '{"text":"three"}'],
  ]);
  const { value: other } = await events.next();
  assert.throws(() => other.conversation, { name: 'TypeError', message: /concerns no conversation/ });
  await events.return();
  await assert.rejects(tertulia.events({ name: 'x'.repeat(17) }).next(), TypeError);
});

test('an answer that an earlier run has given in other words is not an error', async (t) => {
  const { tertulia } = await gateway(t, (response, { url }) => {
    if (url.startsWith('/v1/events')) return stream(response).write(item(1, 'message'));
    return response.writeHead(422, { 'content-type': 'application/problem+json' }).end('{"code":"key-reused"}');
  });
  const { value: event } = await tertulia.events().next();
  assert.deepEqual(await event.reply('said differently'), { key: 'e-1/0', sequence: null, repeated: true });
  await assert.rejects(event.reply('x', { key: 'mine' }), { code: 'key-reused' });
  await assert.rejects(tertulia.conversation('c').send('x'), { code: 'key-reused' });
});

test('a bot warns once while the gateway is away', async (t) => {
  const warned = new Promise((resolve) => t.mock.method(console, 'warn', resolve));
  const stop = new AbortController();
  const bot = connect({ url: 'http://127.0.0.1:9' }).bot(() => {}, { signal: stop.signal });
  assert.match(await warned, /no events, trying again: .*127\.0\.0\.1:9/);
  stop.abort();
  await bot;
});

test('a cursor in a file is replaced as a whole, and a damaged file is refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tertulia-cursor-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'cursor');
  const cursor = fileCursor(file);
  assert.equal(await cursor.load(), null);
  await cursor.save('e-1');
  await cursor.save('e-2');
  assert.equal(await cursor.load(), 'e-2');
  assert.equal(await readFile(file, 'utf8'), 'e-2\n');
  await writeFile(`${file}.next`, 'e-');
  assert.equal(await fileCursor(file).load(), 'e-2', 'a process was killed while it wrote');
  await writeFile(file, '');
  await assert.rejects(cursor.load(), /is empty/);
  for (const damaged of ['\u0000\u0001', 'garbage', '99', 'e-1\ne-2', '\ufffd-1']) {
    await writeFile(file, damaged);
    await assert.rejects(cursor.load(), { code: 'bad-cursor' });
    await assert.rejects(connect({ url: 'http://127.0.0.1:9' }).events({ cursor: memoryCursor(damaged) }).next(), { code: 'bad-cursor' });
  }
  await assert.rejects(fileCursor(folder).load(), { code: 'EISDIR' });
});
