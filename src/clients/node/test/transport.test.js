// Which requests are repeated, with which key, and what callers get if they fail.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { ProblemError, TertuliaError, TimeoutError, UnreachableError, connect } from '../lib/index.js';
import { isWorthRepeating, jitter, retryAfter, waitAfter } from '../lib/http/retry.js';
import { broken, json, problem, recorded } from './support/recording.js';

/** Answers in turn; the last one repeats. */
const inTurn =
  (...answers) =>
  (number) => {
    const answer = answers[Math.min(number, answers.length - 1)];
    return answer();
  };
const fail = () => {
  throw broken();
};
const ok = () => json({ sequence: 3 });
const keys = (requests) => new Set(requests.map(({ headers }) => headers.get('idempotency-key')));

/** Runs `act`, whose pauses take no time. */
async function withoutPauses(act) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  try {
    const outcome = act().then(
      (value) => ({ value }),
      (error) => ({ error }),
    );
    let done = false;
    outcome.finally(() => (done = true));
    while (!done) {
      mock.timers.tick(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { value, error } = await outcome;
    if (error !== undefined) throw error;
    return value;
  } finally {
    mock.timers.reset();
  }
}

for (const [name, lost] of Object.entries({
  'a lost answer': fail,
  'an answer that breaks off': () =>
    new Response(new ReadableStream({ pull: (controller) => controller.error(new Error('reset')) })),
  'an answer without outcome': () => problem(504, 'outcome-unknown'),
  'a failed platform': () => problem(502, 'platform-rejected'),
  'a service that stops': () => problem(503, 'stopping'),
  'too many requests': () => problem(429, 'too-many-requests', {}, { 'retry-after': '1' }),
  'a key in use': () => problem(409, 'key-in-use', {}, { 'retry-after': '1' }),
})) {
  test(`after ${name} a command is repeated with the same key`, async () => {
    const { requests, tertulia } = recorded(inTurn(lost, lost, ok));
    const { key, sequence } = await withoutPauses(() => tertulia.conversation('c').send('hello'));
    assert.equal(sequence, 3);
    assert.equal(requests.length, 3);
    assert.deepEqual(keys(requests), new Set([key]));
    assert.match(key, /^[0-9a-f]{32}$/);
  });
}

test('each call has a key of its own, or that of the caller', async () => {
  const { requests, tertulia } = recorded(ok);
  await tertulia.conversation('c').send('hello');
  await tertulia.conversation('c').send('hello');
  await tertulia.conversation('c').send('hello', { key: 'mine' });
  assert.equal(keys(requests).size, 3);
  assert.equal(requests[2].headers.get('idempotency-key'), 'mine');
});

test('a refusal is an error with the words of the gateway and of the platform, at once', async () => {
  const refusal = () =>
    problem(422, 'platform-rejected', { platformCode: 400, platformText: 'no' }, { 'x-request-id': 'r-1' });
  const { requests, tertulia } = recorded(refusal);
  await assert.rejects(tertulia.conversation('c').send('hello', { key: 'k' }), (error) => {
    assert.ok(error instanceof ProblemError && error instanceof TertuliaError);
    const { code, status, detail, platformCode, platformText, requestId, key, name, message } = error;
    assert.deepEqual(
      { code, status, detail, platformCode, platformText, requestId, key, name, message },
      {
        code: 'platform-rejected',
        status: 422,
        detail: 'because of platform-rejected',
        platformCode: 400,
        platformText: 'no',
        requestId: 'r-1',
        key: 'k',
        name: 'ProblemError',
        message: 'platform-rejected: because of platform-rejected',
      },
    );
    return true;
  });
  assert.equal(requests.length, 1);
});

test('an error of something between, which is no problem, has a code, too', async () => {
  const { tertulia } = recorded(() => new Response('<html>Gone</html>', { status: 410 }));
  await assert.rejects(tertulia.overview(), { code: 'http-410', status: 410, detail: '<html>Gone</html>' });
});

test('an answer that is not JSON is not repeated', async () => {
  const { requests, tertulia } = recorded(() => new Response('<html>'));
  await assert.rejects(tertulia.overview(), { code: 'bad-answer' });
  assert.equal(requests.length, 1);
});

test('a request that may not be repeated is sent once, unless it had no effect', async () => {
  for (const act of [
    (tertulia) => tertulia.connection('c').platform('service', 'path', { method: 'POST', body: 'x' }),
    (tertulia) => tertulia.connection('c').intake({}),
    (tertulia) => tertulia.backup(),
  ]) {
    const lost = recorded(fail);
    await assert.rejects(act(lost.tertulia), UnreachableError);
    assert.equal(lost.requests.length, 1);
    const busy = recorded(
      inTurn(
        () => problem(429, 'overloaded'),
        () => new Response(null, { status: 204 }),
      ),
    );
    await withoutPauses(() => act(busy.tertulia));
    assert.equal(busy.requests.length, 2);
  }
});

test('an answer of another service of the platform is returned with any status', async () => {
  const forwarded = recorded(() => problem(503, 'theirs', {}, { 'x-platform-service': 'service' }));
  assert.equal((await forwarded.tertulia.connection('c').platform('service', 'path')).status, 503);
  const own = recorded(() => problem(404, 'unknown-service'));
  await assert.rejects(own.tertulia.connection('c').platform('service', 'path'), { code: 'unknown-service' });
});

test('a removal whose answer was lost succeeds; a removal of an unknown webhook fails', async () => {
  const gone = () => problem(404, 'unknown-webhook');
  const lost = recorded(inTurn(fail, gone));
  assert.equal(await withoutPauses(() => lost.tertulia.webhook('w').delete()), undefined);
  await assert.rejects(recorded(gone).tertulia.webhook('w').delete(), { code: 'unknown-webhook' });
});

test('a call ends at its time limit, with the last error and the key', async () => {
  const { requests, tertulia } = recorded(fail);
  await assert.rejects(
    withoutPauses(() => tertulia.conversation('c').send('x', { timeout: 5_000, key: 'k' })),
    (error) => {
      assert.ok(
        error instanceof TimeoutError &&
          error.cause instanceof UnreachableError &&
          error.key === 'k' &&
          error.isOutcomeUnknown,
      );
      return true;
    },
  );
  assert.ok(requests.length > 2);
});

test('an attempt without answer is repeated', async () => {
  const never = () => new Promise(() => {});
  const { requests, tertulia } = recorded(inTurn(never, ok), { attemptTimeout: 1_000 });
  assert.equal((await withoutPauses(() => tertulia.conversation('c').send('x'))).sequence, 3);
  assert.equal(requests.length, 2);
});

test('a wait longer than the time limit is not begun', async () => {
  const { requests, tertulia } = recorded(() => problem(429, 'too-many-requests', {}, { 'retry-after': '600' }));
  await assert.rejects(tertulia.overview(), { code: 'too-many-requests', retryAfter: 600_000 });
  assert.equal(requests.length, 1);
});

test('signals end a call with their reason, also between attempts', async () => {
  const reason = new Error('enough');
  for (const place of ['call', 'client']) {
    const controller = new AbortController();
    const options = place === 'client' ? { signal: controller.signal } : {};
    const { tertulia } = recorded(fail, options);
    const call = tertulia.overview(place === 'call' ? { signal: controller.signal } : {});
    setImmediate(() => controller.abort(reason));
    await assert.rejects(call, reason);
    await assert.rejects(tertulia.overview({ signal: AbortSignal.abort(reason) }), reason);
  }
});

test('many calls at once need one listener of their signal', async (t) => {
  const controller = new AbortController();
  const listen = t.mock.method(controller.signal, 'addEventListener');
  const { requests, tertulia } = recorded(ok, { signal: controller.signal });
  await Promise.all(Array.from({ length: 50 }, () => tertulia.overview()));
  assert.equal(requests.length, 50);
  assert.equal(listen.mock.callCount(), 1);
  const reason = new Error('enough');
  const never = recorded(() => new Promise(() => {}), { signal: controller.signal });
  const calls = Array.from({ length: 50 }, () => never.tertulia.overview());
  const outcomes = Promise.allSettled(calls);
  controller.abort(reason);
  assert.ok((await outcomes).every((outcome) => outcome.reason === reason));
});

test('readiness is an answer also if the service is not ready', async () => {
  const { tertulia } = recorded(() => json({ ready: false, reason: 'starting' }, { status: 503 }));
  assert.deepEqual(await tertulia.readiness(), { ready: false, reason: 'starting' });
});

test('the token is a bearer, may be a function, and comes from the environment', async () => {
  const asked = recorded(ok, { token: async () => 'fresh' });
  await asked.tertulia.overview();
  assert.equal(asked.requests[0].headers.get('authorization'), 'Bearer fresh');
  process.env.TERTULIA_URL = 'http://other.example';
  process.env.TERTULIA_TOKEN = 'of the environment';
  try {
    const { requests, tertulia } = recorded(ok, { url: undefined, token: undefined });
    await tertulia.overview();
    assert.equal(requests[0].url.href, 'http://other.example/v1/overview');
    assert.equal(requests[0].headers.get('authorization'), 'Bearer of the environment');
  } finally {
    delete process.env.TERTULIA_URL;
    delete process.env.TERTULIA_TOKEN;
  }
  assert.throws(() => connect(), { name: 'TypeError', message: /TERTULIA_URL/ });
  assert.throws(() => connect({ url: 'ftp://x' }), TypeError);
});

test('an id cannot lead to another path', async () => {
  const { requests, tertulia } = recorded(ok);
  await assert.rejects(tertulia.conversation('..').get(), TypeError);
  await assert.rejects(tertulia.conversation('').get(), TypeError);
  await tertulia.conversation('../connections').get();
  assert.equal(requests[0].url.pathname, '/base/v1/conversations/..%2Fconnections');
});

test('lists read page after page, and the log until its end', async () => {
  const pages = { '': { items: [1, 2], cursor: 'b' }, b: { items: [], cursor: 'c' }, c: { items: [3], cursor: null } };
  const list = recorded((number, { signal }) => json(Object.values(pages)[number], { signal }));
  assert.deepEqual(await list.tertulia.webhooks().all(), [1, 2, 3]);
  assert.deepEqual(
    list.requests.map(({ url }) => url.searchParams.get('cursor')),
    [null, 'b', 'c'],
  );
  const log = recorded((number) =>
    json(
      [
        { items: [1], cursor: 'e-1' },
        { items: [], cursor: 'e-5' },
        { items: [], cursor: 'e-5' },
      ][number],
    ),
  );
  assert.deepEqual(await log.tertulia.log().all(), [1]);
  assert.deepEqual(
    log.requests.map(({ url }) => url.searchParams.get('after')),
    ['earliest', 'e-1', 'e-5'],
  );
});

test('rules: which errors are worth repeating', () => {
  const of = (status, code = 'x') => new ProblemError(status, { code });
  const rows = [
    [new UnreachableError('x'), true, false],
    [of(429), true, true],
    [of(503), true, true],
    [of(500), true, false],
    [of(502), true, false],
    [of(504), true, false],
    [of(409), false, false],
    [of(409, 'key-in-use'), true, true],
    [of(400), false, false],
    [of(500, 'dead-lettered'), false, false],
    [new TimeoutError('x'), false, false],
    [new Error('x'), false, false],
  ];
  for (const [error, repeatable, otherwise] of rows) {
    assert.deepEqual(
      [isWorthRepeating(error, true), isWorthRepeating(error, false)],
      [repeatable, otherwise],
      `${error.status} ${error.code}`,
    );
  }
});

test('rules: pauses double up to a limit, at random from zero, after the wait that the gateway asks for', () => {
  const most = { random: () => 1 };
  assert.deepEqual(
    [0, 1, 2, 10, 2_000].map((attempt) => jitter(attempt, most)),
    [250, 500, 1_000, 10_000, 10_000],
  );
  assert.equal(jitter(5, { random: () => 0 }), 0);
  assert.equal(waitAfter(new ProblemError(429, {}, { retryAfter: 3_000 }), 0, most), 3_250);
  assert.equal(retryAfter('3'), 3_000);
  assert.equal(retryAfter('Thu, 01 Jan 1970 00:00:09 GMT', 4_000), 5_000);
  assert.equal(retryAfter('Thu, 01 Jan 1970 00:00:09 GMT', 40_000), 0);
  assert.deepEqual([retryAfter(null), retryAfter(''), retryAfter('soon')], [undefined, undefined, undefined]);
});
