/**
 * The playground in a real browser: it edits, marks, decides as the command line does, and its
 * picture is that of the policy.
 */

import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDestination } from '../../compiler/destination.ts';
import { compilePolicy } from '../../compiler/index.ts';
import { openTable } from '../../compiler/table.ts';
import { loadPolicyModule } from '../../compiler/wasm.ts';
import { decideDestination } from '../../src/verdicts.ts';
import { BUILT, launch, open, pixels, serve, settled, write } from './page.ts';

let browser: Browser;
let server: Server;
let url: string;

beforeAll(async () => {
  browser = await launch();
  ({ server, url } = await serve());
});

afterAll(async () => {
  await browser.close();
  server.close();
});

const ONE = '[network]\nallow = ["10.20.0.0/16:443"]\n';

function verdicts(page: Page): Promise<string[]> {
  return page.$$eval('#verdicts li', (items) =>
    items.map(
      (item) =>
        `${item.querySelector('strong')?.textContent} ${item.querySelector('.what')?.textContent}`,
    ),
  );
}

async function ask(page: Page, ...lines: readonly string[]): Promise<string[]> {
  await page.fill('#destinations', lines.join('\n'));
  return verdicts(page);
}

describe('the page', () => {
  it('loads three files from where it lies, and answers', async () => {
    const { page, requests } = await open(browser, url);
    expect(requests.map((request) => request.slice(url.length)).sort()).toEqual([
      '',
      'playground.js',
      'style.css',
    ]);
    expect(await page.textContent('#state')).toMatch(
      /^Compiles: 4 rules, a table of [\d,]+ bytes\.$/,
    );
    expect(await verdicts(page)).toEqual([
      'allow packages.example.org:443 (assumed 192.0.2.1)',
      'allow 10.20.7.1:5432',
      'deny 10.20.0.1:5432',
      'deny 10.20.7.1:22',
      'allow udp://10.20.0.9:514',
    ]);
  });

  it('works in a folder of a server, and as a file without any server', async () => {
    const { page } = await open(browser, pathToFileURL(join(BUILT, 'index.html')).href);
    await write(page, ONE);
    expect(await ask(page, '10.20.1.1:443', '10.21.1.1:443')).toEqual([
      'allow 10.20.1.1:443',
      'deny 10.21.1.1:443',
    ]);
  });

  it('underlines a mistake where it is, explains it on hover and in a list, and forgets it when it is repaired', async () => {
    const { page } = await open(browser, url);
    await write(page, '[network]\nallow = [\n  "é.example:70000", "10.0.0.1:443",\n]\n');
    expect(
      await page.$$eval('.cm-lintRange-error', (marks) => marks.map((mark) => mark.textContent)),
    ).toEqual(['70000']);
    expect(await page.textContent('#state')).toMatch(/^1 error: nothing would be run/);
    expect(await page.textContent('#diagnostics')).toContain(
      'error SL2004: port 70000 is above 65535',
    );
    expect(await page.textContent('#diagnostics .place')).toBe('3:14');
    await page.hover('.cm-lintRange-error');
    await page.waitForSelector('.cm-tooltip .cm-diagnostic');
    expect(await page.textContent('.cm-tooltip .cm-diagnostic')).toContain(
      'expected: a port from 1 to 65535',
    );
    await page.click('#diagnostics button');
    await page.keyboard.insertText('443');
    await settled(page);
    expect(await page.$$('.cm-lintRange-error')).toEqual([]);
    expect(await page.$$('#diagnostics li')).toEqual([]);
    expect(await page.textContent('.cm-content')).toContain('"é.example:443"');
    expect(await page.textContent('#state')).toMatch(/^Compiles: 2 rules/);
  });

  it('says what a key means on hover, and offers keys while typing', async () => {
    const { page } = await open(browser, url);
    await write(page, '[network]\nallow = []\n');
    await page.hover('.cm-line:nth-child(2) span:first-child');
    await page.waitForSelector('.schema-help');
    expect(await page.textContent('.schema-help')).toMatch(/^\[network\] allow.*may be reached/);
    await page.click('.cm-content');
    await page.keyboard.press('Control+End');
    await page.keyboard.type('allow_b');
    await page.waitForSelector('.cm-tooltip-autocomplete');
    expect(await page.textContent('.cm-tooltip-autocomplete')).toContain('allow_bind');
  });

  it('shows what is typed as text, whatever it is', async () => {
    const { page } = await open(browser, url);
    const bad = '<img src=x onerror=document.title=1>';
    await write(page, `[network]\nallow = ["${bad}:443"]\n[sets]\n"${bad}" = ["10.0.0.1"]\n`);
    await ask(page, bad);
    expect(await page.$$('main img')).toEqual([]);
    expect(await page.title()).toBe('sandlock playground');
  });
});

