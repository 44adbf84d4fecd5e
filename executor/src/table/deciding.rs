//! Why a table decides as it does (docs/format.md §7): the first rule that is enough for the verdict, or how
//! near the allow rules come where none is. Asked when something is told; a question reads the rules that may
//! cover its address (`by_prefix.rs`). The words are for whoever tells.

use std::net::IpAddr;

use super::by_prefix::ByPrefix;
use super::bytes::View;
use super::covering::{carried_ipv4, covers, denies, has_family, ranges, text};
use super::format_gen::{
    ACTION_ALLOW, NAME_BYTES, NAME_KIND, NAME_TEXT, NAME_WILDCARD, ORIGIN_COLUMN, ORIGIN_LINE, ORIGIN_SOURCE,
    ORIGIN_TEXT, RULE_ACTION, RULE_BYTES, RULE_INDEX, RULE_ORIGIN, RULE_PORT_SET, RULE_PROTOCOL, RULE_TARGET,
    SECTION_NAMES, SECTION_RULES, SECTION_UNIX_RULES, TARGET_NAME, UNIX_ABSTRACT, UNIX_DIRECTORY,
    UNIX_RULE_BYTES, UNIX_RULE_KIND, UNIX_RULE_ORIGIN,
};
use super::{Defect, Protocol, Verdict};

/// What a verdict comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// The first of the rules that decide.
    By(Written),
    /// No allow rule is about the protocol, or about UNIX sockets.
    NoRule,
    /// None of them covers the address, or the UNIX socket.
    OtherAddress,
    /// Those that cover the address have other ports.
    OtherPort,
}

/// A rule as it was written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The rule.
    pub text: Box<str>,
    /// File without directories, or the option that gave it.
    pub source: Box<str>,
    /// 1-based; 0: not from a file.
    pub line: u32,
    /// 1-based; 0: not from a file.
    pub column: u32,
}

/// What the verdict on an address, canonical for the protocol, comes from.
pub(super) fn decided(
    bytes: &[u8],
    by: &ByPrefix,
    verdict: Verdict,
    protocol: Protocol,
    address: IpAddr,
    port: u16,
) -> Result<Decided, Defect> {
    let view = View(bytes);
    let section = view.section(SECTION_RULES)?;
    // To bind every address is to bind each that a rule is on.
    let candidates = if address.is_unspecified() {
        ByPrefix::all(view, protocol as u8)
    } else {
        by.candidates(view, protocol as u8, forms(address))
    };
    let mut nearest = if by.allows(protocol as u8) { Decided::OtherAddress } else { Decided::NoRule };
    for number in candidates? {
        let rule = section.at(number.into(), RULE_BYTES);
        let is_allow = view.u8(rule + u64::from(RULE_ACTION))? == ACTION_ALLOW;
        let is_enough = match (verdict, is_allow) {
            (Verdict::Allow, true) => covers(view, bytes, rule, address)? && has_port(view, rule, port)?,
            (Verdict::Allow, false) => false,
            (Verdict::Deny, true) => {
                if nearest != Decided::OtherPort && covers(view, bytes, rule, address)? {
                    nearest = Decided::OtherPort;
                }
                false
            }
            (Verdict::Deny, false) => {
                refuses(view, bytes, rule, protocol, address)? && has_port(view, rule, port)?
            }
        };
        if is_enough {
            return Ok(Decided::By(written(view, rule + u64::from(RULE_ORIGIN))?));
        }
    }
    Ok(nearest)
}

/// The address as rules hold it, and the IPv4 address that it carries, as deny rules see it.
pub(super) fn forms(address: IpAddr) -> [u128; 2] {
    let wide = |address: IpAddr| match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    };
    let carried = match address {
        IpAddr::V6(address) => carried_ipv4(address).map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    [wide(address), wide(carried.unwrap_or(address))]
}

