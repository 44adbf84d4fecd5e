/** Names and texts of the kernel's error numbers. */
import { constants } from 'node:os';

/** Linux gives 95 two names; calls on sockets and system features use this one. */
const EOPNOTSUPP = 95;

/** `ECONNREFUSED` for 111; the number itself when it has no name here. */
export function errnoName(errno: number): string {
  if (errno === EOPNOTSUPP) return 'EOPNOTSUPP';
  const found = Object.entries(constants.errno).find(([, value]) => value === errno);
  return found?.[0] ?? `errno ${errno}`;
}
