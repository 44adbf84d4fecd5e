/**
 * What is wrong with a text that is not an address, in words.
 * Asked only after address.ts has said no, so nothing here decides what a policy means. Each function finds the
 * first reason, from the left, and the form that was probably meant where there is one.
 */
import { parseIpv4 } from './address.ts';
import type { Fault } from './diagnostic.ts';

/** Says what keeps `text` from being an IPv4 address. `at` is where it stands in the text that offsets count from. */
export function explainIpv4(text: string, at: number): Fault {
  const fault = (message: string, start: number, length: number, help?: string): Fault => ({
    code: 'SL2010',
    message,
    start: at + start,
    end: at + start + length,
    expected: 'four decimal octets, such as 192.0.2.7',
    ...(help === undefined ? {} : { help }),
  });
  const octets = text.split('.');
  let start = 0;
  for (const octet of octets) {
    if (octet === '') {
      const dot = Math.max(0, Math.min(start, text.length - 1));
      return fault(`\`${text}\` has an empty octet`, dot, 1);
    }
    if (/^0x/i.test(octet)) {
      const message = `\`${octet}\` is hexadecimal, which programs read differently`;
      return fault(message, start, octet.length);
    }
    if (!/^[0-9]+$/.test(octet)) return fault(`\`${octet}\` is not an octet`, start, octet.length);
    if (octet.length > 1 && octet.startsWith('0')) {
      const message = `\`${octet}\` has a leading zero, which some programs read as octal`;
      return fault(message, start, octet.length, withoutLeadingZeros(octets));
    }
    if (octets.length === 4 && Number(octet) > 255) {
      return fault(`octet ${octet} is above 255`, start, octet.length);
    }
    start += octet.length + 1;
  }
  const count = octets.length === 1 ? '1 octet' : `${octets.length} octets`;
  return fault(`\`${text}\` has ${count} instead of 4`, 0, text.length);
}

/** The decimal and the octal reading of octets with leading zeros, as far as they are addresses. */
function withoutLeadingZeros(octets: readonly string[]): string | undefined {
  const decimal = octets.map((octet) => octet.replace(/^0+(?=.)/, '')).join('.');
  const octal = octets
    .map((octet) => String(/^0[0-7]+$/.test(octet) ? Number.parseInt(octet, 8) : octet))
    .join('.');
  if (parseIpv4(decimal) === undefined) return undefined;
  if (octal === decimal || parseIpv4(octal) === undefined) return `did you mean ${decimal}?`;
  return `did you mean ${decimal}, or ${octal} (octal)?`;
}

/** Says what keeps `text` from being an IPv6 address. `at` is where it stands in the text that offsets count from. */
export function explainIpv6(text: string, at: number): Fault {
  const fault = (message: string, start: number, length: number, help?: string): Fault => ({
    code: 'SL2011',
    message,
    start: at + start,
    end: at + start + length,
    expected: 'an IPv6 address, such as 2001:db8::1',
    ...(help === undefined ? {} : { help }),
  });
  if (text === '')
    return { ...fault('the address is missing', 0, 0), start: Math.max(0, at - 1), end: at };
  const zone = text.indexOf('%');
  if (zone >= 0) {
    const message = `\`${text.slice(zone)}\` is a zone id, which a policy can not hold`;
    return fault(message, zone, text.length - zone, `did you mean ${text.slice(0, zone)}?`);
  }
  if (!text.includes(':')) return fault(`\`${text}\` is not an IPv6 address`, 0, text.length);
  const gap = text.indexOf('::');
  const again = gap < 0 ? -1 : text.indexOf('::', gap + 1);
  if (again >= 0) return fault('`::` may stand once only', again, 2);
  if (/^:[^:]/.test(text)) return fault('a single `:` stands at the start', 0, 1);
  if (/[^:]:$/.test(text)) return fault('a single `:` stands at the end', text.length - 1, 1);

  const parts = text.split(':');
  let start = 0;
  for (const [i, part] of parts.entries()) {
    if (part.includes('.')) {
      if (parseIpv4(part) === undefined)
        return { ...explainIpv4(part, at + start), code: 'SL2011' };
      if (i < parts.length - 1) {
        return fault(`\`${part}\` may stand at the end only`, start, part.length);
      }
    } else if (!/^[0-9a-fA-F]*$/.test(part)) {
      return fault(`\`${part}\` is not a group of hexadecimal digits`, start, part.length);
    } else if (part.length > 4) {
      return fault(`group \`${part}\` has more than 4 digits`, start, part.length);
    }
    start += part.length + 1;
  }
  const groups = parts.filter((part) => part !== '').length + (text.includes('.') ? 1 : 0);
  const count = gap >= 0 ? `${groups} groups beside \`::\`` : `${groups} groups instead of 8`;
  return fault(`\`${text}\` has ${count}`, 0, text.length);
}
