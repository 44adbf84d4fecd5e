/**
 * Why calls were decided as they were: examples of each sentence, and many questions to the tables of
 * test/vectors with what is told of each, which the launcher's tests go through as well
 * (executor/src/launcher/explaining.rs). With SANDLOCK_WRITE=1 the file is written, else compared.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { type Decision, toDecision } from '../../src/decision.ts';
import { USUAL_PORTS } from '../../src/ephemeral-ports.ts';
import { createExplainer } from '../../src/explaining.ts';
import { type DecidedRecord, formatAddress } from '../../src/records.ts';
import { printable } from '../../src/standard-error.ts';

const tables = join(import.meta.dirname, '../vectors');
const file = join(import.meta.dirname, '../explanations.txt');

/** Questions of each vector that are asked. */
const QUESTIONS = 48;
/** In place of every fourth's own, so that addresses meet other ports. */
const PORTS = [0, 1, 22, 53, 80, 443, 8080, 65535];
/** Asked of every table: use, address and port. */
const ALWAYS = [
  ['udp', '192.0.2.53', 53],
  ['tcp', '0.0.0.0', 80],
  ['tcp', '::', 80],
  ['icmp', '::', 0],
  ['tcp-bind', '0.0.0.0', 8080],
  ['tcp-bind', '::', 8080],
  ['udp-bind', '::', 53],
  ['tcp', '64:ff9b::a01:203', 443],
  ['tcp', '2002:a01:203::1', 443],
  ['tcp', '192.0.2.8', 5432],
  ['tcp', '192.0.2.8', 5433],
] as const;
/** Asked as what was allowed at an address of `api.example`. */
const LIVE = [
  ['tcp', 443],
  ['tcp', 80],
  ['udp', 443],
] as const;
const SOCKETS = [
  '/run/x.sock',
  '/run/dir/deep/x',
  '/run/postgresql/.s.PGSQL.5432',
  '/run/üser/1000',
  '/run/üser/1000/bus',
  '@sandlock',
  '@other',
  '/',
  '',
  '/rün/"x"',
];

const NAME = {
  kind: 'name',
  reason: 'answered',
  ...{ timeMs: 0, pid: 1, tid: 1, program: 'x', code: 0, dropped: 0 },
} as const;

function recordOf(part: Partial<DecidedRecord>): DecidedRecord {
  return {
    ...{ kind: 'denied', timeMs: 0, pid: 1, tid: 1, program: 'x', call: 'connect', errno: 13 },
    ...{ protocol: 'tcp', address: '', port: 0, dropped: 0, ...part },
  };
}

/** The records of a vector: its questions, every fourth at another port, and UNIX sockets. */
function recordsOf(name: string): DecidedRecord[] {
  const lines = readFileSync(join(tables, `${name}.json`), 'utf8').split('\n');
  const asked = lines.slice(1, 1 + QUESTIONS).map((line, index) => {
    const [use, hex, port] = JSON.parse(line.replace(/,$/, '')) as [string, string, number];
    const bytes = Buffer.from(hex.length === 8 ? `${'00'.repeat(10)}ffff${hex}` : hex, 'hex');
    const [protocol = '', bind] = use.split('-');
    const other = PORTS[(index >> 2) % PORTS.length] ?? 0;
    return recordOf({
      kind: index % 5 === 4 ? 'allowed' : 'denied',
      call: bind === undefined ? 'sendto' : index % 2 === 0 ? 'bind' : 'listen',
      protocol: protocol as DecidedRecord['protocol'],
      address: formatAddress(bytes),
      port: index % 4 === 3 && protocol !== 'icmp' ? other : port,
    });
  });
  const always = ALWAYS.map(([use, address, port], index) => {
    const [protocol = '', bind] = use.split('-');
    const call = bind ?? (index % 2 === 0 ? 'connect' : 'sendmsg');
    return recordOf({ call, protocol, address, port } as Partial<DecidedRecord>);
  });
  const listened = [32_767, 32_768, 60_999, 61_000].map((port, index) =>
    recordOf({ call: 'listen', address: index % 2 === 0 ? '::' : '127.0.0.1', port }),
  );
  const sockets = SOCKETS.map((address) => recordOf({ protocol: 'unix', address }));
  const odd = recordOf({ protocol: 'other', call: 'socket', address: 'inet/stream' });
  const opened = LIVE.map(([protocol, port]) =>
    recordOf({ kind: 'allowed', protocol, address: '198.18.7.7', port }),
  );
  return [...asked, ...always, ...sockets, odd, ...opened, ...listened];
}

