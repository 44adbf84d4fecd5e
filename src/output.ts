/** Results on standard output, many lines at a time: a million verdicts are a few thousand writes. */
import { writeOutput } from './standard-error.ts';

/** Text to standard output in few system calls. */
export interface Output {
  write(text: string): void;
  /** Writes what is left. */
  end(): void;
}

/** Characters that are gathered before they are written. */
const GATHERED = 1 << 16;

/** Gathers text for {@link writeOutput}. */
export function createOutput(): Output {
  let parts: string[] = [];
  let length = 0;
  const end = (): void => {
    if (length > 0) writeOutput(parts.join(''));
    parts = [];
    length = 0;
  };
  return {
    write(text) {
      parts.push(text);
      length += text.length;
      if (length >= GATHERED) end();
    },
    end,
  };
}
