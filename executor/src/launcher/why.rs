//! Why a table decides a call as it does, and what would allow it, in words: those that src/explaining.ts gives of
//! the same table (test/explanations.txt holds the two together). What can not be read of the table has no reason.

use std::net::IpAddr;

use super::denials::quoted;
use crate::table::{ByPrefix, Decided, Protocol, Table, Written, canonical, families};

const DNS_PORT: u16 = 53;

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

impl Why {
    /// `no tcp rule for this address; to allow: "192.0.2.1:443"`, or `by policy.toml:4:3 "…"`.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Rule(rule) => format!("by {} {}", place(rule, rule.column), quoted(&rule.text)),
            Self::Reason(reason, None) => reason.clone(),
            Self::Reason(reason, Some(Suggestion { list, rule })) => {
                let list = if *list == "allow" { String::new() } else { format!(" in {list}") };
                format!("{reason}; to allow: {}{list}", quoted(rule))
            }
        }
    }

    /// The same for a line of the summary, without what to do.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Rule(rule) => format!("{} {}", place(rule, 0), quoted(&rule.text)),
            Self::Reason(reason, _) => reason.clone(),
        }
    }

    /// Of a port that the kernel chose, which is another the next time: all that it chooses from are suggested.
    pub(super) fn widened(self, (low, high): (u16, u16)) -> Self {
        match self {
            Self::Reason(reason, Some(Suggestion { list: list @ "allow_bind", rule })) => {
                let host = rule.trim_end_matches(|letter: char| letter.is_ascii_digit());
                let rule = format!("{host}{low}-{high}");
                Self::Reason(format!("{reason} (the kernel chose the port)"), Some(Suggestion { list, rule }))
            }
            why => why,
        }
    }

    /// The members of a line of the log (docs/log.md) that are about the rules.
    pub(super) fn log_members(&self) -> String {
        match self {
            Self::Rule(Written { text, source, line, column }) => {
                let (text, source) = (quoted(text), quoted(source));
                format!(
                    ",\"rule\":{{\"text\":{text},\"source\":{source},\"line\":{line},\"column\":{column}}}"
                )
            }
            Self::Reason(reason, suggestion) => {
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

pub(super) fn is_bind(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::TcpBind | Protocol::UdpBind)
}

/// Of what the table decides by protocol, address and port; a name is suggested in place of its address.
pub(super) fn why<B: AsRef<[u8]>>(
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
pub(super) fn why_open<B: AsRef<[u8]>>(
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

/// Of a UNIX socket: its path, or `@` and its name.
pub(super) fn why_unix<B: AsRef<[u8]>>(table: &Table<B>, address: &str) -> Option<Why> {
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
