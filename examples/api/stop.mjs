// Ways to end a command: a signal to it, all of its tree, an AbortSignal. What can not be started
// is an error with a code.
import { once } from 'node:events';
import { compile, spawn } from 'sandlock';

const { table } = await compile({ allow: ['127.0.0.1:1'] });
const options = { stdio: 'ignore' };

const terminated = spawn(table, 'sleep', ['100'], options);
terminated.once('spawn', () => terminated.kill('SIGTERM'));
console.log('kill:', await once(terminated, 'close'));

const tree = spawn(table, 'bash', ['-c', 'sleep 100 & sleep 100'], options);
tree.once('spawn', () => tree.killAll());
console.log('killAll:', await once(tree, 'close'));

const controller = new AbortController();
const aborted = spawn(table, 'sleep', ['100'], { ...options, signal: controller.signal });
aborted.once('spawn', () => controller.abort());
aborted.once('error', (error) => console.log('error:', error.name));
console.log(
  'abort:',
  await new Promise((resolve) => aborted.once('exit', (...end) => resolve(end))),
);

const missing = spawn(table, 'no-such-program', [], options);
missing.once('error', (error) => console.log('error:', error.code, error.message));
await new Promise((resolve) => missing.once('close', resolve));
