/**
 * Names to addresses by the system's own resolver (getaddrinfo), as the sandboxed program would ask it: /etc/hosts,
 * search domains and nsswitch included. All addresses of both families are returned; which of them are
 * kept, and in what order, is the compiler's business.
 */
import { lookup } from 'node:dns';
import { ipv4Bytes, parseIpv4, parseIpv6 } from '../compiler/address.ts';
import type { Resolver, ResolverAnswer } from '../compiler/resolve.ts';
import { describeCause } from './errors.ts';

/** What getaddrinfo's errors mean to the author of a policy. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name does not exist',
  ENODATA: 'the name has no address',
  EAI_AGAIN: 'the name servers did not answer',
};

/** Resolves one name; a failure is an answer with its reason, never an exception. */
export const resolveBySystem: Resolver = (name) =>
  new Promise<ResolverAnswer>((answer) => {
    lookup(name, { all: true }, (error, found) => {
      if (error) {
        answer({ ok: false, reason: REASONS[error.code ?? ''] ?? describeCause(error) });
        return;
      }
      const addresses = found.map(({ address }) => toBytes(address));
      answer({ ok: true, addresses: addresses.filter((bytes) => bytes !== undefined) });
    });
  });

/** Bytes of a numeric address; a zone id (`fe80::1%eth0`) names a link, which a rule can not. */
function toBytes(text: string): Uint8Array | undefined {
  const value = parseIpv4(text);
  return value === undefined ? parseIpv6(text) : ipv4Bytes(value);
}
