// The modules as they are, in a real browser, in a page of another origin that the gateway allows.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startTertulia } from '../lib/testing/index.js';

const USUAL = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const chromium = process.env.CHROMIUM ?? USUAL.find((file) => existsSync(file));
const lib = fileURLToPath(new URL('../lib/', import.meta.url));
const TOKEN = 'of-the-page';

/** The page. It posts its result. */
const page = (url) => `<!doctype html><script type="module">
  import { connect } from '/lib/index.js';
  const result = {};
  try {
    const tertulia = connect({ url: '${url}', token: '${TOKEN}' });
    for await (const event of tertulia.events({ type: 'message', after: 'earliest' })) {
      result.body = event.data.body;
      result.sent = (await event.reply('from a page')).sequence;
      break;
    }
    result.conversations = (await tertulia.conversations().all()).length;
    result.code = await tertulia.conversation('none').get().catch((error) => [error.name, error.code]);
    const socket = await tertulia.socket({ type: 'message', after: 'earliest' });
    result.type = await new Promise((resolve) => { socket.onmessage = ({ data }) => resolve(JSON.parse(data).type); });
  } catch (error) {
    result.error = String(error);
  }
  await fetch('/result', { method: 'POST', body: JSON.stringify(result) });
</script>`;

test(
  'a page follows events and acts',
  { timeout: 30_000, skip: chromium === undefined && 'there is no Chromium' },
  async (t) => {
    let url;
    let tell;
    const told = new Promise((resolve) => (tell = resolve));
    const server = createServer(async (request, response) => {
      if (request.method === 'POST') {
        tell(JSON.parse(Buffer.concat(await request.toArray()).toString()));
        return response.end();
      }
      if (!request.url.startsWith('/lib/')) return response.setHeader('content-type', 'text/html').end(page(url));
      return response
        .setHeader('content-type', 'text/javascript')
        .end(await readFile(join(lib, request.url.slice('/lib/'.length))));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${server.address().port}`;
    const folder = await mkdtemp(join(tmpdir(), 'tertulia-browser-'));
    const { platform, service } = await startTertulia({
      token: TOKEN,
      settings: { gateway: { allowed_origins: [origin] } },
      after: t.after.bind(t),
    });
    ({ url } = service);
    const conversation = await platform.open();
    await platform.say(conversation, 'hello');

    const options = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      `--user-data-dir=${folder}`,
      origin,
    ];
    const browser = spawn(chromium, options, { stdio: 'ignore', detached: true });
    t.after(async () => {
      const ended = once(browser, 'exit');
      process.kill(-browser.pid, 'SIGKILL');
      await ended;
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    });
    const result = await told;
    assert.deepEqual(result, {
      body: 'hello',
      sent: 1,
      conversations: 1,
      code: ['ProblemError', 'unknown-conversation'],
      type: 'tertulia.message',
    });
    assert.deepEqual(await platform.answers(conversation), ['from a page']);
  },
);
