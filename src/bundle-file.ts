/**
 * Loads a file of the bundle, with what V8 made of it when sandlock was built: to parse and compile takes longer than
 * all that `exec` of a small policy does then. What was made is in a file beside it, and is used by the same version
 * of Node for the same text only; else the text is compiled, and all is the same, later.
 *
 * Should: read nothing from any other folder. What V8 made is code as the text is, and a folder that a command could
 * write to would let it out of its sandbox the next time.
 */
import { readFileSync } from 'node:fs';
import { Script } from 'node:vm';

/** The exports of a file, by its name without `.cjs`. */
export function loadBundleFile(name: string): unknown {
  const folder = import.meta.dirname;
  const filename = `${folder}/${name}.cjs`;
  const known = require.cache[filename];
  if (known !== undefined) return known.exports;
  // In ASCII: so V8 has a byte for each character.
  const text = readFileSync(filename, 'latin1');
  const cachedData = readCache(`${folder}/${name}.cache`, text);
  const wrapped = `(function(exports,require,module,__filename,__dirname){${text}\n})`;
  const script = new Script(wrapped, { filename, ...(cachedData && { cachedData }) });
  const module = { exports: {}, loaded: true } as NodeJS.Module;
  script.runInThisContext()(module.exports, require, module, filename, folder);
  require.cache[filename] = module;
  return module.exports;
}

/** What belongs to a text, by its first line, and to this Node; undefined where nothing does. */
function readCache(path: string, text: string): Buffer | undefined {
  try {
    const bytes = readFileSync(path);
    const key = `${text.slice(0, text.indexOf('\n'))} ${process.version} ${process.arch}`;
    const end = bytes.length - key.length;
    return bytes.toString('latin1', Math.max(0, end)) === key ? bytes.subarray(0, end) : undefined;
  } catch {
    return undefined;
  }
}
