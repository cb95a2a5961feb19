import { existsSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Path of Debian's Chromium, or of what other systems call it; undefined where there is none, and then a test skips aloud. */
export const chromiumPath: string | undefined = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));

/** Phone width of the smallest screens still in use. */
export const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true } as const satisfies BrowserContextOptions;

/** Everything that went wrong in a page without a test asking for it. */
export interface Seen {
  /** Uncaught errors, console errors (a broken content security policy is one), failed and refused requests. */
  readonly problems: string[];
}

export interface OpenPage extends Seen {
  readonly page: Page;
  readonly context: BrowserContext;
}

/** Runs `work` with a headless Chromium that is closed afterwards, whatever happens. */
export async function withBrowser<T>(work: (browser: Browser) => Promise<T>): Promise<T> {
  if (chromiumPath === undefined) throw new Error('no Chromium on this machine');
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    // Root, as in a container or in CI, cannot use the sandbox, and /dev/shm is often too small there.
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-dev-shm-usage'],
  });
  try {
    return await work(browser);
  } finally {
    await browser.close();
  }
}

/** Opens a page in a context of its own and collects what goes wrong in it. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<OpenPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  return { page, context, problems: watch(page) };
}

function watch(page: Page): string[] {
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`console: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    // A navigation away ends the event stream of the page before; nothing is wrong with that.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED')
      problems.push(`failed: ${request.method()} ${request.url()} ${request.failure()?.errorText ?? ''}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 500) problems.push(`${response.status()}: ${response.url()}`);
  });
  return problems;
}

/** Signs in to the console at this origin, as a person would, and waits for its overview. */
export async function signIn(page: Page, origin: string, email: string, password: string): Promise<void> {
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
}

/** Serious and critical findings of axe on the page as it is now, one line each. */
export async function seriousFindings(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.target.join(' ')}`));
}

/**
 * True when the page is wider than the screen, so that a person must scroll sideways. A page without a viewport tag is
 * laid out 980 px wide on a phone and counts as too wide.
 */
export const overflows = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > Math.min(document.documentElement.clientWidth, window.screen.width));
