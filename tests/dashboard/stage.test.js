// The dashboard in front of a staged gateway: what it shows of every state, what it lets whom do, and what it never does.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, beforeEach, afterEach, describe, test } from 'node:test';
import { launch, open } from './browser.js';
import { event, happenings, scene } from './scene.js';
import { demo } from './service.js';
import { Stage } from './stage.js';

const VIEWS = ['', 'connections', 'conversations', 'webhooks', 'bulk', 'supervision', 'dead-letters', 'nodes'];
/** What a browser says by itself when it was refused or finds nobody. */
const REFUSED = [/Failed to load resource/, /ERR_/];

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
  beforeEach(() => {
    ends = [];
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
  });

  async function staged(options) {
    stage = await Stage.start(real.address, scene(options));
    ends.push(() => stage.stop());
    return stage;
  }

  async function opened(options = {}) {
    const shown = await open(browser, stage.address, options);
    ends.push(shown.close);
    return shown;
  }

  const go = (page, view) =>
    page.evaluate((to) => {
      location.hash = to;
    }, `#/${view}`);

  test('no text becomes markup, wherever it comes from', async () => {
    const payload = (what) =>
      `<img src=x onerror="window.ran='${what}'"><script>window.ran='${what}'</script><b>${what}</b>`;
    await staged({ conversations: 40, text: (what) => payload(what), several: true });
    const { page, complaints } = await opened();
    await stage.followed();
    await stage.send(happenings(stage.scene));
    const { conversationId } = stage.scene.opened;
    const seen = [];
    for (const view of [...VIEWS, `conversations/${conversationId}`]) {
      await go(page, view);
      const wanted = {
        '': 'detail',
        connections: null,
        conversations: 'message',
        webhooks: 'url',
        bulk: null,
        supervision: 'reason',
        'dead-letters': 'reason',
        nodes: 'label',
      };
      const what = view in wanted ? wanted[view] : 'note';
      if (what !== null) await page.locator('main').getByText(payload(what)).first().waitFor();
      if (view === 'dead-letters') {
        await page.locator('summary').first().click();
        await page.getByText(payload('body')).waitFor();
      }
      seen.push(await page.locator('main').innerText());
      assert.equal(await page.locator('main :is(img, script, iframe, object, embed)').count(), 0, view);
    }
    const [lately, , rows, , , , , , conversation] = seen;
    for (const [text, whats] of [
      [lately, ['skill', 'detail', 'reason']],
      [rows, ['skill', 'message']],
      [conversation, ['name', 'note', 'skill', 'message']],
    ]) {
      // Long ones are cut.
      for (const what of whats) assert.ok(text.includes(payload(what).slice(0, 12)), `${what} is shown as it is`);
    }
    assert.equal(await page.evaluate(() => window.ran), undefined);
    assert.deepEqual(complaints, []);
  });

  test('the policy of the page lets no string become a script or markup', async () => {
    await staged({ conversations: 1 });
    const { page, complaints } = await opened({ expected: [/violation|Content Security Policy|Trusted|require/i] });
    await page.locator('.tile').first().waitFor();
    const tried = await page.evaluate(() => {
      const attempt = (act) => {
        try {
          act();
          return 'done';
        } catch (error) {
          return error.name;
        }
      };
      return [
        attempt(() => {
          document.createElement('div').innerHTML = '<b>x</b>';
        }),
        attempt(() => {
          document.createElement('script').src = 'x.js';
        }),
        attempt(() => {
          document.createElement('script').textContent = 'window.ran = 1';
        }),
      ];
    });
    assert.deepEqual(tried, ['TypeError', 'TypeError', 'TypeError']);
    assert.deepEqual(complaints, []);
  });

  test('a token that may read is shown why it may not act, and one that may write acts', async () => {
    await staged();
    stage.tokens = { looker: 'read', operator: 'write' };
    const { page, complaints } = await opened({ expected: REFUSED });
    const dialog = page.getByRole('dialog', { name: 'Token' });
    await dialog.waitFor();
    const enter = async (token) => {
      await page.getByLabel('A token of this gateway').fill(token);
      await page.getByRole('button', { name: 'Use the token' }).click();
    };
    await enter('wrong');
    await dialog.getByText('does not know this token').waitFor();
    await enter('looker');
    await dialog.waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: /^May read/ }).waitFor();

    await go(page, 'supervision');
    const release = page.getByRole('button', { name: /^Release conversation/ });
    await release.first().waitFor();
    assert.equal(await release.count(), 2);
    assert.equal(await release.first().getAttribute('aria-disabled'), 'true');
    assert.match(await release.first().getAttribute('title'), /may only read/);
    await release.first().click({ force: true });
    await go(page, 'dead-letters');
    const replay = page.getByRole('button', { name: /^Replay all dead letters/ });
    await replay.first().waitFor();
    assert.equal(await replay.first().getAttribute('aria-disabled'), 'true');
    await replay.first().click({ force: true });
    assert.deepEqual(stage.acts, []);

    await page.locator('#token').click();
    await enter('operator');
    await page.getByRole('button', { name: /^May write/ }).waitFor();
    await page.waitForFunction(() => document.querySelectorAll('.dead-letters .letter').length === 4);
    await replay.nth(1).click();
    await page.waitForFunction(() => document.querySelectorAll('.dead-letters .letter').length === 3);
    await go(page, 'supervision');
    await release.first().click();
    await page.waitForFunction(() => document.querySelectorAll('.branches .branches li').length === 1);
    assert.equal(stage.acts.length, 2);
    assert.match(stage.acts[0], /^POST \/v1\/dead-letters\/[^/]+\/replay$/);
    assert.match(stage.acts[1], /^POST \/v1\/conversations\/[^/]+\/release\?connection=bots-3$/);

    // The token stands in no address, and goes with the tab.
    assert.ok(stage.addresses.every((address) => !/operator|looker|wrong/.test(address)));
    assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage })), '{}');
    assert.equal(await page.evaluate(() => sessionStorage.getItem('tertulia.token')), 'operator');
    assert.deepEqual(complaints, []);
  });

  test('a late answer to the token before does not ask for one again', async () => {
    await staged();
    stage.tokens = { operator: 'write' };
    const { page } = await opened({ expected: REFUSED });
    const dialog = page.getByRole('dialog', { name: 'Token' });
    const enter = async (token) => {
      await dialog.waitFor();
      await page.getByLabel('A token of this gateway').fill(token);
      await page.getByRole('button', { name: 'Use the token' }).click();
      await dialog.waitFor({ state: 'hidden' });
    };
    await dialog.waitFor();
    const release = stage.hold('/v1/overview');
    const asked = () => page.waitForRequest(/overview/);
    await Promise.all([asked(), enter('wrong')]);
    await page.locator('#token').click();
    await Promise.all([asked(), enter('operator')]);
    release();
    await page.getByRole('button', { name: /^May write/ }).waitFor();
    assert.equal(await dialog.isVisible(), false);
  });

  test('what was open while the service asked for a token is shown once there is one', async () => {
    await staged();
    stage.tokens = { looker: 'read' };
    const { conversationId } = stage.scene.opened;
    const { page, complaints } = await opened({ expected: REFUSED, hash: `#/conversations/${conversationId}` });
    await page.getByRole('dialog', { name: 'Token' }).waitFor();
    assert.equal(await page.locator('.timeline .message').count(), 0);
    await page.getByLabel('A token of this gateway').fill('looker');
    await page.getByRole('button', { name: 'Use the token' }).click();
    await page.locator('.timeline .message').first().waitFor();
    await page.locator('.timeline .happening').first().waitFor();
    await stage.followed(2);
    assert.equal(stage.streams, 2, 'one for the page and one for the conversation');
    assert.deepEqual(complaints, []);
  });

  test('what the service could not tell at first is asked for again', async () => {
    await staged();
    const { conversationId } = stage.scene.opened;
    const messages = `/v1/conversations/${conversationId}/messages`;
    stage.failing = new Set(['/v1/dead-letters/causes', messages]);
    const { page } = await opened({ hash: '#/dead-letters', expected: REFUSED });
    await page.getByText('the service is busy').waitFor();
    stage.failing.delete('/v1/dead-letters/causes');
    await page.locator('.letter').first().waitFor();
    const refused = page.waitForResponse((response) => response.url().includes(messages));
    await go(page, `conversations/${conversationId}`);
    assert.equal((await refused).status(), 503);
    stage.failing.clear();
    await page.locator('.timeline .message').first().waitFor();
  });

  test('several nodes are shown with what each has, and what moved lately and why', async () => {
    await staged({ conversations: 40, several: true });
    const { page, complaints } = await opened();
    await page.locator('nav a', { hasText: 'Nodes' }).click();
    await page.locator('.badge[aria-label="1 silent"]').waitFor();
    const cards = page.locator('.nodes .letter');
    await cards.nth(2).waitFor();
    const [first, second, third] = await cards.allInnerTexts();
    assert.match(first, /Valid\s+a\s+answers this page/);
    assert.match(first, /7 duties/);
    assert.match(second, /Draining/);
    assert.match(third, /Suspended/);
    await cards.first().locator('summary').click();
    await page.getByText('connection/bots-1, connection/bots-2').waitFor();
    const moves = await page.locator('.moves li').allInnerTexts();
    assert.equal(moves.length, 3);
    assert.match(moves[0], /webhooks\s+b → a\s+its node hands over all it has\s+after 800 ms/);
    assert.match(moves[1], /connection\/bots-1\s+d → a\s+its node was lost\s+after 16\.2 s/);
    assert.match(moves[2], /bulk\s+to b\s+nobody had it before/);
    await page.getByText('At no node at the moment: connection/bulk-night').waitFor();
    await page.getByText('Without the moves to c').waitFor();
    assert.deepEqual(complaints, []);
  });

  test('a process alone has no view of nodes, and asks for none', async () => {
    await staged({ conversations: 1 });
    const { page, complaints } = await opened();
    await page.locator('.tile').first().waitFor();
    assert.equal(await page.locator('nav a', { hasText: 'Nodes' }).isVisible(), false);
    assert.ok(!stage.addresses.some((address) => address.startsWith('/v1/nodes')));
    assert.deepEqual(complaints, []);
  });

  test('everything is reached by keyboard, in an order that makes sense, and nothing keeps it', async () => {
    await staged();
    const { page, complaints } = await opened();
    // Drawn as it stays: the service was asked who may write.
    await page.getByRole('button', { name: /^No token needed/ }).waitFor();
    const focused = () =>
      page.evaluate(() => {
        const { activeElement: at } = document;
        const outlined = at.matches(':focus-visible');
        return {
          text: (at.getAttribute('aria-label') ?? at.textContent).trim().slice(0, 40),
          role: at.getAttribute('role'),
          tag: at.tagName,
          outlined,
        };
      });
    await page.keyboard.press('Tab');
    assert.equal((await focused()).text, 'Skip to content');
    const order = [];
    for (let step = 0; step < 40; step += 1) {
      await page.keyboard.press('Tab');
      const at = await focused();
      if (at.tag === 'BODY') break;
      assert.ok(at.outlined, `${at.text} shows that it has the focus`);
      order.push(at.text);
    }
    const wanted = [
      'Tertulia, overview',
      'Theme',
      'No token needed',
      'Overview',
      'Connections',
      'Conversations',
      'Webhooks',
      'Bulk jobs',
      'Supervision',
      'Dead letters',
    ];
    const places = wanted.map((name) => order.findIndex((text) => text.startsWith(name)));
    assert.ok(
      places.every((place, index) => place >= 0 && (index === 0 || place > places[index - 1])),
      order.join(', '),
    );

    // Skip, go to the conversations, walk through the list, open one, and come back to it.
    await page.locator('nav a', { hasText: 'Conversations' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('.conversation').first().waitFor();
    assert.equal((await focused()).tag, 'H1');
    while ((await focused()).role !== 'row') await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    const third = await page.evaluate(() => document.activeElement.querySelector('.v-id b').title);
    await page.keyboard.press('End');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-rowindex')), '1001');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('article', { name: `Conversation ${third}` }).waitFor();
    await page.getByRole('link', { name: 'Close this conversation' }).focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction((id) => document.activeElement?.querySelector?.('.v-id b')?.title === id, third);

    // The dialog keeps the focus while it is open, and gives it back.
    await page.locator('#token').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Token' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: 'Token' }).waitFor({ state: 'hidden' });
    assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
    assert.deepEqual(complaints, []);
  });

  for (const [name, options] of [
    ['light', {}],
    ['dark', { colorScheme: 'dark' }],
    ['on a phone', { viewport: { width: 390, height: 844 } }],
  ]) {
    test(`axe finds nothing wrong with any view, ${name}`, async () => {
      await staged({ several: true });
      const { page, complaints } = await opened(options);
      await stage.followed();
      await stage.send(happenings(stage.scene));
      const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
      const session = await page.context().newCDPSession(page);
      for (const view of [...VIEWS, `conversations/${stage.scene.opened.conversationId}`]) {
        await go(page, view);
        const current = `#views a[href="#/${view.split('/')[0]}"][aria-current="page"]`;
        await page.locator(current).waitFor({ state: 'attached' });
        await page
          .locator(
            view === ''
              ? '.activity li + li'
              : view.includes('/')
                ? '.message'
                : '.view:is(.connections, .conversations, .webhooks, .bulk, .supervision, .dead-letters, .nodes) :is(.list-row.connection, .list-row.conversation, .letter, .node)',
          )
          .first()
          .waitFor();
        // By the debugger: the page's own policy would not let it in.
        await session.send('Runtime.evaluate', { expression: source });
        const violations = await page.evaluate(async () => {
          const { violations: found } = await window.axe.run(document, { resultTypes: ['violations'] });
          return found.map(
            ({ id, nodes }) =>
              `${id}: ${nodes
                .map(({ html, any }) => `${html.slice(0, 120)} ${any[0]?.message ?? ''}`)
                .slice(0, 3)
                .join(' | ')}`,
          );
        });
        assert.deepEqual(violations, [], view);
      }
      // Nothing is wider than the screen.
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
      assert.deepEqual(complaints, []);
    });
  }

  test('nothing there, nobody there and what was missed are each told in words', async () => {
    await staged({ conversations: 0 });
    const { page, complaints } = await opened({ expected: REFUSED });
    await page.getByText('No connection is configured yet').waitFor();
    for (const [view, words] of [
      ['connections', 'No connections'],
      ['conversations', 'No conversations'],
      ['dead-letters', 'No dead letters'],
    ]) {
      await go(page, view);
      await page.getByRole('heading', { name: words }).waitFor();
    }

    await stage.away();
    await page.locator('#live').getByText('Reconnecting').waitFor();
    await page.getByRole('heading', { name: 'No dead letters' }).waitFor();
    stage.scene = scene({ conversations: 25 });
    await stage.back();
    await page.locator('#live').getByText('Live').waitFor();
    await page.locator('.letter').first().waitFor();
    await go(page, 'conversations');
    await page.waitForFunction(() => document.querySelector('.conversations .total').textContent === '25');

    // Of another log: the gateway tells of a gap, and the page reads the lists again.
    stage.scene = scene({ conversations: 30 });
    await stage.send([
      {
        ...event(stage.scene, 1, 'gap', { data: { missed: null, snapshot: '/v1/conversations' } }),
        subject: undefined,
        type: 'tertulia.gap',
        source: '/v1/events',
      },
    ]);
    await page.waitForFunction(() => document.querySelector('.conversations .total').textContent === '30');
    assert.deepEqual(complaints, []);
  });

  test('of more conversations than the page holds, the gateway finds the others; filters and search go together', async () => {
    await staged({ conversations: 6000 });
    const { page, complaints } = await opened({ hash: '#/conversations' });
    const total = (text) =>
      page.waitForFunction((wanted) => document.querySelector('.conversations .total').textContent === wanted, text);
    await total('5,000, the first of more: search or filter to see others');
    const { conversationId } = stage.scene.conversations.at(-1);
    const search = page.getByRole('searchbox', { name: 'Search conversations' });
    await search.fill(conversationId);
    await total('1');
    assert.equal(await page.locator('.conversation .v-id b').first().getAttribute('title'), conversationId);
    await search.press('Enter');
    await page.getByRole('article', { name: `Conversation ${conversationId}` }).waitFor();
    await page.getByRole('link', { name: 'Close this conversation' }).click();
    // Closing gives the focus back to the list, wherever it is by then.
    await page.waitForFunction(() => document.activeElement.matches('.list-row.conversation'));

    await search.fill('');
    await page.getByRole('combobox', { name: 'Stage' }).selectOption('CLOSE');
    const closed = stage.scene.conversations.filter(({ stage: one }) => one === 'CLOSE');
    await total(closed.length.toLocaleString('en'));
    await page.getByLabel('Skill, exactly').fill('sales');
    await page.keyboard.press('Enter');
    await total(String(closed.filter(({ skillId }) => skillId === 'sales').length));
    await search.fill('no such words');
    await page.getByRole('heading', { name: 'No conversation matches' }).waitFor();
    assert.deepEqual(complaints, []);
  });

  test('a conversation that was closed is read and followed no more', async () => {
    await staged({ conversations: 5 });
    const { connection, conversationId } = stage.scene.opened;
    const { page } = await opened({ hash: `#/conversations/${conversationId}` });
    // What happened before comes by the conversation's own stream.
    await page.locator('.timeline .happening').first().waitFor();
    const data = { dialogId: 'main', skillId: 'another skill' };
    const options = { connection, subject: conversationId, time: Date.now(), data };
    await stage.send([event(stage.scene, stage.next(), 'transfer-skill', options)]);
    await page.locator('.timeline').getByText('another skill').waitFor();
    // What has happened is to be read within a second; by then nobody looks any more.
    await page.getByRole('link', { name: 'Close this conversation' }).click();
    await page.locator('.pane').waitFor({ state: 'detached' });
    const asked = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    const overviews = () => asked.filter((path) => path === '/v1/overview').length;
    while (overviews() < 2) await page.waitForResponse(/overview/);
    const own = `/v1/conversations/${conversationId}`;
    assert.deepEqual(
      asked.filter((path) => path.startsWith(own)),
      [],
    );
    assert.equal(stage.streams, 1);
  });

  test('the messages of a conversation are queried once an agent sees it, because a consumer cannot', async () => {
    await staged({ conversations: 5 });
    const { opened: row, connections } = stage.scene;
    const own = `/v1/conversations/${row.conversationId}`;
    connections.push({ ...connections[0], id: 'visitor', role: 'consumer' });
    const agent = row.connection;
    row.connection = 'visitor';
    const { page } = await opened({ hash: '#/conversations' });
    await page.locator('.list-row.conversation').first().waitFor();
    const members = page.waitForResponse((response) => new URL(response.url()).pathname === own);
    await page.evaluate((id) => (location.hash = `#/conversations/${id}`), row.conversationId);
    await members;
    await page.locator('.pane dd').getByText('visitor').waitFor();
    assert.ok(stage.addresses.every((address) => !address.startsWith(`${own}/messages`)));

    row.connection = agent;
    const messages = page.waitForResponse((response) => new URL(response.url()).pathname === `${own}/messages`);
    const data = { dialogId: 'main', skillId: 'another skill' };
    const options = { connection: agent, subject: row.conversationId, time: Date.now(), data };
    await stage.send([event(stage.scene, stage.next(), 'transfer-skill', options)]);
    assert.equal((await messages).status(), 200);
  });

  test('the theme follows the system until somebody chooses one, which is kept', async () => {
    await staged({ conversations: 5 });
    const { page } = await opened({ colorScheme: 'dark' });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.locator('.tile').first().waitFor();
    assert.equal(await ground(), 'rgb(16, 16, 19)');
    await page.getByRole('button', { name: /^Theme: Auto/ }).click();
    assert.equal(await ground(), 'rgb(247, 247, 245)');
    await page.reload();
    await page.getByRole('button', { name: /^Theme: Light/ }).click();
    assert.equal(await ground(), 'rgb(16, 16, 19)');
  });
});
