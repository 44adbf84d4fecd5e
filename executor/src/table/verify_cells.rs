//! Checks the sections that look-ups read apart from plan and arrays: trie descriptors, port sets and their ranges.

use super::Defect;
use super::bytes::{View, ensure};
use super::format_gen::{
    DEFECT_ARRAY_ALIGN, DEFECT_ARRAY_PLACE, DEFECT_BACKGROUND, DEFECT_KEY_BITS, DEFECT_PORT_RANGE,
    DEFECT_PORT_SET, DEFECT_RESERVED, DEFECT_ROOT_BITS, DEFECT_SHARING, DEFECT_SPANS, DEFECT_START_BYTES,
    DEFECT_TRIE_COUNT, MODE_CLOSED, PLAN_BYTES, PORT_RANGE_BYTES, PORT_SET_BYTES, PROTOCOL_TRIES,
    ROOT_BITS_MAX, SECTION_CELLS, SECTION_PLAN, SECTION_PORT_RANGES, SECTION_PORT_SETS, SECTION_TRIES,
    SET_BYTES, SHARING_MAX, SPAN_BYTES, TRIE_BACKGROUND, TRIE_BYTES, TRIE_COUNT, TRIE_KEY_BITS,
    TRIE_RESERVED, TRIE_ROOT, TRIE_ROOT_BITS, TRIE_SETS, TRIE_SPANS, TRIE_START_BYTES, TRIE_STARTS,
};

pub(super) fn check_tries(view: View<'_>) -> Result<(), Defect> {
    let tries = view.section(SECTION_TRIES)?;
    let limit = u64::from(SHARING_MAX) * view.section(SECTION_CELLS)?.bytes;
    let mut named = 0;
    for index in 0..tries.count {
        let offset = tries.at(index, TRIE_BYTES);
        named += check_trie(view, offset, index)?;
        ensure(named <= limit, DEFECT_SHARING, offset + u64::from(TRIE_ROOT))?;
    }
    Ok(())
}

/// Checks a descriptor; returns the bytes of its arrays, each rounded up to 8.
fn check_trie(view: View<'_>, trie: u64, index: u64) -> Result<u64, Defect> {
    let field = |offset: u32| trie + u64::from(offset);
    let key_bits = if index.is_multiple_of(2) { 32 } else { 128 };
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
    let spans = view.u8(field(TRIE_SPANS))?;
    ensure(spans <= 1, DEFECT_SPANS, field(TRIE_SPANS))?;
    let count = u64::from(view.u32(field(TRIE_COUNT))?);
    ensure(count > 0, DEFECT_TRIE_COUNT, field(TRIE_COUNT))?;
    let mut named = 0;
    let arrays = [
        (TRIE_ROOT, ((1 << root_bits) + 1) * 4),
        (TRIE_STARTS, count * u64::from(start_bytes)),
        (TRIE_SETS, count * u64::from(if spans == 0 { SET_BYTES } else { SPAN_BYTES })),
    ];
    for (array, bytes) in arrays {
        check_array(view, field(array), bytes)?;
        named += bytes.next_multiple_of(8);
    }
    let background = u64::from(view.u16(field(TRIE_BACKGROUND))?);
    let limit = if spans == 0 { 1 } else { set_limit(view, index)? };
    ensure(background < limit, DEFECT_BACKGROUND, field(TRIE_BACKGROUND))?;
    for offset in field(TRIE_RESERVED)..field(TRIE_BYTES) {
        ensure(view.u8(offset)? == 0, DEFECT_RESERVED, offset)?;
    }
    Ok(named)
}

/// Port sets that a trie may name are below this: in a trie of membership 0 and 1, for a closed protocol only 0.
fn set_limit(view: View<'_>, index: u64) -> Result<u64, Defect> {
    if index >= u64::from(PROTOCOL_TRIES) {
        return Ok(2);
    }
    Ok(if is_closed(view, index / 2)? { 1 } else { view.section(SECTION_PORT_SETS)?.count - 1 })
}

pub(super) fn is_closed(view: View<'_>, protocol: u64) -> Result<bool, Defect> {
    Ok(view.u32(view.section(SECTION_PLAN)?.at(protocol, PLAN_BYTES))? == MODE_CLOSED)
}

/// Checks the place of an array of `bytes` bytes, whose offset stands at `field`.
fn check_array(view: View<'_>, field: u64, bytes: u64) -> Result<(), Defect> {
    let start = u64::from(view.u32(field)?);
    let cells = view.section(SECTION_CELLS)?;
    ensure(start % 8 == 0, DEFECT_ARRAY_ALIGN, field)?;
    let inside = start >= cells.offset && start + bytes <= cells.offset + cells.bytes;
    ensure(inside, DEFECT_ARRAY_PLACE, field)
}

/// The index of ranges: it leads from 0 to the number of ranges and never descends, and set 0 is empty.
pub(super) fn check_port_sets(view: View<'_>) -> Result<(), Defect> {
    let sets = view.section(SECTION_PORT_SETS)?;
    let ranges = view.section(SECTION_PORT_RANGES)?.count;
    let mut before = 0;
    for index in 0..sets.count {
        let offset = sets.at(index, PORT_SET_BYTES);
        let first = view.u32(offset)?;
        ensure(if index < 2 { first == 0 } else { first >= before }, DEFECT_PORT_SET, offset)?;
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
