//! What the policy says of a name that is asked for. Pure: knows the names of the table, no sockets and no servers.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::inside::is_inside;
use crate::table::{Name, NameKind, Ports, PrivateName, Table, Verdict};

/// The names of a table.
pub struct Listed {
    names: Vec<Name>,
    /// By text: names, and wildcards, of which the text is what follows `*.`.
    exact: HashMap<Box<str>, usize>,
    wildcards: HashMap<Box<str>, usize>,
    private: Vec<PrivateName>,
    pinned: HashSet<IpAddr>,
}

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// These addresses, always.
    Pinned(&'a [IpAddr]),
    /// What an upstream server says.
    Live(Rules),
    /// Nothing: no rule names it.
    Unlisted,
}

/// The names of the table by which a live name is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    names: Vec<usize>,
    /// Of a name that only wildcards allow: bytes of what the asker chose freely, in front of the longest of them.
    pub free_bytes: Option<usize>,
}

/// What `localhost` is, and every name below it (RFC 6761 §6.3).
const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

impl Rules {
    /// None: what is answered opens nothing.
    pub fn none() -> Self {
        Self { names: Vec::new(), free_bytes: None }
    }
}

impl Listed {
    /// The names of the table.
    pub fn of<B: AsRef<[u8]>>(table: &Table<B>) -> Self {
        Self::with(table.names(), table.private_names())
    }

    fn with(names: Vec<Name>, private: Vec<PrivateName>) -> Self {
        let by_text = |is_wildcard: bool| {
            let wanted = names.iter().enumerate();
            wanted
                .filter(|(_, name)| (name.kind == NameKind::Wildcard) == is_wildcard)
                .map(|(index, name)| (name.text.clone(), index))
                .collect()
        };
        let pinned = names.iter().flat_map(|name| match &name.kind {
            NameKind::Pinned(addresses) => addresses.clone(),
            _ => Vec::new(),
        });
        let (exact, wildcards, pinned) = (by_text(false), by_text(true), pinned.collect());
        Self { names, exact, wildcards, private, pinned }
    }

    /// Whether the policy has no names at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether any name has to be asked for.
    pub fn asks(&self) -> bool {
        self.names.iter().any(|name| !matches!(name.kind, NameKind::Pinned(_)))
    }

    /// The pinned names with their addresses.
    pub fn pinned(&self) -> impl Iterator<Item = (&str, &[IpAddr])> {
        self.names.iter().filter_map(|name| match &name.kind {
            NameKind::Pinned(addresses) => Some((&*name.text, addresses.as_slice())),
            _ => None,
        })
    }

    /// Whether some name is pinned to the address.
    pub fn is_pinned(&self, address: IpAddr) -> bool {
        self.pinned.contains(&address)
    }

    /// What a name (lower case, no final dot) stands for.
    pub fn find(&self, name: &str) -> Meaning<'_> {
        let exact = self.exact.get(name).copied();
        if let Some(Name { kind: NameKind::Pinned(addresses), .. }) = exact.and_then(|at| self.names.get(at))
        {
            return Meaning::Pinned(addresses);
        }
        if name == "localhost" || name.ends_with(".localhost") {
            return Meaning::Pinned(&LOCALHOST);
        }
        let above: Vec<(usize, &str)> = suffixes(name)
            .filter_map(|suffix| self.wildcards.get(suffix).map(|index| (*index, suffix)))
            .collect();
        let free_bytes = above.first().map(|(_, suffix)| name.len() - suffix.len() - 1);
        let names: Vec<usize> = exact.into_iter().chain(above.into_iter().map(|(index, _)| index)).collect();
        if names.is_empty() {
            return Meaning::Unlisted;
        }
        Meaning::Live(Rules { names, free_bytes: free_bytes.filter(|_| exact.is_none()) })
    }

    /// Whether a question for the name is what a resolver makes of a listed name by itself: with a search
    /// domain behind it, or with labels of a service in front. Such a one is denied like any other, but it is
    /// nobody's wish.
    pub fn is_echo(&self, name: &str) -> bool {
        let bare =
            name.rsplit("._").next().map_or(name, |rest| rest.split_once('.').map_or(rest, |(_, rest)| rest));
        let is_listed = |name: &str| self.find(name) != Meaning::Unlisted;
        name.starts_with('_') && is_listed(bare)
            || prefixes(name).any(|prefix| self.exact.contains_key(prefix) || prefix == "localhost")
            || name.ends_with(".in-addr.arpa")
            || name.ends_with(".ip6.arpa")
    }

    /// What a live name opens at an address, deny rules taken away; `None`: the address is of the inside and
    /// the policy does not say that the name may be there. Where rules by address open all of it already,
    /// such an answer opens nothing and is no harm.
    pub fn opens<B: AsRef<[u8]>>(
        &self,
        table: &Table<B>,
        name: &str,
        rules: &Rules,
        address: IpAddr,
    ) -> Option<Vec<Ports>> {
        let address = address.to_canonical();
        let named = rules.names.iter().filter_map(|index| self.names.get(*index));
        let opens: Vec<Ports> = named.flat_map(|name| name.opens.iter().copied()).collect();
        let left = table.without_denied(&opens, address);
        if is_inside(address) && !self.may_be_inside(name) {
            let is_open = |ports: &Ports| {
                table.lookup_all(ports.protocol, address, (ports.low, ports.high)) == Verdict::Allow
            };
            // Where all is denied nothing is open already either.
            let is_some_left = !left.is_empty() || opens.is_empty();
            return (is_some_left && left.iter().all(is_open)).then(Vec::new);
        }
        (!address.is_unspecified()).then_some(left)
    }

    fn may_be_inside(&self, name: &str) -> bool {
        self.private.iter().any(|private| match name.strip_suffix(&*private.text) {
            Some(front) if private.is_below => front.len() > 1 && front.ends_with('.'),
            front => front == Some(""),
        })
    }
}

