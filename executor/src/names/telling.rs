//! What the front is told of names: refusals, each once in a while, and answers where that was asked for.
//! Decides nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::question::Question;
use super::wire::{self, HostName, Rcode, Rtype};
use crate::event::{Kind as RecordKind, Record};
use crate::events::Events;
use crate::task::Callers;

/// A denial that has been told is not told again for so long.
const QUIET: Duration = Duration::from_secs(10);
const MOST_TOLD: usize = 256;

/// What is told beside refusals.
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// Each address that is answered.
    pub answers: bool,
    /// The same, and every name is answered: the sandbox is only observed.
    pub everything: bool,
}

/// Why a name is told, by its number in a record (docs/native.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Reason {
    /// It was answered.
    Answered = 0,
    /// No rule names it.
    Unlisted = 1,
    /// It has an address of the inside, and the policy does not say that it may.
    Inside = 2,
    /// Only a wildcard allows it, and it is too long, or too many new names were asked for.
    Limit = 3,
}

/// Tells.
pub(super) struct Teller {
    events: Arc<Events>,
    callers: Callers,
    told: HashMap<HostName, Instant>,
    pub(super) telling: Telling,
}

impl Teller {
    pub(super) fn new(events: Arc<Events>, telling: Telling) -> Self {
        Self { events, callers: Callers::default(), told: HashMap::new(), telling }
    }

    /// Tells of a refusal, unless it was told just now.
    pub(super) fn refused(
        &mut self,
        reason: Reason,
        name: &str,
        address: Option<IpAddr>,
        tid: u32,
        now: Instant,
    ) {
        if self.told.get(name).is_some_and(|then| now.duration_since(*then) < QUIET) {
            return;
        }
        if self.told.len() >= MOST_TOLD {
            self.told.clear();
        }
        self.told.insert(name.into(), now);
        self.record(reason, name, address, tid);
    }

    /// Tells what was answered: a record for each address, or one that there was none.
    pub(super) fn answered(&mut self, question: &Question, code: Rcode, addresses: &[IpAddr], tid: u32) {
        let Some(name) = question.name.as_deref() else { return };
        let wanted = addresses.iter().filter(|address| question.wants(wire::kind_of(**address)));
        let wanted: Vec<Option<IpAddr>> = wanted.copied().map(Some).collect();
        let none = [None];
        // What a name has not is told once, by the question for IPv4.
        let is_told = !wanted.is_empty() || code == Rcode::NOERROR && question.kind == Rtype::A;
        for address in if wanted.is_empty() { &none[..] } else { &wanted } {
            if is_told {
                self.record(Reason::Answered, name, *address, tid);
            }
        }
    }

    fn record(&mut self, reason: Reason, name: &str, address: Option<IpAddr>, tid: u32) {
        let (pid, program) = self.callers.who(tid);
        let code = match reason {
            Reason::Answered => Rcode::NOERROR,
            Reason::Unlisted => Rcode::NXDOMAIN,
            Reason::Inside | Reason::Limit => Rcode::REFUSED,
        };
        let record = Record {
            protocol: reason as u8,
            pid,
            tid,
            code: code.to_int().into(),
            address,
            name: program,
            ..Record::new(RecordKind::Name)
        };
        self.events.tell_with(name.as_bytes(), &record);
    }
}
