//! What a rule of a table covers, as written (docs/format.md §6, §7), and the texts and ports that cells refer
//! to. Read from the rules, not from the tries that decide; nothing here is on the way of a call.

use std::net::{IpAddr, Ipv6Addr};

use super::Defect;
use super::bytes::{Section, View};
use super::format_gen::{
    ADDRESS_BYTES, ADDRESS_SET_COUNT, ADDRESS_SET_FAMILY_BYTES, ADDRESS_SET_FIRST, ADDRESS_SET_TRIE,
    MEMBER_BYTES, NAME_BYTES, NAME_COUNT, NAME_FIRST, PORT_RANGE_BYTES, PORT_SET_BYTES, RULE_ADDRESS,
    RULE_INDEX, RULE_PREFIX_BITS, RULE_TARGET, SECTION_ADDRESSES, SECTION_MEMBERS, SECTION_NAMES,
    SECTION_PORT_RANGES, SECTION_PORT_SETS, SECTION_SETS, SECTION_STRINGS, SECTION_TRIES, TARGET_ANY,
    TARGET_IPV4, TARGET_IPV6, TARGET_NAME, TARGET_SET, TRIE_BYTES,
};
use super::key::Key;
use super::lookup::Trie;

/// Whether the deny rule covers the address, in itself or by the IPv4 address that it carries (docs/format.md §6).
pub(super) fn denies(view: View<'_>, bytes: &[u8], rule: u64, address: IpAddr) -> Result<bool, Defect> {
    let carried = match address {
        IpAddr::V6(address) => carried_ipv4(address),
        IpAddr::V4(_) => None,
    };
    for address in [Some(address), carried.map(IpAddr::V4)].into_iter().flatten() {
        if covers(view, bytes, rule, address)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The IPv4 address in a NAT64 (RFC 6052) or 6to4 (RFC 3056) address.
pub(super) fn carried_ipv4(address: Ipv6Addr) -> Option<std::net::Ipv4Addr> {
    let bits = address.to_bits();
    let low = |bits: u128| u32::try_from(bits & 0xffff_ffff).ok().map(std::net::Ipv4Addr::from_bits);
    if bits >> 32 == 0x0064_ff9b << 64 {
        return low(bits);
    }
    if bits >> 112 == 0x2002 { low(bits >> 80) } else { None }
}

/// Whether the rule covers the address (canonical), whatever its ports.
pub(super) fn covers(view: View<'_>, bytes: &[u8], rule: u64, address: IpAddr) -> Result<bool, Defect> {
    let bits = view.u8(rule + u64::from(RULE_PREFIX_BITS))?;
    let prefix = view.address(rule + u64::from(RULE_ADDRESS))?;
    let starts_so = |address: u128, bits: u32| (address ^ prefix).checked_shr(128 - bits).unwrap_or(0) == 0;
    Ok(match (view.u8(rule + u64::from(RULE_TARGET))?, address) {
        (TARGET_ANY, _) => true,
        (TARGET_IPV4, IpAddr::V4(address)) => starts_so(address.to_ipv6_mapped().to_bits(), 96 + bits),
        (TARGET_IPV6, IpAddr::V6(address)) => starts_so(address.to_bits(), bits),
        (TARGET_SET, address) => {
            let set = u64::from(view.u32(rule + u64::from(RULE_INDEX))?);
            is_member(view, bytes, set, address)?
        }
        (TARGET_NAME, address) => is_pinned(view, view.u32(rule + u64::from(RULE_INDEX))?, address)?,
        _ => false,
    })
}

/// Whether the set has the port set that its trie has at the address.
fn is_member(view: View<'_>, bytes: &[u8], set: u64, address: IpAddr) -> Result<bool, Defect> {
    let half =
        view.section(SECTION_SETS)?.at(2 * set + u64::from(address.is_ipv6()), ADDRESS_SET_FAMILY_BYTES);
    let field = |offset: u32| view.u32(half + u64::from(offset)).map(u64::from);
    let trie = view.section(SECTION_TRIES)?.at(field(ADDRESS_SET_TRIE)?, TRIE_BYTES);
    let found = Trie::read(view, trie)?.find(bytes, Key::of(address)).map(u32::from);
    let members = view.section(SECTION_MEMBERS)?;
    let first = field(ADDRESS_SET_FIRST)?;
    for index in first..first + field(ADDRESS_SET_COUNT)? {
        if Some(view.u16(members.at(index, MEMBER_BYTES))?) == found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_pinned(view: View<'_>, name: u32, address: IpAddr) -> Result<bool, Defect> {
    let name = view.section(SECTION_NAMES)?.at(u64::from(name), NAME_BYTES);
    let first = u64::from(view.u32(name + u64::from(NAME_FIRST))?);
    let count = u64::from(view.u32(name + u64::from(NAME_COUNT))?);
    let addresses = view.section(SECTION_ADDRESSES)?;
    for index in first..first + count {
        let bits = view.address(addresses.at(index, ADDRESS_BYTES))?;
        if IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical() == address {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The ranges of a port set.
pub(super) fn ranges(view: View<'_>, set: u32) -> Result<Vec<(u16, u16)>, Defect> {
    let sets = view.section(SECTION_PORT_SETS)?;
    let cells: Section = view.section(SECTION_PORT_RANGES)?;
    let first = view.u32(sets.at(u64::from(set), PORT_SET_BYTES))?;
    let end = view.u32(sets.at(u64::from(set) + 1, PORT_SET_BYTES))?;
    let port = |offset| view.u16(offset).map(|port| u16::try_from(port).unwrap_or(0));
    (first..end)
        .map(|index| {
            let range = cells.at(u64::from(index), PORT_RANGE_BYTES);
            Ok((port(range)?, port(range + 2)?))
        })
        .collect()
}

/// The text whose place in the section of strings stands at `field`: its offset and, behind that, its length.
pub(super) fn text(view: View<'_>, field: u64) -> Result<Box<str>, Defect> {
    let strings = view.section(SECTION_STRINGS)?.offset;
    let from = strings + u64::from(view.u32(field)?);
    let bytes = view.range(from, from + u64::from(view.u32(field + 4)?))?;
    // A verified table holds UTF-8; what is not would be no host name either.
    Ok(String::from_utf8_lossy(bytes).into_owned().into_boxed_str())
}

/// Whether the rule, which names no host, covers some address of a family.
pub(super) fn has_family(view: View<'_>, rule: u64, is_ipv6: bool) -> Result<bool, Defect> {
    Ok(match view.u8(rule + u64::from(RULE_TARGET))? {
        TARGET_IPV4 => !is_ipv6,
        TARGET_IPV6 => is_ipv6,
        TARGET_SET => {
            let set = u64::from(view.u32(rule + u64::from(RULE_INDEX))?);
            let half = view.section(SECTION_SETS)?.at(2 * set + u64::from(is_ipv6), ADDRESS_SET_FAMILY_BYTES);
            view.u32(half + u64::from(ADDRESS_SET_COUNT))? > 0
        }
        _ => true,
    })
}
