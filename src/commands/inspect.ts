/**
 * `sandlock inspect`: what a table, or the table of a policy, contains. The data are the compiler's
 * (inspect.ts); here is their form for a terminal.
 */
import { parseDestination } from '../../compiler/destination.ts';
import { formatDiagnostics } from '../../compiler/diagnostic.ts';
import { pinnedAddresses } from '../../compiler/explain-name.ts';
import {
  type InspectedProtocol,
  type Inspection,
  inspectTable,
  type Walk,
  walkTable,
} from '../../compiler/inspect.ts';
import type { TrieLayout } from '../../compiler/stored-layout.ts';
import type { Table } from '../../compiler/table.ts';
import { openPolicy } from '../compiling.ts';
import { SandlockError } from '../errors.ts';
import type { Format } from '../output.ts';
import { printable, writeOutput } from '../standard-error.ts';

/** Options of the command; `explain` alone asks for the tries, with a destination for a walk as well. */
export interface InspectOptions {
  readonly format: Format;
  readonly explain?: string | true;
}

/**
 * Prints the contents of a policy or table.
 * @throws SandlockError for a bad policy, table or destination.
 */
export async function inspectPolicy(
  path: string,
  { format, explain }: InspectOptions,
): Promise<void> {
  const table = await openPolicy(path);
  const inspection = inspectTable(table);
  const walks = typeof explain === 'string' ? walksFor(table, explain) : [];
  if (format === 'json') {
    const more = explain === undefined ? {} : { walks };
    writeOutput(`${JSON.stringify({ ...inspection, ...more })}\n`);
    return;
  }
  const lines = [
    ...formatInspection(inspection, Date.now()),
    ...(explain === undefined ? [] : formatTries(inspection.layout.tries)),
    ...walks.flatMap(formatWalk),
  ];
  writeOutput(lines.map((line) => `${printable(line)}\n`).join(''));
}

function walksFor(table: Table, text: string): readonly Walk[] {
  const parsed = parseDestination(text);
  if (!parsed.ok) throw new SandlockError('usage', formatDiagnostics(parsed.diagnostics).trimEnd());
  const { destination } = parsed;
  if (destination.protocol === 'unix') {
    throw new SandlockError(
      'usage',
      `${text}: UNIX sockets are compared by their text, not looked up`,
    );
  }
  const { protocol, port } = destination;
  if ('addresses' in destination) {
    return destination.addresses.map((address) => walkTable(table, protocol, address, port));
  }
  const { host } = destination;
  const addresses = host.kind === 'address' ? [host.address] : pinnedAddresses(table, host.name);
  if (addresses === undefined || addresses.length === 0) {
    throw new SandlockError('usage', `${text}: the table has no address of this name`);
  }
  return addresses.map((address) => walkTable(table, protocol, address, port));
}

/** Names and sockets that are listed; --json has all of them. */
const MOST_LISTED = 20;

/** The lines of the text form. `nowMs` is since 1970, for the age of pins. */
export function formatInspection(inspection: Inspection, nowMs: number): readonly string[] {
  const { protocols, names, sets, families, userns, unix, portSets, layout } = inspection;
  const unixRules = unix.length === 0 ? '' : ` ${unix.length} UNIX rules,`;
  const rules = protocols.reduce((sum, { allow, deny }) => sum + allow + deny, 0);
  return [
    `table      ${layout.bytes.toLocaleString('en')} bytes, format ${layout.version}, ${rules} rules,${unixRules} ${portSets} port sets`,
    ...protocols.map(formatProtocol),
    `names      ${names.length === 0 ? 'none' : describePins(inspection, nowMs)}`,
    ...listed(names.map(({ name, addresses }) => `${name}  ${addresses.join(' ') || 'no pin'}`)),
    ...(sets.length === 0 ? ['sets       none'] : ['sets']),
    ...sets.map(
      ({ name, ranges4, ranges6 }) => `  @${name}  ${ranges4} IPv4 ranges, ${ranges6} IPv6 ranges`,
    ),
    `families   ${families.join(' ') || 'none'}`,
    `namespaces ${userns ? 'may be made' : 'not made'}`,
    ...(unix.length === 0 ? ['unix       no socket outside'] : ['unix']),
    ...listed(unix.map((rule) => rule.shown())),
    'sections',
    ...layout.sections.map(
      ({ name, count, bytes }) =>
        `  ${name.padEnd(12)} ${String(count).padStart(9)} cells ${bytes.toLocaleString('en').padStart(12)} bytes`,
    ),
  ];
}

