//! What is known of live names: from the host's own file, and from upstream servers for as long as they say.
//! Decides which addresses the name may have, and opens them (`live.rs`) before anyone is answered; and which
//! names may be asked for upstream. Knows no sockets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::hosts;
use super::limit::{Limit, MOST_FREE_BYTES};
use super::listed::{Listed, Meaning, Rules};
use super::live::{self, FOR_GOOD, Learner, Live};
use super::telling::{Reason, Teller};
use super::wire::{HostName, Rcode, Rtype, kind_of};
use crate::sys::mapping::Mapping;
use crate::table::Table;

/// Answers kept.
const MOST_KEPT: usize = 4096;
/// How long an answer is kept, whatever it says; and how long a failure.
const MOST_KEPT_SECONDS: u32 = 24 * 3600;
const FAILURE: Duration = Duration::from_secs(2);

/// What a question is answered.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// With these addresses; with none: that the name has no such records.
    Addresses(Vec<IpAddr>),
    /// With this code.
    Not(Rcode),
}

/// A live name that is asked for.
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    /// A or AAAA.
    pub(super) kind: Rtype,
    pub(super) rules: &'a Rules,
    /// The thread that asks; none: it is not known any longer, so what is left out is not told.
    pub(super) tid: Option<u32>,
    pub(super) now: Instant,
}

/// What is known.
pub(super) struct KnownNames {
    listed: Arc<Listed>,
    table: Arc<Table<Mapping>>,
    learner: Learner,
    /// Live names that the host's own file has, for good.
    own: HashMap<HostName, Vec<IpAddr>>,
    kept: HashMap<(HostName, Rtype), (Known, Instant)>,
    limit: Limit,
}

impl KnownNames {
    /// What the host's own file says, and the addresses that this opens. Programs read that file before they
    /// ask anyone, so what it says of live names is open from the start, and what they are answered.
    pub(super) fn new(listed: Arc<Listed>, table: Arc<Table<Mapping>>, hosts: &str) -> (Self, Live) {
        let (learner, live) = live::channel();
        let (own, kept, limit) = (HashMap::new(), HashMap::new(), Limit::new(Instant::now()));
        let mut names = Self { listed, table, learner, own, kept, limit };
        if names.listed.asks() {
            names.learn_hosts(hosts);
        }
        (names, live)
    }

    fn learn_hosts(&mut self, text: &str) {
        let listed = Arc::clone(&self.listed);
        for (address, name) in hosts::entries(text) {
            let name = name.trim_end_matches('.').to_ascii_lowercase().into_boxed_str();
            if let Meaning::Live(rules) = listed.find(&name) {
                self.open(&name, &rules, &[address], FOR_GOOD);
                self.own.entry(name).or_default().push(address);
            }
        }
    }

    /// What is known already, and for how many seconds; none: it has to be asked for.
    pub(super) fn find(&mut self, asked: &Asked<'_>, teller: &mut Teller) -> Option<(Known, u32)> {
        if let Some(own) = self.own.get(asked.name) {
            // As resolvers do: a name that the file has is looked up nowhere else, though it lack addresses
            // of that family.
            let own = own.iter().copied().filter(|address| kind_of(*address) == asked.kind).collect();
            return Some((Known::Addresses(self.allowed(asked, own, teller)), 0));
        }
        let (known, until) = self.kept.get(&(asked.name.into(), asked.kind))?;
        if *until <= asked.now {
            return None;
        }
        let (known, left) = (known.clone(), until.saturating_duration_since(asked.now));
        let ttl = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
        if let Known::Addresses(addresses) = &known {
            self.open(asked.name, asked.rules, addresses, ttl);
        }
        Some((known, ttl))
    }

    /// Whether it may be asked for upstream. If not, that is told.
    pub(super) fn may_ask(&mut self, asked: &Asked<'_>, teller: &mut Teller) -> bool {
        let Some(bytes) = asked.rules.free_bytes else { return true };
        let may = bytes <= MOST_FREE_BYTES && self.limit.take(asked.now);
        if let (false, Some(tid)) = (may, asked.tid) {
            teller.refused(Reason::Limit, asked.name, None, tid, asked.now);
        }
        may
    }

    /// Takes an upstream answer: leaves out what the name may not have, opens the rest, keeps it.
    pub(super) fn take(&mut self, asked: &Asked<'_>, answer: Answer, teller: &mut Teller) -> (Known, u32) {
        let (known, ttl) = match answer {
            Answer::Addresses(addresses, ttl) => {
                let allowed = self.allowed(asked, addresses, teller);
                (Known::Addresses(allowed), ttl.min(MOST_KEPT_SECONDS))
            }
            Answer::None(ttl) => (Known::Addresses(Vec::new()), ttl.min(MOST_KEPT_SECONDS)),
            Answer::NoSuchName(ttl) => (Known::Not(Rcode::NXDOMAIN), ttl.min(MOST_KEPT_SECONDS)),
            Answer::Elsewhere(_) | Answer::Truncated | Answer::Failed => (Known::Not(Rcode::SERVFAIL), 0),
        };
        if let Known::Addresses(addresses) = &known {
            self.open(asked.name, asked.rules, addresses, ttl);
        }
        let lasts = match known {
            Known::Not(Rcode::SERVFAIL) => FAILURE,
            _ => Duration::from_secs(ttl.into()),
        };
        if self.kept.len() >= MOST_KEPT {
            self.kept.retain(|_, (_, until)| *until > asked.now);
        }
        if self.kept.len() < MOST_KEPT {
            self.kept.insert((asked.name.into(), asked.kind), (known.clone(), asked.now + lasts));
        }
        (known, ttl)
    }

    /// The addresses that the name may have. Those it may not are told.
    fn allowed(&self, asked: &Asked<'_>, addresses: Vec<IpAddr>, teller: &mut Teller) -> Vec<IpAddr> {
        let is_allowed =
            |address: &IpAddr| self.listed.opens(&*self.table, asked.name, asked.rules, *address).is_some();
        let (allowed, dropped): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(is_allowed);
        if let (Some(address), Some(tid)) = (dropped.first(), asked.tid) {
            teller.refused(Reason::Inside, asked.name, Some(*address), tid, asked.now);
        }
        allowed
    }

    fn open(&mut self, name: &str, rules: &Rules, addresses: &[IpAddr], ttl: u32) {
        let opened = addresses.iter().filter_map(|address| {
            let opens = self.listed.opens(&*self.table, name, rules, *address)?;
            (!opens.is_empty()).then(|| (address.to_canonical(), opens))
        });
        let opened: Vec<_> = opened.collect();
        if !opened.is_empty() {
            self.learner.learn(name, opened, ttl);
        }
    }
}
