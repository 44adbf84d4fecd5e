//! The look-up (docs/format.md §4–6): what `Table` keeps of a verified table, and the two binary searches that decide.
//!
//! Every read is bounds-checked and `None` stands for "outside", which a verified table never gives; the
//! caller denies then. Offsets and indices have 32 bits and cells at most 16 bytes, so no place overflows 64
//! bits.

use std::hint::select_unpredictable;
use std::ops::BitXor;

use super::bytes::{View, record_offset};
use super::format_gen::{
    DIRECTORY_OFFSET, MODE_CLOSED, MODE_KERNEL, MODE_OPEN, PLAN_BYTES, SECTION_PLAN, SECTION_PORT_RANGES,
    SECTION_PORT_SETS, SECTION_TRIES, TRIE_BACKGROUND, TRIE_BYTES, TRIE_ROOT, TRIE_ROOT_BITS, TRIE_SETS,
    TRIE_SPANS, TRIE_START_BYTES, TRIE_STARTS,
};
use super::key::Key;
use super::{Defect, Mode, Protocol};
use crate::sys::prefetch::prefetch;

/// Width of the starts of a trie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Start {
    /// The lower half of an IPv4 address.
    Two,
    /// An IPv4 address.
    Four,
    /// The upper half of an IPv6 address.
    Eight,
    /// An IPv6 address, upper half first.
    #[default]
    Sixteen,
}

/// A trie's descriptor; offsets in bytes from the start of the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trie {
    root_bits: u32,
    start: Start,
    has_spans: bool,
    /// Port set behind spans.
    background: u16,
    root: u32,
    starts: u32,
    cells: u32,
}

/// What a look-up needs to know of a table, read once.
#[derive(Debug)]
pub(super) struct Layout {
    plan: [Mode; 5],
    /// IPv4 and IPv6 of each protocol.
    tries: [[Trie; 2]; 5],
    port_sets: u32,
    port_ranges: u32,
}

impl Layout {
    /// Reads the layout of a table that `verify` has accepted.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Defect> {
        let view = View(bytes);
        let plan = view.section(SECTION_PLAN)?;
        let mode = |protocol: u64| {
            Ok(match view.u32(plan.at(protocol, PLAN_BYTES))? {
                MODE_CLOSED => Mode::Closed,
                MODE_KERNEL => Mode::Kernel,
                MODE_OPEN => Mode::Open,
                _ => Mode::Supervised,
            })
        };
        let tries = view.section(SECTION_TRIES)?;
        let pair = |protocol: u64| -> Result<[Trie; 2], Defect> {
            let first = tries.at(2 * protocol, TRIE_BYTES);
            Ok([Trie::read(view, first)?, Trie::read(view, first + u64::from(TRIE_BYTES))?])
        };
        let offset_of = |kind| view.u32(record_offset(kind) + u64::from(DIRECTORY_OFFSET));
        Ok(Self {
            plan: [mode(0)?, mode(1)?, mode(2)?, mode(3)?, mode(4)?],
            tries: [pair(0)?, pair(1)?, pair(2)?, pair(3)?, pair(4)?],
            port_sets: offset_of(SECTION_PORT_SETS)?,
            port_ranges: offset_of(SECTION_PORT_RANGES)?,
        })
    }

    pub(super) fn plan(&self, protocol: Protocol) -> Mode {
        *choose(protocol, &self.plan)
    }

    /// Whether the port set at an address holds every port of `low..=high`. Ranges of a set are not adjacent,
    /// so one range has them all or none does.
    #[inline]
    pub(super) fn holds(
        &self,
        bytes: &[u8],
        protocol: Protocol,
        key: Key,
        (low, high): (u16, u16),
    ) -> Option<bool> {
        let [ipv4, ipv6] = choose(protocol, &self.tries);
        let set = (if key.is_ipv4 { ipv4 } else { ipv6 }).find(bytes, key)?;
        if set == 0 {
            return Some(false);
        }
        let run = bounds(bytes, self.port_sets, u32::from(set))?;
        let [first, end] = run;
        if end.wrapping_sub(first) == 1 {
            // Most port sets have one range.
            let range = u32::from_le_bytes(cell(bytes, self.port_ranges, first)?);
            return Some((range & 0xffff) <= u32::from(low) && u32::from(high) <= range >> 16);
        }
        let ranges = cells::<4>(bytes, self.port_ranges, run)?;
        // The last range that begins at or before the first port.
        let after = ranges.partition_point(|&[a, b, ..]| u16::from_le_bytes([a, b]) <= low);
        let range = after.checked_sub(1).and_then(|last| ranges.get(last));
        Some(range.is_some_and(|&[.., c, d]| high <= u16::from_le_bytes([c, d])))
    }
}

impl Trie {
    pub(super) fn read(view: View<'_>, offset: u64) -> Result<Self, Defect> {
        Ok(Self {
            root_bits: view.u8(offset + u64::from(TRIE_ROOT_BITS))?,
            start: match view.u8(offset + u64::from(TRIE_START_BYTES))? {
                2 => Start::Two,
                4 => Start::Four,
                8 => Start::Eight,
                _ => Start::Sixteen,
            },
            has_spans: view.u8(offset + u64::from(TRIE_SPANS))? != 0,
            background: u16::try_from(view.u16(offset + u64::from(TRIE_BACKGROUND))?).unwrap_or(0),
            root: view.u32(offset + u64::from(TRIE_ROOT))?,
            starts: view.u32(offset + u64::from(TRIE_STARTS))?,
            cells: view.u32(offset + u64::from(TRIE_SETS))?,
        })
    }

