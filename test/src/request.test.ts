/** The request's bytes, read back with a decoder written after docs/native.md. */
import { describe, expect, it } from 'vitest';
import { encodeRequest, type RequestSource } from '../../src/request.ts';

const NO_PROC: RequestSource['readRaw'] = () => {
  throw new Error('not mounted');
};

function decode(bytes: Buffer): { header: number[]; strings: string[] } {
  expect(bytes.at(-1)).toBe(0);
  return {
    header: [0, 4, 8, 12, 16, 20, 24, 28].map((offset) => bytes.readUInt32LE(offset)),
    strings: bytes.subarray(32, -1).toString('latin1').split('\0'),
  };
}

describe('a request', () => {
  it('holds command, environment and an empty directory, with the terminal option', () => {
    const environment = { HOME: '/root', EMPTY: '', A: 'b=c' };
    const bytes = encodeRequest({
      command: ['ls', '', '-l'],
      environment,
      lingerSeconds: 10,
      degraded: [],
      readRaw: NO_PROC,
    });
    expect(decode(bytes)).toEqual({
      header: [3, 3, 1, 0, 10, 0, 1, 2],
      strings: ['ls', '', '-l', 'HOME=/root', 'EMPTY=', 'A=b=c', ''],
    });
  });

  it('keeps UTF-8 as it is', () => {
    const bytes = encodeRequest({
      command: ['é'],
      environment: {},
      lingerSeconds: 10,
      degraded: [],
      readRaw: NO_PROC,
    });
    expect(decode(bytes)).toEqual({ header: [1, 0, 1, 0, 10, 0, 1, 2], strings: ['\xc3\xa9', ''] });
  });

  it('whose strings Node could not decode takes the bytes from /proc', () => {
    const files: Record<string, string> = {
      '/proc/self/cmdline': 'node\0sandlock\0exec\0p\0--\0cat\0\xe9.txt\0\0',
      '/proc/self/environ': 'A=\xe9\0B=2\0',
    };
    const bytes = encodeRequest({
      command: ['cat', '\ufffd.txt', ''],
      environment: { A: '\ufffd', B: '2' },
      lingerSeconds: 10,
      degraded: [],
      readRaw: (path) => Buffer.from(files[path] ?? '', 'latin1'),
    });
    expect(decode(bytes)).toEqual({
      header: [3, 2, 1, 0, 10, 0, 1, 2],
      strings: ['cat', '\xe9.txt', '', 'A=\xe9', 'B=2', ''],
    });
  });

  it('goes on with what Node has where /proc is not mounted', () => {
    const bytes = encodeRequest({
      command: ['\ufffd'],
      environment: { A: '\ufffd' },
      lingerSeconds: 10,
      degraded: [],
      readRaw: NO_PROC,
    });
    expect(decode(bytes).strings).toEqual(['\xef\xbf\xbd', 'A=\xef\xbf\xbd', '']);
  });

  it('names what is told, the directory and the descriptors', () => {
    const source = {
      command: ['ls'],
      environment: {},
      lingerSeconds: 10,
      degraded: ['kernel-settings'],
      terminal: false,
      stdio: [7, 8, 9],
      directory: '/tmp',
      readRaw: NO_PROC,
    } as const;
    const strings = ['ls', '/tmp'];
    expect(decode(encodeRequest(source))).toEqual({ header: [1, 0, 8, 0, 10, 7, 8, 9], strings });
    for (const [telling, bit] of [
      ['refused', 0],
      ['all', 16],
      ['observe', 32],
    ] as const) {
      expect(decode(encodeRequest({ ...source, degraded: [], telling })).header[2]).toBe(bit);
    }
  });

  it('with a NUL in an argument is refused', () => {
    const source = {
      command: ['a\0b'],
      environment: {},
      lingerSeconds: 10,
      degraded: [],
      readRaw: NO_PROC,
    };
    expect(() => encodeRequest(source)).toThrow('an argument holds a NUL character');
  });
});
