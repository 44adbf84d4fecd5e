/**
 * What the compiler's tests share: a policy compiled with a resolver and set files that are tables,
 * and its rules or its errors as text.
 */
import { formatAddress } from '../../compiler/address.ts';
import { type Diagnostic, formatDiagnostics } from '../../compiler/diagnostic.ts';
import { type DraftResult, draftPolicy, type PolicyInput } from '../../compiler/draft.ts';
import type { Rule, TableDraft } from '../../compiler/model.ts';
import { publicSuffixOf } from '../../src/suffixes.ts';
import { RELEASE } from '../reference/modules.ts';
import { parseIp } from './parse-ip.ts';

/** Names and set files of a test. */
export interface World {
  readonly names?: Readonly<Record<string, readonly string[]>>;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

/** Every name of the reference decisions resolves here. */
const ANYWHERE = ['192.0.2.1'];

/** Compiles an input up to the draft; `asked` collects the names that the resolver was asked for. */
export function draft(
  input: Partial<PolicyInput>,
  world: World = {},
  asked: string[] = [],
): Promise<DraftResult> {
  return draftPolicy(
    { allow: [], deny: [], ...input },
    {
      resolve: async (name) => {
        asked.push(name);
        const addresses = world.names === undefined ? ANYWHERE : world.names[name];
        return addresses === undefined
          ? { ok: false, reason: 'the name does not exist' }
          : { ok: true, addresses: addresses.map(parseIp) };
      },
      publicSuffixOf,
      policyModule: RELEASE,
      readSetFile: (path) => {
        const content = world.files?.[path];
        return content === undefined
          ? { ok: false, reason: 'no such file' }
          : { ok: true, content };
      },
    },
  );
}

/** Compiles the text of `policy.toml`. */
export function draftText(text: string | Uint8Array, world: World = {}): Promise<DraftResult> {
  return draft({ file: { name: 'policy.toml', text } }, world);
}

/** All errors of a policy as they are printed; the empty string when there is none. */
export async function errorsOf(text: string | Uint8Array, world: World = {}): Promise<string> {
  const result = await draftText(text, world);
  return result.ok ? '' : formatDiagnostics(result.diagnostics);
}

/** All warnings of a policy that compiles, as they are printed. */
export async function warningsOf(text: string, world: World = {}): Promise<string> {
  const result = await draftText(text, world);
  if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics));
  return formatDiagnostics(result.warnings);
}

/** The diagnostics of one rule given as an option, as they are printed. */
export async function errorsOfRule(
  rule: string,
  action: 'allow' | 'deny' = 'allow',
): Promise<string> {
  const result = await draft({ [action]: [rule] });
  return result.ok ? '' : formatDiagnostics(result.diagnostics);
}

/** One rule given as an option, in the notation of {@link showRule}. */
export async function readRule(text: string, action: 'allow' | 'deny' = 'allow'): Promise<string> {
  const result = await draft({ [action]: [text] });
  if (!result.ok) return formatDiagnostics(result.diagnostics);
  return result.draft.rules.map(showRule).join('\n');
}

/** A rule as `tcp name example.com 443,8000-8010`. */
export function showRule({ protocol, target, ports }: Rule): string {
  const what =
    target.kind === 'any'
      ? 'any'
      : target.kind === 'prefix'
        ? `prefix ${formatAddress(target.prefix.address)}/${target.prefix.bits}`
        : target.kind === 'name'
          ? `name ${target.name}`
          : `set ${target.set}`;
  const list = ports.map(({ low, high }) => (low === high ? `${low}` : `${low}-${high}`));
  return `${protocol} ${what} ${list.join(',')}`;
}

/** The draft of a policy that compiles. */
export async function goodDraft(
  input: Partial<PolicyInput>,
  world: World = {},
): Promise<TableDraft> {
  const result = await draft(input, world);
  if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics));
  return result.draft;
}

/** The diagnostics of a policy that does not compile. */
export async function diagnosticsOf(
  text: string,
  world: World = {},
): Promise<readonly Diagnostic[]> {
  const result = await draftText(text, world);
  if (result.ok) throw new Error('the policy compiles');
  return result.diagnostics;
}