describe('verdicts', () => {
  it('are those of the command line, for every destination that is asked', async () => {
    const { page } = await open(browser, url);
    await page.selectOption('#example', 'every form');
    await settled(page);
    const octets = ['0', '8', '51', '100', '198', '203', '255'];
    const lines = octets.flatMap((a, index) => [
      `${a}.51.100.${octets.at(-index)}:5432`,
      `198.51.100.${a}:${6000 + index * 3}`,
      `udp://198.51.100.${a}:123`,
      `udp://${a}.0.2.53:53`,
      `icmp://192.0.2.${a}`,
      `tcp://[2001:db8::${a}]:443`,
      `203.0.113.${a}:443`,
      `bind:tcp://[::1]:${8998 + index * 2}`,
      `www.example.com:${80 + index}`,
    ]);
    const text = readFileSync(join(import.meta.dirname, '../../examples/verbose.toml'), 'utf8');
    const set = readFileSync(join(import.meta.dirname, '../../examples/cloud-ranges.txt'));
    const policyModule = loadPolicyModule(readFileSync(join(BUILT, '../policy.wasm')));
    let names = 0;
    const compiled = await compilePolicy(
      { file: { name: 'policy.toml', text }, allow: [], deny: [] },
      {
        policyModule,
        readSetFile: () => ({ ok: true, content: set }),
        async resolve() {
          names += 1;
          return { ok: true, addresses: [Uint8Array.of(192, 0, 2, names)] };
        },
      },
    );
    if (!compiled.ok) throw new Error('the example does not compile');
    const opened = openTable(policyModule, compiled.table);
    if (!opened.ok) throw new Error('the table does not open');
    const expected = lines.flatMap((line) => {
      const parsed = parseDestination(line);
      if (!parsed.ok) throw new Error(`${line} is no destination`);
      return decideDestination(opened.table, line, parsed.destination).map(
        ({ verdict }) => verdict,
      );
    });
    const seen = (await ask(page, ...lines)).map((line) => line.split(' ')[0]);
    expect(seen).toEqual(expected);
    expect(new Set(seen)).toEqual(new Set(['allow', 'deny']));
  });

  it('lead to the rule, and a denial to the line that is missing', async () => {
    const { page } = await open(browser, url);
    await write(page, '[network]\nallow = [\n  "10.20.0.0/16:443"\n]\n');
    expect(await ask(page, '10.20.1.1:80')).toEqual(['deny 10.20.1.1:80']);
    expect(await page.textContent('#verdicts')).toContain('to allow: "10.20.1.1:80" in allow');
    await page.click('#verdicts .add');
    await settled(page);
    expect(await verdicts(page)).toEqual(['allow 10.20.1.1:80']);
    await page.click('#verdicts .link');
    expect(await page.evaluate(() => getSelection()?.toString())).toBe('"10.20.1.1:80"');
    for (const [policy, list] of [
      ['[network]\nallow = ["10.0.0.1:1"] # one\n', '"10.0.0.1:1", "10.20.1.1:80"'],
      ['[network]\ndeny = []\n', 'allow = ["10.20.1.1:80"]'],
    ] as const) {
      await write(page, policy);
      await page.click('#verdicts .add');
      await settled(page);
      expect(await verdicts(page)).toEqual(['allow 10.20.1.1:80']);
      expect(await page.textContent('.cm-content')).toContain(list);
    }
  });

  it('of names use the addresses that the reader gives, and say which are assumed', async () => {
    const { page } = await open(browser, url);
    await write(page, '[network]\nallow = ["a.example:443", "b.example:443"]\n');
    expect(await ask(page, 'a.example:443', '203.0.113.9:443')).toEqual([
      'allow a.example:443 (assumed 192.0.2.1)',
      'deny 203.0.113.9:443',
    ]);
    expect(
      await page.$$eval('#names .badge', (badges) => badges.map((badge) => badge.textContent)),
    ).toEqual(['assumed', 'assumed']);
    await page.fill('[aria-label="Addresses of a.example"]', '203.0.113.9, 2001:db8::1');
    await settled(page);
    expect(await verdicts(page)).toEqual([
      'allow a.example:443 (203.0.113.9)',
      'allow a.example:443 (2001:db8::1)',
      'allow 203.0.113.9:443',
    ]);
    expect(await page.textContent('#names .badge')).toBe('as you say');
    await page.fill('[aria-label="Addresses of a.example"]', '10.0.0.1');
    await settled(page);
    expect(await page.textContent('#diagnostics')).toContain('SL4002');
  });

  it('survive in a link', async () => {
    const { page } = await open(browser, url);
    await write(page, ONE);
    await ask(page, '10.20.1.1:443');
    await page.click('#link');
    const link = page.url();
    const { page: other } = await open(browser, link);
    expect(await other.textContent('.cm-content')).toContain('10.20.0.0/16:443');
    expect(await verdicts(other)).toEqual(['allow 10.20.1.1:443']);
  });
});

