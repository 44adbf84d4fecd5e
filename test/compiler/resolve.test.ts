/**
 * Names: asked once, pinned in canonical form, and kept out of the inside unless the policy wants them there.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formatAddress } from '../../compiler/address.ts';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';
import { draftPolicy } from '../../compiler/draft.ts';
import { isInsideAddress } from '../../compiler/inside-addresses.ts';
import { resolveNames } from '../../compiler/resolve.ts';
import { RELEASE } from '../reference/modules.ts';
import { parseIp } from './parse-ip.ts';
import { draft, draftText, errorsOf, goodDraft, type World } from './support.ts';

/** The pinned names of some rules as text. */
async function pins(allow: readonly string[], world: World, text?: string): Promise<string[]> {
  const file = text === undefined ? {} : { file: { name: 'policy.toml', text } };
  const { names } = await goodDraft({ ...file, allow }, world);
  return names.map(({ name, addresses }) => `${name} ${addresses.map(formatAddress).join(' ')}`);
}

test('one name is asked once, however many rules name it, in whatever case', async () => {
  const asked: string[] = [];
  await draft(
    { allow: ['a.example:1', 'A.Example.:2', 'udp://a.example:53', 'b.example:1'] },
    {},
    asked,
  );
  expect(asked).toEqual(['a.example', 'b.example']);
});

test('addresses of a set, a CIDR or a literal are not asked for', async () => {
  const asked: string[] = [];
  await draft({ allow: ['192.0.2.1:1', '[::1]:1', '*:1'], deny: ['192.0.2.0/24:1'] }, {}, asked);
  expect(asked).toEqual([]);
});

test('answers are canonical, sorted and unique, whatever their order', async () => {
  const answers = ['2001:db8::1', '::ffff:192.0.2.9', '192.0.2.10', '192.0.2.9', '2001:db8::1'];
  const sorted = ['a.example 192.0.2.9 192.0.2.10 2001:db8::1'];
  expect(await pins(['a.example:1'], { names: { 'a.example': answers } })).toEqual(sorted);
  const reversed = [...answers].reverse();
  expect(await pins(['a.example:1'], { names: { 'a.example': reversed } })).toEqual(sorted);
});

test('no more than 16 names are asked at a time, and progress names those', async () => {
  const names = Array.from({ length: 40 }, (_, i) => `n${i}.example`);
  const pending = new Map<string, () => void>();
  const states: string[] = [];
  const answers = resolveNames(
    [...names, ...names],
    (name) =>
      new Promise((answer) => {
        pending.set(name, () => answer({ ok: true, addresses: [Uint8Array.of(192, 0, 2, 1)] }));
      }),
    (done, all, asked) => states.push(`${done}/${all} ${asked.length} ${asked[0]}`),
  );
  let most = 0;
  while (pending.size > 0) {
    most = Math.max(most, pending.size);
    // The last that was asked answers first.
    const [name = '', answer] = [...pending].at(-1) ?? [];
    pending.delete(name);
    answer?.();
    await new Promise(setImmediate);
  }
  expect(most).toBe(16);
  expect([...(await answers).keys()].sort()).toEqual([...names].sort());
  expect(states.slice(14, 18)).toEqual([
    '0/40 15 n0.example',
    '0/40 16 n0.example',
    '1/40 15 n0.example',
    '1/40 16 n0.example',
  ]);
  expect(states.at(-1)).toBe('40/40 0 undefined');
});

test('names stand in the order in which rules name them first', async () => {
  const names = await pins(['b.example:1', 'a.example:1', 'b.example:2'], {});
  expect(names).toEqual(['b.example 192.0.2.1', 'a.example 192.0.2.1']);
});

test('a name that does not resolve is an error at each rule that names it', async () => {
  expect(
    await errorsOf('[network]\nallow = [\n  "a.example:1",\n  "udp://a.example:53",\n]', {
      names: {},
    }),
  ).toBe(`policy.toml:3:4: error SL4001: \`a.example\` does not resolve: the name does not exist
3 |   "a.example:1",
  |    ^^^^^^^^^

policy.toml:4:10: error SL4001: \`a.example\` does not resolve: the name does not exist
4 |   "udp://a.example:53",
  |          ^^^^^^^^^
`);
});

