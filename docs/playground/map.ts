/**
 * The picture of IPv4: a square of 16 × 16 blocks, folded by the Hilbert curve, one level for each
 * octet. Draws spans and answers which block is meant; what a block is said to be is the caller's.
 */
import { cellAt, positionAt } from './hilbert.ts';
import { type Block, blockAround, blocksOf, lastOf, type Span, spansIn } from './space.ts';
import { SPECIAL_V4 } from './special.ts';

/** Order of the curve over all of IPv4. */
const ORDER = 16;
const WIDTH = 32;
/** Bits that one level adds: an octet. */
export const LEVEL_BITS = 8;
/** A block that would be smaller is drawn this large, in pixels of the page: one address must be seen from afar. */
const LEAST = 7;

/** A square in cells of the whole curve. */
interface Square {
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

/** Where a block of even length lies. */
function squareOf({ address, bits }: Block): Square {
  const side = 2 ** (ORDER - bits / 2);
  const [x, y] = cellAt(ORDER, Number(address));
  return { x: Math.floor(x / side) * side, y: Math.floor(y / side) * side, side };
}

/** Colours by what they stand for; read from the style sheet. */
export interface Colours {
  readonly closed: string;
  readonly special: string;
  readonly some: string;
  readonly all: string;
  readonly line: string;
  readonly text: string;
  readonly cursor: string;
}

/** Draws the block `view` with the open spans, and a frame around `cursor`. */
export function drawMap(
  canvas: HTMLCanvasElement,
  view: Block,
  spans: readonly Span[],
  cursor: Block | undefined,
  colours: Colours,
): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const size = canvas.clientWidth;
  const density = globalThis.devicePixelRatio || 1;
  canvas.width = Math.round(size * density);
  canvas.height = canvas.width;
  context.setTransform(density, 0, 0, density, 0, 0);
  const frame = squareOf(view);
  const scale = size / frame.side;
  const place = ({ x, y, side }: Square): readonly [number, number, number] => [
    (x - frame.x) * scale,
    (y - frame.y) * scale,
    side * scale,
  ];
  context.fillStyle = colours.closed;
  context.fillRect(0, 0, size, size);

  const last = lastOf(view, WIDTH);
  const fill = (first: bigint, end: bigint, least: number): void => {
    for (const block of blocksOf(first, end, WIDTH).flatMap(halves)) {
      const [x, y, side] = place(squareOf(block));
      const grown = Math.max(side, least);
      const shift = (grown - side) / 2;
      context.fillRect(x - shift, y - shift, grown, grown);
      if (side < least) context.strokeRect(x - shift, y - shift, grown, grown);
    }
  };
  context.fillStyle = colours.special;
  for (const { address, bits } of SPECIAL_V4) {
    const whole = {
      first: address,
      last: lastOf({ address, bits }, WIDTH),
      ports: 'all',
      set: 0,
    } as const;
    for (const part of spansIn([whole], view.address, last)) fill(part.first, part.last, 0);
  }
  context.strokeStyle = colours.all;
  context.lineWidth = 1;
  for (const span of spansIn(spans, view.address, last)) {
    context.fillStyle = colours[span.ports];
    fill(span.first, span.last, LEAST);
  }
  drawGrid(context, size, view, colours);
  if (cursor !== undefined) {
    const [x, y, side] = place(squareOf(cursor));
    context.strokeStyle = colours.cursor;
    context.lineWidth = 2;
    context.strokeRect(x + 1, y + 1, side - 2, side - 2);
  }
}

/** The same block in blocks of even length. */
function halves({ address, bits }: Block): Block[] {
  if (bits % 2 === 0) return [{ address, bits }];
  const half = 1n << BigInt(WIDTH - bits - 1);
  return [
    { address, bits: bits + 1 },
    { address: address + half, bits: bits + 1 },
  ];
}

function drawGrid(
  context: CanvasRenderingContext2D,
  size: number,
  view: Block,
  colours: Colours,
): void {
  const cell = size / 16;
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  for (let index = 1; index < 16; index += 1) {
    const at = Math.round(index * cell) + 0.5;
    context.moveTo(at, 0);
    context.lineTo(at, size);
    context.moveTo(0, at);
    context.lineTo(size, at);
  }
  context.stroke();
  if (cell < 24) return;
  context.fillStyle = colours.text;
  context.font = '10px ui-monospace, Menlo, Consolas, monospace';
  context.textBaseline = 'top';
  const frame = squareOf(view);
  for (const block of cellsOf(view)) {
    const { x, y } = squareOf(block);
    const left = ((x - frame.x) / frame.side) * size;
    const top = ((y - frame.y) / frame.side) * size;
    const octet = (block.address >> BigInt(WIDTH - block.bits)) & 0xffn;
    context.fillText(String(octet), left + 3, top + 3);
  }
}

/** The 256 blocks of a view. */
export function cellsOf({ address, bits }: Block): Block[] {
  const step = 1n << BigInt(WIDTH - bits - LEVEL_BITS);
  return Array.from({ length: 256 }, (_, index) => ({
    address: address + BigInt(index) * step,
    bits: bits + LEVEL_BITS,
  }));
}

/** The block of a view at a point of the canvas, in pixels of the page. */
export function blockAt(canvas: HTMLCanvasElement, view: Block, x: number, y: number): Block {
  const size = canvas.clientWidth;
  const clamp = (at: number): number => Math.min(15, Math.max(0, Math.floor((at / size) * 16)));
  return blockInCell(view, clamp(x), clamp(y));
}

/** The block `columns` to the right and `rows` below another, inside the view. */
export function neighbour(view: Block, block: Block, columns: number, rows: number): Block {
  const frame = squareOf(view);
  const { x, y, side } = squareOf(block);
  const clamp = (at: number): number => Math.min(15, Math.max(0, at));
  return blockInCell(
    view,
    clamp((x - frame.x) / side + columns),
    clamp((y - frame.y) / side + rows),
  );
}

function blockInCell(view: Block, column: number, row: number): Block {
  const frame = squareOf(view);
  const side = frame.side / 16;
  const position = positionAt(ORDER, frame.x + column * side, frame.y + row * side);
  return blockAround(BigInt(position), view.bits + LEVEL_BITS, WIDTH);
}
