/**
 * What the kernel at hand has to hold a program by, found by trying (probes/kernel.c). Where it has
 * less, the supervisor does the same in another way, and answers may differ (docs/enforcement.md);
 * tests say what holds there. Knows no version of a kernel.
 */
import { execFileSync } from 'node:child_process';
import { probe } from './stage.ts';

const [program = '', ...args] = probe('kernel');
const has = new Set(
  execFileSync(program, args, { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.endsWith(' 0 -'))
    .map((line) => line.split(' ')[0]),
);

/** TCP can be left to Landlock, so a plan may leave connects to the kernel. */
export const holdsTcp: boolean = has.has('tcp');

/** Landlock keeps signals and abstract names inside. */
export const hasScopes: boolean = has.has('scopes');

/** Programs may mount in namespaces of their own: not where the only domain there is handles files. */
export const mayMount: boolean = holdsTcp || !has.has('files');

/** A thread with a descriptor table of its own can be looked at; elsewhere its calls are refused (EPERM). */
export const holdsThreads: boolean = has.has('threads');

/** A tracer can change a call without knowing registers (Linux 6.16). */
export const rewritesCalls: boolean = has.has('rewrites');

/** Calls handed to a supervisor wait killably; elsewhere a signal has the caller make its call again. */
export const waitsKillably: boolean = has.has('waits');

/** A listener can wake its callers on its own processor. */
export const wakesSynchronously: boolean = has.has('wakes');

/** The answer for an abstract name of somebody outside: Landlock's, or the supervisor's. */
export const abstractRefusal: 'EPERM' | 'EACCES' = hasScopes ? 'EPERM' : 'EACCES';
