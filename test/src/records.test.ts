/** Records of the executor: bytes laid out by hand after docs/native.md, and what is read from them. */
import { describe, expect, it } from 'vitest';
import { createRecordDecoder, decodeRecord, formatAddress } from '../../src/records.ts';

function record(fill: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(64);
  fill(bytes);
  return bytes;
}

describe('a record', () => {
  it('of kind denied gives every field', () => {
    const bytes = record((b) => {
      b.set([2, 1, 0x39, 0x30]);
      b.writeUInt32LE(4711, 4);
      b.writeUInt32LE(4712, 8);
      b.writeInt32LE(111, 12);
      b.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 2], 16);
      b.write('curl', 32);
      b.writeBigUInt64LE(1_700_000_000_123_456_789n, 48);
      b.writeUInt32LE(2, 56);
      b.writeUInt32LE(5, 60);
    });
    expect(decodeRecord(bytes)).toEqual({
      kind: 'denied',
      timeMs: 1_700_000_000_123.456,
      pid: 4711,
      tid: 4712,
      program: 'curl',
      call: 'sendto',
      protocol: 'udp',
      address: '127.0.0.2',
      port: 12345,
      errno: 111,
      dropped: 5,
    });
  });

  it('with a name of 16 bytes has no end in it', () => {
    const bytes = record((b) => b.fill('x', 32, 48).set([2]));
    expect(decodeRecord(bytes)).toMatchObject({ program: 'xxxxxxxxxxxxxxxx' });
  });

  it('with an unknown protocol and call calls both other', () => {
    const bytes = record((b) => {
      b.set([2, 255]);
      b.writeUInt32LE(99, 56);
    });
    expect(decodeRecord(bytes)).toMatchObject({ protocol: 'other', call: 'other' });
  });

  it.each([
    [1, { kind: 'started', pid: 77 }],
    [3, { kind: 'stopped', signal: 9 }],
    [4, { kind: 'exited', status: 9, dropped: 3 }],
    [5, { kind: 'failed', stage: 'exec', errno: 9 }],
    [6, { kind: 'ended', dropped: 3 }],
    [7, undefined],
    [10, undefined],
    [99, undefined],
    [0, undefined],
  ])('of kind %i is read', (kind, expected) => {
    const bytes = record((b) => {
      b.set([kind]);
      b.writeUInt32LE(77, 4);
      b.writeInt32LE(9, 12);
      b.write('exec', 32);
      b.writeUInt32LE(3, 60);
    });
    expect(decodeRecord(bytes)).toEqual(expected);
  });

  it('of kind allowed is like one of kind denied', () => {
    const denied = record((b) => b.set([2, 1, 53]));
    const allowed = record((b) => b.set([8, 1, 53]));
    expect(decodeRecord(allowed)).toEqual({ ...decodeRecord(denied), kind: 'allowed' });
  });

  it('takes the text that was written before it, and no other', () => {
    const text = (part: string): Buffer =>
      record((b) => {
        b.set([10, part.length]);
        b.write(part, 2);
      });
    const decode = createRecordDecoder();
    const path = `/run/${'x'.repeat(70)}.sock`;
    const unix = record((b) => b.set([2, 3]));
    // One buffer for all, as the reader has it.
    const bytes = Buffer.alloc(64);
    const read = [text(path.slice(0, 62)), text(path.slice(62)), unix, unix].map((next) => {
      next.copy(bytes);
      return decode(bytes);
    });
    expect(read).toEqual([
      undefined,
      undefined,
      expect.objectContaining({ kind: 'denied', protocol: 'unix', address: path, port: 0 }),
      expect.objectContaining({ kind: 'denied', protocol: 'unix', address: '' }),
    ]);
  });

  it('of kind name gives the name and its address, or that it has none', () => {
    const bytes = record((b) => {
      b.set([9]);
      b.writeUInt32LE(4711, 4);
      b.writeUInt32LE(4712, 8);
      b.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1], 16);
      b.write('curl', 32);
    });
    const answer = {
      ...{ kind: 'name', timeMs: 0, pid: 4711, tid: 4712, program: 'curl' },
      ...{ name: 'example.com', reason: 'answered', address: '192.0.2.1', code: 0, dropped: 0 },
    };
    expect(decodeRecord(bytes, 'example.com')).toEqual(answer);
    bytes.set([2], 1);
    expect(decodeRecord(bytes, 'example.com')).toEqual({ ...answer, reason: 'inside' });
    bytes.set([1], 1);
    bytes.fill(0, 16, 32);
    bytes.writeInt32LE(3, 12);
    const denied = { ...answer, reason: 'unlisted', address: undefined, code: 3 };
    expect(decodeRecord(bytes, 'example.com')).toEqual(denied);
  });

  it('of kind failed has a positive errno however the executor signed it', () => {
    const bytes = record((b) => {
      b.set([5]);
      b.writeInt32LE(-2, 12);
    });
    expect(decodeRecord(bytes)).toEqual({ kind: 'failed', stage: '', errno: 2 });
  });
});

describe('an address', () => {
  it.each([
    ['00000000000000000000ffff7f000001', '127.0.0.1'],
    ['20010db8000000000000000000000001', '2001:db8::1'],
    ['00000000000000000000000000000001', '::1'],
    ['00000000000000000000000000000000', '::'],
    ['00010000000200030000000000000004', '1:0:2:3::4'],
    ['20010db8000100010001000100010001', '2001:db8:1:1:1:1:1:1'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['00010000000000000000ffff7f000001', '1::ffff:7f00:1'],
  ])('%s is written %s', (hex, text) => {
    expect(formatAddress(Buffer.from(hex, 'hex'))).toBe(text);
  });
});
