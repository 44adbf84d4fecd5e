//! Why a call was decided as it was, and what would allow it: the members and the half line that src/explaining.ts
//! gives of the same table, word for word (test/explanations.txt holds the two together). The table is
//! opened at the first question, so that a run without one does not pay for it; what can not be read of it is
//! left out of what is told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::denials::{Denial, quoted};
use crate::sys::mapping::Mapping;
use crate::table::{ByPrefix, Decided, NameKind, Protocol, Table, Verdict, Written, canonical, families};

/// Names of addresses that are kept; a program that asks for more has the first forgotten.
const MOST_NAMES: usize = 10_000;
/// Answers that are kept.
const MOST_KEPT: usize = 1000;
const DNS_PORT: u16 = 53;

/// What the table says about a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Explained {
    /// A name by which the address is known.
    pub(super) name: Option<Box<str>>,
    pub(super) why: Option<Why>,
}

/// Why it was decided so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// By this rule.
    Rule(Written),
    /// In words, and what would allow it.
    Reason(String, Option<Suggestion>),
}

/// The rule to add, and to which list of `[network]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suggestion {
    pub(super) list: &'static str,
    pub(super) rule: String,
}

impl Explained {
    /// `no tcp rule for this address; to allow: "192.0.2.1:443"`, or `by policy.toml:4:3 "…"`; empty when
    /// there is nothing to say.
    pub(super) fn hint(&self) -> String {
        match &self.why {
            None => String::new(),
            Some(Why::Rule(rule)) => format!("by {} {}", place(rule, rule.column), quoted(&rule.text)),
            Some(Why::Reason(reason, None)) => reason.clone(),
            Some(Why::Reason(reason, Some(Suggestion { list, rule }))) => {
                let list = if *list == "allow" { String::new() } else { format!(" in {list}") };
                format!("{reason}; to allow: {}{list}", quoted(rule))
            }
        }
    }

    /// The same for a line of the summary, without what to do; `None` when there is nothing to say.
    pub(super) fn cause(&self) -> Option<String> {
        match self.why.as_ref()? {
            Why::Rule(rule) => Some(format!("{} {}", place(rule, 0), quoted(&rule.text))),
            Why::Reason(reason, _) => Some(reason.clone()),
        }
    }

    /// The members of a line of the log (docs/log.md) that are about the rules.
    pub(super) fn log_members(&self) -> String {
        match &self.why {
            None => String::new(),
            Some(Why::Rule(Written { text, source, line, column })) => {
                let (text, source) = (quoted(text), quoted(source));
                format!(
                    ",\"rule\":{{\"text\":{text},\"source\":{source},\"line\":{line},\"column\":{column}}}"
                )
            }
            Some(Why::Reason(reason, suggestion)) => {
                let suggestion = suggestion.as_ref().map(|Suggestion { list, rule }| {
                    format!(",\"suggestion\":{{\"list\":\"{list}\",\"rule\":{}}}", quoted(rule))
                });
                format!(",\"reason\":{}{}", quoted(reason), suggestion.unwrap_or_default())
            }
        }
    }
}

/// `policy.toml:4:3`; what came from an option has no line, and who means the whole line gives no column.
fn place(Written { source, line, .. }: &Written, column: u32) -> String {
    match (line, column) {
        (0, _) => source.to_string(),
        (_, 0) => format!("{source}:{line}"),
        _ => format!("{source}:{line}:{column}"),
    }
}

/// What of a decision the explanation depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Question {
    is_allowed: bool,
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
        // A reason is one against it.
        let why = why.filter(|why| !denial.is_allowed || matches!(why, Why::Rule(_)));
        let explained = Rc::new(Explained { name, why });
        if self.kept.len() >= MOST_KEPT {
            self.kept.clear();
        }
        self.kept.insert(question, Rc::clone(&explained));
        explained
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

fn is_bind(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::TcpBind | Protocol::UdpBind)
}

fn why<B: AsRef<[u8]>>(
    table: &Table<B>,
    by: &ByPrefix,
    protocol: Protocol,
    address: IpAddr,
    port: u16,
    name: Option<&str>,
) -> Option<Why> {
    if let Some(missing) = missing_family(table.families(), kinds_for(protocol, address)) {
        return Some(missing);
    }
    let what = word(protocol);
    let reason = match table.decided(by, protocol, address, port).ok()? {
        Decided::By(rule) => return Some(Why::Rule(rule)),
        // Who is refused a name server wants a name, as a rule, and a rule with the name opens less.
        Decided::NoRule if protocol == Protocol::Udp && port == DNS_PORT => {
            "no rule allows udp (to reach a host by its name, allow the name instead)".to_owned()
        }
        Decided::NoRule if is_bind(protocol) => format!("no rule allows a {what}"),
        Decided::NoRule => format!("no rule allows {what}"),
        Decided::OtherPort => format!("no {what} rule for port {port} of this address"),
        Decided::OtherAddress => format!("no {what} rule for this address"),
    };
    Some(Why::Reason(reason, suggest(protocol, address, port, name)))
}

