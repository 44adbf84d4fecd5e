//! Checks where the members of sets are told: each set has a trie for each family, and some of its port sets.

use super::Defect;
use super::bytes::{View, ensure};
use super::format_gen::{
    ADDRESS_SET_COUNT, ADDRESS_SET_FAMILY_BYTES, ADDRESS_SET_FIRST, ADDRESS_SET_TRIE, DEFECT_MEMBER,
    DEFECT_SET_MEMBERS, DEFECT_SET_TRIE, MEMBER_BYTES, PROTOCOL_TRIES, SECTION_MEMBERS, SECTION_PORT_SETS,
    SECTION_SETS, SECTION_TRIES,
};

/// What a set says of one family.
struct Half {
    offset: u64,
    trie: u64,
    first: u64,
    count: u64,
}

/// The halves of all sets, IPv4 before IPv6.
fn halves(view: View<'_>) -> Result<impl Iterator<Item = Result<Half, Defect>>, Defect> {
    let sets = view.section(SECTION_SETS)?;
    Ok((0..2 * sets.count).map(move |half| {
        let offset = sets.at(half, ADDRESS_SET_FAMILY_BYTES);
        let field = |field: u32| view.u32(offset + u64::from(field)).map(u64::from);
        let [trie, first, count] =
            [field(ADDRESS_SET_TRIE)?, field(ADDRESS_SET_FIRST)?, field(ADDRESS_SET_COUNT)?];
        Ok(Half { offset, trie, first, count })
    }))
}

/// The tries exist; the members of the sets stand one after another in their section and fill it.
pub(super) fn check_sets(view: View<'_>) -> Result<(), Defect> {
    let tries = view.section(SECTION_TRIES)?.count;
    let members = view.section(SECTION_MEMBERS)?;
    let mut next = 0;
    for (index, half) in (0..).zip(halves(view)?) {
        let Half { offset, trie, first, count } = half?;
        let field = |field: u32| offset + u64::from(field);
        ensure(trie < tries && trie % 2 == index % 2, DEFECT_SET_TRIE, field(ADDRESS_SET_TRIE))?;
        ensure(first == next, DEFECT_SET_MEMBERS, field(ADDRESS_SET_FIRST))?;
        next += count;
        ensure(next <= members.count, DEFECT_SET_MEMBERS, field(ADDRESS_SET_COUNT))?;
    }
    ensure(next == members.count, DEFECT_SET_MEMBERS, members.at(next, MEMBER_BYTES))
}

/// The members of each set ascend, are not 0, and are port sets that its trie may have.
pub(super) fn check_members(view: View<'_>) -> Result<(), Defect> {
    let members = view.section(SECTION_MEMBERS)?;
    let port_sets = view.section(SECTION_PORT_SETS)?.count - 1;
    for half in halves(view)? {
        let Half { trie, first, count, .. } = half?;
        let limit = if trie < u64::from(PROTOCOL_TRIES) { port_sets } else { 2 };
        let mut before = 0;
        for index in first..first + count {
            let offset = members.at(index, MEMBER_BYTES);
            let member = u64::from(view.u16(offset)?);
            ensure(member > before && member < limit, DEFECT_MEMBER, offset)?;
            before = member;
        }
    }
    Ok(())
}
