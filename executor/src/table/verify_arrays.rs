//! Checks the arrays of the tries: root, then starts, then cells, one trie after another. Their places are
//! checked already.
//!
//! Each array is first judged whole, by comparisons without branches that the compiler turns into vector
//! code; only one that fails is walked cell by cell, to find the first defect. The checksum is taken on the
//! way, so that an array comes from memory once. Tries share arrays, so those that have passed are
//! remembered: protocols often have the same rules.

use std::collections::HashSet;

use super::Defect;
use super::bytes::{View, ensure};
use super::checksum::Sum;
use super::format_gen::{
    DEFECT_CLOSED, DEFECT_RESERVED, DEFECT_ROOT, DEFECT_SET, DEFECT_SET_REPEATED, DEFECT_SPAN, DEFECT_START,
    PROTOCOL_TRIES, SECTION_PORT_SETS, SECTION_TRIES, SPAN_BITS, SPAN_RESERVED, TRIE_BACKGROUND, TRIE_BYTES,
    TRIE_COUNT, TRIE_KEY_BITS, TRIE_ROOT, TRIE_ROOT_BITS, TRIE_SETS, TRIE_SPANS, TRIE_START_BYTES,
    TRIE_STARTS,
};
use super::verify_cells::is_closed;
use crate::sys::wide::wide;

/// What decides whether root and starts are right.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Keys {
    root_bits: u32,
    start_bytes: u32,
    count: u32,
    root: u64,
    starts: u64,
}

/// What decides whether cells are right.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Cells {
    offset: u64,
    count: u32,
    /// Port sets are below this.
    limit: u32,
    closed: bool,
    spans: Option<Spans>,
}

/// What decides whether the spans of a trie are right.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Spans {
    background: u32,
    least: u32,
    most: u32,
}

pub(super) fn check_arrays(view: View<'_>, sum: &mut Sum<'_>) -> Result<(), Defect> {
    let tries = view.section(SECTION_TRIES)?;
    let mut right_keys = HashSet::new();
    let mut right_cells = HashSet::new();
    for index in 0..tries.count {
        let trie = tries.at(index, TRIE_BYTES);
        let keys = Keys::read(view, trie)?;
        let cells = Cells::read(view, trie, index, keys)?;
        if right_keys.insert(keys) {
            keys.check_root(view, sum)?;
            keys.check_starts(view, sum)?;
        }
        if right_cells.insert(cells) {
            cells.check(view, sum)?;
        }
    }
    Ok(())
}

impl Keys {
    fn read(view: View<'_>, trie: u64) -> Result<Self, Defect> {
        let field = |offset: u32| trie + u64::from(offset);
        Ok(Self {
            root_bits: view.u8(field(TRIE_ROOT_BITS))?,
            start_bytes: view.u8(field(TRIE_START_BYTES))?,
            count: view.u32(field(TRIE_COUNT))?,
            root: u64::from(view.u32(field(TRIE_ROOT))?),
            starts: u64::from(view.u32(field(TRIE_STARTS))?),
        })
    }

    fn children(&self) -> u64 {
        1 << self.root_bits
    }

