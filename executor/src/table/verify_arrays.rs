//! Checks the arrays of the tries: root, then starts, then port sets, one trie after another. Their places are checked already.

use super::Defect;
use super::bytes::{View, ensure};
use super::format_gen::{
    DEFECT_CLOSED, DEFECT_ROOT, DEFECT_SET, DEFECT_SET_REPEATED, DEFECT_START, MODE_CLOSED, PLAN_BYTES,
    PROTOCOL_TRIES, SECTION_PLAN, SECTION_PORT_SETS, SECTION_TRIES, TRIE_BYTES, TRIE_COUNT, TRIE_ROOT,
    TRIE_ROOT_BITS, TRIE_SETS, TRIE_START_BYTES, TRIE_STARTS,
};

/// A descriptor, for the checks.
struct Trie {
    root_bits: u32,
    start_bytes: u32,
    count: u32,
    root: u64,
    starts: u64,
    sets: u64,
}

pub(super) fn check_arrays(view: View<'_>) -> Result<(), Defect> {
    let tries = view.section(SECTION_TRIES)?;
    for index in 0..tries.count {
        let field = |offset: u32| tries.at(index, TRIE_BYTES) + u64::from(offset);
        let trie = Trie {
            root_bits: view.u8(field(TRIE_ROOT_BITS))?,
            start_bytes: view.u8(field(TRIE_START_BYTES))?,
            count: view.u32(field(TRIE_COUNT))?,
            root: u64::from(view.u32(field(TRIE_ROOT))?),
            starts: u64::from(view.u32(field(TRIE_STARTS))?),
            sets: u64::from(view.u32(field(TRIE_SETS))?),
        };
        trie.check_root(view)?;
        trie.check_starts(view)?;
        trie.check_sets(view, index)?;
    }
    Ok(())
}

impl Trie {
    fn children(&self) -> u64 {
        1 << self.root_bits
    }

    /// The cells of the root: index of the first boundary of each child, and the number of boundaries.
    fn root_cells<'a>(&self, view: View<'a>) -> Result<&'a [[u8; 4]], Defect> {
        let (cells, _) = view.range(self.root, self.root + (self.children() + 1) * 4)?.as_chunks();
        Ok(cells)
    }

    /// The root leads from 0 to the number of boundaries and never descends.
    fn check_root(&self, view: View<'_>) -> Result<(), Defect> {
        let mut before = 0;
        for (child, &cell) in (0..).zip(self.root_cells(view)?) {
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
    fn check_starts(&self, view: View<'_>) -> Result<(), Defect> {
        // The key of a start, top-aligned as in `lookup.rs`.
        match self.start_bytes {
            2 => self.check_keys(view, |start, child| {
                // The root has consumed at least the upper half; the start holds the lower one.
                let upper = child >> self.root_bits.saturating_sub(16);
                (u128::from(upper << 16) | u128::from(u16::from_le_bytes(start))) << 96
            }),
            4 => self.check_keys(view, |start, _| u128::from(u32::from_le_bytes(start)) << 96),
            8 => self.check_keys(view, |start, _| u128::from(u64::from_le_bytes(start)) << 64),
            _ => self.check_keys(view, |start, _| u128::from_le_bytes(start).rotate_left(64)),
        }
    }

    /// The checks of `check_starts` for starts of `N` bytes.
    fn check_keys<const N: usize>(
        &self,
        view: View<'_>,
        key: impl Fn([u8; N], u64) -> u128,
    ) -> Result<(), Defect> {
        let bytes = u64::from(self.count) * N as u64;
        let (starts, _) = view.range(self.starts, self.starts + bytes)?.as_chunks::<N>();
        let mut before = None;
        let mut starts = (0..).zip(starts);
        let mut first = 0;
        // The root begins at 0, so the ends of the children are all that is needed.
        for (child, &end) in (0..).zip(self.root_cells(view)?.iter().skip(1)) {
            let end = u32::from_le_bytes(end);
            for (index, &start) in starts.by_ref().take(end.saturating_sub(first) as usize) {
                let key = key(start, child);
                let ascends = before.map_or(key == 0, |before| key > before);
                let in_child = key.checked_shr(128 - self.root_bits).unwrap_or(0) == u128::from(child);
                ensure(ascends && in_child, DEFECT_START, self.starts + index * N as u64)?;
                before = Some(key);
            }
            first = end;
        }
        Ok(())
    }

    /// Port sets exist, neighbours differ, and a closed protocol has none but the empty one.
    fn check_sets(&self, view: View<'_>, index: u64) -> Result<(), Defect> {
        let member = index >= u64::from(PROTOCOL_TRIES);
        let limit = if member { 2 } else { view.section(SECTION_PORT_SETS)?.count - 1 };
        let closed = !member && is_closed(view, index / 2)?;
        let mut before = None;
        let (sets, _) = view.range(self.sets, self.sets + u64::from(self.count) * 2)?.as_chunks();
        for (boundary, &set) in (0..).zip(sets) {
            let offset = self.sets + boundary * 2;
            let set = u16::from_le_bytes(set);
            ensure(u64::from(set) < limit, DEFECT_SET, offset)?;
            ensure(!closed || set == 0, DEFECT_CLOSED, offset)?;
            ensure(before != Some(set), DEFECT_SET_REPEATED, offset)?;
            before = Some(set);
        }
        Ok(())
    }
}

fn is_closed(view: View<'_>, protocol: u64) -> Result<bool, Defect> {
    Ok(view.u32(view.section(SECTION_PLAN)?.at(protocol, PLAN_BYTES))? == MODE_CLOSED)
}