    /// The port set that applies at `key`, an address of the trie's family.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8], key: Key) -> Option<u16> {
        let Key { upper, lower, .. } = key;
        let high = high(upper);
        let run = bounds(bytes, self.root, high >> 1 >> (31 - self.root_bits))?;
        // Which cell decides is known only when the starts have come. Most runs are so short that it shares a
        // cache line with the first or the last.
        for index in run {
            prefetch(bytes, self.place_of_cell(index));
        }
        match self.start {
            Start::Two => {
                let key = u16::try_from(high & 0xffff).ok()?;
                // The root has consumed the upper half: it is equal in all of a child.
                self.search(bytes, run, key, u16::from_le_bytes, |differ, bits| {
                    u32::from(differ).wrapping_shr(32_u32.wrapping_sub(bits)) == 0
                })
            }
            Start::Four => self.search(bytes, run, high, u32::from_le_bytes, |differ, bits| {
                differ.wrapping_shr(32_u32.wrapping_sub(bits)) == 0
            }),
            Start::Eight => self.search(bytes, run, upper, u64::from_le_bytes, |differ, bits| {
                differ.wrapping_shr(64_u32.wrapping_sub(bits)) == 0
            }),
            Start::Sixteen => {
                // Two little-endian halves, the upper one first: read as one number they stand the wrong way round.
                let read = |start| u128::from_le_bytes(start).rotate_left(64);
                let key = (u128::from(upper) << 64) | u128::from(lower);
                self.search(bytes, run, key, read, |differ, bits| {
                    differ.wrapping_shr(128_u32.wrapping_sub(bits)) == 0
                })
            }
        }
    }

    /// Where the cell of a boundary begins.
    fn place_of_cell(&self, boundary: u32) -> usize {
        self.cells as usize + boundary as usize * if self.has_spans { 4 } else { 2 }
    }

    /// Searches the run of a child for the last start at or before `key`. `shares` tells of the bits in which
    /// two starts differ whether none of the first so many is among them (one at least).
    #[inline]
    fn search<const N: usize, T: Copy + PartialOrd + BitXor<Output = T>>(
        &self,
        bytes: &[u8],
        run: [u32; 2],
        key: T,
        read: impl Fn([u8; N]) -> T,
        shares: impl Fn(T, u32) -> bool,
    ) -> Option<u16> {
        let [from, to] = run;
        if N >= 8 {
            // A run of such starts is several cache lines, and to halve it would wait for one after the other.
            let first = cell_place::<N>(self.starts, from);
            let eighth = to.wrapping_sub(from).div_ceil(8) as usize * N;
            for number in 1..8 {
                prefetch(bytes, first + number * eighth);
            }
            prefetch(bytes, self.place_of_cell(from.midpoint(to)));
        }
        let passed = cells(bytes, self.starts, run)?.partition_point(|&start| read(start) <= key);
        // Boundary 0 has key 0, so there is always one at or before the key, perhaps of an earlier child.
        let boundary = (from + u32::try_from(passed).ok()?).checked_sub(1)?;
        if !self.has_spans {
            return cell(bytes, self.cells, boundary).map(u16::from_le_bytes);
        }
        let [low, high, bits, _] = cell(bytes, self.cells, boundary)?;
        let start = cell(bytes, self.starts, boundary)?;
        // A span lies in one child, so that of an earlier one does not reach here. Nobody can foresee whether
        // it does, so nothing branches.
        let applies = (bits == 0) | ((passed > 0) & shares(read(start) ^ key, u32::from(bits)));
        Some(select_unpredictable(applies, u16::from_le_bytes([low, high]), self.background))
    }
}

/// The part of a protocol.
fn choose<T>(protocol: Protocol, of: &[T; 5]) -> &T {
    let [tcp, udp, icmp, tcp_bind, udp_bind] = of;
    match protocol {
        Protocol::Tcp => tcp,
        Protocol::Udp => udp,
        Protocol::Icmp => icmp,
        Protocol::TcpBind => tcp_bind,
        Protocol::UdpBind => udp_bind,
    }
}

/// The upper half of a number.
fn high(number: u64) -> u32 {
    u32::try_from(number >> 32).unwrap_or(u32::MAX)
}

/// The cells of a run of the array at `array`.
#[inline]
fn cells<const N: usize>(bytes: &[u8], array: u32, [from, to]: [u32; 2]) -> Option<&[[u8; N]]> {
    let (cells, _) = bytes.get(cell_place::<N>(array, from)..cell_place::<N>(array, to))?.as_chunks();
    Some(cells)
}

/// Cells `place` and `place + 1` of an index: where a run begins and where the next one does.
fn bounds(bytes: &[u8], index: u32, place: u32) -> Option<[u32; 2]> {
    let from = cell_place::<4>(index, place);
    let (cells, _) = bytes.get(from..from + 8)?.as_chunks::<4>();
    let &[from, to] = cells else { return None };
    Some([from, to].map(u32::from_le_bytes))
}

/// Cell `index` of the array at `offset`.
fn cell<const N: usize>(bytes: &[u8], offset: u32, index: u32) -> Option<[u8; N]> {
    let from = cell_place::<N>(offset, index);
    bytes.get(from..from + N)?.try_into().ok()
}

/// Where cell `index` of an array begins.
fn cell_place<const N: usize>(array: u32, index: u32) -> usize {
    array as usize + index as usize * N
}

/// An offset as the machine counts; a verified one always fits, since the bytes are in memory.
pub(super) fn place(offset: u64) -> Result<usize, Defect> {
    usize::try_from(offset).map_err(|_| Defect { code: super::format_gen::DEFECT_SHORT, offset })
}
