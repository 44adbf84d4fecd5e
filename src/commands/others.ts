/** The commands beside `compile`, which become one file of the bundle: `compile` of a long list should not wait for the parsing of what it does not use. */
export { checkDestinations } from './check.ts';
export { printCompletion } from './completion.ts';
export { diffPolicies } from './diff.ts';
export { examineHost } from './doctor.ts';
export { formatPolicies } from './fmt.ts';
export { inspectPolicy } from './inspect.ts';
export { learn } from './learn.ts';
export { lintPolicies } from './lint.ts';
