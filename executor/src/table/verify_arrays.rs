//! Checks the arrays of the tries: root, then starts, then port sets, one trie after another. Their places are checked already.
//!
//! Each array is first judged whole, by comparisons without branches that the compiler turns into vector code; only one that fails is walked
//! cell by cell, to find the first defect. Tries share arrays, so those that have passed are remembered: a set that a single rule
//! names is mostly the same trie twice.

use std::collections::HashSet;

use super::Defect;
use super::bytes::{View, ensure};
use super::format_gen::{
    DEFECT_CLOSED, DEFECT_ROOT, DEFECT_SET, DEFECT_SET_REPEATED, DEFECT_START, MODE_CLOSED, PLAN_BYTES,
    PROTOCOL_TRIES, SECTION_PLAN, SECTION_PORT_SETS, SECTION_TRIES, TRIE_BYTES, TRIE_COUNT, TRIE_ROOT,
    TRIE_ROOT_BITS, TRIE_SETS, TRIE_START_BYTES, TRIE_STARTS,
};

/// What decides whether root and starts are right.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Keys {
    root_bits: u32,
    start_bytes: u32,
    count: u32,
    root: u64,
    starts: u64,
}

/// What decides whether port sets are right.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Sets {
    offset: u64,
    count: u32,
    /// Port sets are below this.
    limit: u64,
    closed: bool,
}

pub(super) fn check_arrays(view: View<'_>) -> Result<(), Defect> {
    let tries = view.section(SECTION_TRIES)?;
    let port_sets = view.section(SECTION_PORT_SETS)?.count - 1;
    let mut right_keys = HashSet::new();
    let mut right_sets = HashSet::new();
    for index in 0..tries.count {
        let field = |offset: u32| tries.at(index, TRIE_BYTES) + u64::from(offset);
        let member = index >= u64::from(PROTOCOL_TRIES);
        let keys = Keys {
            root_bits: view.u8(field(TRIE_ROOT_BITS))?,
            start_bytes: view.u8(field(TRIE_START_BYTES))?,
            count: view.u32(field(TRIE_COUNT))?,
            root: u64::from(view.u32(field(TRIE_ROOT))?),
            starts: u64::from(view.u32(field(TRIE_STARTS))?),
        };
        let sets = Sets {
            offset: u64::from(view.u32(field(TRIE_SETS))?),
            count: keys.count,
            limit: if member { 2 } else { port_sets },
            closed: !member && is_closed(view, index / 2)?,
        };
        if right_keys.insert(keys) {
            keys.check_root(view)?;
            keys.check_starts(view)?;
        }
        if right_sets.insert(sets) {
            sets.check(view)?;
        }
    }
    Ok(())
}

fn is_closed(view: View<'_>, protocol: u64) -> Result<bool, Defect> {
    Ok(view.u32(view.section(SECTION_PLAN)?.at(protocol, PLAN_BYTES))? == MODE_CLOSED)
}

impl Keys {
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
            2 => self.check_keys(view, u16::from_le_bytes, |start, child| {
                // The root has consumed at least the upper half; the start holds the lower one.
                let upper = child >> self.root_bits.saturating_sub(16);
                (u128::from(upper << 16) | u128::from(start)) << 96
            }),
            4 => self.check_keys(view, u32::from_le_bytes, |start, _| u128::from(start) << 96),
            8 => self.check_keys(view, u64::from_le_bytes, |start, _| u128::from(start) << 64),
            _ => self.check_keys(view, |start| u128::from_le_bytes(start).rotate_left(64), |start, _| start),
        }
    }

    /// The checks of `check_starts` for starts of `N` bytes; `read` gives a start, `key` its key in a child.
    fn check_keys<const N: usize, T: Copy + PartialOrd>(
        &self,
        view: View<'_>,
        read: impl Fn([u8; N]) -> T,
        key: impl Fn(T, u64) -> u128,
    ) -> Result<(), Defect> {
        let bytes = u64::from(self.count) * N as u64;
        let (starts, _) = view.range(self.starts, self.starts + bytes)?.as_chunks::<N>();
        let root = self.root_cells(view)?;
        if self.keys_ascend(root, starts, &read, &key) {
            return Ok(());
        }
        let mut before = None;
        let mut starts = (0..).zip(starts);
        let mut first = 0;
        // The root begins at 0, so the ends of the children are all that is needed.
        for (child, &end) in (0..).zip(root.iter().skip(1)) {
            let end = u32::from_le_bytes(end);
            for (index, &start) in starts.by_ref().take(end.saturating_sub(first) as usize) {
                let key = key(read(start), child);
                let ascends = before.map_or(key == 0, |before| key > before);
                ensure(ascends && self.is_in(key, child), DEFECT_START, self.starts + index * N as u64)?;
                before = Some(key);
            }
            first = end;
        }
        Ok(())
    }

    fn is_in(&self, key: u128, child: u64) -> bool {
        key.checked_shr(128 - self.root_bits).unwrap_or(0) == u128::from(child)
    }

    /// Whether all keys are right. First and last start of each child lie in it, and starts descend nowhere but between children: then
    /// what is between lies in the child, too, and children follow each other in ascending order.
    fn keys_ascend<const N: usize, T: Copy + PartialOrd>(
        &self,
        root: &[[u8; 4]],
        starts: &[[u8; N]],
        read: impl Fn([u8; N]) -> T,
        key: impl Fn(T, u64) -> u128,
    ) -> bool {
        let mut between = 0;
        let mut before: Option<T> = None;
        let mut rest = starts;
        let mut first = 0;
        for (child, &end) in (0..).zip(root.iter().skip(1)) {
            let end = u32::from_le_bytes(end);
            let Some((run, after)) = rest.split_at_checked(end.saturating_sub(first) as usize) else {
                return false;
            };
            (rest, first) = (after, end);
            let (Some(&low), Some(&high)) = (run.first(), run.last()) else { continue };
            let (low, high) = (read(low), read(high));
            if !self.is_in(key(low, child), child) || !self.is_in(key(high, child), child) {
                return false;
            }
            match before {
                None if key(low, child) != 0 => return false,
                Some(before) if before >= low => between += 1,
                _ => {}
            }
            before = Some(high);
        }
        let next = starts.iter().skip(1);
        let descents: usize = starts.iter().zip(next).map(|(&a, &b)| usize::from(read(a) >= read(b))).sum();
        descents == between
    }
}

impl Sets {
    /// Port sets exist, neighbours differ, and a closed protocol has none but the empty one.
    fn check(&self, view: View<'_>) -> Result<(), Defect> {
        let (sets, _) = view.range(self.offset, self.offset + u64::from(self.count) * 2)?.as_chunks();
        if self.are_right(sets) {
            return Ok(());
        }
        let mut before = None;
        for (boundary, &set) in (0..).zip(sets) {
            let offset = self.offset + boundary * 2;
            let set = u16::from_le_bytes(set);
            ensure(u64::from(set) < self.limit, DEFECT_SET, offset)?;
            ensure(!self.closed || set == 0, DEFECT_CLOSED, offset)?;
            ensure(before != Some(set), DEFECT_SET_REPEATED, offset)?;
            before = Some(set);
        }
        Ok(())
    }

    fn are_right(&self, sets: &[[u8; 2]]) -> bool {
        let highest = sets.iter().fold(0, |highest, &set| u16::from_le_bytes(set).max(highest));
        let repeated: usize = sets.iter().zip(sets.iter().skip(1)).map(|(a, b)| usize::from(a == b)).sum();
        repeated == 0 && u64::from(highest) < if self.closed { 1 } else { self.limit }
    }
}
