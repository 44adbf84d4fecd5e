/**
 * The Hilbert curve: a line of 4^order cells folded into a square, so that blocks of addresses
 * become squares, and neighbours stay neighbours. Formulas after "Hacker's Delight", chapter 16.
 * Pure.
 */

/** Column and row of a cell; `order` up to 16 (an IPv4 address). */
export function cellAt(order: number, position: number): readonly [number, number] {
  let x = 0;
  let y = 0;
  let rest = position;
  for (let side = 1; side < 2 ** order; side *= 2) {
    const right = Math.floor(rest / 2) & 1;
    const up = (rest & 1) ^ right;
    if (up === 0) {
      if (right === 1) {
        x = side - 1 - x;
        y = side - 1 - y;
      }
      [x, y] = [y, x];
    }
    x += side * right;
    y += side * up;
    rest = Math.floor(rest / 4);
  }
  return [x, y];
}

/** The position of a cell; the inverse of `cellAt`. */
export function positionAt(order: number, column: number, row: number): number {
  let position = 0;
  let x = column;
  let y = row;
  for (let side = 2 ** (order - 1); side >= 1; side /= 2) {
    const right = Math.floor(x / side) & 1;
    const up = Math.floor(y / side) & 1;
    position += side * side * ((3 * right) ^ up);
    x -= side * right;
    y -= side * up;
    if (up === 0) {
      if (right === 1) {
        x = side - 1 - x;
        y = side - 1 - y;
      }
      [x, y] = [y, x];
    }
  }
  return position;
}
