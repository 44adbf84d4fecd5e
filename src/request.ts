/**
 * The request that starts a command (docs/native.md): its arguments and environment as the bytes they are
 * (raw-arguments.ts), and what is asked for beside them.
 */
import { readFileSync } from 'node:fs';
import {
  encodeStrings,
  hasReplacement,
  joined,
  type ReadRaw,
  rawTail,
  readStrings,
  type Strings,
} from './raw-arguments.ts';

/** What a kernel may lack if the user accepts it by name (`--allow-degraded`), with its option bit. */
export const DEGRADATIONS: ReadonlyMap<string, number> = new Map([
  ['kernel-settings', 8],
  ['other-processes', 128],
]);

/** What to say of a name of `--allow-degraded` that there is not. */
export function unknownDegradation(name: string): string | undefined {
  if (DEGRADATIONS.has(name)) return undefined;
  return `--allow-degraded takes ${[...DEGRADATIONS.keys()].join(', ')}, not ${name}`;
}

/** Option bit: mirror stops and forward signals, as the command line does. */
const OPTION_TERMINAL = 1;

/** Option bit: tell allowed calls as well. */
const OPTION_TELL_ALLOWED = 16;

/** Option bit: tell what the table would decide, and refuse nothing by it. */
const OPTION_OBSERVE = 32;

/** `lingerSeconds` without an end. */
export const FOREVER = 0xffff_ffff;

/** Where arguments and environment come from; replaced in tests. */
export interface RequestSource {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How long processes may outlive the command; FOREVER is without end. */
  readonly lingerSeconds: number;
  /** Keys of DEGRADATIONS that are accepted. */
  readonly degraded: readonly string[];
  /** Which decisions are told beside refusals; under `observe` nothing is refused by the table. */
  readonly telling?: 'refused' | 'all' | 'observe';
  /** Mirror stops and forward signals of this process, as the command line does. */
  readonly terminal?: boolean;
  /** Descriptors that become the command's 0, 1 and 2; those of this process if left out. */
  readonly stdio?: readonly [number, number, number];
  /** Directory to start in; that of this process if left out. */
  readonly directory?: string;
  readonly readRaw: ReadRaw;
}

/**
 * Encodes the request for a command of this process, in its environment and directory.
 * @throws SandlockError (usage) when an argument holds a NUL, which only a broken caller can produce.
 */
export function encodeRequest(source: RequestSource): Buffer {
  const command = rawCommand(source);
  const environment = rawEnvironment(source);
  const directory = encodeStrings([source.directory ?? '']);
  // Little-endian, as every processor that the library is built for.
  const header = Uint32Array.of(
    ...[command.count, environment.count, optionsOf(source), 0, source.lingerSeconds],
    ...(source.stdio ?? [0, 1, 2]),
  );
  const bytes = new Uint8Array(header.buffer);
  return Buffer.concat([bytes, command.bytes, environment.bytes, directory.bytes]);
}

function optionsOf({ degraded, telling, terminal = true }: RequestSource): number {
  const told = { refused: 0, all: OPTION_TELL_ALLOWED, observe: OPTION_OBSERVE };
  let options = told[telling ?? 'refused'];
  if (terminal) options |= OPTION_TERMINAL;
  for (const name of degraded) options |= DEGRADATIONS.get(name) ?? 0;
  return options;
}

/** The source for the command line: this process's environment. */
export function ownSource(
  options: Pick<RequestSource, 'command' | 'lingerSeconds' | 'degraded' | 'telling'>,
): RequestSource {
  const readRaw = (path: string): Buffer => readFileSync(path);
  return { ...options, environment: process.env, readRaw };
}

function rawCommand({ command, readRaw }: RequestSource): Strings {
  if (hasReplacement(command)) {
    // The command is the tail of sandlock's own command line.
    const raw = rawTail(command.length, readRaw);
    if (raw !== undefined) return joined(raw);
  }
  return encodeStrings(command);
}

function rawEnvironment({ environment, readRaw }: RequestSource): Strings {
  const entries: string[] = [];
  for (const name of Object.keys(environment)) entries.push(`${name}=${environment[name] ?? ''}`);
  if (hasReplacement(entries)) {
    const raw = readStrings(readRaw, '/proc/self/environ');
    if (raw !== undefined) return joined(raw);
  }
  return encodeStrings(entries);
}
