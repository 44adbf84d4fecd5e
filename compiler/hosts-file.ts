/**
 * A file in the form of hosts(5) as the only source of names: `address name [name …]` and `#`
 * comments, LF or CRLF. Every line must be good, because a name that silently lacks an address
 * would change the table. A name may have several lines; their addresses add up.
 */
import { ipv4Bytes, parseIpv4, parseIpv6 } from './address.ts';
import { countCharacters, createDiagnostic, type Diagnostic, type Fault } from './diagnostic.ts';
import { parseName } from './host-name.ts';
import type { Resolver } from './resolve.ts';

/** The addresses of each name; `diagnostics` is empty when every line is good. */
export interface ParsedHosts {
  readonly hosts: ReadonlyMap<string, readonly Uint8Array[]>;
  readonly diagnostics: readonly Diagnostic[];
}

/** Parses a hosts file. `file` is how the user called it. */
export function parseHosts(file: string, text: string): ParsedHosts {
  const hosts = new Map<string, Uint8Array[]>();
  const diagnostics: Diagnostic[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [written, ...names] = wordsOf(line);
    if (written === undefined) continue;
    const complain = (fault: Fault): void => {
      const column = 1 + countCharacters(line, 0, fault.start);
      diagnostics.push(createDiagnostic({ file, line: index + 1, text: line }, column, fault));
    };
    const address = parseHostAddress(written.text);
    if (address === undefined) complain(noAddress(written));
    if (names.length === 0) complain(noName(written));
    for (const { text: name, start } of names) {
      const parsed = parseName(name, start);
      if (!parsed.ok) complain(parsed.fault);
      else if (address !== undefined)
        hosts.set(parsed.name, [...(hosts.get(parsed.name) ?? []), address]);
    }
  }
  return { hosts, diagnostics };
}

/** A resolver that knows the names of a file and asks `otherwise` for all others. */
export function resolveFromHosts(hosts: ParsedHosts['hosts'], otherwise: Resolver): Resolver {
  return async (name) => {
    const addresses = hosts.get(name);
    return addresses === undefined ? otherwise(name) : { ok: true, addresses };
  };
}

interface Word {
  readonly text: string;
  readonly start: number;
}

function wordsOf(line: string): Word[] {
  return [...line.replace(/#.*$/, '').matchAll(/[^ \t]+/g)].map(({ 0: text, index: start }) => ({
    text,
    start,
  }));
}

function parseHostAddress(text: string): Uint8Array | undefined {
  const value = parseIpv4(text);
  return value === undefined ? parseIpv6(text) : ipv4Bytes(value);
}

function noAddress({ text, start }: Word): Fault {
  const message = `\`${text}\` is not an address`;
  return { code: 'SL1003', message, start, end: start + text.length, expected: FORM };
}

function noName({ text, start }: Word): Fault {
  const end = start + text.length;
  return { code: 'SL1003', message: 'no name follows the address', start, end, expected: FORM };
}

const FORM = 'an address and its names, such as `192.0.2.7 api.example.com`';