/** What is told of a record: the hint, the members of the log and the line of the summary. */
function told(bytes: Uint8Array, record: DecidedRecord, learned: string): string[] {
  const explainer = createExplainer(bytes, USUAL_PORTS);
  if (learned !== '') explainer.learn({ ...NAME, name: learned, address: record.address });
  const explained = explainer.explain(record);
  const decision = toDecision(record, explained);
  const { name, rule, reason, suggestion } = decision;
  const members = JSON.stringify({ name, rule, reason, suggestion });
  return [explained.hint, members, summaryOf(decision)];
}

/** The line of the summary for one call. */
function summaryOf(decision: Decision): string {
  const { verdict, syscall, protocol, destination, name, program, rule, reason } = decision;
  const use = syscall === 'bind' || syscall === 'listen' ? `${syscall} ${protocol}` : protocol;
  const known = name === undefined ? '' : ` (${name})`;
  const isOdd = protocol === 'unix' && /[;"\\[\]—]|: /.test(destination);
  const what = isOdd ? JSON.stringify(destination) : destination;
  const place =
    rule === undefined || rule.line === 0 ? rule?.source : `${rule.source}:${rule.line}`;
  const why = rule === undefined ? reason : `${place} ${JSON.stringify(rule.text)}`;
  const text = `${use} ${what}${known} — ${program}${why === undefined ? '' : `: ${why}`}`;
  const word = verdict === 'allow' ? 'reached' : 'refused';
  return `sandlock: ${word} 1× ${printable(text)}\n`;
}

function everything(): string {
  const names = readdirSync(tables).filter((name) => name.endsWith('.bin'));
  const lines = names.flatMap((path) => {
    const bytes = readFileSync(join(tables, path));
    const name = basename(path, '.bin');
    return recordsOf(name).map((record, index) => {
      const { kind, call, protocol, address, port } = record;
      // In a record of a name `::` stands for no address.
      const isNamed = index % 3 === 2 && protocol !== 'unix' && address !== '::';
      const named = isNamed ? `host${index}.example` : '';
      const learned = address === '198.18.7.7' ? 'api.example' : named;
      const asked = [name, kind, call, protocol, address, port, learned];
      return [...asked, ...told(bytes, record, learned)].join('\t').trimEnd();
    });
  });
  return `${lines.join('\n')}\n`;
}

test('the committed explanations are those that are told', () => {
  const wanted = everything();
  if (process.env.SANDLOCK_WRITE === '1') writeFileSync(file, wanted);
  expect(readFileSync(file, 'utf8')).toBe(wanted);
});

test.each([
  'by policy.toml:',
  'by --allow:',
  'no rule allows tcp; ',
  'no rule allows udp (to reach a host by its name, allow the name instead); ',
  'no rule allows icmp; ',
  'no rule allows a tcp bind',
  'no rule allows a tcp bind (the kernel chose the port); to allow: "[::]:32768-60999" in allow_bind',
  'no rule allows a udp bind',
  'no rule allows a unix socket',
  'no tcp rule for this address',
  'no tcp rule for port ',
  'no unix rule for this socket',
  'allow_families leaves out ',
])('the committed explanations have "%s"', (text) => {
  expect(readFileSync(file, 'utf8')).toContain(`\t${text}`);
});
