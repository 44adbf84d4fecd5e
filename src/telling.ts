/**
 * What is told of a run on the command line: lines on the terminal, the log, the summary. Puts the
 * parts together, in the order in which a record passes them: probes are left out, what is left is
 * explained, then told. Never waits and never fails: the command goes on whatever becomes of what
 * is told about it.
 */
import { type Decision, type Explained, NO_EXPLANATION, toDecision } from './decision.ts';
import { createDenialReporter } from './denials.ts';
import { createNameReporter, toDeniedName } from './denied-names.ts';
import type * as Explaining from './explaining.ts';
import { openLog } from './log.ts';
import { formatCalls, formatSilence } from './plan-notes.ts';
import { createProbeFilter } from './probes.ts';
import type { DecidedRecord, NameRecord } from './records.ts';
import type { RunEnd, RunListener } from './run.ts';
import { printable, writeError } from './standard-error.ts';
import { createSummary } from './summary.ts';

/** What is to be told. */
export interface TellingOptions {
  /** No lines on the terminal. */
  readonly quiet: boolean;
  /** File of the log. */
  readonly log: string | undefined;
  /** Allowed calls go to the log, too. */
  readonly logAllowed: boolean;
  /** A summary at the end, also with `quiet`. */
  readonly summary: boolean;
  /** How many calls were looked at, also with `quiet`. */
  readonly stats: boolean;
}

/** Listens to a run and tells of it. */
export interface Teller extends RunListener {
  /** The run is over: everything that is still to be said. */
  finish(end: RunEnd): void;
}

/**
 * A teller for a run under `table`. Opens the log.
 * @throws SandlockError (file) when the log can not be opened.
 */
export function createTeller(table: Buffer, options: TellingOptions): Teller {
  const { quiet, logAllowed } = options;
  const say = (text: string): void => writeError(text);
  const log =
    options.log === undefined
      ? undefined
      : openLog(options.log, (message) => say(`sandlock: ${message}\n`));
  const summary = options.summary ? createSummary() : undefined;
  const denials = createDenialReporter();
  const names = createNameReporter();
  const probes = createProbeFilter();
  const explainer = createLazyExplainer(table);

  const tell = (record: DecidedRecord): void => {
    const isDenial = record.kind === 'denied';
    if (!isDenial && !logAllowed && summary === undefined) return;
    const explained = explainer.explain(record);
    const decision: Decision = toDecision(record, explained);
    summary?.add(decision);
    if (isDenial || logAllowed) log?.add(decision);
    if (isDenial && !quiet) say(denials.report(decision, () => explained.hint));
  };
  // Most of what a refusal costs here is to explain it: not for nobody.
  const isHeard = !quiet || log !== undefined || summary !== undefined;
  return {
    decided(record) {
      if (isHeard) probes.push(record).forEach(tell);
    },
    named(record) {
      const denied = toDeniedName(record);
      if (denied === undefined) return explainer.learn(record);
      log?.add(denied);
      if (!quiet) say(names.report(denied));
    },
    opaque({ program, pid }) {
      if (!quiet) say(formatOpaque(program, pid));
    },
    get patienceMs() {
      if (log?.isPending) return 0;
      return probes.nextMs === undefined ? -1 : Math.max(0, Math.ceil(probes.nextMs - Date.now()));
    },
    idle() {
      log?.flush();
      probes.due(Date.now()).forEach(tell);
    },
    finish(end) {
      const { dropped, ended } = end;
      const killed = ended?.killed ?? 0;
      probes.flush().forEach(tell);
      if (dropped > 0) log?.addLost(dropped);
      log?.flush();
      if (!quiet) say(denials.finish());
      if (!quiet) say(names.finish());
      if (dropped > 0 && !quiet) say(formatLost(dropped));
      if (killed > 0 && !quiet) say(formatKilled(killed));
      if (!quiet) say(formatSilence(end));
      if (summary !== undefined) say(summary.format());
      if (options.stats) say(formatCalls(ended));
    },
  };
}

/**
 * Explains by explaining.ts, which is loaded at the first question. Names that were learned before are kept until then.
 */
function createLazyExplainer(table: Buffer): Explaining.Explainer {
  let early: NameRecord[] = [];
  let loaded: Explaining.Explainer | undefined;
  const load = (): Explaining.Explainer => {
    const { createExplainer } = require('./explaining.ts') as typeof Explaining;
    const made = createExplainer(table);
    early.forEach(made.learn);
    early = [];
    return made;
  };
  return {
    explain(record): Explained {
      try {
        loaded ??= load();
        return loaded.explain(record);
      } catch {
        // A denial without its reason is still told.
        return NO_EXPLANATION;
      }
    },
    learn(record) {
      if (loaded === undefined) early.push(record);
      else loaded.learn(record);
    },
  };
}

function formatLost(count: number): string {
  const what = count === 1 ? '1 record was' : `${count} records were`;
  return `sandlock: ${what} lost: calls came faster than they could be told\n`;
}

function formatKilled(count: number): string {
  const what = count === 1 ? '1 process' : `${count} processes`;
  return `sandlock: ended ${what} that outlived the command (see --linger)\n`;
}

function formatOpaque(name: string, pid: number): string {
  const reason = 'its program file is not readable, so its network calls fail';
  return `sandlock: can not look into ${printable(name)}[${pid}]: ${reason}\n`;
}
