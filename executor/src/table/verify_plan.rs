//! Checks the plan (docs/format.md §3): by itself and against the rules, and, once the tries are checked,
//! against them. What is left to the kernel or to nobody is not looked up, so it has to be the same for every
//! address.

use super::Defect;
use super::bytes::{View, ensure};
use super::format_gen::{
    ACTION_ALLOW, DEFECT_ADDRESSES, DEFECT_PLAN_MODE, DEFECT_PLAN_RULES, DEFECT_PORTS, DEFECT_RESERVED,
    MODE_CLOSED, MODE_KERNEL, MODE_OPEN, MODE_SUPERVISED, PLAN_BYTES, PLAN_RESERVED, PORT_RANGE_BYTES,
    PORT_SET_BYTES, PROTOCOL_TCP, PROTOCOL_TCP_BIND, PROTOCOLS, RULE_ACTION, RULE_BYTES, RULE_PROTOCOL,
    RULE_TARGET, SECTION_PLAN, SECTION_PORT_RANGES, SECTION_PORT_SETS, SECTION_RULES, SECTION_TRIES,
    TARGET_NAME, TRIE_BYTES, TRIE_COUNT, TRIE_SETS, TRIE_SPANS,
};

/// A protocol is closed exactly when no rule allows anything of it; what has rules with names is looked up,
/// for a name may have addresses that no trie knows.
pub(super) fn check_plan(view: View<'_>) -> Result<(), Defect> {
    let rules = view.section(SECTION_RULES)?;
    // (some rule allows something, some rule has a name)
    let mut found = [(false, false); PROTOCOLS as usize];
    for index in 0..rules.count {
        let rule = rules.at(index, RULE_BYTES);
        // Rules are checked later; of a protocol that does not exist nothing is noted.
        let protocol = usize::try_from(view.u8(rule + u64::from(RULE_PROTOCOL))?).unwrap_or(usize::MAX);
        if let Some((allowed, named)) = found.get_mut(protocol) {
            *allowed |= view.u8(rule + u64::from(RULE_ACTION))? == ACTION_ALLOW;
            *named |= view.u8(rule + u64::from(RULE_TARGET))? == TARGET_NAME;
        }
    }
    let plan = view.section(SECTION_PLAN)?;
    for (protocol, (allowed, named)) in (0..).zip(found) {
        let offset = plan.at(u64::from(protocol), PLAN_BYTES);
        let mode = view.u32(offset)?;
        ensure(can_have(protocol, mode), DEFECT_PLAN_MODE, offset)?;
        let fits = (mode == MODE_CLOSED) != allowed && (mode <= MODE_SUPERVISED || !named);
        ensure(fits, DEFECT_PLAN_RULES, offset)?;
        let reserved = offset + u64::from(PLAN_RESERVED);
        ensure(view.u32(reserved)? == 0, DEFECT_RESERVED, reserved)?;
    }
    Ok(())
}

/// Ports alone are left to the kernel for TCP; whatever is bound is looked at.
fn can_have(protocol: u32, mode: u32) -> bool {
    match mode {
        MODE_CLOSED | MODE_SUPERVISED => true,
        MODE_KERNEL => protocol == PROTOCOL_TCP,
        MODE_OPEN => protocol < PROTOCOL_TCP_BIND,
        _ => false,
    }
}

/// A protocol that is not looked up has one port set for every address: all ports if it is open, some if they
/// are for the kernel.
pub(super) fn check_planned(view: View<'_>) -> Result<(), Defect> {
    let plan = view.section(SECTION_PLAN)?;
    for protocol in 0..u64::from(PROTOCOLS) {
        let offset = plan.at(protocol, PLAN_BYTES);
        let mode = view.u32(offset)?;
        if mode != MODE_KERNEL && mode != MODE_OPEN {
            continue;
        }
        let set = ports_of_all(view, protocol)?.ok_or(Defect { code: DEFECT_ADDRESSES, offset })?;
        let mut ranges = port_ranges(view, set)?;
        let is_right = if mode == MODE_OPEN {
            ranges.next() == Some(Ok((0, u16::MAX)))
        } else {
            ranges.next().is_some()
        };
        ensure(is_right, DEFECT_PORTS, offset)?;
    }
    Ok(())
}

/// The port set of every address of both families; none when different addresses have different ones.
pub(super) fn ports_of_all(view: View<'_>, protocol: u64) -> Result<Option<u64>, Defect> {
    let tries = view.section(SECTION_TRIES)?;
    let only = |trie: u64| -> Result<Option<u32>, Defect> {
        let at = tries.at(trie, TRIE_BYTES);
        // A span is not all of its trie: around it there is the background.
        if view.u32(at + u64::from(TRIE_COUNT))? != 1 || view.u8(at + u64::from(TRIE_SPANS))? != 0 {
            return Ok(None);
        }
        view.u16(u64::from(view.u32(at + u64::from(TRIE_SETS))?)).map(Some)
    };
    let (ipv4, ipv6) = (only(2 * protocol)?, only(2 * protocol + 1)?);
    Ok(ipv4.filter(|_| ipv4 == ipv6).map(u64::from))
}

/// The ranges of a port set.
pub(super) fn port_ranges(
    view: View<'_>,
    set: u64,
) -> Result<impl Iterator<Item = Result<(u16, u16), Defect>>, Defect> {
    let sets = view.section(SECTION_PORT_SETS)?;
    let ranges = view.section(SECTION_PORT_RANGES)?;
    let first = view.u32(sets.at(set, PORT_SET_BYTES))?;
    let end = view.u32(sets.at(set + 1, PORT_SET_BYTES))?;
    Ok((first..end).map(move |index| {
        let offset = ranges.at(u64::from(index), PORT_RANGE_BYTES);
        let port = |offset| view.u16(offset).map(|port| u16::try_from(port).unwrap_or(0));
        Ok((port(offset)?, port(offset + 2)?))
    }))
}
