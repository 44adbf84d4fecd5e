//! What is known of a decision when it is told: the name of its address, and why it was made (`why.rs`). Keeps the
//! names that programs look up, and answers that were given. The table is opened at the first question, so
//! that a run without one does not pay for it; what can not be read of it is left out of what is told.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::denials::Denial;
use super::why::{Why, is_bind, why, why_open, why_unix};
use crate::bound;
use crate::sys::mapping::Mapping;
use crate::table::{ByPrefix, NameKind, Protocol, Table, Verdict};

/// Names of addresses that are kept; a program that asks for more has the first forgotten.
const MOST_NAMES: usize = 10_000;
/// Answers that are kept.
const MOST_KEPT: usize = 1000;

/// What the table says about a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Explained {
    /// A name by which the address is known.
    pub(super) name: Option<Box<str>>,
    pub(super) why: Option<Why>,
}

impl Explained {
    /// Why and what to do; empty when there is nothing to say.
    pub(super) fn hint(&self) -> String {
        self.why.as_ref().map(Why::hint).unwrap_or_default()
    }

    /// Why, for a line of the summary; `None` when there is nothing to say.
    pub(super) fn cause(&self) -> Option<String> {
        self.why.as_ref().map(Why::cause)
    }

    /// The members of a line of the log (docs/log.md) that are about the rules.
    pub(super) fn log_members(&self) -> String {
        self.why.as_ref().map(Why::log_members).unwrap_or_default()
    }
}

/// What of a decision the explanation depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Question {
    is_allowed: bool,
    is_listen: bool,
    protocol: Option<Protocol>,
    address: Box<str>,
    port: u16,
    name: Option<Box<str>>,
}

/// Explains decisions; learns names as programs look them up.
#[derive(Debug, Default)]
pub(super) struct Explainer {
    /// Where the table is, until it is opened.
    file: Option<OwnedFd>,
    table: Option<(Table<Mapping>, ByPrefix)>,
    /// Names that the table has pinned, once it is opened.
    pinned: HashMap<IpAddr, Box<str>>,
    learned: HashMap<IpAddr, Box<str>>,
    kept: HashMap<Question, Rc<Explained>>,
    /// The ports that the kernel chooses from, once they are asked for.
    chosen: OnceCell<(u16, u16)>,
}

impl Explainer {
    /// By the table in a sealed file that the supervisor has accepted.
    pub(super) fn new(file: OwnedFd) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// The file of the table, unless something was explained.
    pub(super) fn into_table_file(self) -> Option<OwnedFd> {
        self.file
    }

    /// A program was answered this address for a name.
    pub(super) fn learn(&mut self, name: &str, address: &str) {
        let Some(address) = address.parse().ok().filter(|address: &IpAddr| !is_none(*address)) else {
            return;
        };
        if self.learned.len() >= MOST_NAMES {
            self.learned.clear();
        }
        self.learned.insert(address, name.into());
    }

    pub(super) fn explain(&mut self, denial: &Denial) -> Rc<Explained> {
        self.open();
        let address = denial.address.parse::<IpAddr>().ok();
        let name =
            address.and_then(|address| self.learned.get(&address).or_else(|| self.pinned.get(&address)));
        let name = name.cloned();
        let protocol = protocol_of(denial);
        let question = Question {
            is_allowed: denial.is_allowed,
            is_listen: denial.call == "listen",
            protocol,
            address: denial.address.as_str().into(),
            port: denial.port,
            name: name.clone(),
        };
        if let Some(known) = self.kept.get(&question) {
            return Rc::clone(known);
        }
        let why = self.table.as_ref().and_then(|(table, by)| match (denial.protocol, protocol, address) {
            ("unix", ..) => why_unix(table, &denial.address),
            (_, Some(protocol), Some(address)) => {
                let asked = name.as_deref().filter(|_| !is_bind(protocol));
                if denial.is_allowed && table.lookup(protocol, address, denial.port) == Verdict::Deny {
                    return why_open(table, protocol, address, denial.port, asked?);
                }
                why(table, by, protocol, address, denial.port, asked)
            }
            _ => None,
        });
        let why = why.map(|why| if self.is_chosen(denial) { why.widened(self.chosen()) } else { why });
        // A reason is one against it.
        let why = why.filter(|why| !denial.is_allowed || matches!(why, Why::Rule(_)));
        let explained = Rc::new(Explained { name, why });
        if self.kept.len() >= MOST_KEPT {
            self.kept.clear();
        }
        self.kept.insert(question, Rc::clone(&explained));
        explained
    }

    /// Who listens at a port that may not be bound never named it.
    fn is_chosen(&self, denial: &Denial) -> bool {
        let is_among = |(low, high)| (low..=high).contains(&denial.port);
        denial.call == "listen" && is_among(self.chosen())
    }

