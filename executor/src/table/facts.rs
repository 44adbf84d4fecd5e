//! What a table says apart from its rules on addresses (docs/format.md §8): families of sockets, flags, and
//! the UNIX sockets outside that may be reached. What follows from it for a call is decided elsewhere.

use super::Defect;
use super::bytes::View;
use super::format_gen::{
    FACTS_FAMILIES, FACTS_FLAGS, FACTS_MAX_AGE, FLAG_ALLOW_USERNS, NAME_AT_START, NAME_BYTES, NAME_KIND,
    ORIGIN_TEXT, ORIGIN_TEXT_BYTES, SECTION_FACTS, SECTION_NAMES, SECTION_STRINGS, SECTION_UNIX_RULES,
    UNIX_ABSTRACT, UNIX_DIRECTORY, UNIX_PATH, UNIX_RULE_BYTES, UNIX_RULE_KIND, UNIX_RULE_ORIGIN,
};
use super::lookup::place;

/// A UNIX socket outside that may be reached; 1 to 107 bytes without NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnixRule<'a> {
    /// The socket at an absolute path.
    Path(&'a [u8]),
    /// Every socket below a directory, at any depth: an absolute path without final slash, but for `/` itself.
    Directory(&'a [u8]),
    /// The socket of an abstract name, without the NUL before it.
    Abstract(&'a [u8]),
}

/// What is kept of the sections, read once; offsets in bytes from the start of the file.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) families: u32,
    pub(super) allows_user_namespaces: bool,
    pub(super) has_unpinned_names: bool,
    unix_rules: usize,
    unix_rules_end: usize,
    strings: usize,
}

impl Facts {
    /// Reads the facts of a table that `verify` has accepted.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Defect> {
        let view = View(bytes);
        let facts = view.section(SECTION_FACTS)?.offset;
        let unix_rules = view.section(SECTION_UNIX_RULES)?;
        Ok(Self {
            families: view.u32(facts + u64::from(FACTS_FAMILIES))?,
            allows_user_namespaces: view.u32(facts + u64::from(FACTS_FLAGS))? & FLAG_ALLOW_USERNS != 0,
            has_unpinned_names: has_unpinned_names(view)?,
            unix_rules: place(unix_rules.offset)?,
            unix_rules_end: place(unix_rules.offset + unix_rules.bytes)?,
            strings: place(view.section(SECTION_STRINGS)?.offset)?,
        })
    }

    /// The rules; one that lies outside, which a verified table never has, is left out.
    pub(super) fn unix_rules<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = UnixRule<'a>> + use<'a> {
        let cells = bytes.get(self.unix_rules..self.unix_rules_end).unwrap_or_default();
        let strings = bytes.get(self.strings..).unwrap_or_default();
        let (cells, _) = cells.as_chunks::<{ UNIX_RULE_BYTES as usize }>();
        cells.iter().filter_map(|cell| read_rule(cell, strings))
    }
}

/// Whether a name still has to be asked for and pinned before a command may start.
fn has_unpinned_names(view: View<'_>) -> Result<bool, Defect> {
    let names = view.section(SECTION_NAMES)?;
    for index in 0..names.count {
        let kind = names.at(index, NAME_BYTES) + u64::from(NAME_KIND);
        if view.u32(kind)? == NAME_AT_START {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether somebody who knows resolvers has to look at the names before these bytes are run: to ask for some,
/// or to say how old their addresses are. Nothing has been verified: `false` where the bytes make no sense.
pub fn names_are_to_be_seen_to(bytes: &[u8]) -> bool {
    let view = View(bytes);
    let ages = || view.u32(view.section(SECTION_FACTS)?.offset + u64::from(FACTS_MAX_AGE));
    let has_names = view.section(SECTION_NAMES).is_ok_and(|names| names.count > 0);
    has_names && (has_unpinned_names(view).unwrap_or(false) || ages().unwrap_or(0) > 0)
}

fn read_rule<'a>(cell: &[u8; UNIX_RULE_BYTES as usize], strings: &'a [u8]) -> Option<UnixRule<'a>> {
    let field = |offset: u32| View(cell).u32(offset.into()).ok();
    let from = u64::from(field(UNIX_RULE_ORIGIN + ORIGIN_TEXT)?);
    let length = u64::from(field(UNIX_RULE_ORIGIN + ORIGIN_TEXT_BYTES)?);
    let text = View(strings).range(from, from + length).ok()?;
    match field(UNIX_RULE_KIND)? {
        UNIX_PATH => Some(UnixRule::Path(text)),
        UNIX_DIRECTORY => Some(UnixRule::Directory(text)),
        UNIX_ABSTRACT => Some(UnixRule::Abstract(text)),
        _ => None,
    }
}
