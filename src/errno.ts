/** Names of the kernel's error numbers. node:os is only loaded when one is asked for: most runs need none. */

/** Names that node:os lacks, or that it gives to the other of two with one number. */
const NAMES: Readonly<Record<number, string>> = { 95: 'EOPNOTSUPP', 130: 'EOWNERDEAD' };

/** `ECONNREFUSED` for 111; the number itself when it has no name here. */
export function errnoName(errno: number): string {
  const own = NAMES[errno];
  if (own !== undefined) return own;
  const { errno: names } = process.getBuiltinModule('node:os').constants;
  const found = Object.entries(names).find(([, value]) => value === errno);
  return found?.[0] ?? `errno ${errno}`;
}
