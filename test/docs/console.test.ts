/**
 * Commands in documents, run as they stand: each fenced `console` block, in a folder of its
 * document's own, with what earlier blocks left. A `toml` block that begins with `# NAME.toml` is
 * that file. `…` stands for what differs from run to run, a line of it for any lines. Web servers
 * listen on 127.0.0.1:8471, 127.0.0.2:8471 and a UNIX socket.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PORT = 8471;
const SOCKET = '/tmp/sandlock-cookbook.sock';
const DOCUMENTS = ['docs/cookbook.md'];

interface Block {
  readonly language: string;
  readonly line: number;
  readonly text: string;
}

function blocksOf(document: string): Block[] {
  const text = readFileSync(join(ROOT, document), 'utf8');
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    text: match[2] ?? '',
    line: text.slice(0, match.index).split('\n').length,
  }));
}

interface Step {
  readonly command: string;
  readonly output: string;
}

function stepsOf({ text }: Block): Step[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...output] = part.split('\n');
      return { command, output: output.join('\n') };
    });
}

/** The output that is expected, as a pattern. */
function pattern(output: string): RegExp {
  const escaped = output.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/^…\n/gm, '(?:.*\\n)*').replaceAll('…', '.*')}$`);
}

const servers: Server[] = [];

beforeAll(async () => {
  rmSync(SOCKET, { force: true });
  const places = [
    ...['127.0.0.1', '127.0.0.2'].map((host) => ({ name: host, at: { host, port: PORT } })),
    { name: 'a socket', at: { path: SOCKET } },
  ];
  for (const { name, at } of places) {
    const server = createServer((_, response) => {
      response.writeHead(200, { connection: 'close' }).end(`hello from ${name}\n`);
    });
    servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject);
      server.listen(at, resolve);
    });
  }
});

afterAll(() => {
  for (const server of servers) server.close();
});

describe.each(DOCUMENTS)('%s', (document) => {
  const folder = mkdtempSync(join(tmpdir(), 'sandlock-docs-'));
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(ROOT, 'dist/sandlock.cjs'), join(folder, 'bin/sandlock'));
  const blocks = blocksOf(document);

  it('has commands that are run', () => {
    expect(blocks.filter(({ language }) => language === 'console').length).toBeGreaterThan(3);
  });

  for (const block of blocks) {
    const [, name] = /^# ([\w.-]+\.toml)\n/.exec(block.text) ?? [];
    if (block.language === 'toml' && name !== undefined)
      writeFileSync(join(folder, name), block.text);
    if (block.language !== 'console') continue;
    it(`line ${block.line}`, async () => {
      const steps = stepsOf(block);
      expect(steps).not.toEqual([]);
      for (const { command, output } of steps)
        expect(sorted(await run(command, folder)), command).toMatch(pattern(sorted(output)));
    });
  }
});

/** Both streams of a command, in the order in which it wrote. */
function run(command: string, folder: string): Promise<string> {
  const env = {
    ...process.env,
    PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
    no_proxy: '*',
    NO_PROXY: '*',
  };
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', `exec 2>&1; ${command}`], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
}

/** By lines: a program and sandlock write to one terminal, each when it can. */
function sorted(text: string): string {
  return text.split('\n').sort().join('\n');
}

describe('README.md', () => {
  it('shows the first run as it is', async () => {
    const block = blocksOf('README.md').find(({ text }) =>
      text.startsWith('$ npx sandlock compile'),
    );
    if (block === undefined) throw new Error('README.md has no first run');
    const folder = mkdtempSync(join(tmpdir(), 'sandlock-docs-'));
    mkdirSync(join(folder, 'bin'));
    mkdirSync(join(folder, 'build'));
    symlinkSync(join(ROOT, 'examples'), join(folder, 'examples'));
    symlinkSync(join(ROOT, 'dist/sandlock.cjs'), join(folder, 'bin/sandlock'));
    // Times and process ids differ from run to run.
    const plain = (text: string): string =>
      text
        .replace(/[\d.]+ ms/g, 'N ms')
        .replace(/\[\d+\]/g, '[N]')
        .trim();
    for (const { command, output } of stepsOf(block)) {
      const seen = await run(command.replace('npx sandlock', 'sandlock'), folder);
      expect(sorted(plain(seen)), command).toBe(sorted(plain(output)));
    }
  });
});

describe('every document', () => {
  const documents = [
    'README.md',
    'SECURITY.md',
    'CONTRIBUTING.md',
    ...spawnSync('git', ['ls-files', 'docs/*.md'], { cwd: ROOT, encoding: 'utf8' })
      .stdout.trim()
      .split('\n'),
  ];

  it.each(documents)('%s: what its links lead to is there', (document) => {
    const text = readFileSync(join(ROOT, document), 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      const path = join(ROOT, document, '..', target);
      expect(() => readFileSync(path), `${document} → ${target}`).not.toThrow(/ENOENT/);
    }
  });

  it.each(documents)('%s: the options of sandlock that it shows exist', (document) => {
    const text = readFileSync(join(ROOT, document), 'utf8');
    const help = readFileSync(join(ROOT, 'src/help.ts'), 'utf8');
    for (const [, line = ''] of text.matchAll(
      /\bsandlock ((?:exec|compile|check|diff|doctor|completion|learn|inspect|fmt|lint)\b[^\n`]*)/g,
    )) {
      const own = line.split(' -- ')[0] ?? '';
      for (const [option] of own.matchAll(/(?<=\s)--[a-z][a-z-]+/g))
        expect(help, `${document}: sandlock ${line}`).toContain(option);
    }
  });
});
