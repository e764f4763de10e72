// A Chromium, and pages in it that note everything that went wrong.

import { access } from 'node:fs/promises';
import { chromium } from 'playwright-core';

/** How long one thing may take to be seen, in milliseconds. */
export const PATIENCE = 20_000;

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

async function executable() {
  for (const candidate of [process.env.CHROMIUM, ...CANDIDATES]) {
    if (!candidate) continue;
    try {
      await access(candidate);
      return candidate;
    } catch {
      // The next one, then.
    }
  }
  throw new Error('no Chromium is installed: install the package chromium, or set CHROMIUM to one');
}

/** A browser for the tests of one file. */
export async function launch() {
  const options = ['--js-flags=--expose-gc', '--disable-dev-shm-usage'];
  // Chromium has no sandbox when it runs as root, such as in a container.
  if (process.getuid?.() === 0) options.push('--no-sandbox');
  return chromium.launch({ executablePath: await executable(), args: options });
}

/**
 * A page at `address`, and what it complained of: errors, violations of its policy, and requests that leave `address`.
 * What is refused because the service is away or asks for a token is no complaint where the test says so.
 */
export async function open(browser, address, options = {}) {
  const { hash = '', expected = [], clock = null, ...rest } = options;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: 'light',
    locale: 'en-GB',
    timezoneId: 'UTC',
    ...rest,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  if (clock !== null) await page.clock.install({ time: clock });
  const complaints = [];
  const complain = (text) => {
    if (!expected.some((pattern) => pattern.test(text))) complaints.push(text);
  };
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complain(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complain(`error: ${error.stack ?? error.message}`));
  page.on('dialog', (dialog) => {
    complain(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${address}/`)) complain(`request: ${request.url()}`);
  });
  await page.exposeFunction('violated', (what) => complain(`violation: ${what}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      window.violated(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  await page.goto(`${address}/${hash}`);
  return { page, complaints, close: () => context.close() };
}
