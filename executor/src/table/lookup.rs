//! The look-up (docs/format.md §4–6): what `Table` keeps of a verified table, and the two binary searches that decide.
//!
//! A key is held top-aligned in two halves, IPv4 in the top 32 bits, so both families find their child by the same shift. Every read is
//! bounds-checked and `None` stands for "outside", which a verified table never gives; the caller denies then. Offsets and indices have 32
//! bits and cells at most 16 bytes, so no place overflows 64 bits.

use std::net::IpAddr;
use std::ops::BitXor;

use super::bytes::View;
use super::format_gen::{
    MODE_CLOSED, MODE_KERNEL, MODE_OPEN, PLAN_BYTES, SECTION_PLAN, SECTION_PORT_RANGES, SECTION_PORT_SETS,
    SECTION_TRIES, TRIE_BACKGROUND, TRIE_BYTES, TRIE_ROOT, TRIE_ROOT_BITS, TRIE_SETS, TRIE_SPANS,
    TRIE_START_BYTES, TRIE_STARTS,
};
use super::{Defect, Mode, Protocol};

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
    /// Port set behind spans; none where cells are port sets alone.
    background: Option<u16>,
    root: usize,
    starts: usize,
    cells: usize,
}

/// A key: an address, top-aligned.
#[derive(Clone, Copy, Debug)]
struct Key {
    upper: u64,
    lower: u64,
}

/// What a look-up needs to know of a table, read once.
#[derive(Debug)]
pub(super) struct Layout {
    plan: [Mode; 5],
    /// IPv4 and IPv6 of each protocol.
    tries: [[Trie; 2]; 5],
    port_sets: usize,
    port_ranges: usize,
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
        Ok(Self {
            plan: [mode(0)?, mode(1)?, mode(2)?, mode(3)?, mode(4)?],
            tries: [pair(0)?, pair(1)?, pair(2)?, pair(3)?, pair(4)?],
            port_sets: place(view.section(SECTION_PORT_SETS)?.offset)?,
            port_ranges: place(view.section(SECTION_PORT_RANGES)?.offset)?,
        })
    }

    pub(super) fn plan(&self, protocol: Protocol) -> Mode {
        *choose(protocol, &self.plan)
    }

    /// Whether the port set at an address in canonical form holds every port of `low..=high`. Ranges of a set are not adjacent, so one range has them all or none does.
    pub(super) fn holds(
        &self,
        bytes: &[u8],
        protocol: Protocol,
        address: IpAddr,
        (low, high): (u16, u16),
    ) -> Option<bool> {
        let [ipv4, ipv6] = choose(protocol, &self.tries);
        let trie = if address.is_ipv4() { ipv4 } else { ipv6 };
        let set = trie.find_at(bytes, address)?;
        if set == 0 {
            return Some(false);
        }
        let ranges = run::<4>(bytes, self.port_sets, usize::from(set), self.port_ranges)?;
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
            background: match view.u8(offset + u64::from(TRIE_SPANS))? {
                0 => None,
                _ => u16::try_from(view.u16(offset + u64::from(TRIE_BACKGROUND))?).ok(),
            },
            root: place(u64::from(view.u32(offset + u64::from(TRIE_ROOT))?))?,
            starts: place(u64::from(view.u32(offset + u64::from(TRIE_STARTS))?))?,
            cells: place(u64::from(view.u32(offset + u64::from(TRIE_SETS))?))?,
        })
    }

    /// The port set that applies at an address in canonical form, in a trie of its family.
    pub(super) fn find_at(&self, bytes: &[u8], address: IpAddr) -> Option<u16> {
        self.find(bytes, Key::at(address)?)
    }

    /// The port set that applies at `key`.
    fn find(&self, bytes: &[u8], key: Key) -> Option<u16> {
        let Key { upper, lower } = key;
        match self.start {
            Start::Two => {
                let key = u16::try_from((upper >> 32) & 0xffff).ok()?;
                // The root has consumed the upper half: it is equal in all of a child.
                self.search(bytes, upper, key, u16::from_le_bytes, |different| u64::from(different) << 32)
            }
            Start::Four => {
                let key = u32::try_from(upper >> 32).ok()?;
                self.search(bytes, upper, key, u32::from_le_bytes, |different| u64::from(different) << 32)
            }
            Start::Eight => self.search(bytes, upper, upper, u64::from_le_bytes, |different| different),
            Start::Sixteen => {
                // Two little-endian halves, the upper one first: read as one number they stand the wrong way round.
                let read = |start| u128::from_le_bytes(start).rotate_left(64);
                let key = (u128::from(upper) << 64) | u128::from(lower);
                self.search(bytes, upper, key, read, |different| different)
            }
        }
    }

    /// Searches the child of `upper` for the last start at or before `key`. `align` moves the bits in which two starts differ to the top of
    /// the key's width.
    fn search<const N: usize, T, D>(
        &self,
        bytes: &[u8],
        upper: u64,
        key: T,
        read: impl Fn([u8; N]) -> T,
        align: impl Fn(T) -> D,
    ) -> Option<u16>
    where
        T: Copy + PartialOrd + BitXor<Output = T>,
        D: Leading,
    {
        // In two steps, because a root without bits has one child and a shift by 64 is none.
        let child = usize::try_from(upper >> 1 >> (63 - self.root_bits)).ok()?;
        let [from, _] = bounds(bytes, self.root, child)?;
        let run = run::<N>(bytes, self.root, child, self.starts)?;
        let after = run.partition_point(|&start| read(start) <= key);
        // Boundary 0 has key 0, so there is always one at or before the key, perhaps of an earlier child.
        let boundary = (from + after).checked_sub(1)?;
        let Some(background) = self.background else {
            return cell(bytes, self.cells, boundary).map(u16::from_le_bytes);
        };
        let [low, high, bits, _] = cell(bytes, self.cells, boundary)?;
        let applies = bits == 0 || {
            // A span lies in one child, so that of an earlier one does not reach here.
            let start = after.checked_sub(1).and_then(|last| run.get(last));
            start.is_some_and(|&start| align(read(start) ^ key).leading_zeros() >= u32::from(bits))
        };
        Some(if applies { u16::from_le_bytes([low, high]) } else { background })
    }
}