    fn chosen(&self) -> (u16, u16) {
        *self.chosen.get_or_init(bound::chosen)
    }

    fn open(&mut self) {
        let Some(file) = self.file.take() else { return };
        // The supervisor runs by these bytes, so they are a table, and sealed they stay one.
        let table = Mapping::sealed(&file).ok().and_then(|bytes| Table::reopen(bytes).ok());
        self.table = table.and_then(|table| table.by_prefix().ok().map(|by| (table, by)));
        for name in self.table.as_ref().map(|(table, _)| table.names()).unwrap_or_default() {
            if let NameKind::Pinned(addresses) = name.kind {
                for address in addresses {
                    // Of an address with several, the first that the policy names.
                    self.pinned.entry(address).or_insert_with(|| name.text.clone());
                }
            }
        }
    }
}

/// An answer without an address has zeros in its place.
fn is_none(address: IpAddr) -> bool {
    address.is_ipv6() && address.is_unspecified()
}

/// What the table knows the call as; `None`: as nothing.
fn protocol_of(denial: &Denial) -> Option<Protocol> {
    let is_source = matches!(denial.call, "bind" | "listen");
    match denial.protocol {
        "tcp" if is_source => Some(Protocol::TcpBind),
        "udp" if is_source => Some(Protocol::UdpBind),
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        "icmp" => Some(Protocol::Icmp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::summary::Summary;
    use super::*;
    use crate::sys::fd;

    /// The explainer of a committed table.
    fn explainer(table: &str) -> Explainer {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/vectors").join(format!("{table}.bin"));
        Explainer::new(fd::sealed(c"table", &std::fs::read(path).unwrap()).unwrap())
    }

    fn known<const N: usize>(words: [&'static str; N], text: &str) -> &'static str {
        words.into_iter().find(|word| *word == text).unwrap()
    }

    // The same questions as in test/src/explaining.test.ts, which writes the file.
    #[test]
    fn explanations_are_word_for_word_those_of_the_other_side() {
        let lines = include_str!("../../../test/explanations.txt");
        assert!(lines.lines().count() > 400);
        for line in lines.lines() {
            let parts: Vec<&str> = line.split('\t').collect();
            let [table, verdict, call, protocol, address, port, learned, hint, members, counted] = parts[..]
            else {
                panic!("{line}")
            };
            let denial = Denial {
                is_allowed: verdict == "allowed",
                call: known(["connect", "sendto", "sendmsg", "bind", "listen", "socket"], call),
                protocol: known(["tcp", "udp", "icmp", "unix", "other"], protocol),
                address: address.into(),
                port: port.parse().unwrap(),
                name: "x".into(),
                ..Denial::default()
            };
            let mut explainer = explainer(table);
            explainer.chosen.set((32_768, 60_999)).unwrap();
            if !learned.is_empty() {
                explainer.learn(learned, address);
            }
            let explained = explainer.explain(&denial);
            let log = denial.log_line(&explained);
            let (_, told) = log.split_once(&format!("\"port\":{port}")).unwrap();
            let mut summary = Summary::default();
            summary.add(&denial, &explained);
            assert_eq!(explained.hint(), hint, "{line}");
            assert_eq!(told.trim_end().trim_start_matches(','), members.trim_start_matches('{'), "{line}");
            assert_eq!(summary.text().trim_end(), counted, "{line}");
        }
    }

    #[test]
    fn what_can_not_be_read_is_told_without_its_reason() {
        let denial = Denial { protocol: "tcp", address: "192.0.2.1".into(), ..Denial::default() };
        let mut bytes =
            std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/vectors/mixed.bin")).unwrap();
        let told = |bytes: &[u8]| {
            let mut explainer = Explainer::new(fd::sealed(c"table", bytes).unwrap());
            explainer.explain(&denial).hint()
        };
        assert_eq!(told(&bytes), "no tcp rule for this address");
        assert_eq!(told(b"no table"), "");
        for length in 0..bytes.len() {
            told(bytes.get(..length).unwrap());
        }
        bytes.fill(0xff);
        assert_eq!(told(&bytes), "");
        assert_eq!(Explainer::default().explain(&denial), Rc::default());
    }

    #[test]
    fn of_an_address_with_several_names_the_last_that_was_asked_for_is_told() {
        let mut explainer = explainer("mixed");
        let denial = Denial { protocol: "tcp", address: "192.0.2.8".into(), port: 1, ..Denial::default() };
        assert_eq!(explainer.explain(&denial).name.as_deref(), Some("db.example"));
        explainer.learn("b.example", "192.0.2.8");
        explainer.learn("c.example", "::"); // An answer without an address
        assert_eq!(explainer.explain(&denial).name.as_deref(), Some("b.example"));
    }
}