test.each([
  [
    'gives no address',
    async () => ({ ok: true, addresses: [] }) as const,
    'the resolver gave no address',
  ],
  [
    'gives five bytes',
    async () => ({ ok: true, addresses: [new Uint8Array(5)] }) as const,
    'the resolver gave something that is not an address',
  ],
  [
    'rejects',
    async () => {
      throw new Error('EAI_AGAIN');
    },
    'EAI_AGAIN',
  ],
])('a resolver that %s has not resolved', async (_, resolve, reason) => {
  const readSetFile = () => ({ ok: false, reason: 'unused' }) as const;
  const result = await draftPolicy(
    { allow: ['a.example:1'], deny: [] },
    { resolve, readSetFile, policyModule: RELEASE },
  );
  expect(result.ok || result.diagnostics.map(({ message }) => message)).toEqual([
    `\`a.example\` does not resolve: ${reason}`,
  ]);
});

const VECTORS = readFileSync(new URL('../name-vectors/inside.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^(in|out)side /.test(line))
  .map((line) => line.split(' '));

test('there are vectors of both kinds', () => {
  expect(new Set(VECTORS.map(([kind]) => kind))).toEqual(new Set(['inside', 'outside']));
});

test.each(VECTORS)('%s: %s', (kind, text = '') => {
  expect(isInsideAddress(parseIp(text))).toBe(kind === 'inside');
});

test('a public name with private answers only is refused and told what to write', async () => {
  expect(
    await errorsOf('[network]\nallow = ["a.example:443"]', {
      names: { 'a.example': ['10.0.0.7', 'fe80::1'] },
    }),
  ).toBe(`policy.toml:2:11: error SL4002: \`a.example\` resolves to private addresses only: 10.0.0.7, fe80::1
2 | allow = ["a.example:443"]
  |           ^^^^^^^^^
help: if this is meant, add \`[dns] private = ["a.example"]\`
`);
});

test('private answers beside public ones are left out with a warning', async () => {
  const result = await draftText('[network]\nallow = ["a.example:443"]', {
    names: { 'a.example': ['10.0.0.7', '192.0.2.1', '64:ff9b::127.0.0.1'] },
  });
  if (!result.ok) throw new Error('the policy compiles');
  expect(result.draft.names).toEqual([{ name: 'a.example', addresses: [parseIp('192.0.2.1')] }]);
  expect(
    formatDiagnostics(result.warnings),
  ).toBe(`policy.toml:2:11: warning SL4003: \`a.example\` also resolves to private addresses, which are left out: 10.0.0.7, 64:ff9b::7f00:1
2 | allow = ["a.example:443"]
  |           ^^^^^^^^^
help: if this is meant, add \`[dns] private = ["a.example"]\`
`);
});

test('localhost and names below it may be private', async () => {
  const names = { localhost: ['127.0.0.1', '::1'], 'app.localhost': ['127.0.0.1'] };
  expect(await pins(['localhost:1', 'app.localhost:1'], { names })).toEqual([
    'localhost ::1 127.0.0.1',
    'app.localhost 127.0.0.1',
  ]);
});

test.each([
  ['db.internal', 'db.internal', true],
  ['DB.Internal.', 'db.internal', true],
  ['*.internal', 'db.internal', true],
  ['*.internal', 'a.b.internal', true],
  ['*.internal', 'internal', false],
  ['*.internal', 'dbinternal', false],
  ['internal', 'db.internal', false],
])('`private = ["%s"]` lets %s be private: %s', async (listed, name, may) => {
  const text = `[network]\nallow = ["${name}:1"]\n[dns]\nprivate = ["${listed}"]`;
  const result = await draftText(text, { names: { [name]: ['10.0.0.1'] } });
  expect(result.ok).toBe(may);
});

const SHARED = { names: { 'a.example': ['10.0.0.7'] } };

test.each([
  ['the same port of the network', '10.0.0.0/8:443'],
  ['a wider range of the address', '10.0.0.7:400-500'],
  ['every address', ':443'],
  ['two rules together', '10.0.0.7:*'],
])('an answer that %s opens already is kept', async (_, rule) => {
  expect(await pins(['a.example:443', rule], SHARED)).toEqual(['a.example 10.0.0.7']);
});

test('an answer that a set opens already is kept', async () => {
  const text = '[network]\n[sets]\na = ["10.0.0.0/29", "fd00::/8"]';
  const names = { 'a.example': ['10.0.0.7', 'fd00::1'] };
  expect(await pins(['a.example:1', '@a:1'], { names }, text)).toEqual([
    'a.example 10.0.0.7 fd00::1',
  ]);
});

test.each([
  ['another port', ['10.0.0.0/8:444']],
  ['another protocol', ['udp://10.0.0.0/8:443']],
  ['another network', ['10.0.0.0/30:443']],
  ['another family', ['[::/0]:443']],
])('an answer is refused when address rules open %s only', async (_, rules) => {
  const result = await draft({ allow: ['a.example:443', ...rules] }, SHARED);
  expect(result.ok || result.diagnostics.map(({ code }) => code)).toEqual(['SL4002']);
});
