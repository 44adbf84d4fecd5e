/**
 * The public suffix list (publicsuffix.org), with its private part: names of hosters below which
 * anybody gets one. A file of its own in the bundle, because the list takes ten times as long to
 * load as a policy to compile, and only wildcards ask for it.
 */
import { getPublicSuffix } from 'tldts';

/** The public suffix of a name; a label that no list knows is one itself. */
export function publicSuffixOf(name: string): string {
  const options = { allowPrivateDomains: true, validateHostname: false, extractHostname: false };
  return getPublicSuffix(name, options) ?? name;
}
