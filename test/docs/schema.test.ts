/**
 * policy.schema.json as editors use it: valid itself, with something to say at every place, and
 * agreeing with every example.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

interface Node {
  readonly description?: string;
  readonly $comment?: string;
  readonly $ref?: string;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly definitions?: Readonly<Record<string, Node>>;
  readonly [key: string]: unknown;
}

const schema = JSON.parse(readFileSync(join(ROOT, 'compiler/policy.schema.json'), 'utf8')) as Node;

/** Every place that an editor can hover over, with its path. */
function* places(node: Node, path: string): Generator<readonly [string, Node]> {
  // Not built yet: refused, so never hovered over for long.
  if (node.$comment !== undefined) return;
  yield [path, node];
  for (const [name, child] of Object.entries({ ...node.properties, ...node.definitions }))
    yield* places(child, `${path}/${name}`);
  for (const key of ['items', 'additionalProperties']) {
    const child = node[key];
    if (typeof child === 'object' && child !== null) yield* places(child as Node, `${path}/${key}`);
  }
}

const ALL = [...places(schema, '')].filter(([, node]) => node.$ref === undefined);

describe('the schema', () => {
  it('is a JSON schema (draft-07)', () => {
    const ajv = new Ajv({ allErrors: true, strictTypes: false });
    expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true);
  });

  it.each(ALL)('says in whole sentences what is at %s', (_, { description = '' }) => {
    expect(description.length).toBeGreaterThan(20);
    expect(description).toMatch(/^[A-Z`].*[.`]$/s);
  });

  it('has examples that it takes itself', () => {
    const ajv = new Ajv({ strictTypes: false });
    ajv.addSchema(schema, 'policy');
    let count = 0;
    for (const [path, { examples = [] }] of ALL) {
      const [, table = '', key = ''] = path.split('/');
      for (const example of examples) {
        count += 1;
        expect(
          ajv.validate({ $ref: 'policy' }, { [table]: { [key]: example } }),
          `${path}: ${ajv.errorsText()}`,
        ).toBe(true);
      }
    }
    expect(count).toBeGreaterThan(4);
  });
});

const EXAMPLES = readdirSync(join(ROOT, 'examples')).filter((name) => name.endsWith('.toml'));

describe('examples/', () => {
  it.each(EXAMPLES)('%s names the schema for editors, says what it is for, and fits it', (name) => {
    const text = readFileSync(join(ROOT, 'examples', name), 'utf8');
    const [first = '', second = ''] = text.split('\n');
    expect(first).toBe('#:schema ../compiler/policy.schema.json');
    expect(second).toMatch(/^# [A-Z].*/);
    const value = getStaticTOMLValue(parseTOML(text, { tomlVersion: '1.0' }));
    const ajv = new Ajv({ strictTypes: false });
    expect(ajv.validate(schema, value), ajv.errorsText()).toBe(true);
  });
});
