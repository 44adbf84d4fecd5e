/**
 * A TCP listener whose queue is full, so that a connect to it stays pending. Node's own listeners accept always, hence
 * a program does it.
 */
import { spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { probe } from './stage.ts';

/** Starts the listener on a free port of 127.0.0.1; it ends with the test. */
export async function openBacklog(): Promise<{ readonly port: number; readonly at: string }> {
  const [program = '', ...args] = probe('backlog', '127.0.0.1');
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.stdin.end();
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.on('error', reject).on('close', () => reject(new Error('backlog ended')));
    child.stdout.once('data', (text: Buffer) => resolve(Number(text.toString())));
  });
  return { port, at: `127.0.0.1/${port}` };
}
