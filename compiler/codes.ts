/**
 * Every error and warning the compiler can report: number, title, cause and fix.
 * docs/errors.md is generated from this table (scripts/gen-errors.mjs), so an explanation lives here
 * and nowhere else. Numbers are stable once released and never reused. First digit after SL:
 * 1 the file's text, 2 shape of keys and rules, 3 meaning, 4 names, 5 the table. The second digit
 * separates rule strings (20xx) from keys (21xx).
 */

/** What docs/errors.md says about one code. */
export interface CodeText {
  readonly title: string;
  readonly cause: string;
  readonly fix: string;
}

/** The table. Read it through {@link listCodes}. */
export const CODES = {
  SL1001: {
    title: 'The file is not valid TOML 1.0',
    cause: 'The text breaks TOML syntax, so nothing after this place was read.',
    fix: 'Correct the place that is underlined. Only the first syntax error of a file is reported.',
  },
  SL1002: {
    title: 'The file is not UTF-8',
    cause: 'A byte sequence in the file is not valid UTF-8.',
    fix: 'Save the policy as UTF-8.',
  },
  SL1003: {
    title: 'Malformed line of a hosts file',
    cause:
      'A line of the file that `--hosts` names is not an address and its names. Lines are not skipped, because a name without its address would change the table.',
    fix: 'Write `address name [name …]`, as in /etc/hosts; `#` begins a comment.',
  },
  SL2001: {
    title: 'Unknown scheme',
    cause: 'A rule begins with something other than `tcp://`, `udp://` or `icmp://`.',
    fix: 'Use one of the three, or none for TCP. Raw sockets are never exposed.',
  },
  SL2002: {
    title: 'Port missing',
    cause: 'A TCP or UDP rule names a destination without saying which ports.',
    fix: 'Append `:443`, a list `:80,443`, a range `:8000-8010`, or `:*` for every port.',
  },
  SL2003: {
    title: 'Invalid port',
    cause: 'What follows the colon is not a port, a range of ports, a list of those, or `*`.',
    fix: 'Write ports as decimal numbers without sign, space or leading zero.',
  },
  SL2004: {
    title: 'Port out of range',
    cause: 'A port is 0 or above 65535.',
    fix: 'Use a port from 1 to 65535, or `*` for every port.',
  },
  SL2005: {
    title: 'Port range is backwards',
    cause: 'The first port of a range is above the last.',
    fix: 'Write the lower port first.',
  },
  SL2006: {
    title: '`*` mixed with ports',
    cause: 'A port list holds `*` beside other ports; one of the two was not meant.',
    fix: 'Keep `*` alone for every port, or list the ports only.',
  },
  SL2007: {
    title: 'ICMP rule with a port',
    cause: 'ICMP has no ports.',
    fix: 'Remove the colon and what follows it.',
  },
  SL2008: {
    title: 'ICMP rule without destination',
    cause: '`icmp://` alone could be read as everything or as nothing.',
    fix: 'Name a host, or write `icmp://*` for every destination.',
  },
  SL2009: {
    title: 'IPv6 address without brackets',
    cause: 'Without brackets the last group of an IPv6 address can not be told from a port.',
    fix: 'Put the address (with its prefix length) in brackets: `[2001:db8::/32]:443`.',
  },
  SL2010: {
    title: 'Invalid IPv4 address',
    cause:
      'The target ends in a number but is not four decimal octets. Short, octal and hexadecimal forms mean different addresses to different programs.',
    fix: 'Write four decimal octets from 0 to 255 without leading zeros.',
  },
  SL2011: {
    title: 'Invalid IPv6 address',
    cause: 'The text is not an IPv6 address in one of the forms of RFC 4291 §2.2.',
    fix: 'Write eight groups, or fewer with one `::`. Zone ids (`%eth0`) are not part of a policy.',
  },
  SL2012: {
    title: 'Invalid prefix length',
    cause: 'What follows `/` is not a prefix length, or stands behind something that has none.',
    fix: 'Use 0–32 behind an IPv4 address, 0–128 behind an IPv6 address, inside its brackets.',
  },
  SL2013: {
    title: 'Bits set beyond the prefix',
    cause:
      'A CIDR names an address that is not the first of its network, so either could be meant.',
    fix: 'Write the network (`10.0.0.0/8`) or the one address (`10.0.0.1`).',
  },
  SL2014: {
    title: 'Invalid host name',
    cause:
      'The name breaks RFC 1123: labels of 1–63 letters, digits and inner hyphens, 253 octets in all. (`_` is allowed, too.)',
    fix: 'Correct the part that is underlined. International names may be written as they are.',
  },
  SL2015: {
    title: 'Invalid wildcard',
    cause:
      '`*` stands alone for every address, or as the whole first label of a name; nowhere else.',
    fix: 'Write `*.example.com` for every name below example.com.',
  },
  SL2016: {
    title: 'Invalid set name',
    cause:
      'The name behind `@`, or a key of `[sets]`, has characters that a set name can not have.',
    fix: 'Use letters, digits, `-` and `_`.',
  },
  SL2017: {
    title: 'Space in a rule',
    cause: 'Rules hold no blanks and no control characters.',
    fix: 'Remove them.',
  },
  SL2018: {
    title: 'Empty rule',
    cause: 'The string is empty; it could be read as everything or as nothing.',
    fix: 'Remove it, or write `*:*` for every TCP destination.',
  },
  SL2019: {
    title: 'Malformed rule',
    cause: 'The parts of the rule do not stand in the order `scheme://target:ports`.',
    fix: 'Write it as one of the forms in docs/policy.md.',
  },
  SL2020: {
    title: 'ICMP in a bind rule',
    cause: 'ICMP has no ports, so there is nothing to bind.',
    fix: 'Remove the rule. Ping needs a rule in `allow` only.',
  },
  SL2021: {
    title: 'Invalid UNIX socket',
    cause:
      'An item of `allow_unix` is not an absolute path in its shortest form, of at most 107 bytes, nor `@` and an abstract name; or it lies below `/proc`, where paths lead each process elsewhere. `*`, `?`, `~` and variables have no meaning there.',
    fix: 'Write `/run/x.sock`, `/run/x/` for every socket below a directory, or `@name`.',
  },
  SL2022: {
    title: 'Unknown family',
    cause: 'A word of `allow_families` is not a family of the language.',
    fix: 'Use one of the words that the line `expected:` lists.',
  },
  SL2023: {
    title: 'Family that can not be allowed',
    cause:
      'Sockets of this family carry traffic that no rule of a policy looks at, so allowing it would open a way past all of them.',
    fix: 'Remove it.',
  },
  SL2024: {
    title: 'Invalid length of time',
    cause: '`max_age` is not a whole number above zero with one of the units s, m, h, d.',
    fix: 'Write `90s`, `15m`, `12h` or `7d`.',
  },
  SL2101: {
    title: 'Unknown key',
    cause: 'The language has no such key here. Unknown keys are never ignored.',
    fix: 'Use the suggested key, or remove this one.',
  },
  SL2102: {
    title: 'Wrong type',
    cause: 'The value is of another type than the key takes.',
    fix: 'Write what the line `expected:` says.',
  },
  SL2103: {
    title: 'Unknown value',
    cause: 'The key takes one of a few words, and this is none of them.',
    fix: 'Use one of the words that the line `expected:` lists.',
  },
  SL2104: {
    title: 'Key missing',
    cause: 'A table lacks a key that it can not do without.',
    fix: 'Add the key.',
  },
  SL2105: {
    title: 'Not implemented yet',
    cause:
      'The language knows this, but this version does not enforce it. A policy that is not fully enforced does not compile.',
    fix: 'Remove it, or use a version that has it.',
  },
  SL2106: {
    title: 'The policy says nothing',
    cause: 'The file has no keys, or neither a file nor a rule was given.',
    fix: 'Write `[network]` with `allow = []` if nothing may be reached.',
  },
  SL2107: {
    title: 'Keys that exclude each other',
    cause:
      '`allow_bind` says what may be bound and nothing else, `deny_bind` says that everything else may.',
    fix: 'Keep the one that is meant.',
  },
  SL3001: {
    title: 'Name in a deny rule',
    cause: 'A name that resolves to another address tomorrow would leave the destination open.',
    fix: 'Deny addresses, CIDRs or sets. What no allow rule matches is refused anyway.',
  },
  SL3002: {
    title: 'Undefined set',
    cause: 'A rule names a set that `[sets]` does not define.',
    fix: 'Define it, or correct the name.',
  },
  SL3003: {
    title: 'Empty set',
    cause: 'The set holds no address, so a rule with it would silently mean nothing.',
    fix: 'Add addresses, or remove the set and the rules that name it.',
  },
  SL3004: {
    title: 'Not an address in a set',
    cause:
      'Sets hold addresses and CIDRs; names, ports, schemes and other sets have no place in them.',
    fix: 'Write one IPv4 or IPv6 address or CIDR. Names belong into rules.',
  },
  SL3005: {
    title: 'Set file can not be read',
    cause: 'The file of a set does not exist, or reading it failed.',
    fix: 'Correct the path. It is relative to the policy.',
  },
  SL3006: {
    title: 'More errors in a set file',
    cause: 'Only the first 20 errors of a set file are shown.',
    fix: 'Correct those and compile again.',
  },
  SL3007: {
    title: 'Name in a bind rule',
    cause: 'Programs bind addresses. A name could stand for another address tomorrow.',
    fix: 'Write the address, or `*` for every address.',
  },
  SL3008: {
    title: 'Rule without its family',
    cause:
      'No socket that `allow_families` leaves could be used for what the rule allows, so the rule could never work.',
    fix: 'Add the family to `allow_families`, or remove the rule.',
  },
  SL3009: {
    title: '0.0.0.0 or :: in a set of a bind rule',
    cause:
      'As a destination these are the loopback, to a bind they are every address. A set has one meaning, that of destinations.',
    fix: 'Write a bind rule with the address itself, and take it out of the set.',
  },
  SL3010: {
    title: 'Set without rule (warning)',
    cause: 'No rule names the set, so it has no effect.',
    fix: 'Name it in a rule as `@name`, or remove it.',
  },
  SL3011: {
    title: 'Wildcard as wide as a public suffix',
    cause:
      'Below `*.com`, `*.co.uk` or `*.github.io` anybody can register a name (publicsuffix.org), so the rule would open a destination to whoever wants to be one.',
    fix: 'Write the wildcard of who is meant, `*.example.com`, or list this one in `[dns] wide`.',
  },
  SL3012: {
    title: '`max_age` without pins',
    cause:
      'Only names that are pinned when the policy is compiled grow old. With `resolve = "exec"` or `"live"` the key would have no effect.',
    fix: 'Write `resolve = "compile"` beside it, or remove it.',
  },
  SL3013: {
    title: 'Wildcard below localhost',
    cause: 'Every name below localhost is the loopback (RFC 6761), and no server is asked for it.',
    fix: 'Write rules on `127.0.0.1` and `[::1]` with the same ports.',
  },
  SL3101: {
    title: 'Duplicate rule (warning)',
    cause: 'The same rule, perhaps in other words, stands elsewhere in the list.',
    fix: 'Remove one of the two.',
  },
  SL3102: {
    title: 'Covered rule (warning)',
    cause:
      'Another rule of the same list does all that this one does: it has all of its addresses and all of its ports. A rule by name counts as covered only by a rule on every address, because its addresses change. A UNIX rule is covered by one on a directory above it.',
    fix: 'Remove it, or narrow the other rule if that one allows more than was meant.',
  },
  SL3103: {
    title: 'Unreachable rule (warning)',
    cause: 'Deny rules refuse every address and port that this rule allows. Deny always wins.',
    fix: 'Remove the rule, or narrow the deny rules. `sandlock check` tells which they are.',
  },
  SL3104: {
    title: 'Deny rule without effect (warning)',
    cause:
      'No rule allows anything of what this one denies. What no rule allows is refused anyway.',
    fix: 'Remove it, unless it is to hold against rules that are yet to come; then silence the warning.',
  },
  SL3105: {
    title: 'Broad rule (warning)',
    cause:
      'The rule is about every address there is, so what runs under it can send to anybody what it reads; or about every UNIX socket with a path, so that it can have any service of the machine act for it.',
    fix: 'Name the hosts, or the sockets, that are meant. If all are, write `# sandlock-ignore SL3105` behind the rule.',
  },
  SL4001: {
    title: 'Name does not resolve',
    cause: 'The resolver gave no address for a name. A rule is never silently empty.',
    fix: 'Correct the name, or make it resolvable on this machine.',
  },
  SL4002: {
    title: 'Name resolves to private addresses only',
    cause:
      'Every answer is a private, loopback, link-local or multicast address. For a public name that is how DNS rebinding reaches internal hosts.',
    fix: 'If it is meant, list the name in `[dns] private`.',
  },
  SL4003: {
    title: 'Private answers left out (warning)',
    cause: 'A name resolved to public and to private addresses; only the public ones were pinned.',
    fix: 'If the private ones are meant, list the name in `[dns] private`.',
  },
  SL4004: {
    title: 'Name server beside names (warning)',
    cause:
      'A rule opens a name server although the policy has names. Those resolve without it; with it, programs can ask for any name, which carries data out, and get other addresses than the policy opens.',
    fix: 'Remove the rule, unless raw questions to name servers are what the command is for.',
  },
  SL4005: {
    title: 'Public name pinned to a private address (warning)',
    cause:
      'A name that `[dns] private` does not list resolved to an address of the inside. It was pinned, because other rules open there all that the rules with the name do.',
    fix: 'If it is meant, list the name in `[dns] private`. Else find out why the name resolves there: DNS rebinding looks like this.',
  },
  SL5001: {
    title: 'The table can not hold this policy',
    cause: 'A limit of the table format (docs/format.md) is exceeded.',
    fix: 'Use fewer different combinations of ports, or fewer addresses.',
  },
} as const;

/** The number of an error or warning. */
export type Code = keyof typeof CODES;

/** All codes with their texts, ascending. */
export function listCodes(): readonly (readonly [Code, CodeText])[] {
  const codes: Record<Code, CodeText> = CODES;
  return (Object.keys(codes) as Code[]).sort().map((code) => [code, codes[code]]);
}