const MODES: Readonly<Record<InspectedProtocol['mode'], string>> = {
  closed: 'closed: nothing of it is allowed',
  supervised: 'supervised: every call is looked up',
  kernel: 'kernel: ports are held by the kernel alone',
  open: 'open: everything is allowed, nothing is looked at',
};

function formatProtocol({ protocol, mode, because, allow, deny }: InspectedProtocol): string {
  const why = because === undefined ? '' : ` (${because})`;
  return `${protocol.padEnd(10)} ${allow} allow, ${deny} deny; ${MODES[mode]}${why}`;
}

function describePins({ names, dns }: Inspection, nowMs: number): string {
  const pinned = names.filter(({ addresses }) => addresses.length > 0).length;
  const resolve = `resolve = "${dns.resolve}"`;
  if (pinned === 0 || dns.pinnedAt === 0) return `${names.length}, ${pinned} pinned, ${resolve}`;
  const time = new Date(dns.pinnedAt * 1000).toISOString();
  const age = formatAge(Math.max(0, nowMs / 1000 - dns.pinnedAt));
  const limit = dns.maxAge === 0 ? '' : `, old after ${formatAge(dns.maxAge)}`;
  return `${names.length}, ${pinned} pinned ${age} ago (${time}), ${resolve}${limit}`;
}

/** `3 days`, `2 hours`, `5 minutes`, `10 seconds`: the largest unit of which there are two. */
function formatAge(seconds: number): string {
  const units = [
    [86400, 'days'],
    [3600, 'hours'],
    [60, 'minutes'],
  ] as const;
  const [size, unit] = units.find(([one]) => seconds >= 2 * one) ?? [1, 'seconds'];
  return `${Math.floor(seconds / size)} ${unit}`;
}

function listed(texts: readonly string[]): readonly string[] {
  const lines = texts.slice(0, MOST_LISTED).map((text) => `  ${text}`);
  const more = texts.length - lines.length;
  return more === 0 ? lines : [...lines, `  … and ${more} more; --json has all`];
}

function formatTries(tries: readonly TrieLayout[]): readonly string[] {
  return [
    'tries, each a root of 2^bits children and below it one sorted array of boundaries',
    ...listed(tries.map(describeTrie)),
  ];
}

function describeTrie(trie: TrieLayout): string {
  const { of, family, boundaries, rootBits, startBytes, spans } = trie;
  const bytes = trie.rootArrayBytes + trie.startsArrayBytes + trie.cellsArrayBytes;
  const form = spans ? ', spans' : '';
  return `${of} IPv${family}: ${boundaries} ${boundaries === 1 ? 'boundary' : 'boundaries'}, root 2^${rootBits}, starts of ${startBytes} bytes${form}; ${bytes.toLocaleString('en')} bytes (root ${trie.rootArrayBytes}, starts ${trie.startsArrayBytes}, cells ${trie.cellsArrayBytes})`;
}

function formatWalk({
  trie,
  address,
  child,
  from,
  to,
  portSet,
  ports,
  verdict,
}: Walk): readonly string[] {
  return [
    `walk       ${address} in ${trie.of} IPv${trie.family}`,
    `  child ${child} of ${2 ** trie.rootBits} (by the first ${trie.rootBits} bits)`,
    `  boundary ${from}, up to ${to}`,
    `  port set ${portSet}: ${ports || 'no port'}`,
    `  ${verdict}`,
  ];
}