    /// The cells of the root: index of the first boundary of each child, and the number of boundaries.
    fn root_cells<'a>(&self, view: View<'a>) -> Result<&'a [[u8; 4]], Defect> {
        let (cells, _) = view.range(self.root, self.root + (self.children() + 1) * 4)?.as_chunks();
        Ok(cells)
    }

    /// The root leads from 0 to the number of boundaries and never descends.
    fn check_root(&self, view: View<'_>, sum: &mut Sum<'_>) -> Result<(), Defect> {
        let root = self.root_cells(view)?;
        let descents = count_pairs(sum, self.root, root, u32::from_le_bytes, |before, after| before > after);
        let ends = [root.first(), root.last()].map(|cell| cell.map(|&cell| u32::from_le_bytes(cell)));
        if descents == 0 && ends == [Some(0), Some(self.count)] {
            return Ok(());
        }
        let mut before = 0;
        for (child, &cell) in (0..).zip(root) {
            let first = u32::from_le_bytes(cell);
            let right = if child == 0 {
                first == 0
            } else if child == self.children() {
                first == self.count
            } else {
                (before..=self.count).contains(&first)
            };
            ensure(right, DEFECT_ROOT, self.root + child * 4)?;
            before = first;
        }
        Ok(())
    }

    /// Keys ascend, the first is 0, and each lies in the child whose run it stands in.
    fn check_starts(&self, view: View<'_>, sum: &mut Sum<'_>) -> Result<(), Defect> {
        // The upper half of a start's key, top-aligned as in `lookup.rs`.
        match self.start_bytes {
            2 => {
                let starts = self.starts::<2>(view)?;
                if self.halves_ascend(self.root_cells(view)?, starts, sum) {
                    return Ok(());
                }
                self.find_wrong_start(view, starts, u16::from_le_bytes, |start, child| {
                    // The root has consumed at least the upper half; the start holds the lower one.
                    let upper = child >> self.root_bits.saturating_sub(16);
                    ((upper << 16) | u64::from(start)) << 32
                })
            }
            4 => self.check_keys(view, sum, u32::from_le_bytes, |start| u64::from(start) << 32),
            8 => self.check_keys(view, sum, u64::from_le_bytes, |start| start),
            _ => self.check_keys(
                view,
                sum,
                |start| u128::from_le_bytes(start).rotate_left(64),
                |start| u64::try_from(start >> 64).unwrap_or(u64::MAX),
            ),
        }
    }

    fn starts<'a, const N: usize>(&self, view: View<'a>) -> Result<&'a [[u8; N]], Defect> {
        let bytes = u64::from(self.count) * N as u64;
        let (starts, _) = view.range(self.starts, self.starts + bytes)?.as_chunks();
        Ok(starts)
    }

    /// The checks of `check_starts` for starts of `N` bytes that hold the whole of what the root reads;
    /// `read` gives a start, `upper` the upper half of its key.
    fn check_keys<const N: usize, T: Copy + PartialOrd + Default>(
        &self,
        view: View<'_>,
        sum: &mut Sum<'_>,
        read: impl Fn([u8; N]) -> T,
        upper: impl Fn(T) -> u64,
    ) -> Result<(), Defect> {
        let starts = self.starts::<N>(view)?;
        if self.keys_ascend(self.root_cells(view)?, starts, sum, &read, &upper) {
            return Ok(());
        }
        self.find_wrong_start(view, starts, read, |start, _| upper(start))
    }

    /// Whether all keys are right: they ascend from 0, and where the run of a child ends, so do its keys.
    fn keys_ascend<const N: usize, T: Copy + PartialOrd + Default>(
        &self,
        root: &[[u8; 4]],
        starts: &[[u8; N]],
        sum: &mut Sum<'_>,
        read: impl Fn([u8; N]) -> T,
        upper: impl Fn(T) -> u64,
    ) -> bool {
        let key = |&start: &[u8; N]| upper(read(start));
        let descents = count_pairs(sum, self.starts, starts, &read, |before, after| before >= after);
        let width = 1_u64.checked_shl(64 - self.root_bits).unwrap_or(0);
        // The upper half of the last key of a child.
        let mut top = u64::MAX;
        let mut fits = true;
        for &end in root.iter().skip(1) {
            top = top.wrapping_add(width);
            let end = u32::from_le_bytes(end) as usize;
            fits &= match (starts.get(end.wrapping_sub(1)), starts.get(end)) {
                (Some(last), Some(next)) => (key(last) <= top) & (key(next) > top),
                (Some(last), None) => key(last) <= top,
                // Boundary 0 stands in child 0.
                (None, _) => false,
            };
        }
        starts.first().is_some_and(|&first| read(first) == T::default()) && descents == 0 && fits
    }

    /// The same for halves of IPv4 addresses under a root of 16 bits, where any start may stand in any child:
    /// within a child they ascend, so they descend nowhere but between children.
    fn halves_ascend(&self, root: &[[u8; 4]], starts: &[[u8; 2]], sum: &mut Sum<'_>) -> bool {
        let descents =
            count_pairs(sum, self.starts, starts, u16::from_le_bytes, |before, after| before >= after);
        // Of the same length, so that one comparison tells whether an end is inside of both.
        let lasts = starts.split_last().map_or(&[][..], |(_, rest)| rest);
        let nexts = starts.split_first().map_or(&[][..], |(_, rest)| rest);
        let mut between = 0;
        let mut before = 0;
        for &cell in root {
            let end = u32::from_le_bytes(cell) as usize;
            let at = end.wrapping_sub(1);
            if let (Some(&last), Some(&next)) = (lasts.get(at), nexts.get(at)) {
                // Nobody can foresee which children are empty, nor what the next one begins with, so nothing branches.
                between +=
                    usize::from((end != before) & (u16::from_le_bytes(last) >= u16::from_le_bytes(next)));
            }
            before = end;
        }
        // Boundary 0 stands in child 0.
        let first_is_zero = starts.first() == Some(&[0, 0]) && root.get(1) != Some(&[0; 4]);
        self.root_bits == 16 && first_is_zero && descents == between
    }

    /// Walks the starts one by one; `upper` gives the upper half of the key of a start in a child.
    fn find_wrong_start<const N: usize, T: Copy + PartialOrd + Default>(
        &self,
        view: View<'_>,
        starts: &[[u8; N]],
        read: impl Fn([u8; N]) -> T,
        upper: impl Fn(T, u64) -> u64,
    ) -> Result<(), Defect> {
        let mut before = None;
        let mut starts = (0..).zip(starts);
        let mut first = 0;
        // The root begins at 0, so the ends of the children are all that is needed.
        for (child, &end) in (0..).zip(self.root_cells(view)?.iter().skip(1)) {
            let end = u32::from_le_bytes(end);
            for (index, &start) in starts.by_ref().take(end.saturating_sub(first) as usize) {
                let start = read(start);
                // In one child equal uppers mean equal keys but for starts of 16 bytes, which are compared whole.
                let key = (upper(start, child), start);
                let ascends = before.map_or(key == (0, T::default()), |before| key > before);
                let right = ascends && self.is_in(key.0, child);
                ensure(right, DEFECT_START, self.starts + index * N as u64)?;
                before = Some(key);
            }
            first = end;
        }
        Ok(())
    }

    fn is_in(&self, upper: u64, child: u64) -> bool {
        upper.checked_shr(64 - self.root_bits).unwrap_or(0) == child
    }
}

