//! What a table says of names (docs/format.md §6–8): the names of the rules, what each opens, which other
//! names may have addresses of the inside. Read once, when the sandbox starts, into values of its own;
//! nothing here is on the way of a call.

use std::net::{IpAddr, Ipv6Addr};

use super::bytes::View;
use super::covering::{denies, ranges, text};
use super::format_gen::{
    ACTION_ALLOW, ADDRESS_BYTES, NAME_BYTES, NAME_COUNT, NAME_FIRST, NAME_KIND, NAME_PINNED, NAME_TEXT,
    NAME_WILDCARD, PRIVATE_BELOW, PRIVATE_NAME_BYTES, PRIVATE_NAME_KIND, PRIVATE_NAME_TEXT, PROTOCOL_ICMP,
    PROTOCOL_TCP, PROTOCOL_UDP, RULE_ACTION, RULE_BYTES, RULE_INDEX, RULE_PORT_SET, RULE_PROTOCOL,
    RULE_TARGET, SECTION_ADDRESSES, SECTION_NAMES, SECTION_PRIVATE_NAMES, SECTION_RULES, TARGET_NAME,
};
use super::{Defect, Protocol};

/// How a name stands for addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// It stands for these.
    Pinned(Vec<IpAddr>),
    /// It is asked for while the command runs.
    Live,
    /// So is every name below it.
    Wildcard,
}

/// Ports of one protocol, `low..=high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// A protocol of destinations.
    pub protocol: Protocol,
    /// First port.
    pub low: u16,
    /// Last port.
    pub high: u16,
}

/// A name of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Lower case, without final dot; of a wildcard what follows `*.`.
    pub text: Box<str>,
    /// What it stands for.
    pub kind: NameKind,
    /// What the allow rules that name it open.
    pub opens: Vec<Ports>,
}

/// A name, or every name below it, that may have addresses of the inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateName {
    /// Lower case, without final dot.
    pub text: Box<str>,
    /// Every name below, and not the name itself.
    pub is_below: bool,
}

/// The names, in the order of the table.
pub(super) fn names(bytes: &[u8]) -> Result<Vec<Name>, Defect> {
    let view = View(bytes);
    let section = view.section(SECTION_NAMES)?;
    let mut names = Vec::new();
    for index in 0..section.count {
        let field = |offset: u32| section.at(index, NAME_BYTES) + u64::from(offset);
        let kind = match view.u32(field(NAME_KIND))? {
            NAME_PINNED => {
                let first = u64::from(view.u32(field(NAME_FIRST))?);
                let count = u64::from(view.u32(field(NAME_COUNT))?);
                let addresses = view.section(SECTION_ADDRESSES)?;
                let address = |index| {
                    let bits = view.address(addresses.at(index, ADDRESS_BYTES))?;
                    Ok(IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical())
                };
                NameKind::Pinned((first..first + count).map(address).collect::<Result<_, _>>()?)
            }
            NAME_WILDCARD => NameKind::Wildcard,
            _ => NameKind::Live,
        };
        names.push(Name { text: text(view, field(NAME_TEXT))?, kind, opens: vec![] });
    }
    if names.is_empty() {
        return Ok(names);
    }
    let rules = view.section(SECTION_RULES)?;
    for index in 0..rules.count {
        let field = |offset: u32| rules.at(index, RULE_BYTES) + u64::from(offset);
        let names_one = view.u8(field(RULE_TARGET))? == TARGET_NAME;
        if !names_one || view.u8(field(RULE_ACTION))? != ACTION_ALLOW {
            continue;
        }
        let Some(protocol) = destination(view.u8(field(RULE_PROTOCOL))?) else { continue };
        let number = usize::try_from(view.u32(field(RULE_INDEX))?).unwrap_or(usize::MAX);
        let Some(name) = names.get_mut(number) else { continue };
        let ranges = ranges(view, view.u32(field(RULE_PORT_SET))?)?;
        name.opens.extend(ranges.into_iter().map(|(low, high)| Ports { protocol, low, high }));
    }
    Ok(names)
}

/// The names that may have addresses of the inside.
pub(super) fn private_names(bytes: &[u8]) -> Result<Vec<PrivateName>, Defect> {
    let view = View(bytes);
    let section = view.section(SECTION_PRIVATE_NAMES)?;
    (0..section.count)
        .map(|index| {
            let field = |offset: u32| section.at(index, PRIVATE_NAME_BYTES) + u64::from(offset);
            Ok(PrivateName {
                text: text(view, field(PRIVATE_NAME_TEXT))?,
                is_below: view.u32(field(PRIVATE_NAME_KIND))? == PRIVATE_BELOW,
            })
        })
        .collect()
}

