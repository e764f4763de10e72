// A bot handles events of many conversations at once, in order within each, and its position never passes an unfinished
// event.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { ProblemError, TimeoutError, UnreachableError } from '../lib/index.js';
import { Bot } from '../lib/events/bot.js';
import { Progress } from '../lib/events/progress.js';
import { gateway, item, stream } from './support/gateway.js';

/** Events `e-1`, `e-2`, … of the conversations in `subjects`; a heartbeat for each dash. */
const events = (subjects) =>
  subjects.split('').map((subject, number) => {
    const id = `e-${number + 1}`;
    return { id, event: subject === '-' ? undefined : { id, subject } };
  });

/** Something that the test ends. */
function open() {
  let resolve, reject;
  const promise = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

/** Runs a bot over `items`, which then stay silent until the bot ends. */
function start(items, handle, { save, ...options } = {}) {
  const saved = [];
  const controller = new AbortController();
  const read = [];
  const bot = new Bot({
    make: (json) => ({ ...json }),
    handle,
    save: save ?? ((position) => void saved.push(position)),
    options,
  });
  async function* reader(signal) {
    for (const each of items) {
      if (signal.aborted) return;
      read.push(each.id);
      yield each;
    }
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }
  const done = bot.run(reader, controller.signal);
  done.catch(() => {});
  return { done, saved, read, stop: () => controller.abort() };
}

/** Lets everything happen that can. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

test('events of one conversation are handled in order, those of several at once', async () => {
  const runs = new Map();
  const begun = [];
  const handle = ({ id }) => {
    begun.push(id);
    runs.set(id, open());
    return runs.get(id).promise;
  };
  const bot = start(events('aabb'), handle);
  await settle();
  assert.deepEqual(begun, ['e-1', 'e-3']);
  runs.get('e-3').resolve();
  await settle();
  assert.deepEqual(begun, ['e-1', 'e-3', 'e-4']);
  assert.deepEqual(bot.saved, [], 'the first event is not done');
  runs.get('e-1').resolve();
  await settle();
  assert.deepEqual(begun, ['e-1', 'e-3', 'e-4', 'e-2']);
  runs.get('e-4').resolve();
  runs.get('e-2').resolve();
  await settle();
  assert.deepEqual(bot.saved, ['e-1', 'e-4'], 'e-3 was done, and e-2 before it was not');
  bot.stop();
  await bot.done;
});

test('no more events are handled at once than allowed, and each gets its turn', async () => {
  let now = 0;
  let most = 0;
  const handled = [];
  const handle = async ({ id }) => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
    handled.push(id);
  };
  const bot = start(events('abcdefghij'), handle, { atOnce: 3 });
  await settle();
  assert.equal(most, 3);
  assert.equal(handled.length, 10);
  bot.stop();
  await bot.done;
});

test('while too many events are not done, no more are read', async () => {
  const first = open();
  const bot = start(events('abcdefgh'), ({ id }) => (id === 'e-1' ? first.promise : undefined), { ahead: 4 });
  await settle();
  assert.deepEqual(bot.read, ['e-1', 'e-2', 'e-3', 'e-4']);
  first.resolve();
  await settle();
  assert.equal(bot.read.length, 8);
  bot.stop();
  await bot.done;
  assert.equal(bot.saved.at(-1), 'e-8');
});

test('a heartbeat moves the position only after the events before it', async () => {
  const run = open();
  const bot = start(events('-a-'), () => run.promise);
  await settle();
  assert.deepEqual(bot.saved, ['e-1']);
  run.resolve();
  await settle();
  assert.deepEqual(bot.saved, ['e-1', 'e-3']);
  bot.stop();
  await bot.done;
});

test('a bot that is stopped waits for the handlers that run, and begins none', async () => {
  const run = open();
  const begun = [];
  const bot = start(
    events('aab'),
    ({ id }, { signal }) => {
      begun.push([id, signal]);
      return run.promise;
    },
    { atOnce: 1 },
  );
  await settle();
  bot.stop();
  await settle();
  assert.ok(begun[0][1].aborted);
  run.resolve();
  await bot.done;
  assert.deepEqual(
    begun.map(([id]) => id),
    ['e-1'],
  );
  assert.deepEqual(bot.saved, ['e-1']);
});

test('a handler that fails runs again, with an event that has no used keys', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  try {
    const runs = [];
    const bot = start(events('a'), (event, { attempt }) => {
      runs.push([event.used, attempt]);
      event.used = true;
      if (attempt < 3) throw new Error('not yet');
    });
    while (bot.saved.length === 0) {
      mock.timers.tick(1_000);
      await settle();
    }
    assert.deepEqual(runs, [
      [undefined, 1],
      [undefined, 2],
      [undefined, 3],
    ]);
    bot.stop();
    await bot.done;
  } finally {
    mock.timers.reset();
  }
});

test('an event that fails too often ends the bot, and the position stays before the event', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  try {
    let runs = 0;
    const bot = start(
      events('ab'),
      ({ id }) => {
        if (id === 'e-1') return;
        runs += 1;
        throw new Error('poison');
      },
      { attempts: 2 },
    );
    let error;
    bot.done.catch((failure) => (error = failure));
    while (error === undefined) {
      mock.timers.tick(1_000);
      await settle();
    }
    assert.equal(error.message, 'poison');
    assert.equal(runs, 2);
    assert.deepEqual(bot.saved, ['e-1']);
  } finally {
    mock.timers.reset();
  }
});

test('a bot with the option failed continues after an event that it gives up', async () => {
  const failed = [];
  const bot = start(
    events('ab'),
    ({ id }) => {
      if (id === 'e-1') throw new Error('poison');
    },
    { attempts: 1, failed: (error, event) => void failed.push([error.message, event.id]) },
  );
  await settle();
  assert.deepEqual(failed, [['poison', 'e-1']]);
  assert.equal(bot.saved.at(-1), 'e-2');
  bot.stop();
  await bot.done;
});

test('an event whose conversation takes no command any more is given up with a warning, and the bot continues', async (t) => {
  const warn = t.mock.method(console, 'warn', () => {});
  const bot = start(
    events('abc'),
    ({ id }) => {
      if (id === 'e-1') throw new ProblemError(409, { code: 'no-open-dialog', detail: 'the dialog is closed' });
      if (id === 'e-2') throw new ProblemError(400, { code: 'bad-request' });
    },
    { attempts: 1 },
  );
  await assert.rejects(bot.done, { code: 'bad-request' });
  assert.deepEqual(bot.saved, ['e-1']);
  assert.deepEqual(
    warn.mock.calls.map(({ arguments: [text] }) => text),
    ['tertulia: event e-1 was given up: no-open-dialog: the dialog is closed'],
  );
});

test('an action of the option failed that the conversation does not take any more ends no bot, and any other error does', async (t) => {
  t.mock.method(console, 'warn', () => {});
  const bot = start(
    events('abc'),
    () => {
      throw new Error('poison');
    },
    {
      attempts: 1,
      failed: (_, { id }) => {
        throw id === 'e-1' ? new ProblemError(409, { code: 'no-open-dialog' }) : new Error('no way on');
      },
    },
  );
  await assert.rejects(bot.done, /no way on/);
  assert.deepEqual(bot.saved, ['e-1']);
});

test('while the gateway cannot be reached, the handler runs again without a limit', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  try {
    let runs = 0;
    const bot = start(
      events('a'),
      () => {
        runs += 1;
        if (runs <= 20) throw [new UnreachableError('x'), new TimeoutError('x')][runs % 2];
      },
      { attempts: 1, patience: 1_000 },
    );
    while (bot.saved.length === 0) {
      mock.timers.tick(5_000);
      await settle();
    }
    assert.equal(runs, 21);
    bot.stop();
    await bot.done;
  } finally {
    mock.timers.reset();
  }
});

test('while the gateway is overloaded, the handler runs again without a count, until the patience ends', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  try {
    let runs = 0;
    const away = [new ProblemError(503, { code: 'stopping' }), new ProblemError(429, {})];
    const bot = start(
      events('a'),
      () => {
        runs += 1;
        throw away[runs % 2];
      },
      { attempts: 1, patience: 60_000 },
    );
    let error;
    bot.done.catch((failure) => (error = failure));
    while (error === undefined) {
      mock.timers.tick(1_000);
      await settle();
    }
    assert.ok(away.includes(error));
    assert.ok(runs > 5, `${runs} runs`);
  } finally {
    mock.timers.reset();
  }
});

test('a handler that does not end is given up without another run, because it may still run', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  try {
    let signal;
    let runs = 0;
    const bot = start(
      events('a'),
      (_, run) => {
        runs += 1;
        ({ signal } = run);
        return new Promise(() => {});
      },
      { timeout: 5_000 },
    );
    await settle();
    mock.timers.tick(5_000);
    await assert.rejects(bot.done, { code: 'timeout', message: /e-1 did not end within 5000 ms/ });
    assert.ok(signal.aborted);
    assert.equal(runs, 1);
  } finally {
    mock.timers.reset();
  }
});

test('positions are saved one at a time, the newest first, and a failed save ends the bot', async () => {
  const saves = [];
  const save = (position) => {
    const saving = open();
    saves.push({ position, ...saving });
    return saving.promise;
  };
  const bot = start(events('abcd'), () => {}, { save });
  await settle();
  assert.deepEqual(
    saves.map(({ position }) => position),
    ['e-1'],
  );
  saves[0].resolve();
  await settle();
  assert.deepEqual(
    saves.map(({ position }) => position),
    ['e-1', 'e-4'],
  );
  saves[1].reject(new Error('disk full'));
  await assert.rejects(bot.done, /disk full/);
});

test('limits of zero are refused', () => {
  assert.throws(() => start([], () => {}, { atOnce: 0 }), TypeError);
});

test('progress reports the newest position before which all is done', () => {
  const progress = new Progress();
  const [a, b, c] = ['a', 'b', 'c'].map((id) => progress.begin(id));
  assert.equal(progress.finish(b), undefined);
  assert.equal(progress.size, 3);
  assert.equal(progress.finish(a), 'b');
  assert.equal(progress.finish(c), 'c');
  assert.equal(progress.size, 0);
});

test('a refused stream ends the bot with its error, and a signal of the client without one', async (t) => {
  const refused = await gateway(t, (response) => response.writeHead(403).end());
  await assert.rejects(
    refused.tertulia.bot(() => {}),
    { code: 'http-403' },
  );
  const controller = new AbortController();
  const open = await gateway(t, (response) => {
    stream(response).write(item(1, 'message'));
  });
  const handled = [];
  await open.tertulia.bot(
    (event) => {
      handled.push(event.id);
      controller.abort();
    },
    { signal: controller.signal },
  );
  assert.deepEqual(handled, ['e-1']);
});