/// Of what the addresses of the table would refuse: it is open because the command has asked for its name.
fn why_open<B: AsRef<[u8]>>(
    table: &Table<B>,
    protocol: Protocol,
    address: IpAddr,
    port: u16,
    name: &str,
) -> Option<Why> {
    if missing_family(table.families(), kinds_for(protocol, address)).is_some() {
        return None;
    }
    table.opened_by_name(protocol, name, port).ok()?.map(Why::Rule)
}

/// The narrowest rule that allows it; none for port 0, which no rule can name.
fn suggest(protocol: Protocol, address: IpAddr, port: u16, name: Option<&str>) -> Option<Suggestion> {
    if port == 0 && protocol != Protocol::Icmp {
        return None;
    }
    let list = if is_bind(protocol) { "allow_bind" } else { "allow" };
    let scheme = match protocol {
        Protocol::Tcp | Protocol::TcpBind => "",
        Protocol::Udp | Protocol::UdpBind => "udp://",
        Protocol::Icmp => "icmp://",
    };
    let host = match (name, if is_bind(protocol) { address } else { canonical(address) }) {
        (Some(name), _) => name.to_owned(),
        (None, IpAddr::V4(address)) => address.to_string(),
        (None, IpAddr::V6(address)) => format!("[{address}]"),
    };
    let ports = if protocol == Protocol::Icmp { String::new() } else { format!(":{port}") };
    Some(Suggestion { list, rule: format!("{scheme}{host}{ports}") })
}

fn why_unix<B: AsRef<[u8]>>(table: &Table<B>, address: &str) -> Option<Why> {
    const KINDS: &[Kind] = &[
        (families::UNIX_STREAM, "unix/stream"),
        (families::UNIX_DGRAM, "unix/dgram"),
        (families::UNIX_SEQPACKET, "unix/seqpacket"),
    ];
    if let Some(missing) = missing_family(table.families(), KINDS) {
        return Some(missing);
    }
    let name = address.strip_prefix('@');
    let reason = match table.decided_unix(name.unwrap_or(address), name.is_some()).ok()? {
        Decided::By(rule) => return Some(Why::Rule(rule)),
        Decided::NoRule => "no rule allows a unix socket",
        Decided::OtherAddress | Decided::OtherPort => "no unix rule for this socket",
    };
    let suggestion = Suggestion { list: "allow_unix", rule: address.to_owned() };
    Some(Why::Reason(reason.to_owned(), Some(suggestion)))
}

/// A kind of sockets: its bit in the table, and its word in `allow_families`.
type Kind = (u32, &'static str);

const STREAM_4: Kind = (families::INET_STREAM, "inet/stream");
const STREAM_6: Kind = (families::INET6_STREAM, "inet6/stream");
const DGRAM_4: Kind = (families::INET_DGRAM, "inet/dgram");
const DGRAM_6: Kind = (families::INET6_DGRAM, "inet6/dgram");

/// The kinds of which any one is enough for an address: sockets of inet6 reach and bind IPv4 as well, but for
/// ping sockets (compiler/families.ts).
fn kinds_for(protocol: Protocol, address: IpAddr) -> &'static [Kind] {
    match (protocol, address) {
        (Protocol::Tcp | Protocol::TcpBind, IpAddr::V4(_)) => &[STREAM_4, STREAM_6],
        (Protocol::Tcp | Protocol::TcpBind, IpAddr::V6(_)) => &[STREAM_6],
        (Protocol::Icmp, IpAddr::V4(_)) => &[DGRAM_4],
        (_, IpAddr::V4(_)) => &[DGRAM_4, DGRAM_6],
        (_, IpAddr::V6(_)) => &[DGRAM_6],
    }
}

/// The refusal of everything that needs one of these kinds, when none of them is allowed.
fn missing_family(allowed: u32, kinds: &[Kind]) -> Option<Why> {
    if kinds.iter().any(|(bit, _)| allowed & bit != 0) {
        return None;
    }
    let words: Vec<_> = kinds.iter().map(|(_, word)| *word).collect();
    let reason = format!("allow_families leaves out {}", words.join(" and "));
    let rule = words.first().copied().unwrap_or_default().to_owned();
    Some(Why::Reason(reason, Some(Suggestion { list: "allow_families", rule })))
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Icmp => "icmp",
        Protocol::TcpBind => "tcp bind",
        Protocol::UdpBind => "udp bind",
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