/// Whether some allow rule of the protocol, not one on a name, has ports that are meant.
pub(super) fn opens_port(
    bytes: &[u8],
    protocol: Protocol,
    is_meant: impl Fn((u16, u16)) -> bool,
) -> Result<bool, Defect> {
    let view = View(bytes);
    let rules = view.section(SECTION_RULES)?;
    for index in 0..rules.count {
        let field = |offset: u32| rules.at(index, RULE_BYTES) + u64::from(offset);
        if destination(view.u8(field(RULE_PROTOCOL))?) != Some(protocol)
            || view.u8(field(RULE_ACTION))? != ACTION_ALLOW
            || view.u8(field(RULE_TARGET))? == TARGET_NAME
        {
            continue;
        }
        if ranges(view, view.u32(field(RULE_PORT_SET))?)?.into_iter().any(&is_meant) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is left of `opens` at `address` (canonical) once the deny rules that cover it are taken away.
pub(super) fn without_denied(bytes: &[u8], opens: &[Ports], address: IpAddr) -> Result<Vec<Ports>, Defect> {
    let view = View(bytes);
    let rules = view.section(SECTION_RULES)?;
    let mut left = opens.to_vec();
    for index in 0..rules.count {
        let rule = rules.at(index, RULE_BYTES);
        if view.u8(rule + u64::from(RULE_ACTION))? == ACTION_ALLOW {
            continue;
        }
        let Some(protocol) = destination(view.u8(rule + u64::from(RULE_PROTOCOL))?) else { continue };
        if !left.iter().any(|ports| ports.protocol == protocol) || !denies(view, bytes, rule, address)? {
            continue;
        }
        for (low, high) in ranges(view, view.u32(rule + u64::from(RULE_PORT_SET))?)? {
            left = left.into_iter().flat_map(|ports| ports.without(protocol, low, high)).collect();
        }
    }
    Ok(left)
}

impl Ports {
    /// What is left of it without `low..=high` of `protocol`.
    fn without(self, protocol: Protocol, low: u16, high: u16) -> impl Iterator<Item = Self> {
        let apart = self.protocol != protocol || high < self.low || low > self.high;
        let below = low.checked_sub(1).filter(|last| !apart && *last >= self.low);
        let above = high.checked_add(1).filter(|first| !apart && *first <= self.high);
        let parts = [
            apart.then_some(self),
            below.map(|high| Self { high, ..self }),
            above.map(|low| Self { low, ..self }),
        ];
        parts.into_iter().flatten()
    }
}

/// The protocol, if its addresses are destinations.
fn destination(number: u32) -> Option<Protocol> {
    match number {
        PROTOCOL_TCP => Some(Protocol::Tcp),
        PROTOCOL_UDP => Some(Protocol::Udp),
        PROTOCOL_ICMP => Some(Protocol::Icmp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    const MIXED: &[u8] = include_bytes!("../../../test/vectors/mixed.bin");

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn ports(protocol: Protocol, low: u16, high: u16) -> Ports {
        Ports { protocol, low, high }
    }

    #[test]
    fn names_are_read_with_what_they_open() {
        let table = Table::open(MIXED).unwrap();
        let [db, api, wild] = <[Name; 3]>::try_from(table.names()).unwrap();
        assert_eq!(&*db.text, "db.example");
        assert_eq!(db.opens, [ports(Protocol::Tcp, 5432, 5432)]);
        assert_eq!(db.kind, NameKind::Pinned(vec![ip("192.0.2.8"), ip("192.0.2.9"), ip("2001:db8::9")]));
        assert_eq!((&*api.text, api.kind), ("api.example", NameKind::Live));
        assert_eq!((&*wild.text, wild.kind), ("example", NameKind::Wildcard));
        assert_eq!(wild.opens, [ports(Protocol::Udp, 443, 443)]);
        let private = |text: &str, is_below| PrivateName { text: text.into(), is_below };
        assert_eq!(table.private_names(), [private("db.example", false), private("internal.example", true)]);
        assert!(table.speaks_of_port(53, Protocol::Udp) && !table.speaks_of_port(53, Protocol::Tcp));
        assert!(table.opens_port(53, Protocol::Udp) && !table.opens_port(54, Protocol::Udp));
        assert!(table.opens_port(8005, Protocol::Tcp) && !table.speaks_of_port(8005, Protocol::Tcp));
        assert!(!table.opens_port(5432, Protocol::Tcp)); // a name's alone
    }

    #[test]
    fn deny_rules_are_taken_from_what_a_name_opens() {
        let table = Table::open(MIXED).unwrap();
        let opens = [ports(Protocol::Tcp, 1, 443), ports(Protocol::Udp, 50, 60)];
        let left = |address| table.without_denied(&opens, ip(address));
        assert_eq!(left("192.0.2.1"), opens);
        assert_eq!(left("10.1.2.3"), opens[1..]);
        assert_eq!(left("2002:a01:203::1"), opens[1..]); // carries 10.1.2.3
        assert_eq!(left("64:ff9b::a01:203"), opens[1..]);
        let [tcp, _] = opens;
        assert_eq!(left("1.1.1.1"), [tcp, ports(Protocol::Udp, 50, 52), ports(Protocol::Udp, 54, 60)]);
    }

    #[test]
    fn deny_rules_on_sets_are_taken_away_wherever_the_table_tells_who_is_in_them() {
        let table = Table::open(include_bytes!("../../../test/vectors/sets.bin").as_slice()).unwrap();
        let opens =
            [Protocol::Tcp, Protocol::Udp, Protocol::Icmp].map(|protocol| ports(protocol, 0, u16::MAX));
        let left = |address| table.without_denied(&opens, ip(address));
        let [tcp, udp, icmp] = opens;
        let around =
            |protocol, port: u16| [ports(protocol, 0, port - 1), ports(protocol, port + 1, u16::MAX)];
        assert_eq!(left("192.0.2.63"), opens); // in a and b alone, which are allowed
        assert_eq!(left("192.0.2.64"), [&around(Protocol::Tcp, 443)[..], &[udp, icmp]].concat()); // in a, b and c
        assert_eq!(left("203.0.113.255"), left("192.0.2.64")); // in c alone
        assert_eq!(left("64:ff9b::203.0.113.1"), left("192.0.2.64"));
        assert_eq!(left("1.1.1.1"), [&[tcp][..], &around(Protocol::Udp, 53), &[icmp]].concat());
        assert_eq!(left("2606:4700::1"), left("1.1.1.1"));
        assert_eq!(left("10.1.2.3"), [tcp, udp]); // in e, which has a trie of its own
        assert_eq!(left("2001:db8:e::"), [tcp, udp]);
        assert_eq!(left("10.2.0.0"), opens);
    }
}
