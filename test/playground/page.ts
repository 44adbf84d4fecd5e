/**
 * The page in a browser: built files from a plain file server on the loopback, in Debian's
 * Chromium. What a page asks the network for is kept.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';

/** Where the built page lies. */
export const BUILT: string = join(import.meta.dirname, '../../dist/playground');

const CHROMIUM = '/usr/bin/chromium';
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Serves the built page; the caller closes it. */
export function serve(): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://page');
    const file = join(BUILT, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
    if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': type }).end(readFileSync(file));
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
    });
  });
}

/** Starts Chromium. It talks to nobody by itself. */
export function launch(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: apt-get install chromium`);
  const args = [
    ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

/** A page, and what it asked for and complained of. */
export interface Opened {
  readonly page: Page;
  readonly requests: readonly string[];
}

/**
 * Opens an address in a page of its own and waits until the first policy was compiled. The test
 * fails if the page has an error.
 */
export async function open(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Opened> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const requests: string[] = [];
  const errors: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(error.message));
  onTestFinished(async () => {
    await page.close();
    expect(errors).toEqual([]);
  });
  await page.goto(url);
  await page.waitForFunction(() => document.querySelector('#state')?.textContent !== '');
  return { page, requests };
}

/** Replaces the policy and waits until it was compiled, or not. */
export async function write(page: Page, text: string): Promise<void> {
  await page.click('.cm-content');
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(text);
  await settled(page);
}

/** Waits out the pause before a compilation, and the compilation. */
export async function settled(page: Page): Promise<void> {
  await page.waitForTimeout(400);
}

/** How many pixels of a canvas have the colour of that name. */
export function pixels(page: Page, canvas: string, colour: string): Promise<number> {
  return page.evaluate(
    ([id, name]) => {
      const element = document.querySelector(id) as HTMLCanvasElement;
      const context = element.getContext('2d') as CanvasRenderingContext2D;
      const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
      const wanted = [1, 3, 5].map((at) => Number.parseInt(value.slice(at, at + 2), 16));
      const { data } = context.getImageData(0, 0, element.width, element.height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (wanted.every((part, index) => data[at + index] === part)) count += 1;
      }
      return count;
    },
    [canvas, `--map-${colour}`] as const,
  );
}