/// What follows each dot of a name, longest first.
fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').filter_map(|(at, _)| name.get(at + 1..))
}

/// What stands in front of each dot.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').filter_map(|(at, _)| name.get(..at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Protocol;

    const MIXED: &[u8] = include_bytes!("../../../test/vectors/mixed.bin");

    #[test]
    fn a_name_is_pinned_live_by_itself_or_by_what_stands_above_it_or_unlisted() {
        let listed = Listed::of(&Table::open(MIXED).unwrap());
        let live = |names: &[usize], free_bytes| Meaning::Live(Rules { names: names.to_vec(), free_bytes });
        assert!(matches!(listed.find("db.example"), Meaning::Pinned(addresses) if addresses.len() == 3));
        assert_eq!(listed.find("api.example"), live(&[1, 2], None));
        assert_eq!(listed.find("a.b.example"), live(&[2], Some(3)));
        assert_eq!(listed.find("x.localhost"), Meaning::Pinned(&LOCALHOST));
        for name in ["example", "notexample", "other", "example.com", ""] {
            assert_eq!(listed.find(name), Meaning::Unlisted, "{name}");
        }
    }

    #[test]
    fn names_are_compared_as_the_compiler_compares_them() {
        let vectors = include_str!("../../../test/name-vectors/names.txt");
        let lines = vectors.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut count = 0;
        for line in lines {
            let [verdict, name, asked] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let (text, kind) = match name.strip_prefix("*.") {
                Some(suffix) => (suffix, NameKind::Wildcard),
                None => (name, NameKind::Live),
            };
            let listed = Listed::with(vec![Name { text: text.into(), kind, opens: vec![] }], vec![]);
            // An empty label is none in the wire format, so it never comes here.
            let is_name = !asked.split('.').any(str::is_empty);
            let is_found = is_name && listed.find(asked) != Meaning::Unlisted;
            assert_eq!(is_found, verdict == "is", "{line}");
            count += 1;
        }
        assert!(count > 15, "{count}");
    }

    #[test]
    fn an_address_of_the_inside_needs_the_policy_s_word() {
        let table = Table::open(MIXED).unwrap();
        let listed = Listed::of(&table);
        let opens = |name: &str, address: &str| {
            let Meaning::Live(rules) = listed.find(name) else { panic!("not live") };
            listed.opens(&table, name, &rules, address.parse().unwrap())
        };
        let web = Ports { protocol: Protocol::Udp, low: 443, high: 443 };
        assert_eq!(opens("a.example", "192.0.2.77"), Some(vec![web]));
        assert_eq!(opens("a.example", "192.168.0.1"), None);
        assert_eq!(opens("a.example", "64:ff9b::192.168.0.1"), None);
        assert_eq!(opens("a.internal.example", "192.168.0.1"), Some(vec![web]));
        assert_eq!(opens("internal.example", "192.168.0.1"), None);
        for unspecified in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
            assert_eq!(opens("a.internal.example", unspecified), None, "{unspecified}");
        }
    }

    #[test]
    fn what_deny_rules_cover_is_not_opened() {
        let table = Table::open(MIXED).unwrap(); // udp://1.1.1.1:53 is denied
        let udp = |low, high| Ports { protocol: Protocol::Udp, low, high };
        let name = Name { text: "one.test".into(), kind: NameKind::Live, opens: vec![udp(50, 60)] };
        let listed = Listed::with(vec![name], vec![]);
        let Meaning::Live(rules) = listed.find("one.test") else { panic!("not live") };
        let opens = |address: &str| listed.opens(&table, "one.test", &rules, address.parse().unwrap());
        assert_eq!(opens("1.1.1.1"), Some(vec![udp(50, 52), udp(54, 60)]));
        assert_eq!(opens("1.1.1.2"), Some(vec![udp(50, 60)]));
    }

    #[test]
    fn an_address_of_the_inside_does_no_harm_where_every_port_of_the_name_is_open_already() {
        let table = Table::open(MIXED).unwrap(); // 10.0.0.0/8:443,8000-8010 is open, and nothing of 10.1.0.0/16
        let opens = |address: &str, low, high| {
            let opens = vec![Ports { protocol: Protocol::Tcp, low, high }];
            let name = Name { text: "far.test".into(), kind: NameKind::Live, opens };
            let listed = Listed::with(vec![name], vec![]);
            let Meaning::Live(rules) = listed.find("far.test") else { panic!("not live") };
            listed.opens(&table, "far.test", &rules, address.parse().unwrap())
        };
        assert_eq!(opens("10.0.0.1", 443, 443), Some(vec![]));
        assert_eq!(opens("10.0.0.1", 8001, 8010), Some(vec![]));
        assert_eq!(opens("10.0.0.1", 443, 8010), None); // both ends are open, what is between them is not
        assert_eq!(opens("10.0.0.1", 8001, 8011), None);
        assert_eq!(opens("10.1.0.1", 443, 443), None);
    }

    #[test]
    fn what_resolvers_make_of_a_listed_name_is_known_for_that() {
        let listed = Listed::of(&Table::open(MIXED).unwrap());
        for name in
            ["db.example.corp.lan", "_443._https.db.example", "1.0.0.127.in-addr.arpa", "localhost.lan"]
        {
            assert!(listed.is_echo(name), "{name}");
        }
        for name in ["evil.com", "_443._https.evil.com", "xdb.example.com"] {
            assert!(!listed.is_echo(name), "{name}");
        }
    }
}
