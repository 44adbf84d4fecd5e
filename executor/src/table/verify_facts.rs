//! Checks what a policy says apart from its rules on addresses: families of sockets, flags, UNIX sockets, how
//! names become addresses. Bits that this version does not know are refused: a policy is enforced whole or
//! not at all.

use super::Defect;
use super::bytes::{View, ensure};
use super::format_gen::{
    DEFECT_FAMILIES, DEFECT_FLAGS, DEFECT_PRIVATE_KIND, DEFECT_RESERVED, DEFECT_RESOLVE, DEFECT_TEXT,
    DEFECT_UNIX_KIND, DEFECT_UNIX_TEXT, FACTS_BYTES, FACTS_FAMILIES, FACTS_FLAGS, FACTS_RESERVED,
    FACTS_RESOLVE, FAMILIES_ALL, FLAGS_ALL, ORIGIN_TEXT, ORIGIN_TEXT_BYTES, PRIVATE_BELOW,
    PRIVATE_NAME_BYTES, PRIVATE_NAME_KIND, PRIVATE_NAME_TEXT, PRIVATE_NAME_TEXT_BYTES, RESOLVE_LIVE,
    SECTION_FACTS, SECTION_PRIVATE_NAMES, SECTION_STRINGS, SECTION_UNIX_RULES, UNIX_ABSTRACT, UNIX_DIRECTORY,
    UNIX_RULE_BYTES, UNIX_RULE_KIND, UNIX_RULE_ORIGIN, UNIX_TEXT_MAX,
};
use super::verify_rules::{check_origin, check_text};

pub(super) fn check_facts(view: View<'_>) -> Result<(), Defect> {
    let facts = view.section(SECTION_FACTS)?;
    let field = |offset: u32| facts.offset + u64::from(offset);
    let families = view.u32(field(FACTS_FAMILIES))?;
    ensure(families & !FAMILIES_ALL == 0, DEFECT_FAMILIES, field(FACTS_FAMILIES))?;
    ensure(view.u32(field(FACTS_FLAGS))? & !FLAGS_ALL == 0, DEFECT_FLAGS, field(FACTS_FLAGS))?;
    ensure(view.u32(field(FACTS_RESOLVE))? <= RESOLVE_LIVE, DEFECT_RESOLVE, field(FACTS_RESOLVE))?;
    for offset in field(FACTS_RESERVED)..field(FACTS_BYTES) {
        ensure(view.u8(offset)? == 0, DEFECT_RESERVED, offset)?;
    }
    Ok(())
}

pub(super) fn check_unix_rules(view: View<'_>) -> Result<(), Defect> {
    let rules = view.section(SECTION_UNIX_RULES)?;
    let strings = view.section(SECTION_STRINGS)?;
    for index in 0..rules.count {
        let field = |offset: u32| rules.at(index, UNIX_RULE_BYTES) + u64::from(offset);
        let kind = view.u32(field(UNIX_RULE_KIND))?;
        ensure(kind <= UNIX_ABSTRACT, DEFECT_UNIX_KIND, field(UNIX_RULE_KIND))?;
        check_origin(view, strings, field(UNIX_RULE_ORIGIN))?;
        let start = strings.offset + u64::from(view.u32(field(UNIX_RULE_ORIGIN + ORIGIN_TEXT))?);
        let length = u64::from(view.u32(field(UNIX_RULE_ORIGIN + ORIGIN_TEXT_BYTES))?);
        let fits = is_unix_text(kind, view.range(start, start + length)?);
        ensure(fits, DEFECT_UNIX_TEXT, field(UNIX_RULE_ORIGIN + ORIGIN_TEXT))?;
    }
    Ok(())
}

pub(super) fn check_private_names(view: View<'_>) -> Result<(), Defect> {
    let names = view.section(SECTION_PRIVATE_NAMES)?;
    let strings = view.section(SECTION_STRINGS)?;
    for index in 0..names.count {
        let field = |offset: u32| names.at(index, PRIVATE_NAME_BYTES) + u64::from(offset);
        let kind = field(PRIVATE_NAME_KIND);
        ensure(view.u32(kind)? <= PRIVATE_BELOW, DEFECT_PRIVATE_KIND, kind)?;
        check_text(view, strings, field(PRIVATE_NAME_TEXT))?;
        let length = field(PRIVATE_NAME_TEXT_BYTES);
        ensure(view.u32(length)? > 0, DEFECT_TEXT, length)?;
    }
    Ok(())
}

/// Whether the text can be what a rule of the kind names.
fn is_unix_text(kind: u32, text: &[u8]) -> bool {
    if text.is_empty() || text.len() > UNIX_TEXT_MAX as usize || text.contains(&0) {
        return false;
    }
    // The directory / is the only path that ends as it begins.
    kind == UNIX_ABSTRACT
        || (text.starts_with(b"/") && !text.ends_with(b"/"))
        || (kind == UNIX_DIRECTORY && text == b"/")
}
