// `npm run quickstart`: from a fresh clone to one allowed and one refused request. Builds, compiles
// examples/quickstart.toml, starts a web server on 127.0.0.1 and 127.0.0.2, and sends a real program to
// both under `sandlock exec`. Only the first is in the policy. Prints each command before it runs.

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { build } from './build.mjs';
import { install, isInstalled, main, missingTools, root, ScriptError } from './setup.mjs';

const POLICY = 'examples/quickstart.toml';

/** Stays after the run, to play with. */
const TABLE = 'build/policy.bin';

/** The port that the example's rule names. */
const PORT = 8471;

const SANDLOCK = join(root, 'dist/sandlock.cjs');

await main(async () => {
  const missing = missingTools(['cargo', 'cc']);
  if (missing.length > 0) throw new ScriptError(missing.join('\n'));
  install();
  await build();
  mkdirSync(join(root, 'build'), { recursive: true });
  const servers = [];
  try {
    for (const address of ['127.0.0.1', '127.0.0.2']) servers.push(await serve(address));
    await show();
  } finally {
    for (const server of servers) server.close();
  }
});

async function show() {
  console.log(`\nThe policy, ${POLICY}:\n`);
  console.log(readFileSync(join(root, POLICY), 'utf8').replace(/^/gm, '    ').trimEnd());
  await expectStatus(0, ['compile', POLICY, '-o', TABLE]);
  await expectStatus(0, ['exec', TABLE, '--', ...request('127.0.0.1')]);
  const refused = await runSandlock(['exec', TABLE, '--', ...request('127.0.0.2')]);
  if (refused === 0) throw new ScriptError('the request to 127.0.0.2 was not refused');
  await expectStatus(1, ['check', TABLE, `127.0.0.1:${PORT}`, `127.0.0.2:${PORT}`]);
  console.log(
    '\nThe first request got its answer; the second was refused, although a server listens there.',
  );
}

/** curl where there is one; else the same request by node itself. */
function request(address) {
  const url = `http://${address}:${PORT}/`;
  if (isInstalled('curl')) return ['curl', '-sS', url];
  const code = `fetch('${url}').then((r) => r.text()).then(console.log)`;
  return ['node', '--eval', code];
}

async function expectStatus(expected, args) {
  const status = await runSandlock(args);
  if (status !== expected) throw new ScriptError(`exit status ${status} instead of ${expected}`);
}

function runSandlock(args) {
  const words = args.map((word) => (/^[\w./:=@-]+$/.test(word) ? word : `'${word}'`));
  console.log(`\n$ npx sandlock ${words.join(' ')}`);
  return new Promise((resolve, reject) => {
    // The request is to go there directly, whatever proxy this shell uses.
    const env = { ...process.env, no_proxy: '*', NO_PROXY: '*' };
    const child = spawn(process.execPath, [SANDLOCK, ...args], {
      cwd: root,
      stdio: 'inherit',
      env,
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
}

function serve(address) {
  const server = createServer((_, response) => {
    response.writeHead(200, { connection: 'close' }).end(`hello from ${address}\n`);
  });
  return new Promise((resolve, reject) => {
    server.on('error', (error) => {
      reject(new ScriptError(`can not listen on ${address}:${PORT}: ${error.message}`));
    });
    server.listen(PORT, address, () => resolve(server));
  });
}
