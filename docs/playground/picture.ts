/**
 * The address space as a picture and as a list: what is looked at (protocol, port), where (a block
 * of each family), and what is said about the block under the pointer or the cursor keys.
 */
import { formatAddress } from '../../compiler/address.ts';
import type { PortRange, Protocol, Rule } from '../../compiler/model.ts';
import type { Table } from '../../compiler/table.ts';
import { digitBlock, drawBar, inside } from './bar.ts';
import { button, byId, element } from './dom.ts';
import { blockAt, type Colours, cellsOf, drawMap, LEVEL_BITS, neighbour } from './map.ts';
import {
  type Block,
  blockAround,
  blocksOf,
  lastOf,
  openSpans,
  type Span,
  spansIn,
  toBytes,
  widthOf,
} from './space.ts';
import { SPECIAL_V4 } from './special.ts';

type GoTo = (line: number, column: number, length: number) => void;

/** Rows of the list; a policy may open more blocks than anybody reads. */
const MOST_ROWS = 300;

const WORLD: Block = { address: 0n, bits: 0 };

/** The picture, as the page uses it. */
export interface Picture {
  show(table: Table): void;
  redraw(): void;
}

/** Binds the picture to the page's elements. */
export function createPicture(goTo: GoTo): Picture {
  const map = byId('map', HTMLCanvasElement);
  const bar = byId('bar', HTMLCanvasElement);
  const protocol = byId('protocol', HTMLSelectElement);
  const port = byId('port', HTMLInputElement);
  let shown: Table | undefined;
  let spans4: readonly Span[] = [];
  let spans6: readonly Span[] = [];
  let trail4: readonly Block[] = [WORLD];
  let trail6: readonly Block[] = [WORLD];
  let cursor4: Block | undefined;
  let cursor6: number | undefined;

  const chosenProtocol = (): Protocol => protocol.value as Protocol;
  const chosenPort = (): number | undefined => {
    if (chosenProtocol() === 'icmp') return 0;
    return /^[0-9]{1,5}$/.test(port.value.trim()) && Number(port.value) <= 65535
      ? Number(port.value)
      : undefined;
  };
  const view4 = (): Block => trail4.at(-1) ?? WORLD;
  const view6 = (): Block => trail6.at(-1) ?? WORLD;

  const draw = (): void => {
    const colours = readColours();
    drawMap(map, view4(), spans4, cursor4, colours);
    drawBar(bar, view6(), spans6, cursor6, colours);
    crumbs('crumbs4', trail4, 4, (trail) => go4(trail));
    crumbs('crumbs6', trail6, 6, (trail) => go6(trail));
    readout('readout4', cursor4 ?? view4(), 4);
    readout('readout6', cursor6 === undefined ? view6() : digitBlock(view6(), cursor6), 6);
  };
  const go4 = (trail: readonly Block[], cursor?: Block): void => {
    trail4 = trail;
    cursor4 = cursor;
    draw();
  };
  const go6 = (trail: readonly Block[], cursor?: number): void => {
    trail6 = trail;
    cursor6 = cursor;
    draw();
  };
  const enter4 = (block: Block): void => {
    if (block.bits > 32 - LEVEL_BITS) return;
    go4([...trail4, block], document.activeElement === map ? cellsOf(block)[0] : undefined);
  };
  const enter6 = (digit: number): void => {
    const block = digitBlock(view6(), digit);
    if (block.bits > 124) return;
    go6([...trail6, inside(spans6, block)], document.activeElement === bar ? 0 : undefined);
  };

  const readout = (id: string, block: Block, family: 4 | 6): void => {
    const box = byId(id, HTMLElement);
    box.replaceChildren(element('b', '', textOf(block, family)), ` — ${describe(block, family)}`);
  };

  /** What is to be said of a block: nothing is open, all of it, or which parts. */
  const describe = (block: Block, family: 4 | 6): string => {
    if (shown === undefined) return '';
    const spans = family === 4 ? spans4 : spans6;
    const width = widthOf(family);
    const special =
      family === 4 ? SPECIAL_V4.find((known) => contains(known, block, width)) : undefined;
    const about = special === undefined ? '' : ` (${special.name})`;
    const open = spansIn(spans, block.address, lastOf(block, width));
    const first = open[0];
    if (first === undefined) return `closed${about}`;
    const table = shown;
    const reason = ({ first, set }: Span): string => {
      const port = chosenPort() ?? table.ports(set)[0]?.low ?? 0;
      const [rule] = table.decidingRules(chosenProtocol(), toBytes(first, family), port);
      return rule === undefined ? '' : `: ${placeOf(rule)}“${rule.text}”`;
    };
    const isWhole = first.first === block.address && first.last === lastOf(block, width);
    if (isWhole)
      return `open${first.ports === 'some' ? ' for some ports' : ''}${about}${reason(first)}`;
    const parts = open.slice(0, 3).map((part) => textOfSpan(part, family));
    const more = open.length > parts.length ? ` and ${open.length - parts.length} more` : '';
    return `open in part${about}: ${parts.join(', ')}${more}${open.length === 1 ? reason(first) : ''}`;
  };

  const list = (): void => {
    const body = byId('open', HTMLTableElement).tBodies[0];
    if (body === undefined || shown === undefined) return;
    const all = [
      ...spans4.map((span) => [span, 4] as const),
      ...spans6.map((span) => [span, 6] as const),
    ];
    const table = shown;
    const rows = all.slice(0, MOST_ROWS).map(([span, family]) => row(table, span, family));
    if (all.length === 0) rows.push(element('tr', '', cell('Nothing is open.', 3)));
    const left = all.length - MOST_ROWS;
    if (left > 0) rows.push(element('tr', '', cell(`${left.toLocaleString('en')} more`, 3)));
    body.replaceChildren(...rows);
  };
  const row = (table: Table, span: Span, family: 4 | 6): HTMLTableRowElement => {
    const address = toBytes(span.first, family);
    const ports = table.ports(span.set);
    const first = chosenPort() ?? ports[0]?.low ?? 0;
    const rules = table.decidingRules(chosenProtocol(), address, first);
    const place = button(
      'link',
      () => jump(largest(span, family), family),
      textOfSpan(span, family),
    );
    place.title = 'Show it in the picture';
    const links = rules
      .slice(0, 3)
      .flatMap(({ line, column, text }, index) => [
        ...(index > 0 ? [', '] : []),
        button(
          'link',
          () => goTo(line, column, text.length + 2),
          `${line > 0 ? `${line}: ` : ''}${text}`,
        ),
      ]);
    const portText = chosenProtocol() === 'icmp' ? '—' : textOfPorts(ports);
    return element(
      'tr',
      '',
      element('td', '', place),
      element('td', '', portText),
      element('td', '', ...links),
    );
  };

  /** Shows a block of the list in the picture. */
  const jump = (block: Block, family: 4 | 6): void => {
    if (family === 4) {
      const depth = Math.min(
        24,
        Math.max(0, Math.ceil(block.bits / LEVEL_BITS) * LEVEL_BITS - LEVEL_BITS),
      );
      const trail = Array.from({ length: depth / LEVEL_BITS + 1 }, (_, level) =>
        blockAround(block.address, level * LEVEL_BITS, 32),
      );
      go4(trail, blockAround(block.address, depth + LEVEL_BITS, 32));
      map.scrollIntoView({ block: 'nearest' });
    } else {
      const depth = Math.min(124, Math.max(0, Math.ceil(block.bits / 4) * 4 - 4));
      const view = blockAround(block.address, depth, 128);
      const digit = Number((block.address >> BigInt(124 - depth)) & 0xfn);
      go6(depth === 0 ? [WORLD] : [WORLD, view], digit);
      bar.scrollIntoView({ block: 'nearest' });
    }
  };

  const look = (): void => {
    if (shown === undefined) return;
    const table = shown;
    const about = { protocol: chosenProtocol(), port: chosenPort() };
    spans4 = openSpans(table, { ...about, family: 4 });
    spans6 = openSpans(table, { ...about, family: 6 });
    port.disabled = about.protocol === 'icmp';
    byId('legend-some', HTMLElement).hidden = about.port !== undefined;
    byId('legend-all', HTMLElement).textContent =
      about.port === undefined ? 'open for every port' : 'open';
    list();
    draw();
  };

  bindMap();
  bindBar();
  protocol.addEventListener('change', look);
  port.addEventListener('input', look);
  new ResizeObserver(draw).observe(map);

  function bindMap(): void {
    const at = (event: MouseEvent): Block => blockAt(map, view4(), event.offsetX, event.offsetY);
    map.addEventListener('pointermove', (event) => {
      const block = at(event);
      if (block.address === cursor4?.address && block.bits === cursor4.bits) return;
      cursor4 = block;
      draw();
    });
    map.addEventListener('pointerleave', () => go4(trail4));
    map.addEventListener('click', (event) => enter4(at(event)));
    map.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[
        event.key
      ];
      const here = cursor4 ?? (cellsOf(view4())[0] as Block);
      if (step !== undefined)
        go4(
          trail4,
          cursor4 === undefined ? here : neighbour(view4(), here, step[0] ?? 0, step[1] ?? 0),
        );
      else if (event.key === 'Enter') enter4(here);
      else if (isBack(event.key) && trail4.length > 1) go4(trail4.slice(0, -1), view4());
      else return;
      event.preventDefault();
    });
  }

  function bindBar(): void {
    const at = (event: MouseEvent): number =>
      Math.min(15, Math.max(0, Math.floor((event.offsetX / bar.clientWidth) * 16)));
    bar.addEventListener('pointermove', (event) => {
      if (at(event) === cursor6) return;
      cursor6 = at(event);
      draw();
    });
    bar.addEventListener('pointerleave', () => go6(trail6));
    bar.addEventListener('click', (event) => enter6(at(event)));
    bar.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const here = cursor6 ?? 0;
      if (step !== undefined)
        go6(trail6, cursor6 === undefined ? 0 : Math.min(15, Math.max(0, here + step)));
      else if (event.key === 'Enter') enter6(here);
      else if (isBack(event.key) && trail6.length > 1) go6(trail6.slice(0, -1), 0);
      else return;
      event.preventDefault();
    });
  }

  return {
    show(next) {
      shown = next;
      const ports = next
        .rules()
        .flatMap((rule) => rule.ports)
        .filter(({ low, high }) => high - low < 65535);
      const options = [...new Set(ports.map(({ low }) => low))].sort((a, b) => a - b).slice(0, 50);
      byId('ports', HTMLElement).replaceChildren(
        ...options.map((low) => new Option(String(low), String(low))),
      );
      look();
    },
    redraw: draw,
  };
}

