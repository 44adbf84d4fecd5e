/**
 * One member of an address set: an address or CIDR, IPv6 without brackets.
 * The same for inline lists and files. Names what was written instead where it can be told.
 */

import { endsInNumber } from './host-name.ts';
import { parsePorts } from './ports.ts';
import { type ParsedPrefix, parsePrefix } from './prefix.ts';

/** Parses a member. Offsets of the fault count from the start of `text`. */
export function parseSetItem(text: string): ParsedPrefix {
  // Parsing comes first: what is no address is rare, and telling what it is costs more.
  const parsed = parsePrefix(text, 0, text.includes(':') ? 6 : 4, (written) => written);
  const misfit = parsed.ok ? undefined : describeMisfit(text);
  if (misfit === undefined) return parsed;
  const [message, help] = misfit;
  return {
    ok: false,
    fault: {
      code: 'SL3004',
      message,
      start: 0,
      end: text.length,
      expected: 'an address or CIDR, such as 10.0.0.0/8 or 2001:db8::/32',
      ...(help === undefined ? {} : { help }),
    },
  };
}

/** What is written in place of an address, and what may have been meant. */
function describeMisfit(text: string): readonly [message: string, help?: string] | undefined {
  if (text === '') return ['the address is missing'];
  if (/\s/.test(text)) return [`\`${text}\` is not one address`];
  if (text.startsWith('@')) return ['a set can not hold another set'];
  if (text.includes('://')) return ['a set holds addresses, not rules'];
  const [, inner, length = '', port] = /^\[([^\]]*)\](\/[0-9]+)?(:[^:]*)?$/.exec(text) ?? [];
  if (inner !== undefined) {
    const message = port === undefined ? 'an address in a set takes no brackets' : PORTLESS;
    return [message, `did you mean ${inner}${length}?`];
  }
  const [, host, ports] = /^([^:]*):([^:]*)$/.exec(text) ?? [];
  if (host !== undefined && endsInNumber(host.replace(/\/.*$/, ''))) {
    return parsePorts(ports ?? '', 1).ok ? [PORTLESS, `did you mean ${host}?`] : [PORTLESS];
  }
  if (/^[0-9.]+-[0-9.]+$/.test(text)) {
    return ['a set holds addresses and CIDRs, not ranges', 'write the range as CIDRs'];
  }
  if (host === undefined && text.includes(':')) return undefined;
  if (endsInNumber(text.replace(/\/.*$/, ''))) return undefined;
  return [`\`${text}\` is not an address`];
}

const PORTLESS = 'a set holds addresses without ports';