describe('the picture', () => {
  it('has the colour of what is open where the policy opens it, and none where nothing is', async () => {
    const { page } = await open(browser, url);
    await write(page, '[network]\nallow = []\n');
    expect([await pixels(page, '#map', 'all'), await pixels(page, '#map', 'some')]).toEqual([0, 0]);
    expect(await page.textContent('#open tbody')).toBe('Nothing is open.');
    await write(page, '[network]\nallow = ["10.0.0.0/8:*"]\n');
    const whole = await page.evaluate(
      () => (document.querySelector('#map') as HTMLCanvasElement).width ** 2,
    );
    const block = await pixels(page, '#map', 'all');
    // A 256th of the square, less the label in it and the lines around it.
    expect(block / whole).toBeGreaterThan(0.7 / 256);
    expect(block / whole).toBeLessThan(1.05 / 256);
    await write(page, '[network]\nallow = ["10.0.0.0/8:443"]\n');
    expect(await pixels(page, '#map', 'all')).toBe(0);
    expect(await pixels(page, '#map', 'some')).toBeGreaterThan(0.7 * block);
    await page.fill('#port', '443');
    expect(await pixels(page, '#map', 'all')).toBeGreaterThan(0.7 * block);
    await page.fill('#port', '80');
    expect(await pixels(page, '#map', 'all')).toBe(0);
    await write(page, '[network]\nallow = ["udp://*:*"]\n');
    await page.fill('#port', '');
    expect(await pixels(page, '#map', 'all')).toBe(0);
    await page.selectOption('#protocol', 'udp');
    expect((await pixels(page, '#map', 'all')) / whole).toBeGreaterThan(0.75);
    expect(await pixels(page, '#bar', 'all')).toBeGreaterThan(10_000);
  });

  it('shows a single address from afar, and leads down to it by keys', async () => {
    const { page } = await open(browser, url);
    await write(page, '[network]\nallow = ["10.20.30.40:443"]\n');
    expect(await pixels(page, '#map', 'some')).toBeGreaterThan(12);
    await page.click('#open .link');
    expect(await page.textContent('#crumbs4')).toBe('all10.0.0.0/810.20.0.0/1610.20.30.0/24');
    expect(await page.textContent('#readout4')).toBe(
      '10.20.30.40 — open for some ports (private): policy.toml:2 “10.20.30.40:443”',
    );
    expect(await pixels(page, '#map', 'some')).toBeGreaterThan(150);
    await page.focus('#map');
    await page.keyboard.press('ArrowRight');
    expect(await page.textContent('#readout4')).toMatch(/^10\.20\.30\.\d+ — closed \(private\)$/);
    await page.keyboard.press('Backspace');
    expect(await page.textContent('#readout4')).toMatch(
      /^10\.20\.30\.0\/24 — open in part \(private\): 10\.20\.30\.40: policy/,
    );
    await page.keyboard.press('Enter');
    expect(await page.textContent('#crumbs4')).toBe('all10.0.0.0/810.20.0.0/1610.20.30.0/24');
    for (let level = 0; level < 3; level += 1) await page.keyboard.press('Escape');
    expect(await page.textContent('#crumbs4')).toBe('all');
  });

  it('names the block and the rule under the pointer, and goes in by a click', async () => {
    const { page } = await open(browser, url);
    await write(page, '[network]\nallow = ["10.0.0.0/8:443"]\ndeny = ["10.20.0.0/16:*"]\n');
    const size = await page.$eval('#map', (map) => map.clientWidth);
    // 10 is in the fourth column and fourth row of the curve.
    const position = { x: (3.5 * size) / 16, y: (3.5 * size) / 16 };
    await page.hover('#map', { position });
    expect(await page.textContent('#readout4')).toBe(
      '10.0.0.0/8 — open in part (private): 10.0.0.0 – 10.19.255.255, 10.21.0.0 – 10.255.255.255',
    );
    await page.click('#map', { position });
    expect(await page.textContent('#crumbs4')).toBe('all10.0.0.0/8');
    const whole = await page.evaluate(
      () => (document.querySelector('#map') as HTMLCanvasElement).width ** 2,
    );
    expect((await pixels(page, '#map', 'some')) / whole).toBeGreaterThan(0.75);
    await page.click('#crumbs4 button');
    expect(await page.textContent('#crumbs4')).toBe('all');
  });

  it('of IPv6 goes from a digit to where something is open', async () => {
    const { page } = await open(browser, url);
    await write(page, '[network]\nallow = ["[2001:db8::/32]:443"]\n');
    await page.hover('#bar', { position: { x: 5, y: 20 } });
    expect(await page.textContent('#readout6')).toBe('::/4 — closed');
    await page.focus('#bar');
    for (let digit = 0; digit < 2; digit += 1) await page.keyboard.press('ArrowRight');
    expect(await page.textContent('#readout6')).toBe(
      '2000::/4 — open in part: 2001:db8::/32: policy.toml:2 “[2001:db8::/32]:443”',
    );
    await page.keyboard.press('Enter');
    expect(await page.textContent('#crumbs6')).toBe('all2001:db0::/28');
    expect(await pixels(page, '#bar', 'some')).toBeGreaterThan(150);
    await page.keyboard.press('Backspace');
    expect(await page.textContent('#crumbs6')).toBe('all');
  });
});

