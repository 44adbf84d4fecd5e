//! Checks a whole table once, so that look-ups may rely on it (docs/format.md §9): header, directory, every
//! section in order of kind, then the arrays of the tries and what the plan says of them. The first defect
//! ends the check. `policy/verify.ts` makes the same checks in the same order.
//!
//! This file has the frame: header and directory, which everything else relies on. Work is linear in the size
//! of the file.

use super::Defect;
use super::bytes::{View, ensure, record_offset};
use super::checksum::Sum;
use super::format_gen::{
    ADDRESS_BYTES, ADDRESS_SET_BYTES, CELL_BYTES, DEFECT_CHECKSUM, DEFECT_FILE_BYTES, DEFECT_KIND,
    DEFECT_MAGIC, DEFECT_MAJOR, DEFECT_MINOR, DEFECT_PADDING, DEFECT_RESERVED, DEFECT_SECTION_BYTES,
    DEFECT_SECTION_COUNT, DEFECT_SECTION_END, DEFECT_SECTION_OFFSET, DEFECT_SECTIONS, DEFECT_SHORT,
    DEFECT_TRAILING, DIRECTORY_BYTES, DIRECTORY_COUNT, DIRECTORY_KIND, DIRECTORY_OFFSET, DIRECTORY_SIZE,
    FACTS_BYTES, HEADER_BYTES, HEADER_CHECKSUM, HEADER_FILE_BYTES, HEADER_MAJOR, HEADER_MINOR,
    HEADER_RESERVED, HEADER_SECTIONS, MAGIC_HIGH, MAGIC_LOW, MAJOR, MEMBER_BYTES, MINOR, NAME_BYTES,
    PLAN_BYTES, PORT_RANGE_BYTES, PORT_SET_BYTES, PORT_SETS_MAX, PRIVATE_NAME_BYTES, PROTOCOL_TRIES,
    PROTOCOLS, RULE_BYTES, SECTION_FACTS, SECTION_PLAN, SECTION_PORT_SETS, SECTION_TRIES, SECTIONS,
    STRING_BYTES, TRIE_BYTES, UNIX_RULE_BYTES,
};
use super::verify_arrays::check_arrays;
use super::verify_cells::{check_port_ranges, check_port_sets, check_tries};
use super::verify_facts::{check_facts, check_private_names, check_unix_rules};
use super::verify_plan::{check_plan, check_planned};
use super::verify_rules::{check_addresses, check_names, check_rules, check_strings};
use super::verify_sets::{check_members, check_sets};

/// Bytes of one cell, by kind − 1.
const CELL_SIZES: [u32; SECTIONS as usize] = [
    PLAN_BYTES,
    TRIE_BYTES,
    PORT_SET_BYTES,
    PORT_RANGE_BYTES,
    RULE_BYTES,
    NAME_BYTES,
    ADDRESS_BYTES,
    STRING_BYTES,
    CELL_BYTES,
    FACTS_BYTES,
    UNIX_RULE_BYTES,
    PRIVATE_NAME_BYTES,
    ADDRESS_SET_BYTES,
    MEMBER_BYTES,
];

/// The first defect of `bytes`, if they have one.
pub(super) fn verify(bytes: &[u8]) -> Result<(), Defect> {
    let view = View(bytes);
    check_header(view)?;
    let mut sum = Sum::of(bytes);
    let found = check_rest(view, &mut sum);
    let field = u64::from(HEADER_CHECKSUM);
    ensure(view.u32(field)? == sum.finish(), DEFECT_CHECKSUM, field)?;
    found
}

/// What comes after the checksum in the order of defects. It is checked before the sum is complete: whatever
/// it finds in a damaged table, that is damaged is the first defect.
fn check_rest(view: View<'_>, sum: &mut Sum<'_>) -> Result<(), Defect> {
    check_zero(view, u64::from(HEADER_RESERVED), u64::from(HEADER_BYTES), DEFECT_RESERVED)?;
    check_directory(view)?;
    check_counts(view)?;
    check_plan(view)?;
    check_tries(view)?;
    check_port_sets(view)?;
    check_port_ranges(view)?;
    check_rules(view)?;
    check_names(view)?;
    check_addresses(view)?;
    check_strings(view)?;
    check_facts(view)?;
    check_unix_rules(view)?;
    check_private_names(view)?;
    check_sets(view)?;
    check_members(view)?;
    check_arrays(view, sum)?;
    check_planned(view)
}

