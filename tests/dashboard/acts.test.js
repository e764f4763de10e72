// The dashboard with a staged gateway: the time before the page was opened, and the actions of a user.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { launch, open } from './browser.js';
import { NOW, event, scene } from './scene.js';
import { demo } from './service.js';
import { Stage } from './stage.js';

/** The console message of a browser about an error response. */
const REFUSED = [/Failed to load resource/];

describe('in front of a staged gateway', () => {
  let browser;
  let real;
  let stage;
  let ends;

  before(async () => {
    [browser, real] = await Promise.all([launch(), demo('--conversations', '1', '--messages', '1')]);
  });
  after(async () => {
    await browser.close();
    await real.stop();
  });
  beforeEach(async () => {
    ends = [];
    stage = await Stage.start(real.address, scene({ conversations: 60 }));
    stage.now = () => NOW;
    ends.push(() => stage.stop());
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
  });

  async function opened(hash = '', options = {}) {
    const shown = await open(browser, stage.address, { hash, clock: NOW, ...options });
    ends.push(shown.close);
    return shown;
  }

  /** Waits for a request that changes something. Returns the request. */
  async function acted(page, click) {
    const before = stage.acts.length;
    const answered = page.waitForResponse((response) => response.request().method() !== 'GET');
    await click();
    await (await answered).finished();
    assert.equal(stage.acts.length, before + 1);
    return stage.acts.at(-1);
  }

  test('events from before the page was opened are there at once, and no event is shown twice', async () => {
    const { page, complaints } = await opened();
    const lately = page.locator('.activity');
    await lately.getByText('Webhook wh-orders began to fail: 503').waitFor();
    const rows = await lately.locator('li').allTextContents();
    assert.equal(rows.length, stage.scene.notable.length);
    assert.match(rows[0], /12 dead letters/);
    assert.match(rows.at(-1), /The service started/);
    await page.locator('.attention').getByText('reconnects and 8 restarts in the last hour').waitFor();
    // The charts begin an hour ago.
    await page.locator('.chart canvas').first().waitFor();
    const past = stage.addresses.filter((address) => address === '/v1/overview');
    assert.equal(past.length, 1, 'the past is read once at the beginning, and later only from time to time');

    // An event that the service recorded also arrives by the stream.
    const known = stage.scene.notable[1];
    const offset = Number(known.id.split('-').at(-1));
    const told = { connection: known.connection, time: Date.parse(known.time), data: known.data };
    await stage.followed();
    await stage.send([
      event(stage.scene, offset, known.kind, told),
      event(stage.scene, stage.next(), 'connection.failed', { ...told, data: { reason: 'credentials_refused' } }),
    ]);
    await lately.getByText('bots-4 Failed').waitFor();
    assert.equal(await lately.locator('li').count(), rows.length + 1);
    assert.deepEqual(complaints, []);
  });

  test('a user with a token that may write sends a message and a note, transfers and closes', async () => {
    const { conversationId } = stage.scene.opened;
    const { page, complaints } = await opened(`#/conversations/${conversationId}`, { expected: REFUSED });
    const path = `/v1/conversations/${conversationId}`;
    const message = page.getByRole('textbox', { name: 'Message' });
    const send = page.getByRole('button', { name: /^Send/ });
    await message.fill('The van comes at ten.');
    // The answer to the first attempt is lost.
    stage.failing.add(`${path}/messages`);
    await send.click();
    await page.locator('.acts').getByText('the service is busy').waitFor();
    stage.failing.clear();
    assert.equal(
      await acted(page, () => send.click()),
      `POST ${path}/messages?connection=bots-1 {"text":"The van comes at ten."}`,
    );
    await page.locator('.acts').getByText('Sent').waitFor();
    assert.equal(await message.inputValue(), '');
    assert.equal(stage.tried.length, 2);
    assert.equal(stage.tried[0], stage.tried[1], 'the same draft has the same key');

    await page.getByLabel('Private note').check();
    await message.fill('Was promised a refund.');
    assert.equal(
      await acted(page, () => message.press('Control+Enter')),
      `POST ${path}/messages?connection=bots-1 {"text":"Was promised a refund.","private":true}`,
    );
    assert.notEqual(stage.keys[1], stage.keys[0]);

    await page.getByText('Transfer or close').click();
    await page.getByLabel('Skill id to transfer to').fill('billing');
    assert.equal(
      await acted(page, () => page.getByRole('button', { name: /^Transfer the/ }).click()),
      `POST ${path}/transfer?connection=bots-1 {"skillId":"billing"}`,
    );
    await page.getByRole('button', { name: /^Close conversation/ }).click();
    const sure = page.getByRole('button', { name: /^Really close it/ });
    assert.equal(await acted(page, () => sure.click()), `POST ${path}/close?connection=bots-1 {"survey":true}`);
    assert.deepEqual(complaints, []);
  });

  test('a user with a token that may only read sees the reason and no text field', async () => {
    stage.tokens = { looker: 'read' };
    const { page } = await opened(`#/conversations/${stage.scene.opened.conversationId}`, { expected: REFUSED });
    await page.getByLabel('A token of this gateway').fill('looker');
    await page.getByRole('button', { name: 'Use the token' }).click();
    await page.getByText('Enter a token that may write to act in this conversation').waitFor();
    assert.equal(await page.getByRole('textbox', { name: 'Message' }).count(), 0);
    // The page does not request names from the platform either, because such requests need a token that may write.
    assert.ok(!stage.addresses.some((address) => address.includes('/platform/')));
  });

  test('a user accepts an offered conversation, and it opens', async () => {
    const { page, complaints } = await opened();
    const offer = page.locator('.attention li', { hasText: 'A conversation is offered to bots-1' });
    await offer.waitFor();
    const accept = offer.getByRole('button', { name: /^Accept/ });
    assert.equal(await acted(page, () => accept.click()), 'POST /v1/rings/ring-1/accept?connection=bots-1');
    await page.getByRole('article', { name: `Conversation ${stage.scene.opened.conversationId}` }).waitFor();
    assert.deepEqual(complaints, []);
  });

  test('the list has the newest message of every conversation, and names in place of ids', async () => {
    const { page, complaints } = await opened('#/conversations');
    const row = page.locator('.list-row.conversation');
    await row.first().waitFor();
    const shown = await row.evaluateAll((rows) =>
      rows.map((one) => [one.querySelector('.v-id b').title, one.querySelector('.v-last').textContent]),
    );
    assert.ok(shown.length > 10);
    for (const [id, text] of shown) {
      const { lastMessage } = stage.scene.conversations.find(({ conversationId }) => conversationId === id);
      assert.ok(lastMessage === null ? text === '–' : text.endsWith(lastMessage.text), `${id}: ${text}`);
    }
    await page.clock.runFor(2000);
    await page.locator('.v-skill', { hasText: 'Delivery desk' }).first().waitFor();
    await page.locator('.v-agent', { hasText: 'Ana Reis' }).first().waitFor();
    const asked = stage.addresses.filter((address) => address.includes('/platform/'));
    const base = '/v1/connections/bots-1/platform/accountConfigReadOnly/api/account/12345678/configuration/le-users';
    assert.deepEqual(asked, [`${base}/skills?v=2.0`, `${base}/users?v=4.0`], 'once for the account');
    assert.deepEqual(complaints, []);
  });

  test('ids are shown if the platform reports no names', async () => {
    stage.scene.names = null;
    const { page } = await opened('#/conversations', { expected: REFUSED });
    const refused = page.waitForResponse(/platform/);
    await page.locator('.list-row.conversation').first().waitFor();
    await page.clock.runFor(2000);
    assert.equal((await refused).status(), 404);
    await page.locator('.v-skill', { hasText: 'delivery' }).first().waitFor();
  });

  test('a webhook shows its deliveries and its lag, and can be disabled and replayed', async () => {
    const { page, complaints } = await opened('#/webhooks');
    const hook = page.locator('.letter', { hasText: 'orders.example' });
    await hook.getByText('Receiver down').waitFor();
    await hook.getByText('412 events').waitFor();
    await hook.getByText(/^9\d\d events$/).waitFor();
    await hook.locator('summary').click();
    await hook.locator('.attempts').getByText('Server error (503)').waitFor();
    const replay = hook.getByRole('button', { name: /^Replay 1 dead letter/ });
    assert.match(await acted(page, () => replay.click()), /^POST \/v1\/dead-letters\/[^/]+\/replay$/);
    await replay.waitFor({ state: 'hidden' });
    await hook.getByRole('button', { name: /^Disable/ }).click();
    const sure = hook.getByRole('button', { name: /^Really disable/ });
    assert.equal(await acted(page, () => sure.click()), 'PATCH /v1/webhooks/wh-orders {"enabled":false}');
    const enable = hook.getByRole('button', { name: /^Enable/ });
    assert.equal(await acted(page, () => enable.click()), 'PATCH /v1/webhooks/wh-orders {"enabled":true}');
    await hook.getByRole('button', { name: /^Test/ }).click();
    await hook.getByText('Delivered (200)', { exact: true }).last().waitFor();
    assert.deepEqual(complaints, []);
  });

  test('a bulk job shows its progress, and can be paused, resumed and cancelled', async () => {
    const { page, complaints } = await opened('#/bulk');
    const job = page.locator('.letter', { hasText: 'job-2' });
    await job.getByText('1,662 of 4,200').waitFor();
    const button = (name) => job.getByRole('button', { name });
    assert.equal(await acted(page, () => button(/^Pause/).click()), 'POST /v1/bulk/job-2/pause');
    await job.getByText('Paused', { exact: true }).first().waitFor();
    assert.equal(await acted(page, () => button(/^Resume/).click()), 'POST /v1/bulk/job-2/resume');
    await button(/^Cancel/).click();
    assert.equal(await acted(page, () => button(/^Really cancel/).click()), 'POST /v1/bulk/job-2/cancel');
    await button(/^Pause/).waitFor({ state: 'hidden' });
    assert.deepEqual(complaints, []);
  });

  test('dead letters of one cause have one card, and can be discarded together', async () => {
    const { page, complaints } = await opened('#/dead-letters');
    const card = page.locator('.letter', { hasText: 'malformed frame' });
    await card.getByText('12 ×').waitFor();
    assert.equal(await page.locator('.letter').count(), 4);
    await card.getByRole('button', { name: /^Discard all/ }).click();
    const sure = card.getByRole('button', { name: /^Really discard 12/ });
    assert.match(await acted(page, () => sure.click()), /^DELETE \/v1\/dead-letters\?cause=[0-9a-f]+$/);
    await page.waitForFunction(() => document.querySelectorAll('.letter').length === 3);
    assert.equal(stage.scene.letters.length, 3);
    assert.deepEqual(complaints, []);
  });
});
