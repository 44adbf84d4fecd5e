/**
 * Names to addresses by the system's own resolver (getaddrinfo), as the sandboxed program would ask
 * it: /etc/hosts, search domains and nsswitch included; or by a hosts file. All addresses of both
 * families are returned; which of them are kept, and in what order, is the compiler's business.
 */
import { ipv4Bytes, parseIpv4, parseIpv6 } from '../compiler/address.ts';
import type { Diagnostic } from '../compiler/diagnostic.ts';
import { parseHosts, resolveFromHosts } from '../compiler/hosts-file.ts';
import { ASKED_AT_ONCE, type Resolver, type ResolverAnswer } from '../compiler/resolve.ts';
import { describeCause } from './errors.ts';
import { readWhole } from './files.ts';

/** What getaddrinfo's errors mean to the author of a policy. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name does not exist',
  ENODATA: 'the name has no address',
  EAI_AGAIN: 'the name servers did not answer',
};

/** Resolves one name; a failure is an answer with its reason, never an exception. */
export const resolveBySystem: Resolver = (name) =>
  withManyThreads(
    () =>
      // Loaded with the first name: most policies have none to look up.
      new Promise<ResolverAnswer>((answer) => {
        process.getBuiltinModule('node:dns').lookup(name, { all: true }, (error, found) => {
          if (error) {
            answer({ ok: false, reason: REASONS[error.code ?? ''] ?? describeCause(error) });
            return;
          }
          const addresses = found.map(({ address }) => toBytes(address));
          answer({ ok: true, addresses: addresses.filter((bytes) => bytes !== undefined) });
        });
      }),
  );

/** Where names are looked up besides the system's resolver. */
export interface NameSources {
  /** A file in the form of hosts(5), whose names come first. */
  readonly hosts?: string | undefined;
  /** Nothing else is asked. */
  readonly offline?: boolean | undefined;
}

/**
 * The resolver for a compilation, or what is wrong with the hosts file.
 * @throws SandlockError (file) when that can not be read.
 */
export function chooseResolver({
  hosts: path,
  offline,
}: NameSources = {}):
  | { readonly ok: true; readonly resolve: Resolver }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] } {
  const file = path === undefined ? undefined : parseHosts(path, readWhole(path).toString());
  if (file !== undefined && file.diagnostics.length > 0) {
    return { ok: false, diagnostics: file.diagnostics };
  }
  const reason = path === undefined ? 'nothing is asked (--offline)' : `${path} does not have it`;
  const others: Resolver = offline ? async () => ({ ok: false, reason }) : resolveBySystem;
  return { ok: true, resolve: file === undefined ? others : resolveFromHosts(file.hosts, others) };
}

/**
 * Makes the first question with a larger pool of threads: libuv lets getaddrinfo have half of it,
 * and its four threads would ask for two names at a time. It reads the variable once, when the pool
 * is first used; the command must not see it.
 */
function withManyThreads<T>(ask: () => T): T {
  if (process.env[POOL] !== undefined) return ask();
  process.env[POOL] = String(2 * ASKED_AT_ONCE);
  try {
    return ask();
  } finally {
    delete process.env[POOL];
  }
}

const POOL = 'UV_THREADPOOL_SIZE';

/** Bytes of a numeric address; a zone id (`fe80::1%eth0`) names a link, which a rule can not. */
function toBytes(text: string): Uint8Array | undefined {
  const value = parseIpv4(text);
  return value === undefined ? parseIpv6(text) : ipv4Bytes(value);
}
