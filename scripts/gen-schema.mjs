// Compiles compiler/policy.schema.json to compiler/validate.gen.js, so that ajv is no run-time dependency:
// loading it and compiling the schema costs 45 ms, the generated validator under one.
// `--check` fails when the committed file is not what this would write.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { build } from 'esbuild';
import { generated } from './generated.mjs';
import { root } from './setup.mjs';

const TARGET = 'compiler/validate.gen.js';

const schema = JSON.parse(readFileSync(join(root, 'compiler/policy.schema.json'), 'utf8'));
const ajv = new Ajv({
  allErrors: true,
  strict: true,
  strictTypes: false,
  allowUnionTypes: true,
  code: { source: true, esm: true, optimize: true },
});
const { keys, unbuilt } = listKeys(schema, '');
const code = standalone.default(ajv, ajv.compile(schema));
// ajv's output may `require` helpers of ajv; bundling makes it one module without imports.
const bundled = await build({
  stdin: { contents: code, resolveDir: root, loader: 'js' },
  bundle: true,
  format: 'esm',
  target: 'es2022',
  write: false,
  legalComments: 'none',
  logLevel: 'error',
});
const [output] = bundled.outputFiles;
const text = `// Generated from compiler/policy.schema.json by scripts/gen-schema.mjs. Do not edit.
${output?.text ?? ''}
export const KEYS = ${JSON.stringify(keys, undefined, 2)};
export const UNBUILT = ${JSON.stringify(unbuilt, undefined, 2)};
`;

generated(TARGET, text);

/**
 * Key names by JSON pointer of their table (`*` for any name), and pointers of what is marked as not implemented.
 */
function listKeys(node, pointer) {
  const keys = {};
  const unbuilt = [];
  const visit = (child, at) => {
    if (child.$comment === 'not implemented yet') unbuilt.push(at);
    const inner = listKeys(child, at);
    Object.assign(keys, inner.keys);
    unbuilt.push(...inner.unbuilt);
  };
  for (const part of [node, node.then ?? {}]) {
    if (part.properties !== undefined) {
      keys[pointer] = Object.keys(part.properties);
      for (const [key, child] of Object.entries(part.properties)) visit(child, `${pointer}/${key}`);
    }
    if (typeof part.additionalProperties === 'object')
      visit(part.additionalProperties, `${pointer}/*`);
  }
  return { keys, unbuilt };
}