impl Cells {
    fn read(view: View<'_>, trie: u64, index: u64, keys: Keys) -> Result<Self, Defect> {
        let field = |offset: u32| trie + u64::from(offset);
        let member = index >= u64::from(PROTOCOL_TRIES);
        let spans = Spans {
            background: view.u16(field(TRIE_BACKGROUND))?,
            least: keys.root_bits,
            most: if keys.start_bytes == 8 { 64 } else { view.u8(field(TRIE_KEY_BITS))? },
        };
        let port_sets = view.section(SECTION_PORT_SETS)?.count - 1;
        Ok(Self {
            offset: u64::from(view.u32(field(TRIE_SETS))?),
            count: keys.count,
            limit: if member { 2 } else { u32::try_from(port_sets).unwrap_or(u32::MAX) },
            closed: !member && is_closed(view, index / 2)?,
            spans: (view.u8(field(TRIE_SPANS))? != 0).then_some(spans),
        })
    }

    fn check(&self, view: View<'_>, sum: &mut Sum<'_>) -> Result<(), Defect> {
        match self.spans {
            None => self.check_sets(view, sum),
            Some(spans) => self.check_spans(view, sum, spans),
        }
    }

    fn array<'a, const N: usize>(&self, view: View<'a>) -> Result<&'a [[u8; N]], Defect> {
        let (cells, _) = view.range(self.offset, self.offset + u64::from(self.count) * N as u64)?.as_chunks();
        Ok(cells)
    }

    /// Port sets exist, neighbours differ, and a closed protocol has none but the empty one.
    fn check_sets(&self, view: View<'_>, sum: &mut Sum<'_>) -> Result<(), Defect> {
        let sets = self.array(view)?;
        let mut highest = sets.first().map_or(0, |&first| u16::from_le_bytes(first));
        let mut repeats = 0;
        for block in blocks(sum, self.offset, sets) {
            wide(sets.len(), || {
                for (&before, &set) in pairs(block) {
                    let [before, set] = [before, set].map(u16::from_le_bytes);
                    highest = highest.max(set);
                    repeats |= u16::from(before == set);
                }
            });
        }
        if repeats == 0 && u32::from(highest) < if self.closed { 1 } else { self.limit } {
            return Ok(());
        }
        let mut before = None;
        for (boundary, &set) in (0..).zip(sets) {
            let offset = self.offset + boundary * 2;
            let set = u32::from(u16::from_le_bytes(set));
            self.check_set(set, offset)?;
            ensure(before != Some(set), DEFECT_SET_REPEATED, offset)?;
            before = Some(set);
        }
        Ok(())
    }

    fn check_set(&self, set: u32, offset: u64) -> Result<(), Defect> {
        ensure(set < self.limit, DEFECT_SET, offset)?;
        ensure(!self.closed || set == 0, DEFECT_CLOSED, offset)
    }

    /// The same, and spans have possible lengths.
    fn check_spans(&self, view: View<'_>, sum: &mut Sum<'_>, spans: Spans) -> Result<(), Defect> {
        let cells = self.array(view)?;
        let mut first = Seen::NOTHING;
        if let Some(&cell) = cells.first() {
            // Nothing is before the first: no port set is as high.
            first.note(0xffff, u32::from_le_bytes(cell), spans.background);
        }
        let seen = blocks(sum, self.offset, cells)
            .map(|block| wide(cells.len(), || Seen::in_pairs(block, spans.background)))
            .fold(first, Seen::or);
        let least = spans.least.max(1);
        let lengths_fit =
            seen.highest <= ((spans.most << 16) | 0xffff) && seen.lowest_span >= ((least - 1) << 16);
        if seen.repeats == 0 && lengths_fit && seen.highest_set < if self.closed { 1 } else { self.limit } {
            return Ok(());
        }
        let mut before = None;
        for (boundary, &[low, high, bits, reserved]) in (0..).zip(cells) {
            let offset = self.offset + boundary * 4;
            let set = u32::from(u16::from_le_bytes([low, high]));
            self.check_set(set, offset)?;
            let bits = u32::from(bits);
            let possible = bits == 0 || (spans.least..=spans.most).contains(&bits);
            ensure(possible, DEFECT_SPAN, offset + u64::from(SPAN_BITS))?;
            ensure(reserved == 0, DEFECT_RESERVED, offset + u64::from(SPAN_RESERVED))?;
            let surroundings = if bits == 0 { before } else { Some(spans.background) };
            ensure(surroundings != Some(set), DEFECT_SET_REPEATED, offset)?;
            before = Some(if bits == 0 { set } else { spans.background });
        }
        Ok(())
    }
}