impl Key {
    fn at(address: IpAddr) -> Option<Self> {
        let bits = match address {
            IpAddr::V4(address) => {
                return Some(Self { upper: u64::from(address.to_bits()) << 32, lower: 0 });
            }
            IpAddr::V6(address) => address.to_bits(),
        };
        let lower = u64::try_from(bits & u128::from(u64::MAX)).ok()?;
        Some(Self { upper: u64::try_from(bits >> 64).ok()?, lower })
    }
}

/// Numbers whose bits are counted from the top.
trait Leading {
    fn leading_zeros(self) -> u32;
}

impl Leading for u64 {
    fn leading_zeros(self) -> u32 {
        self.leading_zeros()
    }
}

impl Leading for u128 {
    fn leading_zeros(self) -> u32 {
        self.leading_zeros()
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

/// The run of cells of the array at `array` whose bounds are cells `place` and `place + 1` of the index at `index`.
fn run<const N: usize>(bytes: &[u8], index: usize, place: usize, array: usize) -> Option<&[[u8; N]]> {
    let [from, to] = bounds(bytes, index, place)?;
    let (cells, _) = bytes.get(array + from * N..array + to * N)?.as_chunks();
    Some(cells)
}

/// Cells `place` and `place + 1` of an index: where a run begins and where the next one does.
fn bounds(bytes: &[u8], index: usize, place: usize) -> Option<[usize; 2]> {
    let from = index + place * 4;
    let (cells, _) = bytes.get(from..from + 8)?.as_chunks::<4>();
    let &[from, to] = cells else { return None };
    Some([from, to].map(|cell| u32::from_le_bytes(cell) as usize))
}

/// Cell `index` of the array at `offset`.
fn cell<const N: usize>(bytes: &[u8], offset: usize, index: usize) -> Option<[u8; N]> {
    let from = offset + index * N;
    bytes.get(from..from + N)?.try_into().ok()
}

/// An offset as the machine counts; a verified one always fits, since the bytes are in memory.
pub(super) fn place(offset: u64) -> Result<usize, Defect> {
    usize::try_from(offset).map_err(|_| Defect { code: super::format_gen::DEFECT_SHORT, offset })
}
