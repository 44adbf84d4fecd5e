/**
 * The 64-byte records that the executor reports (docs/native.md), decoded as far as the Node API and `learn` use
 * them. Knows their layout and the notation of an address; it does not decide what is printed.
 */

/** A call that carried a destination. */
export type Call =
  | 'connect'
  | 'sendto'
  | 'sendmsg'
  | 'sendmmsg'
  | 'bind'
  | 'listen'
  | 'socket'
  | 'other';

/** One call on which the policy had a say. */
export interface DecidedRecord {
  readonly kind: 'denied' | 'allowed';
  /** Milliseconds since 1970, with a fraction. */
  readonly timeMs: number;
  readonly pid: number;
  readonly tid: number;
  /** Name of the thread, chosen by the program: at most 15 bytes, may hold anything. */
  readonly program: string;
  readonly call: Call;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'unix' | 'other';
  /**
   * `192.0.2.1` or `2001:db8::1`; of a UNIX socket its path, or `@` and its name; of a `socket` call the family's word.
   */
  readonly address: string;
  /** 0 for icmp and unix. */
  readonly port: number;
  /** What the program was answered, positive; 0: the call was made (it was allowed, or is only observed). */
  readonly errno: number;
  /** Records lost so far because they were not read in time. */
  readonly dropped: number;
}

/** A program was answered an address for a name, or the name was denied. */
export interface NameRecord {
  readonly kind: 'name';
  readonly timeMs: number;
  readonly pid: number;
  readonly tid: number;
  readonly program: string;
  /** Lower case, without final dot. */
  readonly name: string;
  /**
   * Why it is told: it was answered; or it was denied, since no rule names it, it has an address of
   * the inside, or the limits of wildcards.
   */
  readonly reason: 'answered' | 'unlisted' | 'inside' | 'limit';
  /** Undefined: the answer had none. Of `inside` the one that was left out. */
  readonly address: string | undefined;
  /** Response code of DNS. */
  readonly code: number;
  readonly dropped: number;
}

/** A record of a kind that is used here; what a kind does not use is left out. */
export type ExecutorRecord =
  | DecidedRecord
  | NameRecord
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'stopped'; readonly signal: number }
  /** `status` as wait(2) gives it. */
  | { readonly kind: 'exited'; readonly status: number; readonly dropped: number }
  | { readonly kind: 'failed'; readonly stage: string; readonly errno: number }
  /** The last: the tree is gone. */
  | { readonly kind: 'ended'; readonly dropped: number };

/** Bytes of a record. */
export const RECORD_BYTES = 64;

const CALLS: readonly Call[] = [
  'other',
  'connect',
  'sendto',
  'sendmsg',
  'sendmmsg',
  'bind',
  'listen',
  'socket',
];
const PROTOCOLS = ['tcp', 'udp', 'icmp', 'unix'] as const;

const KIND_TEXT = 10;

/** Decodes records in the order in which they were read; undefined: none yet, or of no kind that is used. */
export function createRecordDecoder(): (bytes: Buffer) => ExecutorRecord | undefined {
  let text: Buffer[] = [];
  return (bytes) => {
    if (bytes.readUInt8(0) === KIND_TEXT) {
      // Copied: the caller reads the next record into the same bytes.
      text.push(Buffer.from(bytes.subarray(2, 2 + bytes.readUInt8(1))));
      return undefined;
    }
    const joined = text.length === 0 ? '' : Buffer.concat(text).toString();
    text = [];
    return decodeRecord(bytes, joined);
  };
}

/** Decodes one record and the text before it; undefined: of no kind that is used. */
export function decodeRecord(bytes: Buffer, text = ''): ExecutorRecord | undefined {
  const code = bytes.readInt32LE(12);
  const dropped = bytes.readUInt32LE(60);
  switch (bytes.readUInt8(0)) {
    case 1:
      return { kind: 'started', pid: bytes.readUInt32LE(4) };
    case 2:
      return decodeDecided('denied', bytes, text);
    case 3:
      return { kind: 'stopped', signal: code };
    case 4:
      return { kind: 'exited', status: code, dropped };
    case 5:
      return { kind: 'failed', stage: decodeName(bytes), errno: Math.abs(code) };
    case 6:
      return { kind: 'ended', dropped };
    case 8:
      return decodeDecided('allowed', bytes, text);
    case 9:
      return { kind: 'name', ...decodeCaller(bytes), ...decodeAnswer(bytes, text), code, dropped };
    default:
      return undefined;
  }
}

/** Text of an address: IPv4-mapped as IPv4, else the shortest form of RFC 5952 without brackets. */
export function formatAddress(bytes: Uint8Array): string {
  const isMapped = bytes[10] === 255 && bytes[11] === 255 && !bytes.subarray(0, 10).some(Boolean);
  if (isMapped) return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, group) =>
    (((bytes[2 * group] ?? 0) << 8) | (bytes[2 * group + 1] ?? 0)).toString(16),
  );
  // The URL standard prescribes that same shortest form for its hosts.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function decodeDecided(kind: DecidedRecord['kind'], bytes: Buffer, text: string): DecidedRecord {
  const protocol = PROTOCOLS[bytes.readUInt8(1)] ?? 'other';
  return {
    kind,
    ...decodeCaller(bytes),
    call: CALLS[bytes.readUInt32LE(56)] ?? 'other',
    protocol,
    address: text !== '' || protocol === 'unix' ? text : formatAddress(bytes.subarray(16, 32)),
    port: bytes.readUInt16LE(2),
    errno: Math.abs(bytes.readInt32LE(12)),
    dropped: bytes.readUInt32LE(60),
  };
}

function decodeCaller(bytes: Buffer): Pick<DecidedRecord, 'timeMs' | 'pid' | 'tid' | 'program'> {
  return {
    timeMs: Number(bytes.readBigUInt64LE(48) / 1000n) / 1000,
    pid: bytes.readUInt32LE(4),
    tid: bytes.readUInt32LE(8),
    program: decodeName(bytes),
  };
}

const NAME_REASONS = ['answered', 'unlisted', 'inside', 'limit'] as const;

function decodeAnswer(
  bytes: Buffer,
  name: string,
): Pick<NameRecord, 'name' | 'reason' | 'address'> {
  const address = bytes.subarray(16, 32);
  const reason = NAME_REASONS[bytes.readUInt8(1)] ?? 'unlisted';
  return { name, reason, address: address.some(Boolean) ? formatAddress(address) : undefined };
}

function decodeName(bytes: Buffer): string {
  const name = bytes.subarray(32, 48);
  const end = name.indexOf(0);
  return name.toString('utf8', 0, end === -1 ? name.length : end);
}
