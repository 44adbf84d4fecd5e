// Writes dist/*.cache: what V8 made of the files of the bundle that a policy in TOML needs (src/bundle-file.ts).
// It is taken from a run of that very command, up to where it would load the library, so it holds the functions
// that such a run calls and no others.
//
// V8 accepts what its own version made of a text of the same length. So each ends with the version of Node, and the
// first line of the text, which has its checksum.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main, root, ScriptError } from './setup.mjs';

/** Something of everything that policies have. */
const POLICY = `# A comment.
[network]
allow = [
  "127.0.0.1:8471",
  "api.example.com:8080-8090,9000",
  "tcp://10.0.0.0/8:443",
  "udp://[2001:db8::/32]:*",
  "icmp://192.0.2.1",
  "*.example.com:443",
  "tcp://@mirrors:443",
]
deny = ["tcp://10.20.9.0/24:*"]
allow_bind = ["127.0.0.1:8080"]
allow_unix = ["/run/postgresql/.s.PGSQL.5432"]

[sets]
mirrors = ["192.0.2.0/24", "2001:db8:1::/48"]
`;

/** The end of such a run here: all is done but to load the library. */
const EXPECTED = 'SANDLOCK_LIBRARY names /nowhere, which does not exist';

await main(() => {
  const folder = mkdtempSync(join(tmpdir(), 'sandlock-cache-'));
  try {
    const policy = join(folder, 'policy.toml');
    writeFileSync(policy, POLICY);
    const command = [
      join(root, 'dist/sandlock.cjs'),
      'exec',
      policy,
      '--deny',
      '*:25',
      '--',
      'true',
    ];
    const { stderr } = spawnSync(
      process.execPath,
      ['--require', join(import.meta.dirname, 'code-cache-hook.cjs'), ...command],
      // Options of V8 in NODE_OPTIONS would be part of what it made.
      { env: { SANDLOCK_LIBRARY: '/nowhere' }, encoding: 'utf8' },
    );
    if (!stderr.includes(EXPECTED)) throw new ScriptError(`exec of a policy failed: ${stderr}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
