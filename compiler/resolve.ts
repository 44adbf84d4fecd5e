/**
 * Names to addresses, through a resolver that is handed in. Each name is asked once, a number of
 * them at the same time; answers become canonical, sorted and unique, so that neither the
 * resolver's order nor its speed changes anything. Which answers a name may have is
 * private-answers.ts's decision.
 */
import { canonicalAddress } from './address.ts';

/** What a resolver gives: addresses of both families, 4 or 16 bytes each, or why there are none. */
export type ResolverAnswer =
  | { readonly ok: true; readonly addresses: readonly Uint8Array[] }
  | { readonly ok: false; readonly reason: string };

/** Resolves one name (lower case, A-labels, no final dot) to all of its addresses. */
export type Resolver = (name: string) => Promise<ResolverAnswer>;

/** Told with each question and answer how many of all names have one, and which are being asked, the longest first. */
export type ResolveProgress = (done: number, all: number, asked: readonly string[]) => void;

/** Names that are asked at the same time: what a system's resolver and its servers take without losing questions. */
export const ASKED_AT_ONCE = 16;

/** Asks for every name once. Never rejects: a resolver that throws has not resolved. */
export async function resolveNames(
  names: Iterable<string>,
  resolve: Resolver,
  progress?: ResolveProgress,
): Promise<ReadonlyMap<string, ResolverAnswer>> {
  const distinct = new Set(names);
  const answers = new Map<string, ResolverAnswer>();
  const asked = new Set<string>();
  // One iterator for all: each takes the next name when it has an answer.
  const queue = distinct.values();
  const askOn = async (): Promise<void> => {
    for (const name of queue) {
      asked.add(name);
      progress?.(answers.size, distinct.size, [...asked]);
      answers.set(name, await ask(name, resolve));
      asked.delete(name);
      progress?.(answers.size, distinct.size, [...asked]);
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, askOn));
  return answers;
}

const NO_ANSWER: ResolverAnswer = { ok: false, reason: 'the resolver gave no address' };

async function ask(name: string, resolve: Resolver): Promise<ResolverAnswer> {
  let answer: ResolverAnswer;
  try {
    answer = await resolve(name);
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
  if (!answer.ok) return answer;
  if (answer.addresses.some(({ length }) => length !== 4 && length !== 16)) {
    return { ok: false, reason: 'the resolver gave something that is not an address' };
  }
  return answer.addresses.length === 0
    ? NO_ANSWER
    : { ok: true, addresses: sortAddresses(answer.addresses.map(canonicalAddress)) };
}

/** Ascending by the 16 bytes of the table (docs/format.md §1), duplicates removed. */
function sortAddresses(addresses: readonly Uint8Array[]): readonly Uint8Array[] {
  const keyed = new Map(addresses.map((address) => [sortKey(address), address]));
  return [...keyed].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, address]) => address);
}

function sortKey(address: Uint8Array): string {
  const hex = Array.from(address, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return address.length === 4 ? `00000000000000000000ffff${hex}` : hex;
}
