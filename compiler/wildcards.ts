/**
 * Rules with wildcards that are as wide as a public suffix: `*.com`, `*.co.uk`, `*.github.io`.
 * Below such a suffix everybody may register a name, so the rule would open a destination to
 * whoever wants to be one. It is an error unless `[dns] wide` lists the wildcard. So is one below
 * localhost, which is no name that a server could answer for. Which suffixes are public is asked of
 * a list that is handed in; names that nobody can register are known here.
 */
import type { PrivateName } from './model.ts';
import type { Placed } from './placed.ts';
import { isLocalhost } from './private-answers.ts';
import type { WrittenRule } from './written-rules.ts';

/**
 * The public suffix of a name (lower case, A-labels, no final dot): the longest part below which
 * names are registered, `co.uk` of `www.example.co.uk`; of a name that is one itself, the name.
 */
export type PublicSuffixFinder = (name: string) => string | Promise<string>;

/**
 * Single labels, and one name, below which nobody registers names: RFC 6761 §6, RFC 8375, and
 * ICANN's reservation of `internal` (2024).
 */
const OWN_NETWORK: ReadonlySet<string> = new Set(['home.arpa', 'internal', 'test']);

/** The errors of all rules. The list is asked only when there is a wildcard. */
export async function findWideWildcards(
  written: readonly WrittenRule[],
  accepted: readonly PrivateName[],
  publicSuffixOf: PublicSuffixFinder = (name) => name,
): Promise<readonly Placed[]> {
  const errors: Placed[] = [];
  for (const rule of written) {
    const { target } = rule.rule;
    if (target.kind !== 'name' || !target.name.startsWith('*.')) continue;
    const suffix = target.name.slice(2);
    if (isLocalhost(suffix)) {
      const message = `names below ${suffix} are the loopback, whatever stands in front`;
      const help = 'write rules on 127.0.0.1 and [::1] with the same ports';
      errors.push(rule.place({ code: 'SL3013', message, help }));
      continue;
    }
    if (OWN_NETWORK.has(suffix) || accepted.some(({ name }) => name === suffix)) continue;
    if ((await publicSuffixOf(suffix)) !== suffix) continue;
    const message = `anybody can register a name below ${suffix}, so \`${target.name}\` would open whatever they want`;
    const help = `name who is meant, such as *.example.${suffix}, or accept the whole of it by \`[dns] wide = ["${target.name}"]\``;
    errors.push(rule.place({ code: 'SL3011', message, help }));
  }
  return errors;
}
