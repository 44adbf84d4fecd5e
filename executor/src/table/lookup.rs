//! The look-up (docs/format.md §4–6): what `Table` keeps of a verified table, and the two binary searches that decide.
//!
//! A key is held top-aligned in 128 bits, IPv4 in the upper 32, so both families find their child by the same shift. Every read is
//! bounds-checked and `None` stands for "outside", which a verified table never gives; the caller denies then.

use super::bytes::View;
use super::format_gen::{
    MODE_CLOSED, PLAN_BYTES, SECTION_PLAN, SECTION_PORT_RANGES, SECTION_PORT_SETS, SECTION_TRIES, TRIE_BYTES,
    TRIE_ROOT, TRIE_ROOT_BITS, TRIE_SETS, TRIE_START_BYTES, TRIE_STARTS,
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
    root: usize,
    starts: usize,
    sets: usize,
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
            let mode = view.u32(plan.at(protocol, PLAN_BYTES))?;
            Ok(if mode == MODE_CLOSED { Mode::Closed } else { Mode::Supervised })
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

    pub(super) fn tries(&self, protocol: Protocol) -> &[Trie; 2] {
        choose(protocol, &self.tries)
    }

    /// Whether the port set at `key` holds `port`.
    pub(super) fn holds(&self, bytes: &[u8], trie: &Trie, key: u128, port: u16) -> Option<bool> {
        let set = trie.find(bytes, key)?;
        let cell = self.port_sets.checked_add(usize::from(set) * 4)?;
        let (first, end) = (index(bytes, cell)?, index(bytes, cell.checked_add(4)?)?);
        let ranges = cells::<4>(bytes, self.port_ranges, first, end)?;
        // The last range that begins at or before the port.
        let after = ranges.partition_point(|&[a, b, ..]| u16::from_le_bytes([a, b]) <= port);
        let range = after.checked_sub(1).and_then(|last| ranges.get(last));
        Some(range.is_some_and(|&[.., c, d]| port <= u16::from_le_bytes([c, d])))
    }
}

impl Trie {
    fn read(view: View<'_>, offset: u64) -> Result<Self, Defect> {
        Ok(Self {
            root_bits: view.u8(offset + u64::from(TRIE_ROOT_BITS))?,
            start: match view.u8(offset + u64::from(TRIE_START_BYTES))? {
                2 => Start::Two,
                4 => Start::Four,
                8 => Start::Eight,
                _ => Start::Sixteen,
            },
            root: place(u64::from(view.u32(offset + u64::from(TRIE_ROOT))?))?,
            starts: place(u64::from(view.u32(offset + u64::from(TRIE_STARTS))?))?,
            sets: place(u64::from(view.u32(offset + u64::from(TRIE_SETS))?))?,
        })
    }

    /// The port set of the boundary that covers `key`.
    fn find(&self, bytes: &[u8], key: u128) -> Option<u16> {
        // A shift by all 128 bits gives the only child of a root without bits.
        let child = usize::try_from(key.checked_shr(128 - self.root_bits).unwrap_or(0)).ok()?;
        let root = self.root.checked_add(child.checked_mul(4)?)?;
        let (from, to) = (index(bytes, root)?, index(bytes, root.checked_add(4)?)?);
        let after = from.checked_add(self.count_until(bytes, from, to, key)?)?;
        // Boundary 0 has key 0, so there is always one at or before the key, perhaps of an earlier child.
        let cell = self.sets.checked_add(after.checked_sub(1)?.checked_mul(2)?)?;
        bytes.get(cell..cell.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
    }

    /// How many of the boundaries `from..to` begin at or before `key`.
    fn count_until(&self, bytes: &[u8], from: usize, to: usize, key: u128) -> Option<usize> {
        let [upper, lower] = [key >> 96, (key >> 64) & 0xffff_ffff];
        Some(match self.start {
            Start::Two => {
                let key = u16::try_from(upper & 0xffff).ok()?;
                cells(bytes, self.starts, from, to)?
                    .partition_point(|&start| u16::from_le_bytes(start) <= key)
            }
            Start::Four => {
                let key = u32::try_from(upper).ok()?;
                cells(bytes, self.starts, from, to)?
                    .partition_point(|&start| u32::from_le_bytes(start) <= key)
            }
            Start::Eight => {
                let key = u64::try_from((upper << 32) | lower).ok()?;
                cells(bytes, self.starts, from, to)?
                    .partition_point(|&start| u64::from_le_bytes(start) <= key)
            }
            // Two little-endian halves, the upper one first: read as one number they stand the wrong way round.
            Start::Sixteen => cells(bytes, self.starts, from, to)?
                .partition_point(|&start| u128::from_le_bytes(start).rotate_left(64) <= key),
        })
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

/// The cells `from..to` of the array at `offset`.
fn cells<const N: usize>(bytes: &[u8], offset: usize, from: usize, to: usize) -> Option<&[[u8; N]]> {
    let from = offset.checked_add(from.checked_mul(N)?)?;
    let to = offset.checked_add(to.checked_mul(N)?)?;
    let (cells, _) = bytes.get(from..to)?.as_chunks();
    Some(cells)
}

fn index(bytes: &[u8], offset: usize) -> Option<usize> {
    let cell = bytes.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(cell)).ok()
}

/// An offset as the machine counts; a verified one always fits, since the bytes are in memory.
pub(super) fn place(offset: u64) -> Result<usize, Defect> {
    usize::try_from(offset).map_err(|_| Defect { code: super::format_gen::DEFECT_SHORT, offset })
}
