//! The rules of a table by the prefixes that they are on, so that whoever tells of decisions reads few of many
//! rules for each. An order of rules, four bytes a rule; a question searches it once for each length of prefix
//! that rules of its protocol have, at most 33 times for IPv4 and 129 for IPv6.
//!
//! Must not: decide. A rule that is found may cover the address; `deciding.rs` looks at it.

use super::Defect;
use super::bytes::View;
use super::format_gen::{ACTION_ALLOW, RULE_BYTES, SECTION_RULES, TARGET_IPV4, TARGET_IPV6};

type Cell = [u8; RULE_BYTES as usize];

/// What rules are ordered by: protocol, kind of target and length of the prefix, as in their cells; then its bits.
type Place = ([u8; 3], u128);

/// See the file's header.
#[derive(Debug, Default)]
pub struct ByPrefix {
    /// Rules on a prefix, ordered by their places, those of one place by number.
    ordered: Vec<u32>,
    /// What places begin with, each once.
    kinds: Vec<[u8; 3]>,
    /// The other rules, in order.
    others: Vec<u32>,
    /// Protocols that some allow rule is about.
    allowed: Vec<u8>,
}

impl ByPrefix {
    pub(super) fn new(view: View<'_>) -> Result<Self, Defect> {
        let cells = cells(view)?;
        let mut by = Self::default();
        for (cell, number) in cells.iter().zip(0..) {
            let [action, protocol, ..] = *cell;
            if u32::from(action) == ACTION_ALLOW && !by.allowed.contains(&protocol) {
                by.allowed.push(protocol);
            }
            let rules = if place(cell).is_some() { &mut by.ordered } else { &mut by.others };
            rules.push(number);
        }
        by.ordered.sort_by_key(|number| place_of(cells, *number));
        by.kinds.extend(by.ordered.iter().filter_map(|number| Some(place_of(cells, *number)?.0)));
        by.kinds.dedup();
        Ok(by)
    }

    /// Whether some allow rule is about the protocol.
    pub(super) fn allows(&self, protocol: u8) -> bool {
        self.allowed.contains(&protocol)
    }

