/**
 * When a run is told of: its teller is a file of its own, which a run that ends at once without a word never
 * loads. Decides when to load it; what is told is telling.ts's affair.
 */
import { describeCause } from './errors.ts';
import { formatSilence } from './plan-notes.ts';
import type { RunEnd } from './run.ts';
import { writeError } from './standard-error.ts';
import type * as Telling from './telling.ts';

/**
 * A command that runs this long is told of sooner or later, and the file is there now: the command may be one that
 * installs sandlock anew.
 */
const SOON_MS = 20;

/** Says nothing. */
const SILENT: Telling.Teller = {
  decided: () => {},
  named: () => {},
  opaque: () => {},
  patienceMs: -1,
  idle: () => {},
  finish: () => {},
};

/**
 * The teller for a run under `table`. Opens the log.
 * @throws SandlockError (file) when the log can not be opened.
 */
export function tellerFor(table: Buffer, options: Telling.TellingOptions): Telling.Teller {
  const load = (): Telling.Teller =>
    (require('./telling.ts') as typeof Telling).createTeller(table, options);
  if (options.log !== undefined || options.summary || options.stats) return load();
  return options.quiet ? SILENT : loadedLate(load);
}

function loadedLate(load: () => Telling.Teller): Telling.Teller {
  let loaded: Telling.Teller | undefined;
  const teller = (): Telling.Teller => {
    try {
      loaded ??= load();
    } catch (cause) {
      loaded = SILENT;
      writeError(`sandlock: what is refused can not be told: ${describeCause(cause)}\n`);
    }
    return loaded;
  };
  return {
    decided: (record) => teller().decided(record),
    named: (record) => teller().named(record),
    opaque: (record) => teller().opaque(record),
    get patienceMs() {
      return loaded === undefined ? SOON_MS : loaded.patienceMs;
    },
    idle: () => teller().idle(),
    finish(end) {
      if (loaded !== undefined || isTold(end)) teller().finish(end);
    },
  };
}

/** Is there something to say of a run that nothing was told of? */
function isTold(end: RunEnd): boolean {
  return end.dropped > 0 || (end.ended?.killed ?? 0) > 0 || formatSilence(end) !== '';
}
