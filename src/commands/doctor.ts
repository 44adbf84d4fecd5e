/**
 * `sandlock doctor`: says what this kernel and host offer, what sandlock does about what is
 * missing, and whether it can run. What an answer means is decided by doctor/findings.ts; here are
 * only the order of the questions, the form, and the exit status.
 */
import manifest from '../../package.json' with { type: 'json' };
import { loadLibrary } from '../binding.ts';
import { ANSWER_BYTES, type Answers, decodeAnswers, MOST_ANSWERS } from '../doctor/answers.ts';
import { type Finding, judge, type State } from '../doctor/findings.ts';
import { testSelf } from '../doctor/self-test.ts';
import { lookAround, type Surroundings } from '../doctor/surroundings.ts';
import { errnoName } from '../errno.ts';
import { isSandlockError, SandlockError } from '../errors.ts';
import { printable, writeOutput } from '../standard-error.ts';

/** Exit statuses by verdict. */
const STATUS = { full: 0, degraded: 1, impossible: 2 } as const;

/** The whole report, as `--json` prints it. */
export interface Report {
  /** `full`: runs, every wall stands · `degraded`: runs with `options` · `impossible`: nothing can be run. */
  readonly verdict: keyof typeof STATUS;
  /** What to give to `exec`; empty unless degraded. */
  readonly options: readonly string[];
  readonly version: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly node: string;
  readonly user: number;
  readonly findings: readonly Finding[];
}

/** Examines, prints, and sets the exit status. */
export async function examineHost(asJson: boolean): Promise<void> {
  const report = await examine();
  writeOutput(asJson ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report));
  process.exitCode = STATUS[report.verdict];
}

async function examine(): Promise<Report> {
  const around = lookAround();
  const findings = findAll(around);
  const degraded = findings.flatMap(({ option }) => option ?? []);
  const has = (state: State): boolean => findings.some((finding) => finding.state === state);
  if (!has('missing')) findings.push(await testSelf(degraded));
  return {
    verdict: has('missing') ? 'impossible' : degraded.length > 0 ? 'degraded' : 'full',
    options: has('missing') ? [] : degraded.flatMap((name) => ['--allow-degraded', name]),
    version: manifest.version,
    kernel: around.kernel,
    architecture: around.architecture,
    node: around.node,
    user: around.user,
    findings,
  };
}

/** A library that can not be loaded is a finding as well: the others would all be guesses then. */
function findAll(around: Surroundings): Finding[] {
  try {
    return judge(askKernel(), around);
  } catch (error) {
    if (!isSandlockError(error)) throw error;
    const found = error.message;
    return [
      {
        name: 'library',
        state: 'missing',
        found,
        consequence: 'nothing else was tried',
        stage: 'front',
      },
    ];
  }
}

function askKernel(): Answers {
  const bytes = Buffer.alloc(ANSWER_BYTES * MOST_ANSWERS);
  const count = loadLibrary().probe(bytes);
  if (count > 0) return decodeAnswers(bytes, count);
  const message = `the library can not be executed as a program (${errnoName(-count)}): is it on a file system mounted noexec?`;
  throw new SandlockError('library', message);
}

const VERDICTS: Readonly<Record<Report['verdict'], string>> = {
  full: 'sandlock runs here, and every wall stands.',
  degraded: 'sandlock runs here if you accept what is missing:',
  impossible: 'sandlock can not run here; exec refuses at:',
};

/** One line a finding, what follows from it below, and the verdict last. */
export function formatReport(report: Report): string {
  const { version, kernel, architecture, node, user, findings, verdict, options } = report;
  const lines = [
    `sandlock ${version}, Linux ${kernel} ${architecture}, Node ${node}, uid ${user}`,
    '',
  ];
  for (const { name, state, found, consequence } of findings) {
    lines.push(`${state.padEnd(8)}  ${name.padEnd(16)}  ${found}`);
    if (consequence !== '') lines.push(`${' '.repeat(28)}→ ${consequence}`);
  }
  const stages = findings.flatMap(({ state, name, stage }) =>
    state === 'missing' ? [`${stage} (${name})`] : [],
  );
  const rest =
    verdict === 'full' ? [] : verdict === 'degraded' ? options : [[...new Set(stages)].join(', ')];
  lines.push('', [VERDICTS[verdict], ...rest].join(' '));
  return lines.map((line) => `${printable(line)}\n`).join('');
}
