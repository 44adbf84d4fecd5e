//! Checks the sections that explain decisions: rules, pinned names, their addresses, and the text. The
//! executor does not read them, but a table is refused whole or not at all.

use super::Defect;
use super::bytes::{Section, View, ensure};
use super::format_gen::{
    ACTION_ALLOW, ADDRESS_BYTES, DEFECT_ADDRESS, DEFECT_NAME_ADDRESSES, DEFECT_NAME_KIND, DEFECT_PLACE,
    DEFECT_RESERVED, DEFECT_RULE_ACTION, DEFECT_RULE_ADDRESS, DEFECT_RULE_INDEX, DEFECT_RULE_PORTS,
    DEFECT_RULE_PREFIX, DEFECT_RULE_PROTOCOL, DEFECT_RULE_TARGET, DEFECT_TEXT, DEFECT_UTF8, NAME_AT_START,
    NAME_BYTES, NAME_COUNT, NAME_FIRST, NAME_KIND, NAME_PINNED, NAME_RESERVED, NAME_TEXT, NAME_TEXT_BYTES,
    ORIGIN_COLUMN, ORIGIN_LINE, ORIGIN_SOURCE, ORIGIN_TEXT, PORT_RANGE_BYTES, PORT_SET_BYTES, PROTOCOL_ICMP,
    PROTOCOL_TCP_BIND, PROTOCOLS, RULE_ACTION, RULE_ADDRESS, RULE_BYTES, RULE_INDEX, RULE_ORIGIN,
    RULE_PORT_SET, RULE_PREFIX_BITS, RULE_PROTOCOL, RULE_RESERVED, RULE_SET_NAME, RULE_SET_NAME_BYTES,
    RULE_TARGET, SECTION_ADDRESSES, SECTION_NAMES, SECTION_PORT_RANGES, SECTION_PORT_SETS, SECTION_RULES,
    SECTION_SETS, SECTION_STRINGS, TARGET_IPV4, TARGET_IPV6, TARGET_NAME, TARGET_SET,
};

/// All ports, as the one range of a port set.
const ALL_PORTS: u32 = 0xffff_0000;
/// `::ffff:0.0.0.0`.
const MAPPED: u128 = 0xffff << 32;

pub(super) fn check_rules(view: View<'_>) -> Result<(), Defect> {
    let rules = view.section(SECTION_RULES)?;
    let strings = view.section(SECTION_STRINGS)?;
    (0..rules.count).try_for_each(|index| check_rule(view, strings, rules.at(index, RULE_BYTES)))
}

fn check_rule(view: View<'_>, strings: Section, rule: u64) -> Result<(), Defect> {
    let field = |offset: u32| rule + u64::from(offset);
    let target = view.u8(field(RULE_TARGET))?;
    ensure(view.u8(field(RULE_ACTION))? <= ACTION_ALLOW, DEFECT_RULE_ACTION, field(RULE_ACTION))?;
    let protocol = view.u8(field(RULE_PROTOCOL))?;
    let bind = protocol >= PROTOCOL_TCP_BIND;
    ensure(protocol < PROTOCOLS, DEFECT_RULE_PROTOCOL, field(RULE_PROTOCOL))?;
    let exists = target <= TARGET_SET && !(bind && target == TARGET_NAME);
    ensure(exists, DEFECT_RULE_TARGET, field(RULE_TARGET))?;
    let bits = view.u8(field(RULE_PREFIX_BITS))?;
    let longest = match target {
        TARGET_IPV4 => 32,
        TARGET_IPV6 => 128,
        _ => 0,
    };
    ensure(bits <= longest, DEFECT_RULE_PREFIX, field(RULE_PREFIX_BITS))?;
    ensure(has_ports(view, rule)?, DEFECT_RULE_PORTS, field(RULE_PORT_SET))?;
    let limit = match target {
        TARGET_NAME => view.section(SECTION_NAMES)?.count,
        TARGET_SET => view.section(SECTION_SETS)?.count,
        _ => 1,
    };
    let index = u64::from(view.u32(field(RULE_INDEX))?);
    ensure(index < limit, DEFECT_RULE_INDEX, field(RULE_INDEX))?;
    if target == TARGET_NAME && view.u8(field(RULE_ACTION))? != ACTION_ALLOW {
        // What a name that is not pinned stands for is not known yet, so it could not be denied.
        let name = view.section(SECTION_NAMES)?.at(index, NAME_BYTES);
        let pinned = view.u32(name + u64::from(NAME_KIND))? == NAME_PINNED;
        ensure(pinned, DEFECT_RULE_TARGET, field(RULE_TARGET))?;
    }
    check_origin(view, strings, field(RULE_ORIGIN))?;
    if target == TARGET_SET {
        check_text(view, strings, field(RULE_SET_NAME))?;
    } else {
        ensure(view.u32(field(RULE_SET_NAME))? == 0, DEFECT_RESERVED, field(RULE_SET_NAME))?;
        ensure(view.u32(field(RULE_SET_NAME_BYTES))? == 0, DEFECT_RESERVED, field(RULE_SET_NAME_BYTES))?;
    }
    ensure(view.u32(field(RULE_RESERVED))? == 0, DEFECT_RESERVED, field(RULE_RESERVED))?;
    let address = view.address(field(RULE_ADDRESS))?;
    let proper = match target {
        TARGET_IPV4 => is_mapped(address, 96 + bits) && is_canonical_prefix(address, 96 + bits, bind),
        TARGET_IPV6 => !is_mapped(address, bits) && is_canonical_prefix(address, bits, bind),
        _ => address == 0,
    };
    ensure(proper, DEFECT_RULE_ADDRESS, field(RULE_ADDRESS))
}

