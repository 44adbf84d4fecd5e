/**
 * The picture of IPv6: a bar of 16 blocks, one for each value of the next digit. 128 bits are too
 * many to walk digit by digit, so going into a block goes on to where its open parts differ.
 */
import type { Colours } from './map.ts';
import { type Block, blockAround, lastOf, type Span, spansIn } from './space.ts';

const WIDTH = 128;
/** Bits of a digit. */
const DIGIT = 4;
/** Least width of an open part, in pixels of the page. */
const LEAST = 5;

/** Draws a view with its open spans. */
export function drawBar(
  canvas: HTMLCanvasElement,
  view: Block,
  spans: readonly Span[],
  cursor: number | undefined,
  colours: Colours,
): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const { clientWidth: width, clientHeight: height } = canvas;
  const density = globalThis.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  context.setTransform(density, 0, 0, density, 0, 0);
  context.fillStyle = colours.closed;
  context.fillRect(0, 0, width, height);
  const last = lastOf(view, WIDTH);
  const at = (address: bigint): number =>
    share(address - view.address, last - view.address + 1n) * width;
  for (const span of spansIn(spans, view.address, last)) {
    const left = at(span.first);
    const wide = Math.max(LEAST, at(span.last + 1n) - left);
    context.fillStyle = colours[span.ports];
    context.fillRect(Math.min(left, width - wide), 0, wide, height);
  }
  context.strokeStyle = colours.line;
  context.fillStyle = colours.text;
  context.font = '10px ui-monospace, Menlo, Consolas, monospace';
  context.textBaseline = 'top';
  context.lineWidth = 1;
  for (let digit = 0; digit < 16; digit += 1) {
    const left = Math.round((digit * width) / 16) + 0.5;
    if (digit > 0) {
      context.beginPath();
      context.moveTo(left, 0);
      context.lineTo(left, height);
      context.stroke();
    }
    if (width / 16 >= 16) context.fillText(digit.toString(16), left + 3, 3);
  }
  if (cursor === undefined) return;
  context.strokeStyle = colours.cursor;
  context.lineWidth = 2;
  context.strokeRect((cursor * width) / 16 + 1, 1, width / 16 - 2, height - 2);
}

/** A quotient of two large numbers, to six digits. */
function share(part: bigint, whole: bigint): number {
  return Number((part * 1_000_000n) / whole) / 1_000_000;
}

/** The block of one digit of a view. */
export function digitBlock({ address, bits }: Block, digit: number): Block {
  const next = bits + DIGIT;
  return { address: address + (BigInt(digit) << BigInt(WIDTH - next)), bits: next };
}

/** Where to go when a block is entered: as far down as all that is open in it stays in sight. */
export function inside(spans: readonly Span[], block: Block): Block {
  const open = spansIn(spans, block.address, lastOf(block, WIDTH));
  const first = open[0]?.first;
  const last = open.at(-1)?.last;
  let view = block;
  if (first === undefined || last === undefined) return view;
  while (view.bits + DIGIT <= WIDTH - DIGIT) {
    const smaller = blockAround(first, view.bits + DIGIT, WIDTH);
    const isWhole = smaller.address === first && lastOf(smaller, WIDTH) === last;
    if (last > lastOf(smaller, WIDTH) || isWhole) break;
    view = smaller;
  }
  return view;
}
