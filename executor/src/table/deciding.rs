//! Why a table decides as it does (docs/format.md §7): the first rule that is enough for the verdict, or how
//! near the allow rules come where none is. Asked when something is told; a question reads the rules of its
//! protocol once. The words are for whoever tells.

use std::net::IpAddr;

use super::bytes::View;
use super::covering::{covers, denies, has_family, ranges, text};
use super::format_gen::{
    ACTION_ALLOW, RULE_BYTES, RULE_COLUMN, RULE_LINE, RULE_PORT_SET, RULE_SOURCE, RULE_TEXT, SECTION_RULES,
    SECTION_UNIX_RULES, UNIX_ABSTRACT, UNIX_DIRECTORY, UNIX_RULE_BYTES, UNIX_RULE_KIND, UNIX_RULE_LINE,
    UNIX_RULE_TEXT,
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
    /// 1-based; 0: not told.
    pub column: u32,
}

/// What the verdict on an address, canonical for the protocol, comes from.
pub(super) fn decided(
    bytes: &[u8],
    verdict: Verdict,
    protocol: Protocol,
    address: IpAddr,
    port: u16,
) -> Result<Decided, Defect> {
    let view = View(bytes);
    let section = view.section(SECTION_RULES)?;
    let (cells, _) =
        view.range(section.offset, section.offset + section.bytes)?.as_chunks::<{ RULE_BYTES as usize }>();
    let has_port = |rule: u64| {
        let ranges = ranges(view, view.u32(rule + u64::from(RULE_PORT_SET))?)?;
        Ok(ranges.into_iter().any(|(low, high)| (low..=high).contains(&port)))
    };
    let mut nearest = Decided::NoRule;
    for (&[action, about, ..], index) in cells.iter().zip(0..) {
        if about != protocol as u8 {
            continue;
        }
        let rule = section.at(index, RULE_BYTES);
        let is_enough = match (verdict, u32::from(action) == ACTION_ALLOW) {
            (Verdict::Allow, true) => covers(view, bytes, rule, address)? && has_port(rule)?,
            (Verdict::Allow, false) => false,
            (Verdict::Deny, true) => {
                if nearest != Decided::OtherPort {
                    let is_covered = covers(view, bytes, rule, address)?;
                    nearest = if is_covered { Decided::OtherPort } else { Decided::OtherAddress };
                }
                false
            }
            (Verdict::Deny, false) => refuses(view, bytes, rule, protocol, address)? && has_port(rule)?,
        };
        if is_enough {
            return Ok(Decided::By(written(view, rule)?));
        }
    }
    Ok(nearest)
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

fn written(view: View<'_>, rule: u64) -> Result<Written, Defect> {
    Ok(Written {
        text: text(view, rule + u64::from(RULE_TEXT))?,
        source: text(view, rule + u64::from(RULE_SOURCE))?,
        line: view.u32(rule + u64::from(RULE_LINE))?,
        column: view.u32(rule + u64::from(RULE_COLUMN))?,
    })
}

/// What decides on a UNIX socket outside, by its path or its abstract name.
pub(super) fn decided_unix(bytes: &[u8], name: &str, is_abstract: bool) -> Result<Decided, Defect> {
    let view = View(bytes);
    let section = view.section(SECTION_UNIX_RULES)?;
    for index in 0..section.count {
        let rule = section.at(index, UNIX_RULE_BYTES);
        let own = text(view, rule + u64::from(UNIX_RULE_TEXT))?;
        let (is_covered, text) = match view.u32(rule + u64::from(UNIX_RULE_KIND))? {
            UNIX_ABSTRACT => (is_abstract && *own == *name, format!("@{own}")),
            UNIX_DIRECTORY => {
                let folder = if &*own == "/" { own.into() } else { format!("{own}/") };
                (!is_abstract && name.starts_with(&folder), folder)
            }
            _ => (!is_abstract && *own == *name, own.into()),
        };
        if is_covered {
            let (text, line) = (text.into(), view.u32(rule + u64::from(UNIX_RULE_LINE))?);
            return Ok(Decided::By(Written { text, source: file(view)?, line, column: 0 }));
        }
    }
    Ok(if section.count == 0 { Decided::NoRule } else { Decided::OtherAddress })
}

/// The table keeps the lines of UNIX rules; the file is that of its other rules.
fn file(view: View<'_>) -> Result<Box<str>, Defect> {
    let section = view.section(SECTION_RULES)?;
    for index in 0..section.count {
        let rule = section.at(index, RULE_BYTES);
        if view.u32(rule + u64::from(RULE_LINE))? > 0 {
            return text(view, rule + u64::from(RULE_SOURCE));
        }
    }
    Ok("allow_unix".into())
}
