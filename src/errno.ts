/** Names of the kernel's error numbers. node:os is only loaded when one is asked for: most runs need none. */

/** Linux gives 95 two names; calls on sockets and system features use this one. */
const EOPNOTSUPP = 95;

/** `ECONNREFUSED` for 111; the number itself when it has no name here. */
export function errnoName(errno: number): string {
  if (errno === EOPNOTSUPP) return 'EOPNOTSUPP';
  const { errno: names } = process.getBuiltinModule('node:os').constants;
  const found = Object.entries(names).find(([, value]) => value === errno);
  return found?.[0] ?? `errno ${errno}`;
}
