/**
 * The commands beside `check` and `compile`, which become one file of the bundle: those two are run
 * often and should not wait for the parsing of what they do not use.
 */
export { printCompletion } from './completion.ts';
export { diffPolicies } from './diff.ts';
export { examineHost } from './doctor.ts';
export { formatPolicies } from './fmt.ts';
export { inspectPolicy } from './inspect.ts';
export { learn } from './learn.ts';
export { lintPolicies } from './lint.ts';