function isBack(key: string): boolean {
  return key === 'Backspace' || key === 'Escape';
}

function contains(outer: Block, block: Block, width: 32 | 128): boolean {
  return (
    outer.bits <= block.bits &&
    blockAround(block.address, outer.bits, width).address === outer.address
  );
}

/** `10.0.0.0/8`; an address alone without length. */
function textOf({ address, bits }: Block, family: 4 | 6): string {
  const text = formatAddress(toBytes(address, family));
  return bits === widthOf(family) ? text : `${text}/${bits}`;
}

/** The span as a block, or from its first address to its last. */
function textOfSpan({ first, last }: Span, family: 4 | 6): string {
  const [block, ...others] = blocksOf(first, last, widthOf(family));
  if (block !== undefined && others.length === 0) return textOf(block, family);
  const ends = [first, last].map((address) => formatAddress(toBytes(address, family)));
  return ends.join(' – ');
}

/** The largest block of a span, to go to. */
function largest({ first, last }: Span, family: 4 | 6): Block {
  const blocks = blocksOf(first, last, widthOf(family));
  return blocks.reduce((one, other) => (other.bits < one.bits ? other : one));
}

/** `443, 6000–6010`, or `every port`. */
function textOfPorts(ports: readonly PortRange[]): string {
  const [first] = ports;
  if (ports.length === 1 && first?.low === 1 && first.high === 65535) return 'every port';
  return ports.map(({ low, high }) => (low === high ? String(low) : `${low}–${high}`)).join(', ');
}

function placeOf({ source, line }: Rule): string {
  return line > 0 ? `${source}:${line} ` : '';
}

function cell(text: string, columns: number): HTMLTableCellElement {
  const made = element('td', '', text);
  made.colSpan = columns;
  return made;
}

function crumbs(
  id: string,
  trail: readonly Block[],
  family: 4 | 6,
  go: (trail: readonly Block[]) => void,
): void {
  const made = trail.map((block, index) => {
    const text = index === 0 ? 'all' : textOf(block, family);
    const crumb = button('', () => go(trail.slice(0, index + 1)), text);
    if (index === trail.length - 1) crumb.setAttribute('aria-current', 'true');
    return crumb;
  });
  byId(id, HTMLElement).replaceChildren(...made);
}

function readColours(): Colours {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--map-${name}`).trim();
  return {
    closed: colour('closed'),
    special: colour('special'),
    some: colour('some'),
    all: colour('all'),
    line: colour('line'),
    text: colour('text'),
    cursor: colour('cursor'),
  };
}
