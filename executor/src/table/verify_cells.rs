//! Checks the sections that look-ups read apart from the arrays: plan, trie descriptors, port sets and their ranges.

use super::Defect;
use super::bytes::{View, ensure};
use super::format_gen::{
    ACTION_ALLOW, DEFECT_ARRAY_ALIGN, DEFECT_ARRAY_PLACE, DEFECT_KEY_BITS, DEFECT_PLAN_MODE,
    DEFECT_PLAN_RULES, DEFECT_PORT_RANGE, DEFECT_PORT_SET, DEFECT_RESERVED, DEFECT_ROOT_BITS, DEFECT_SHARING,
    DEFECT_START_BYTES, DEFECT_TRIE_COUNT, MODE_CLOSED, MODE_SUPERVISED, PLAN_BYTES, PLAN_RESERVED,
    PORT_RANGE_BYTES, PORT_SET_BYTES, PROTOCOLS, ROOT_BITS_MAX, RULE_ACTION, RULE_BYTES, RULE_PROTOCOL,
    SECTION_CELLS, SECTION_PLAN, SECTION_PORT_RANGES, SECTION_PORT_SETS, SECTION_RULES, SECTION_TRIES,
    SHARING_MAX, TRIE_BYTES, TRIE_COUNT, TRIE_KEY_BITS, TRIE_PAD, TRIE_RESERVED, TRIE_ROOT, TRIE_ROOT_BITS,
    TRIE_SETS, TRIE_START_BYTES, TRIE_STARTS,
};

/// A protocol is closed exactly when no rule allows anything of it.
pub(super) fn check_plan(view: View<'_>) -> Result<(), Defect> {
    let rules = view.section(SECTION_RULES)?;
    let mut allowed = [false; PROTOCOLS as usize];
    for index in 0..rules.count {
        let rule = rules.at(index, RULE_BYTES);
        if view.u8(rule + u64::from(RULE_ACTION))? != ACTION_ALLOW {
            continue;
        }
        // Rules are checked later; a protocol that does not exist allows nothing here.
        let protocol = view.u8(rule + u64::from(RULE_PROTOCOL))?;
        if let Some(allowed) = usize::try_from(protocol).ok().and_then(|protocol| allowed.get_mut(protocol)) {
            *allowed = true;
        }
    }
    let plan = view.section(SECTION_PLAN)?;
    for (protocol, allowed) in (0..).zip(allowed) {
        let offset = plan.at(protocol, PLAN_BYTES);
        let mode = view.u32(offset)?;
        ensure(mode <= MODE_SUPERVISED, DEFECT_PLAN_MODE, offset)?;
        ensure((mode == MODE_CLOSED) != allowed, DEFECT_PLAN_RULES, offset)?;
        let reserved = offset + u64::from(PLAN_RESERVED);
        ensure(view.u32(reserved)? == 0, DEFECT_RESERVED, reserved)?;
    }
    Ok(())
}

pub(super) fn check_tries(view: View<'_>) -> Result<(), Defect> {
    let tries = view.section(SECTION_TRIES)?;
    let limit = u64::from(SHARING_MAX) * view.section(SECTION_CELLS)?.bytes;
    let mut named = 0;
    for index in 0..tries.count {
        let offset = tries.at(index, TRIE_BYTES);
        named += check_trie(view, offset, if index % 2 == 0 { 32 } else { 128 })?;
        ensure(named <= limit, DEFECT_SHARING, offset + u64::from(TRIE_ROOT))?;
    }
    Ok(())
}

/// Checks a descriptor; returns the bytes of its arrays, each rounded up to 8.
fn check_trie(view: View<'_>, trie: u64, key_bits: u32) -> Result<u64, Defect> {
    let field = |offset: u32| trie + u64::from(offset);
    let root_bits = view.u8(field(TRIE_ROOT_BITS))?;
    let start_bytes = view.u8(field(TRIE_START_BYTES))?;
    ensure(root_bits <= ROOT_BITS_MAX, DEFECT_ROOT_BITS, field(TRIE_ROOT_BITS))?;
    let fits = match start_bytes {
        2 => key_bits == 32 && root_bits >= 16,
        4 => key_bits == 32,
        8 | 16 => key_bits == 128,
        _ => false,
    };
    ensure(fits, DEFECT_START_BYTES, field(TRIE_START_BYTES))?;
    ensure(view.u8(field(TRIE_KEY_BITS))? == key_bits, DEFECT_KEY_BITS, field(TRIE_KEY_BITS))?;
    ensure(view.u8(field(TRIE_PAD))? == 0, DEFECT_RESERVED, field(TRIE_PAD))?;
    let count = u64::from(view.u32(field(TRIE_COUNT))?);
    ensure(count > 0, DEFECT_TRIE_COUNT, field(TRIE_COUNT))?;
    let mut named = 0;
    let arrays = [
        (TRIE_ROOT, ((1 << root_bits) + 1) * 4),
        (TRIE_STARTS, count * u64::from(start_bytes)),
        (TRIE_SETS, count * 2),
    ];
    for (array, bytes) in arrays {
        check_array(view, field(array), bytes)?;
        named += bytes.next_multiple_of(8);
    }
    for offset in field(TRIE_RESERVED)..field(TRIE_BYTES) {
        ensure(view.u8(offset)? == 0, DEFECT_RESERVED, offset)?;
    }
    Ok(named)
}

/// Checks the place of an array of `bytes` bytes, whose offset stands at `field`.
fn check_array(view: View<'_>, field: u64, bytes: u64) -> Result<(), Defect> {
    let start = u64::from(view.u32(field)?);
    let cells = view.section(SECTION_CELLS)?;
    ensure(start % 8 == 0, DEFECT_ARRAY_ALIGN, field)?;
    let inside = start >= cells.offset && start + bytes <= cells.offset + cells.bytes;
    ensure(inside, DEFECT_ARRAY_PLACE, field)
}

/// The index of ranges: set 0 is empty, every other set is not, the last cell is the number of ranges.
pub(super) fn check_port_sets(view: View<'_>) -> Result<(), Defect> {
    let sets = view.section(SECTION_PORT_SETS)?;
    let ranges = view.section(SECTION_PORT_RANGES)?.count;
    let mut before = 0;
    for index in 0..sets.count {
        let offset = sets.at(index, PORT_SET_BYTES);
        let first = view.u32(offset)?;
        ensure(if index < 2 { first == 0 } else { first > before }, DEFECT_PORT_SET, offset)?;
        before = first;
    }
    ensure(u64::from(before) == ranges, DEFECT_PORT_SET, sets.at(sets.count - 1, PORT_SET_BYTES))
}

/// The ranges of each port set ascend and do not touch.
pub(super) fn check_port_ranges(view: View<'_>) -> Result<(), Defect> {
    let sets = view.section(SECTION_PORT_SETS)?;
    let ranges = view.section(SECTION_PORT_RANGES)?;
    for set in 0..sets.count - 1 {
        let first = view.u32(sets.at(set, PORT_SET_BYTES))?;
        let end = view.u32(sets.at(set + 1, PORT_SET_BYTES))?;
        let mut after = None;
        for index in first..end {
            let offset = ranges.at(u64::from(index), PORT_RANGE_BYTES);
            let (low, high) = (view.u16(offset)?, view.u16(offset + 2)?);
            let apart = after.is_none_or(|after| low > after);
            ensure(low <= high && apart, DEFECT_PORT_RANGE, offset)?;
            after = Some(high + 1);
        }
    }
    Ok(())
}