    /// The rules of the protocol that may cover one of these addresses, as rules hold them: those on prefixes in
    /// which one lies, and all that are on none. In order.
    pub(super) fn candidates(
        &self,
        view: View<'_>,
        protocol: u8,
        addresses: [u128; 2],
    ) -> Result<Vec<u32>, Defect> {
        let cells = cells(view)?;
        let is_about = |number: &u32| cell(cells, *number).is_some_and(|[_, about, ..]| *about == protocol);
        let mut found: Vec<u32> = self.others.iter().copied().filter(is_about).collect();
        for kind in self.kinds.iter().filter(|[about, ..]| *about == protocol) {
            for address in addresses {
                let wanted = Some((*kind, masked(address, *kind)));
                let first = self.ordered.partition_point(|number| place_of(cells, *number) < wanted);
                let rest = self.ordered.get(first..).unwrap_or_default();
                found.extend(rest.iter().take_while(|number| place_of(cells, **number) == wanted));
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// All rules of the protocol, in order.
    pub(super) fn all(view: View<'_>, protocol: u8) -> Result<Vec<u32>, Defect> {
        let numbered = cells(view)?.iter().zip(0..);
        Ok(numbered.filter(|([_, about, ..], _)| *about == protocol).map(|(_, number)| number).collect())
    }
}

fn cells(view: View<'_>) -> Result<&[Cell], Defect> {
    let section = view.section(SECTION_RULES)?;
    Ok(view.range(section.offset, section.offset + section.bytes)?.as_chunks().0)
}

fn cell(cells: &[Cell], number: u32) -> Option<&Cell> {
    cells.get(usize::try_from(number).ok()?)
}

fn place_of(cells: &[Cell], number: u32) -> Option<Place> {
    cell(cells, number).and_then(place)
}

/// `None`: the rule is on no prefix.
fn place(cell: &Cell) -> Option<Place> {
    let [_, protocol, target, bits, ..] = *cell;
    let kind = [protocol, target, bits];
    let is_prefix = matches!(u32::from(target), TARGET_IPV4 | TARGET_IPV6);
    let prefix = cell.last_chunk().copied().map(u128::from_be_bytes)?;
    is_prefix.then(|| (kind, masked(prefix, kind)))
}

/// The leading bits of an address that a prefix of this kind has. That of an IPv4 prefix are behind the 96 of
/// the form in which rules hold it.
fn masked(address: u128, [_, target, bits]: [u8; 3]) -> u128 {
    let leading = if u32::from(target) == TARGET_IPV4 { 96 + u32::from(bits) } else { u32::from(bits) };
    address & !u128::MAX.checked_shr(leading).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};
    use std::path::Path;

    use super::super::Protocol;
    use super::super::covering::{covers, denies};
    use super::super::deciding::forms;
    use super::super::format_gen::RULE_ADDRESS;
    use super::*;

    const PROTOCOLS: [Protocol; 5] =
        [Protocol::Tcp, Protocol::Udp, Protocol::Icmp, Protocol::TcpBind, Protocol::UdpBind];

    /// The first address of each prefix of the table, its neighbours and IPv6 addresses that carry it.
    fn addresses(view: View<'_>) -> Vec<IpAddr> {
        let of_rules = cells(view).unwrap().iter().map(|cell| {
            let at = usize::try_from(RULE_ADDRESS).unwrap();
            u128::from_be_bytes(cell[at..at + 16].try_into().unwrap())
        });
        let near = of_rules.flat_map(|bits| {
            let carried = (0x0064_ff9b << 96) | (bits & 0xffff_ffff);
            [bits, bits.wrapping_add(1), bits.wrapping_sub(1), bits ^ 1 << 64, carried]
        });
        near.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()).collect()
    }

    #[test]
    fn every_rule_that_covers_an_address_is_found() {
        let mut found_few = 0;
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/vectors");
        for entry in std::fs::read_dir(vectors).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "bin") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let view = View(&bytes);
            let by = ByPrefix::new(view).unwrap();
            let rules = view.section(SECTION_RULES).unwrap();
            for (address, protocol) in addresses(view).into_iter().zip(PROTOCOLS.into_iter().cycle()) {
                let all = ByPrefix::all(view, protocol as u8).unwrap();
                let found = by.candidates(view, protocol as u8, forms(address)).unwrap();
                assert!(found.is_sorted() && found.iter().all(|number| all.contains(number)), "{path:?}");
                found_few += usize::from(found.len() < all.len());
                for number in all.into_iter().filter(|number| !found.contains(number)) {
                    let rule = rules.at(number.into(), RULE_BYTES);
                    assert_eq!(covers(view, &bytes, rule, address), Ok(false), "{path:?} {address} {number}");
                    assert_eq!(denies(view, &bytes, rule, address), Ok(false), "{path:?} {address} {number}");
                }
            }
        }
        assert!(found_few > 100);
    }

    #[test]
    fn the_leading_bits_of_an_address_are_those_of_its_family() {
        let ipv4 = |text: &str| text.parse::<std::net::Ipv4Addr>().unwrap().to_ipv6_mapped().to_bits();
        let (four, six) = (u8::try_from(TARGET_IPV4).unwrap(), u8::try_from(TARGET_IPV6).unwrap());
        assert_eq!(masked(ipv4("10.1.2.3"), [0, four, 8]), ipv4("10.0.0.0"));
        assert_eq!(masked(ipv4("10.1.2.3"), [0, four, 32]), ipv4("10.1.2.3"));
        assert_eq!(masked(ipv4("10.1.2.3"), [0, four, 0]), ipv4("0.0.0.0"));
        assert_eq!(masked(u128::MAX, [0, six, 0]), 0);
        assert_eq!(masked(u128::MAX, [0, six, 1]), 1 << 127);
        assert_eq!(masked(u128::MAX, [0, six, 128]), u128::MAX);
    }
}