/// What comes before the checksum.
fn check_header(view: View<'_>) -> Result<(), Defect> {
    let length = view.len();
    let field = |offset: u32| u64::from(offset);
    ensure(length >= field(HEADER_BYTES), DEFECT_SHORT, length)?;
    ensure(view.u32(0)? == MAGIC_LOW && view.u32(4)? == MAGIC_HIGH, DEFECT_MAGIC, 0)?;
    ensure(view.u16(field(HEADER_MAJOR))? == MAJOR, DEFECT_MAJOR, field(HEADER_MAJOR))?;
    let minor = view.u16(field(HEADER_MINOR))?;
    ensure((0..=MINOR).contains(&minor), DEFECT_MINOR, field(HEADER_MINOR))?;
    ensure(view.u32(field(HEADER_SECTIONS))? == SECTIONS, DEFECT_SECTIONS, field(HEADER_SECTIONS))?;
    ensure(length >= directory_end(), DEFECT_SHORT, length)?;
    let declared = view.u64(field(HEADER_FILE_BYTES))?;
    let fits = declared == length && u32::try_from(length).is_ok();
    ensure(fits, DEFECT_FILE_BYTES, field(HEADER_FILE_BYTES))
}

/// Every section right after its predecessor, as long as its count says, inside the file; the last one ends it.
fn check_directory(view: View<'_>) -> Result<(), Defect> {
    let mut end = directory_end();
    for (kind, cell) in (1..=SECTIONS).zip(CELL_SIZES) {
        let record = record_offset(kind);
        let field = |offset: u32| record + u64::from(offset);
        ensure(view.u32(field(DIRECTORY_KIND))? == kind, DEFECT_KIND, record)?;
        let bytes = u64::from(view.u32(field(DIRECTORY_SIZE))?);
        let count = u64::from(view.u32(field(DIRECTORY_COUNT))?);
        ensure(count * u64::from(cell) == bytes, DEFECT_SECTION_BYTES, field(DIRECTORY_SIZE))?;
        let start = end.next_multiple_of(8);
        let offset = u64::from(view.u32(field(DIRECTORY_OFFSET))?);
        ensure(offset == start, DEFECT_SECTION_OFFSET, field(DIRECTORY_OFFSET))?;
        ensure(start + bytes <= view.len(), DEFECT_SECTION_END, field(DIRECTORY_SIZE))?;
        check_zero(view, end, start, DEFECT_PADDING)?;
        end = start + bytes;
    }
    ensure(end == view.len(), DEFECT_TRAILING, end)
}

fn check_counts(view: View<'_>) -> Result<(), Defect> {
    let check = |kind: u32, possible: fn(u64) -> bool| {
        let field = record_offset(kind) + u64::from(DIRECTORY_COUNT);
        ensure(possible(view.section(kind)?.count), DEFECT_SECTION_COUNT, field)
    };
    check(SECTION_PLAN, |count| count == u64::from(PROTOCOLS))?;
    check(SECTION_TRIES, |count| count >= u64::from(PROTOCOL_TRIES) && count % 2 == 0)?;
    check(SECTION_PORT_SETS, |count| (2..=u64::from(PORT_SETS_MAX) + 1).contains(&count))?;
    check(SECTION_FACTS, |count| count == 1)
}

fn directory_end() -> u64 {
    u64::from(HEADER_BYTES + SECTIONS * DIRECTORY_BYTES)
}

/// Reports the first byte from `from` to `to` that is not zero.
fn check_zero(view: View<'_>, from: u64, to: u64, code: u32) -> Result<(), Defect> {
    let stray = (from..to).zip(view.range(from, to)?).find(|&(_, &byte)| byte != 0);
    stray.map_or(Ok(()), |(offset, _)| Err(Defect { code, offset }))
}
