/** Arguments as bytes: those that Node could not decode come from the kernel's copy. */
import { describe, expect, it } from 'vitest';
import { encodeArguments, type Words } from '../../src/raw-arguments.ts';

const NO_PROC = (): never => {
  throw new Error('not mounted');
};

describe('words for the launcher', () => {
  const last = ['--allow', 'a:1', 'p', '--log', '\ufffd.json', '--', 'cat', '\ufffd', ''];
  const chosen = [2, 3, 4, 5, 6, 7, 8];

  it('are those that were chosen, each ended by NUL', () => {
    const words: Words = { last: ['a', 'é', '', 'b'], chosen: [1, 2, 3] };
    expect(encodeArguments(words, NO_PROC).toString()).toBe('é\0\0b\0');
    expect(encodeArguments({ ...words, first: 't' }, NO_PROC).toString()).toBe('t\0é\0\0b\0');
  });

  it('that Node could not decode are the bytes of this process', () => {
    const raw = 'node\0sandlock\0exec\0--allow\0a:1\0p\0--log\0\xe9.json\0--\0cat\0\xff\0\0';
    const readRaw = (path: string): Buffer => {
      expect(path).toBe('/proc/self/cmdline');
      return Buffer.from(raw, 'latin1');
    };
    const words = encodeArguments({ last, chosen }, readRaw);
    expect(words.toString('latin1')).toBe('p\0--log\0\xe9.json\0--\0cat\0\xff\0\0');
    const named = encodeArguments({ last, chosen, first: 'the table' }, readRaw);
    expect(named.toString('latin1').startsWith('the table\0p\0--log\0\xe9')).toBe(true);
  });

  it('are those that Node has where /proc is not mounted', () => {
    const words = encodeArguments({ last, chosen }, NO_PROC);
    expect(words.toString()).toBe('p\0--log\0\ufffd.json\0--\0cat\0\ufffd\0\0');
  });

  it('with a NUL are refused', () => {
    const words: Words = { last: ['a\0b'], chosen: [0] };
    expect(() => encodeArguments(words, NO_PROC)).toThrow('an argument holds a NUL character');
  });
});
