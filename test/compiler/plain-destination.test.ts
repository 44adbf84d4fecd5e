/** The quick parser of destinations against the full one: what it knows is the same, and it knows the usual forms. */
import { expect, test } from 'vitest';
import { parseDestination } from '../../compiler/destination.ts';
import { parsePlain } from '../../compiler/plain-destination.ts';
import { seeded } from './seeded.ts';

const next = seeded(0x5eed);
const pick = <T>(choices: readonly T[]): T => choices[next(choices.length)] as T;

const HOSTS = [
  () => `${next(300)}.${next(256)}.${next(256)}.${next(256)}`,
  () => `[${next(65536).toString(16)}:${next(65536).toString(16)}::${next(65536).toString(16)}]`,
  () => `[${Array.from({ length: 8 }, () => next(65536).toString(16)).join(':')}]`,
  () => `[::ffff:${next(256)}.${next(256)}.${next(256)}.${next(256)}]`,
  () =>
    pick(['[::]', '[::1]', '0.0.0.0', '[1.2.3.4]', '010.0.0.1', 'example.com', '1.2.3', '', '*']),
];
const SCHEMES = ['', '', 'tcp://', 'udp://', 'icmp://', 'bind:', 'bind:tcp://', 'unix:', 'TCP://'];
const PORTS = [
  () => `:${1 + next(65535)}`,
  () =>
    pick([':443', ':0', ':065', ':65535', ':65536', ':99999', ':123456', ':', '', ':80,443', ':*']),
];
const STRANGE = [...'0123456789abcf.:[]/ -+@%*,\t\u00e4\u0661'];

/** A destination, most of them right, some with a character or two that were changed. */
function written(): string {
  let text = `${pick(SCHEMES)}${pick(HOSTS)()}${pick(PORTS)()}`;
  for (let changes = next(8) < 5 ? 0 : 1 + next(2); changes > 0; changes--) {
    const at = next(text.length + 1);
    text = text.slice(0, at) + pick([...STRANGE, '']) + text.slice(at + next(2));
  }
  return text;
}

test('what the quick parser reads in 200,000 texts is what the full one reads', () => {
  let known = 0;
  for (let i = 0; i < 200_000; i++) {
    const text = written();
    const plain = parsePlain(text);
    if (plain === undefined) continue;
    known += 1;
    const full = parseDestination(text);
    if (!full.ok) expect.fail(`only the quick parser reads ${JSON.stringify(text)}`);
    expect(plain, text).toEqual(full.destination);
  }
  expect(known).toBeGreaterThan(20_000);
});

test.each([
  '10.1.2.3:443',
  'tcp://10.1.2.3:65535',
  'udp://0.0.0.0:1',
  '[2001:db8::1]:443',
  'tcp://[::ffff:10.1.2.3]:80',
  'udp://[::]:53',
])('%s is read by the quick parser', (text) => {
  expect(parsePlain(text)).toBeDefined();
});

test.each([
  'example.com:443',
  'icmp://10.1.2.3',
  'icmp://10.1.2.3:1',
  'bind:tcp://127.0.0.1:80',
  'unix:/run/x.sock',
  '10.1.2.3',
  '10.1.2.3:',
  '10.1.2.3:0',
  '10.1.2.3:080',
  '10.1.2.3:65536',
  '10.1.2.3:443 ',
  '::1:443',
  '[::1%1]:443',
  '[10.1.2.3]:443',
  '10.0.0.0/8:443',
])('%s is left to the full parser', (text) => {
  expect(parsePlain(text)).toBeUndefined();
});