describe('for every reader', () => {
  it.each(['light', 'dark'] as const)(
    '%s: text is readable on its ground (WCAG AA)',
    async (colorScheme) => {
      const { page } = await open(browser, url, { colorScheme });
      const low = await page.evaluate(() => {
        const style = getComputedStyle(document.documentElement);
        const luminance = (name: string): number => {
          const value = style.getPropertyValue(name).trim();
          const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
            const part = Number.parseInt(value.slice(at, at + 2), 16) / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const contrast = (a: string, b: string): number => {
          const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
          return (high + 0.05) / (low + 0.05);
        };
        const texts = ['--text', '--muted', '--accent', '--allow', '--deny', '--warning'];
        const code = ['--string', '--number', '--key', '--muted'];
        return [
          ...texts.flatMap((text) => [
            [text, '--surface'],
            [text, '--page'],
          ]),
          ...code.map((text) => [text, '--page']),
          ['--map-some', '--map-closed', '1.5'],
          ['--map-all', '--map-closed', '3'],
        ]
          .filter(([a = '', b = '', least = '4.5']) => contrast(a, b) < Number(least))
          .map(([a, b]) => `${a} on ${b}`);
      });
      expect(low).toEqual([]);
    },
  );

  it('the theme can be chosen against the system', async () => {
    const { page } = await open(browser, url, { colorScheme: 'light' });
    const ground = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.selectOption('#theme', 'dark');
    expect(await ground()).not.toBe(light);
    expect(await pixels(page, '#map', 'closed')).toBeGreaterThan(10_000);
  });

  it.each([320, 390, 768])('a window of %i pixels has no sideways scrolling', async (width) => {
    const { page } = await open(browser, url, { viewport: { width, height: 800 } });
    await page.selectOption('#example', 'every form');
    await settled(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
      width,
    );
  });

  it('everything that can be used is reached by Tab and has a name', async () => {
    const { page } = await open(browser, url);
    const seen = new Set<string>();
    for (let count = 0; count < 60; count += 1) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        const labels = [...((element as HTMLInputElement).labels ?? [])].map(
          (label) => label.textContent,
        );
        const name = element.getAttribute('aria-label') ?? labels.join(' ') ?? '';
        return {
          id: element.id || element.className,
          name: name || (element.textContent ?? ''),
          isBody: element === document.body,
        };
      });
      if (at.isBody) break;
      expect(at.name.trim(), at.id).not.toBe('');
      seen.add(at.id);
    }
    for (const id of [
      'example',
      'link',
      'theme',
      'destinations',
      'protocol',
      'port',
      'map',
      'bar',
      'scroll',
    ]) {
      expect([...seen], id).toContain(id);
    }
    expect([...seen].some((id) => id.includes('cm-content'))).toBe(true);
  });
});