/// What cells that may be spans have among them. Each is a number of 32 bits: port set, bits of the span from
/// bit 16 on, and above them the reserved byte, so that a higher cell is no shorter a span.
#[derive(Clone, Copy)]
struct Seen {
    highest: u32,
    /// Of spans, less one bit; above all of them if there is none.
    lowest_span: u32,
    highest_set: u32,
    /// Not 0 if a boundary changes nothing.
    repeats: u32,
}

impl Seen {
    const NOTHING: Self = Self { highest: 0, lowest_span: u32::MAX, highest_set: 0, repeats: 0 };

    /// In all cells but the first.
    #[inline]
    fn in_pairs(cells: &[[u8; 4]], background: u32) -> Self {
        let mut seen = Self::NOTHING;
        for (&before, &cell) in pairs(cells) {
            seen.note(u32::from_le_bytes(before), u32::from_le_bytes(cell), background);
        }
        seen
    }

    #[inline]
    fn note(&mut self, before: u32, cell: u32, background: u32) {
        const ONE_BIT: u32 = 1 << 16;
        let set = cell & 0xffff;
        // No vector instruction compares without sign. Cells of 2³¹ and more are told by `highest`, whatever
        // else is made of them.
        let is_beside_span = (before | cell).cast_signed() >= ONE_BIT.cast_signed();
        let surroundings = if is_beside_span { background } else { before };
        self.highest = self.highest.max(cell);
        self.lowest_span = self.lowest_span.min(cell.wrapping_sub(ONE_BIT));
        self.highest_set = self.highest_set.max(set);
        self.repeats |= u32::from(surroundings == set);
    }

    fn or(self, other: Self) -> Self {
        Self {
            highest: self.highest.max(other.highest),
            lowest_span: self.lowest_span.min(other.lowest_span),
            highest_set: self.highest_set.max(other.highest_set),
            repeats: self.repeats | other.repeats,
        }
    }
}

/// Cells that are looked at together, and counted in lanes as wide as the cells: fewer than the narrowest can count.
const BLOCK: usize = 1 << 12;

/// An array in blocks, each summed before it is given, and with the first cell of the next one, so that every
/// two neighbours share a block.
#[inline]
fn blocks<'a, const N: usize>(
    sum: &mut Sum<'_>,
    offset: u64,
    cells: &'a [[u8; N]],
) -> impl Iterator<Item = &'a [[u8; N]]> {
    let mut end = usize::try_from(offset).unwrap_or(usize::MAX);
    cells.chunks(BLOCK).enumerate().map(move |(block, own)| {
        end = end.saturating_add(own.len() * N);
        sum.reach(end);
        let from = block * BLOCK;
        cells.get(from..=from + own.len()).unwrap_or(own)
    })
}

/// Every two neighbours.
#[inline]
fn pairs<T>(cells: &[T]) -> impl Iterator<Item = (&T, &T)> {
    cells.iter().zip(cells.get(1..).unwrap_or_default())
}

/// How many neighbours are `wrong` beside each other.
#[inline]
fn count_pairs<const N: usize, T>(
    sum: &mut Sum<'_>,
    offset: u64,
    cells: &[[u8; N]],
    read: impl Fn([u8; N]) -> T,
    wrong: impl Fn(T, T) -> bool,
) -> usize {
    let count = |block| count_set::<N>(pairs(block).map(|(&a, &b)| wrong(read(a), read(b))));
    blocks(sum, offset, cells).map(|block| wide(cells.len(), || count(block))).sum()
}

/// How many of at most `BLOCK` flags are set. The lanes of the compiler's vector code are as wide as a cell
/// of `N` bytes.
#[inline]
fn count_set<const N: usize>(flags: impl Iterator<Item = bool>) -> usize {
    match N {
        2 => usize::from(flags.map(u16::from).sum::<u16>()),
        4 => flags.map(u32::from).sum::<u32>() as usize,
        _ => flags.map(usize::from).sum(),
    }
}
