// Takes the dashboard's pictures: `npm run screenshots`. They show the staged scene, so that they change only when
// the page does.

import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, open } from './browser.js';
import { NOW, happenings, scene } from './scene.js';
import { demo } from './service.js';
import { Stage } from './stage.js';

const WHERE =
  process.env.SCREENSHOTS ?? fileURLToPath(new URL('../../src/gateway/dashboard/screenshots/', import.meta.url));
/** Seconds between two looks at the overview, and how many there were before the picture is taken. */
const STEP = 2;
const STEPS = 450;
/** Milliseconds that the page may take to begin, and when it does, so that the last picture shows the scene's moment. */
const STARTING = 10_000;
const BEGUN = NOW - STEPS * STEP * 1000 - STARTING;

/** Lets so many steps go by. */
async function pass(page, stage, steps) {
  for (let step = 0; step < steps; step += 1) {
    stage.seconds += STEP;
    const answered = page.waitForResponse((response) => new URL(response.url()).pathname === '/v1/overview');
    await page.clock.runFor(STEP * 1000);
    await (await answered).finished();
    // The page has taken the answer when it has come to what was asked of it afterwards.
    for (let turn = 0; turn < 4; turn += 1) await page.evaluate(afterwards);
  }
}

/** In the page: what comes after everything that waits now. */
function afterwards() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve();
    port2.postMessage(null);
  });
}

/** Makes a picture smaller where the tool for it is there. */
function shrink(path) {
  spawnSync('pngquant', ['--force', '--skip-if-larger', '--strip', '--speed', '1', '--output', path, '256', path]);
}

const browser = await launch();
const real = await demo('--conversations', '1', '--messages', '1');
try {
  await mkdir(WHERE, { recursive: true });
  const pictures = [
    { name: 'light', scheme: 'light', size: [1280, 800] },
    { name: 'dark', scheme: 'dark', size: [1280, 800] },
    { name: 'phone', scheme: 'light', size: [390, 844] },
  ];
  for (const {
    name,
    scheme,
    size: [width, height],
  } of pictures) {
    const stage = await Stage.start(real.address, scene());
    stage.now = () => BEGUN + STARTING + (stage.seconds ?? 0) * 1000;
    const { page, close } = await open(browser, stage.address, {
      viewport: { width, height },
      colorScheme: scheme,
      clock: BEGUN,
      reducedMotion: 'reduce',
    });
    await page.locator('.tile').first().waitFor();
    // From here on only as much time passes as is let.
    await page.clock.pauseAt(BEGUN + STARTING);
    stage.seconds = 0;
    await pass(page, stage, STEPS);
    await stage.send(happenings(stage.scene));
    const take = async (view, hash) => {
      if (hash !== undefined) {
        await page.evaluate((to) => {
          location.hash = to;
        }, hash);
      }
      await pass(page, stage, 4);
      const path = join(WHERE, `${view}-${name}.png`);
      await page.screenshot({ path });
      shrink(path);
    };
    await take('overview');
    await take('conversation', `#/conversations/${stage.scene.opened.conversationId}`);
    if (process.env.SCREENSHOTS !== undefined) {
      for (const view of ['connections', 'conversations', 'webhooks', 'bulk', 'supervision', 'dead-letters'])
        await take(view, `#/${view}`);
    }
    await close();
    await stage.stop();
  }
} finally {
  await browser.close();
  await real.stop('SIGINT');
}
