/** Hosts files: what their lines say, and the whole text of what is wrong with them. */
import { expect, test } from 'vitest';
import { formatAddress } from '../../compiler/address.ts';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';
import { draftPolicy } from '../../compiler/draft.ts';
import { parseHosts, resolveFromHosts } from '../../compiler/hosts-file.ts';
import { RELEASE } from '../reference/modules.ts';

function read(text: string): Record<string, string[]> {
  const { hosts, diagnostics } = parseHosts('hosts.txt', text);
  expect(diagnostics).toEqual([]);
  return Object.fromEntries(
    [...hosts].map(([name, addresses]) => [name, addresses.map(formatAddress)]),
  );
}

test('names collect the addresses of all their lines', () => {
  const text = `# pins of 2026
192.0.2.1 a.example  b.example # two names
\t2001:db8::1\ta.example\r
192.0.2.1 A.Example.

192.0.2.9 bücher.example my_db`;
  expect(read(text)).toEqual({
    'a.example': ['192.0.2.1', '2001:db8::1', '192.0.2.1'],
    'b.example': ['192.0.2.1'],
    'xn--bcher-kva.example': ['192.0.2.9'],
    my_db: ['192.0.2.9'],
  });
});

test('every bad line is an error with its place', () => {
  const { diagnostics } = parseHosts(
    'hosts.txt',
    '010.0.0.1 a.example\n192.0.2.1 # nothing\nfe80::1%eth0 b.example\n192.0.2.2 a..example',
  );
  const form = 'expected: an address and its names, such as `192.0.2.7 api.example.com`';
  expect(
    formatDiagnostics(diagnostics),
  ).toBe(`hosts.txt:1:1: error SL1003: \`010.0.0.1\` is not an address
1 | 010.0.0.1 a.example
  | ^^^^^^^^^
${form}

hosts.txt:2:1: error SL1003: no name follows the address
2 | 192.0.2.1 # nothing
  | ^^^^^^^^^
${form}

hosts.txt:3:1: error SL1003: \`fe80::1%eth0\` is not an address
3 | fe80::1%eth0 b.example
  | ^^^^^^^^^^^^
${form}

hosts.txt:4:13: error SL2014: \`a..example\` has an empty label
4 | 192.0.2.2 a..example
  |             ^
expected: labels of letters, digits, \`_\` and inner hyphens, such as api.example.com
`);
});

test('only names that the file lacks are asked of the other resolver', async () => {
  const { hosts } = parseHosts('hosts.txt', '192.0.2.1 a.example');
  const asked: string[] = [];
  const resolve = resolveFromHosts(hosts, async (name) => {
    asked.push(name);
    return { ok: false, reason: 'hosts.txt does not have it' };
  });
  const readSetFile = () => ({ ok: false, reason: 'unused' }) as const;
  const allow = ['a.example:1', 'b.example:1', 'udp://b.example:2'];
  const result = await draftPolicy(
    { allow, deny: [] },
    { resolve, readSetFile, policyModule: RELEASE },
  );
  expect(asked).toEqual(['b.example']);
  expect(result.ok || result.diagnostics.map(({ message, column }) => [column, message])).toEqual([
    [1, '`b.example` does not resolve: hosts.txt does not have it'],
    [7, '`b.example` does not resolve: hosts.txt does not have it'],
  ]);
});
