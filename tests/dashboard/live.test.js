// The dashboard in front of a real service: a thousand conversations that speak, and a service that is started again.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { launch, open } from './browser.js';
import { Platform, demo, endings, freePort } from './service.js';

const MARKUP = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>';
/** How long a thousand conversations may take to be opened, listed and answered. */
const OPENED_WITHIN = 180_000;
/** What a browser says by itself when a service is away, and while it takes up again what it had. */
const AWAY = [
  /ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/,
  /Failed to load resource: the server responded with a status of (404|503)/,
];

describe('in front of a real service', () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser.close());

  test('a thousand live conversations of the demo are shown, of which only those in sight are in the document', async (t) => {
    const ends = endings(t);
    // They speak for as long as somebody may look.
    const service = await demo('--conversations', '1000', '--duration', '600');
    ends(service.stop);
    const { page, complaints, close } = await open(browser, service.address);
    ends(close);
    page.setDefaultTimeout(OPENED_WITHIN);
    const tile = (name, value) =>
      page.locator('.tile', { hasText: name }).locator('.tile-value').filter({ hasText: value }).waitFor();
    // Each is seen by its bot and by its consumer.
    await tile('Conversations', /^2,000$/);
    await tile('Events', /^[1-9]/);
    const listed = (view, count) =>
      page.waitForFunction(
        ([name, wanted]) => document.querySelector(`.${name} .total`)?.textContent === wanted,
        [view, count],
      );
    await page.getByRole('link', { name: 'Connections', exact: true }).click();
    await listed('connections', '1,004');

    await page.getByRole('link', { name: 'Conversations', exact: true }).click();
    const grid = page.getByRole('grid', { name: 'Conversations' });
    await listed('conversations', '1,000');
    assert.equal(await grid.getAttribute('aria-rowcount'), '1001');
    assert.ok((await grid.getByRole('row').count()) < 80);
    // They are live: what was said last comes into the rows by itself.
    await page.waitForFunction(() =>
      /message \d+/.test(document.querySelector('.conversations .list-body').textContent),
    );

    await grid.getByRole('row').nth(1).click();
    await page.waitForFunction(() => document.querySelectorAll('.timeline .message').length >= 2);
    assert.match(await page.locator('.timeline').textContent(), /you said: message \d/);
    await page.locator('.facts').filter({ hasText: /bot-\d/ }).waitFor();
    assert.deepEqual(complaints, []);
  });

  test('the page goes on by its cursor when the service is started again, and takes text for text', async (t) => {
    const ends = endings(t);
    const platform = await Platform.start();
    ends(() => platform.stop());
    const port = await freePort();
    let service = await platform.run(port);
    ends(() => service.stop('SIGKILL'));
    const conversation = await platform.open();
    await platform.say(conversation, MARKUP);
    await platform.known(service, conversation);

    const { page, complaints, close } = await open(browser, service.address, {
      hash: `#/conversations/${conversation}`,
      expected: AWAY,
    });
    ends(close);
    const said = page.locator('.timeline .said');
    const texts = () => said.allTextContents();
    const wait = (count) =>
      page.waitForFunction((most) => document.querySelectorAll('.timeline .said').length >= most, count);
    await wait(1);
    assert.deepEqual(await texts(), [MARKUP]);
    const live = page.locator('#live');
    await live.getByText('Live').waitFor();

    await service.stop('SIGKILL');
    await live.getByText('Reconnecting').waitFor();
    assert.deepEqual(await texts(), [MARKUP], 'what was read stays');
    await platform.say(conversation, 'said while nobody listened');
    service = await platform.run(port);
    await live.getByText('Live').waitFor();
    await platform.say(conversation, 'said afterwards');
    await wait(3);
    assert.deepEqual(await texts(), [MARKUP, 'said while nobody listened', 'said afterwards'], 'each once, in order');
    assert.equal(await page.evaluate(() => window.ran), undefined);
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.deepEqual(complaints, []);
  });

  test('a page that is opened after a run with faults shows the events of that run, and sends a message', async (t) => {
    const ends = endings(t);
    const service = await demo('--conversations', '60', '--messages', '4', '--faults', 'hostile');
    ends(service.stop);
    const overview = async () => (await fetch(`${service.address}/v1/overview`)).json();
    const signal = AbortSignal.timeout(OPENED_WITHIN);
    let past = await overview();
    const isEnough = ({ counts, notable }) => counts.reconnects > 0 && notable.length > 3;
    while (!isEnough(past)) {
      await pause(200, undefined, { signal });
      past = await overview();
    }
    const { page, complaints, close } = await open(browser, service.address, { expected: AWAY });
    ends(close);
    const lately = page.locator('.activity li');
    await lately.filter({ hasText: 'The service started' }).waitFor();
    await lately.filter({ hasText: 'Disconnected by' }).first().waitFor();
    assert.ok((await lately.count()) >= past.notable.length);
    await page.locator('.attention').getByText(/reconnects? .*in the last hour/).waitFor();

    // The list also has the last messages from before the page was opened.
    await page.getByRole('link', { name: 'Conversations', exact: true }).click();
    await page.locator('.v-last', { hasText: 'message' }).first().waitFor();
    await page.locator('.list-row.conversation').first().click();
    await page.getByRole('textbox', { name: 'Message' }).fill('said from the page');
    await page.getByRole('button', { name: /^Send/ }).click();
    await page.locator('.timeline .said').getByText('said from the page', { exact: true }).waitFor();
    assert.deepEqual(complaints, []);
  });
});
