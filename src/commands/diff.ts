/**
 * `sandlock diff`: what becomes reachable and what no longer is when one policy takes the place of
 * another. The comparison is the compiler's (diff.ts); here are its form and the exit status, which
 * is that of diff(1).
 */
import {
  type Change,
  type Difference,
  diffTables,
  isSame,
  type Reach,
} from '../../compiler/diff.ts';
import { openPolicy } from '../compiling.ts';
import type { Format } from '../output.ts';
import { printable, writeOutput } from '../standard-error.ts';

/** There is a difference. */
const EXIT_DIFFERENT = 1;

/**
 * Compares two policies or tables, prints the difference and sets the exit status.
 * @throws SandlockError for a bad policy or table.
 */
export async function diffPolicies(before: string, after: string, format: Format): Promise<void> {
  const difference = diffTables(await openPolicy(before), await openPolicy(after));
  writeOutput(
    format === 'json' ? `${JSON.stringify(toJson(difference))}\n` : formatDifference(difference),
  );
  if (!isSame(difference)) process.exitCode = EXIT_DIFFERENT;
}

/** The object of `--json` (docs/commands.md). */
export function toJson(difference: Difference): object {
  return { same: isSame(difference), ...difference };
}

/**
 * Lines that begin with `+` (reachable now) or `-` (no longer), each in the notation of rules:
 *
 *     + tcp://10.0.0.0/8:443
 *     - udp://[2001:db8::]:53
 *     + bind:tcp://127.0.0.1:8080
 *     + unix:/run/x.sock
 */
export function formatDifference({ gained, lost }: Difference): string {
  const lines = [
    ...formatChange(lost).map((line) => `- ${line}`),
    ...formatChange(gained).map((line) => `+ ${line}`),
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function formatChange({ reach, unix, families, userns }: Change): readonly string[] {
  return [
    ...reach.map(formatReach),
    ...unix.map((text) => `unix:${text}`),
    ...families.map((family) => `family ${family}`),
    ...(userns ? ['user namespaces'] : []),
  ];
}

/** `tcp://10.0.0.0/8:443`, or with `bind:` before it. */
function formatReach({ protocol, target, ports }: Reach): string {
  const [scheme, bind] = protocol.split('-');
  const host = target.includes(':') ? `[${target}]` : target;
  return `${bind === undefined ? '' : 'bind:'}${scheme}://${host}${protocol === 'icmp' ? '' : `:${ports}`}`;
}
