/** A git repository to be cloned over plain HTTP. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { environment, makeDirectory } from './stage.ts';

/** Makes `a.git` with one commit of `file.txt`; returns the directory it is in. */
export function makeRepository(): string {
  const directory = makeDirectory();
  const script = `git init -q work && cd work && echo content > file.txt && git add . &&
    git -c user.name=t -c user.email=t@example.com commit -qm first && cd .. &&
    git clone -q --bare work a.git && cd a.git && git update-server-info`;
  execFileSync('bash', ['-c', script], { cwd: directory, env: environment });
  return directory;
}

/** A file of that directory, for a web server. */
export function readRepository(directory: string, path: string): Uint8Array | undefined {
  const file = join(directory, path.split('?')[0] ?? '');
  try {
    return statSync(file).isFile() ? readFileSync(file) : undefined;
  } catch {
    return undefined;
  }
}
