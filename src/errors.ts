/**
 * The one error that src/ throws for what a user can meet: a stable code, a text that names the fault, and the
 * exit status that goes with it. Mistakes inside a policy are not errors but diagnostics, which the
 * compiler returns as values.
 */

/** Codes of SandlockError. They never change meaning; SL1–SL4 are the compiler's diagnostics. */
export const ERROR_CODES = {
  /** A table was refused by its reader; the text has the defect's number (docs/format.md). */
  table: 'SL5100',
  /** The kernel, or what surrounds this process, can not carry the sandbox. */
  kernel: 'SL6001',
  /** The command line can not be understood. */
  usage: 'SL7001',
  /** A file can not be read or written. */
  file: 'SL7002',
  /** The native library is missing or does not fit. */
  library: 'SL7003',
  /** The policy has errors; they are in `diagnostics` of the result, or were printed. */
  policy: 'SL7004',
  /** The command can not be executed. */
  command: 'SL7005',
} as const;

/** One of the codes above, by its name. */
export type ErrorKind = keyof typeof ERROR_CODES;

/** Exit statuses that are sandlock's own; every other status is the command's. */
export const EXIT = {
  /** Bad policy or usage. */
  usage: 2,
  /** sandlock itself failed; the command did not run, or was ended. */
  failed: 125,
  /** The command exists and can not be executed. */
  notExecutable: 126,
  /** The command was not found. */
  notFound: 127,
} as const;

const STATUS: Record<ErrorKind, number> = {
  table: EXIT.usage,
  kernel: EXIT.failed,
  usage: EXIT.usage,
  file: EXIT.usage,
  library: EXIT.failed,
  policy: EXIT.usage,
  command: EXIT.notExecutable,
};

/** Something the user has to know and may be able to repair; `message` is complete without a stack. */
export class SandlockError extends Error {
  override readonly name = 'SandlockError';
  /** Stable code, `SL` and four digits. */
  readonly code: string;
  /** What the command line exits with for this error. */
  readonly status: number;

  /** `status` overrides the exit status that the kind stands for. */
  constructor(
    kind: ErrorKind,
    message: string,
    options: { readonly cause?: unknown; readonly status?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = ERROR_CODES[kind];
    this.status = options.status ?? STATUS[kind];
  }
}

/** Arguments that can not be meant. */
export function usageError(message: string): SandlockError {
  return new SandlockError('usage', message);
}

/** Is this a SandlockError? Each file of the bundle has its own copy of the class, so `instanceof` can not tell. */
export function isSandlockError(error: unknown): error is SandlockError {
  return error instanceof Error && error.name === 'SandlockError';
}

/** The text of a system error without Node's wrapping: `no such file or directory`. */
export function describeCause(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EISDIR') return 'it is a directory, not a file';
  // Node's texts are `ENOENT: no such file or directory, open '…'`.
  const match = code === undefined ? null : /^\w+: (.*?)(?:, \w+(?: .*)?)?$/.exec(error.message);
  return match?.[1] ?? error.message;
}
