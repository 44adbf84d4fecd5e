// `npm run soak -- --minutes N`: runs every race of test/hostile for so long in all that the whole
// takes N minutes (default 10), after proving anew that each passes a supervisor that checks and
// then lets the kernel look again. Fails when anything arrives that the policy does not allow.
// Knows nothing of the races but how many there are.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { main, root, run, ScriptError } from './setup.mjs';

await main((args) => {
  const minutes = args[0] === undefined ? 10 : Number(args[1]);
  if ((args[0] !== undefined && args[0] !== '--minutes') || !(minutes > 0) || args.length > 2) {
    throw new ScriptError('usage: npm run soak -- [--minutes N]');
  }
  if (!existsSync(join(root, 'dist/libsandlock.so'))) {
    throw new ScriptError('dist/ is missing: npm run build');
  }
  const source = readFileSync(join(root, 'test/hostile/races.test.ts'), 'utf8');
  const races = source.match(/^ {2,4}\['/gm)?.length ?? 0;
  const users = process.getuid?.() === 0 ? 2 : 1;
  const seconds = Math.max(1, Math.floor((minutes * 60) / (races * users)));
  console.log(`${races} races, ${users} users, ${seconds} s each`);
  process.env.SANDLOCK_HOSTILE_SECONDS = String(seconds);
  run(process.execPath, ['test/hostile/run.mjs', 'races']);
});