/// The first allow rule that opens a port of a protocol at the addresses of a name that is asked for.
pub(super) fn opened_by_name(
    bytes: &[u8],
    protocol: Protocol,
    name: &str,
    port: u16,
) -> Result<Option<Written>, Defect> {
    let view = View(bytes);
    let (names, rules) = (view.section(SECTION_NAMES)?, view.section(SECTION_RULES)?);
    for number in 0..names.count {
        let cell = names.at(number, NAME_BYTES);
        let own = text(view, cell + u64::from(NAME_TEXT))?;
        let stands_for = if view.u32(cell + u64::from(NAME_KIND))? == NAME_WILDCARD {
            name.strip_suffix(&*own)
                .and_then(|above| above.strip_suffix('.'))
                .is_some_and(|above| !above.is_empty())
        } else {
            *own == *name
        };
        if !stands_for {
            continue;
        }
        for index in 0..rules.count {
            let rule = rules.at(index, RULE_BYTES);
            let field = |offset: u32| rule + u64::from(offset);
            if view.u8(field(RULE_TARGET))? == TARGET_NAME
                && u64::from(view.u32(field(RULE_INDEX))?) == number
                && view.u8(field(RULE_ACTION))? == ACTION_ALLOW
                && view.u8(field(RULE_PROTOCOL))? == protocol as u32
                && has_port(view, rule, port)?
            {
                return written(view, field(RULE_ORIGIN)).map(Some);
            }
        }
    }
    Ok(None)
}

/// Whether the ports of a rule have this one.
fn has_port(view: View<'_>, rule: u64, port: u16) -> Result<bool, Defect> {
    let ranges = ranges(view, view.u32(rule + u64::from(RULE_PORT_SET))?)?;
    Ok(ranges.into_iter().any(|(low, high)| (low..=high).contains(&port)))
}

/// Whether the deny rule covers the address. To bind every address is to bind one that is denied, too.
fn refuses(
    view: View<'_>,
    bytes: &[u8],
    rule: u64,
    protocol: Protocol,
    address: IpAddr,
) -> Result<bool, Defect> {
    if !protocol.is_bind() {
        return denies(view, bytes, rule, address);
    }
    if !address.is_unspecified() {
        return covers(view, bytes, rule, address);
    }
    Ok(has_family(view, rule, false)? || address.is_ipv6() && has_family(view, rule, true)?)
}

/// The origin of a rule or UNIX rule.
fn written(view: View<'_>, origin: u64) -> Result<Written, Defect> {
    Ok(Written {
        text: text(view, origin + u64::from(ORIGIN_TEXT))?,
        source: text(view, origin + u64::from(ORIGIN_SOURCE))?,
        line: view.u32(origin + u64::from(ORIGIN_LINE))?,
        column: view.u32(origin + u64::from(ORIGIN_COLUMN))?,
    })
}

/// What decides on a UNIX socket outside, by its path or its abstract name.
pub(super) fn decided_unix(bytes: &[u8], name: &str, is_abstract: bool) -> Result<Decided, Defect> {
    let view = View(bytes);
    let section = view.section(SECTION_UNIX_RULES)?;
    for index in 0..section.count {
        let rule = section.at(index, UNIX_RULE_BYTES);
        let origin = rule + u64::from(UNIX_RULE_ORIGIN);
        let own = text(view, origin + u64::from(ORIGIN_TEXT))?;
        let (is_covered, text) = match view.u32(rule + u64::from(UNIX_RULE_KIND))? {
            UNIX_ABSTRACT => (is_abstract && *own == *name, format!("@{own}")),
            UNIX_DIRECTORY => {
                let folder = if &*own == "/" { own.into() } else { format!("{own}/") };
                (!is_abstract && name.starts_with(&folder), folder)
            }
            _ => (!is_abstract && *own == *name, own.into()),
        };
        if is_covered {
            return Ok(Decided::By(Written { text: text.into(), ..written(view, origin)? }));
        }
    }
    Ok(if section.count == 0 { Decided::NoRule } else { Decided::OtherAddress })
}
