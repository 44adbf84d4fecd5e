/**
 * The values that pass between the compiler's stages: a policy's rules after parsing, and the draft
 * from which policy.wasm builds the table. Plain data; nothing here parses, resolves or encodes.
 */

/** A protocol of destinations. */
export type DestinationProtocol = 'tcp' | 'udp' | 'icmp';

/**
 * What rules speak about: destinations of a transport protocol, or the addresses that may be bound
 * and listened on. The order is the protocol number in the table (docs/format.md §3).
 */
export type Protocol = DestinationProtocol | 'tcp-bind' | 'udp-bind';

/** What a rule does with the destinations it matches. */
export type Action = 'allow' | 'deny';

/** Ports `low..=high`, 0–65535. The whole range is `*`; ICMP rules carry it as well. */
export interface PortRange {
  readonly low: number;
  readonly high: number;
}

/** An address prefix: `address` has 4 or 16 bytes in network order, host bits zero; `bits` is 0..32 or 0..128. */
export interface Prefix {
  readonly address: Uint8Array;
  readonly bits: number;
}

/** Many prefixes, packed so that a set of a million lines stays small. */
export interface PrefixList {
  /** IPv4 addresses as host-order integers, one a prefix. */
  readonly v4: Uint32Array;
  /** Prefix lengths of `v4`. */
  readonly v4Bits: Uint8Array;
  /** IPv6 addresses, 16 bytes each, network order. */
  readonly v6: Uint8Array;
  /** Prefix lengths of `v6`. */
  readonly v6Bits: Uint8Array;
}

/** What a rule matches. Names and sets are referred to by name and defined in the draft. */
export type Target =
  | { readonly kind: 'any' }
  | { readonly kind: 'prefix'; readonly prefix: Prefix }
  /** `*.` and a name is every name below it. */
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'set'; readonly set: string };

/** How and where a rule was written. `line` and `column` are 1-based, 0 when it came from an option. */
export interface Origin {
  /** The rule as written; of a UNIX rule the name. */
  readonly text: string;
  /** File name without directories, or the option (`--allow`). */
  readonly source: string;
  readonly line: number;
  readonly column: number;
}

/** One rule with its origin. */
export interface Rule extends Origin {
  readonly action: Action;
  readonly protocol: Protocol;
  /** Sorted, disjoint, not adjacent, at least one. */
  readonly ports: readonly PortRange[];
  readonly target: Target;
}

/**
 * A host name of the rules: lower case, no final dot. `addresses` are those it is pinned to, of 4
 * or 16 bytes; none: it is asked for while the command runs (`live`), or pinned before it starts
 * (`atStart`). `*.example.com` is every name below example.com, which is never pinned.
 */
export interface PinnedName {
  readonly name: string;
  readonly addresses: readonly Uint8Array[];
  readonly atStart?: true;
}

/** A named address set. */
export interface AddressSet {
  readonly name: string;
  readonly prefixes: PrefixList;
}

/** A kind of socket that programs may make, smallest parts: `inet` as written is `inet/stream` and `inet/dgram`. */
export type FamilyName =
  | 'unix/stream'
  | 'unix/dgram'
  | 'unix/seqpacket'
  | 'inet/stream'
  | 'inet/dgram'
  | 'inet6/stream'
  | 'inet6/dgram'
  | 'netlink/route'
  | 'alg'
  | 'unix/pair';

/** What a policy says apart from its rules. */
export interface Facts {
  /** In any order, each at most once. */
  readonly families: readonly FamilyName[];
  /** Whether programs may make user namespaces, and others inside them. */
  readonly allowUserns: boolean;
}

/** A UNIX socket outside the sandbox that may be reached. */
export interface UnixRule extends Origin {
  readonly kind: 'path' | 'directory' | 'abstract';
  /**
   * 1 to 107 bytes of UTF-8 without NUL. `path` and `directory` begin with `/` and do not end with
   * one, but for the directory `/` itself; `abstract` has no `@`.
   */
  readonly text: string;
}

/** What a UNIX rule, or a question about a socket, names. */
export type UnixName = Pick<UnixRule, 'kind' | 'text'>;

/** A name, or every name below it (`*.name`), that may have addresses of the inside (`[dns] private`). */
export interface PrivateName {
  readonly name: string;
  readonly below: boolean;
  /** 1-based. */
  readonly line: number;
}

/** How names become addresses. */
export interface Dns {
  readonly resolve: 'exec' | 'compile' | 'live';
  /** When the pinned names were resolved, in seconds since 1970; 0 = not told. */
  readonly pinnedAt: number;
  /** Seconds after which pins are old; 0 = never. */
  readonly maxAge: number;
  readonly privateNames: readonly PrivateName[];
}

/** Everything that goes into a table. Equal drafts give equal bytes. */
export interface TableDraft {
  readonly facts: Facts;
  /** In source order. */
  readonly unixRules: readonly UnixRule[];
  readonly rules: readonly Rule[];
  readonly names: readonly PinnedName[];
  readonly dns: Dns;
  readonly sets: readonly AddressSet[];
}
