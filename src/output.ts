/** Results on standard output, many lines at a time: a million verdicts are a few thousand writes. */
import { writeOutput } from './standard-error.ts';

/** How results are printed. */
export type Format = 'text' | 'json';

/** Text to standard output in few system calls. */
export interface Output {
  write(text: string): void;
  /** Writes what is left. */
  end(): void;
}

/** Bytes that are gathered before they are written. */
const GATHERED = 1 << 16;

/** Gathers text for {@link writeOutput}. */
export function createOutput(): Output {
  const buffer = Buffer.allocUnsafe(2 * GATHERED);
  let used = 0;
  const end = (): void => {
    if (used > 0) writeOutput(buffer.subarray(0, used));
    used = 0;
  };
  return {
    write(text) {
      // One UTF-16 unit needs at most three bytes of UTF-8.
      if (3 * text.length > GATHERED) {
        end();
        writeOutput(text);
        return;
      }
      used += buffer.write(text, used);
      if (used >= GATHERED) end();
    },
    end,
  };
}