/// The port set exists, is not empty, and is all ports for icmp.
fn has_ports(view: View<'_>, rule: u64) -> Result<bool, Defect> {
    let sets = view.section(SECTION_PORT_SETS)?;
    let set = u64::from(view.u32(rule + u64::from(RULE_PORT_SET))?);
    if set == 0 || set >= sets.count - 1 {
        return Ok(false);
    }
    let first = view.u32(sets.at(set, PORT_SET_BYTES))?;
    if view.u32(sets.at(set + 1, PORT_SET_BYTES))? == first {
        return Ok(false);
    }
    if view.u8(rule + u64::from(RULE_PROTOCOL))? != PROTOCOL_ICMP {
        return Ok(true);
    }
    let ranges = view.section(SECTION_PORT_RANGES)?;
    Ok(view.u32(ranges.at(u64::from(first), PORT_RANGE_BYTES))? == ALL_PORTS)
}

/// Whether a prefix of `bits` bits lies in `::ffff:0:0/96` and so is an IPv4 prefix.
fn is_mapped(address: u128, bits: u32) -> bool {
    bits >= 96 && address >> 32 == MAPPED >> 32
}

/// No bits below the prefix, and not a single unspecified address, which no canonical form of a destination has.
fn is_canonical_prefix(address: u128, bits: u32, bind: bool) -> bool {
    let below = u128::MAX.checked_shr(bits).unwrap_or(0);
    address & below == 0 && (bind || !(bits == 128 && is_unspecified(address)))
}

fn is_unspecified(address: u128) -> bool {
    address == 0 || address == MAPPED
}

/// Checks how and where a rule or UNIX rule says that it was written: in a line and a column, or in neither.
pub(super) fn check_origin(view: View<'_>, strings: Section, origin: u64) -> Result<(), Defect> {
    let field = |offset: u32| origin + u64::from(offset);
    let has_line = view.u32(field(ORIGIN_LINE))? != 0;
    let has_column = view.u32(field(ORIGIN_COLUMN))? != 0;
    ensure(has_line == has_column, DEFECT_PLACE, field(ORIGIN_COLUMN))?;
    check_text(view, strings, field(ORIGIN_TEXT))?;
    check_text(view, strings, field(ORIGIN_SOURCE))
}

/// Checks the text whose offset stands at `field` and whose length follows it: inside the section, whole characters.
pub(super) fn check_text(view: View<'_>, strings: Section, field: u64) -> Result<(), Defect> {
    let start = u64::from(view.u32(field)?);
    let end = start + u64::from(view.u32(field + 4)?);
    ensure(end <= strings.count, DEFECT_TEXT, field)?;
    for edge in [start, end] {
        let cut = edge < strings.count && view.u8(strings.at(edge, 1))? & 0xc0 == 0x80;
        ensure(!cut, DEFECT_TEXT, field)?;
    }
    Ok(())
}

/// Names have a text; the addresses of the pinned ones stand one after another in the section of addresses and fill it.
pub(super) fn check_names(view: View<'_>) -> Result<(), Defect> {
    let names = view.section(SECTION_NAMES)?;
    let strings = view.section(SECTION_STRINGS)?;
    let addresses = view.section(SECTION_ADDRESSES)?;
    let mut next = 0;
    for index in 0..names.count {
        let field = |offset: u32| names.at(index, NAME_BYTES) + u64::from(offset);
        check_text(view, strings, field(NAME_TEXT))?;
        ensure(view.u32(field(NAME_TEXT_BYTES))? > 0, DEFECT_TEXT, field(NAME_TEXT_BYTES))?;
        let first = u64::from(view.u32(field(NAME_FIRST))?);
        ensure(first == next, DEFECT_NAME_ADDRESSES, field(NAME_FIRST))?;
        let own = u64::from(view.u32(field(NAME_COUNT))?);
        let kind = view.u32(field(NAME_KIND))?;
        next += own;
        let fits = (own > 0) == (kind == NAME_PINNED) && next <= addresses.count;
        ensure(fits, DEFECT_NAME_ADDRESSES, field(NAME_COUNT))?;
        ensure(kind <= NAME_AT_START, DEFECT_NAME_KIND, field(NAME_KIND))?;
        ensure(view.u32(field(NAME_RESERVED))? == 0, DEFECT_RESERVED, field(NAME_RESERVED))?;
    }
    ensure(next == addresses.count, DEFECT_NAME_ADDRESSES, addresses.at(next, ADDRESS_BYTES))
}

/// The addresses of each name are canonical and ascend.
pub(super) fn check_addresses(view: View<'_>) -> Result<(), Defect> {
    let names = view.section(SECTION_NAMES)?;
    let addresses = view.section(SECTION_ADDRESSES)?;
    for index in 0..names.count {
        let name = names.at(index, NAME_BYTES);
        let first = view.u32(name + u64::from(NAME_FIRST))?;
        let count = view.u32(name + u64::from(NAME_COUNT))?;
        let mut before = None;
        for index in first..first.saturating_add(count) {
            let offset = addresses.at(u64::from(index), ADDRESS_BYTES);
            let address = view.address(offset)?;
            let ascends = before.is_none_or(|before| address > before);
            ensure(ascends && !is_unspecified(address), DEFECT_ADDRESS, offset)?;
            before = Some(address);
        }
    }
    Ok(())
}

/// The section of strings is UTF-8; reports the start of the first sequence that is not.
pub(super) fn check_strings(view: View<'_>) -> Result<(), Defect> {
    let strings = view.section(SECTION_STRINGS)?;
    let bytes = view.range(strings.offset, strings.offset + strings.bytes)?;
    std::str::from_utf8(bytes)
        .map(|_| ())
        .map_err(|error| Defect { code: DEFECT_UTF8, offset: strings.offset + error.valid_up_to() as u64 })
}
