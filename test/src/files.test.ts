/** Outputs are replaced whole or not at all. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isTable, readWhole, replaceFile, shippedFile } from '../../src/files.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sandlock-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a replaced file', () => {
  it('that is new has the contents and leaves nothing beside it', () => {
    replaceFile(join(folder, 'a.bin'), Buffer.from('new'));
    expect(readFileSync(join(folder, 'a.bin'), 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['a.bin']);
  });

  it('that exists becomes another file with the same mode', () => {
    const path = join(folder, 'a.bin');
    writeFileSync(path, 'old');
    chmodSync(path, 0o640);
    const before = statSync(path);
    replaceFile(path, Buffer.from('new'));
    const after = statSync(path);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(after.mode).toBe(before.mode);
    expect(after.ino).not.toBe(before.ino);
  });

  it('that is a link is replaced where the link leads', () => {
    writeFileSync(join(folder, 'target'), 'old');
    symlinkSync('target', join(folder, 'link'));
    replaceFile(join(folder, 'link'), Buffer.from('new'));
    expect(readlinkSync(join(folder, 'link'))).toBe('target');
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('new');
  });

  it('that is a device is written to and stays a device', () => {
    replaceFile('/dev/null', Buffer.from('new'));
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it('that can not be renamed onto leaves everything as it was', () => {
    const path = join(folder, 'a.bin');
    writeFileSync(path, 'old');
    mkdirSync(join(folder, `.a.bin.${process.pid}.tmp`));
    expect(() => replaceFile(path, Buffer.from('new'))).toThrow();
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('in a folder that does not exist is refused with the path and the reason', () => {
    const path = join(folder, 'none/a.bin');
    expect(() => replaceFile(path, Buffer.from('new'))).toThrow(
      expect.objectContaining({
        code: 'SL7002',
        status: 2,
        message: `can not write ${path}: no such file or directory`,
      }),
    );
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});

describe('a policy that is read', () => {
  it('is a table by its first bytes, not by its name', () => {
    expect(isTable(Buffer.from('SANDLOCK\u0001'))).toBe(true);
    expect(isTable(Buffer.from('SANDLOC'))).toBe(false);
    expect(isTable(Buffer.from('[network]\n'))).toBe(false);
    expect(isTable(Buffer.alloc(0))).toBe(false);
  });

  it('and is missing is named with the reason', () => {
    const path = join(folder, 'none.toml');
    expect(() => readWhole(path)).toThrow(
      expect.objectContaining({ message: `can not read ${path}: no such file or directory` }),
    );
    expect(() => readWhole(folder)).toThrow(
      expect.objectContaining({
        message: `can not read ${folder}: it is a directory, not a file`,
      }),
    );
  });
});

describe('a shipped file', () => {
  it('is found beside the program first, then in dist/', () => {
    for (const name of ['src', 'dist']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'dist/x'), '');
    expect(shippedFile('x', join(folder, 'src'))).toBe(join(folder, 'dist/x'));
    writeFileSync(join(folder, 'src/x'), '');
    expect(shippedFile('x', join(folder, 'src'))).toBe(join(folder, 'src/x'));
  });

  it('that was not built is named with the command that builds it', () => {
    expect(() => shippedFile('x', folder)).toThrow(
      `x is not in ${folder}: in a source tree, run \`npm run build\``,
    );
  });
});
