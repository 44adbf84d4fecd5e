//! The executor's reader of tables (docs/format.md): checks a table whole once, then answers look-ups from it
//! in place, without allocation and without a way to panic. Of rules it reads what names need (`names.rs`) and,
//! for whoever tells of a decision, which of them made it (`deciding.rs`).
//!
//! `policy/verify*.ts` and `policy/lookup.ts` are the same checks and the same look-up in WebAssembly; tests
//! hold the two together.

mod by_prefix;
mod bytes;
mod checksum;
mod covering;
mod deciding;
mod facts;
mod format_gen;
mod key;
mod lookup;
mod names;
mod verify;
mod verify_arrays;
mod verify_cells;
mod verify_facts;
mod verify_plan;
mod verify_rules;
mod verify_sets;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use facts::Facts;
use key::Key;
use lookup::Layout;

pub use by_prefix::ByPrefix;
#[cfg(feature = "fuzz")]
pub use checksum::table_checksum;
pub use deciding::{Decided, Written};
pub use facts::{UnixRule, names_are_to_be_seen_to};
pub use names::{Name, NameKind, Ports, PrivateName};

/// Bits of `Table::families` (docs/format.md, section `facts`).
pub mod families {
    pub(crate) use super::format_gen::{
        FAMILY_ALG as ALG, FAMILY_INET_DGRAM as INET_DGRAM, FAMILY_INET_STREAM as INET_STREAM,
        FAMILY_INET6_DGRAM as INET6_DGRAM, FAMILY_INET6_STREAM as INET6_STREAM,
        FAMILY_NETLINK_ROUTE as NETLINK_ROUTE, FAMILY_UNIX_DGRAM as UNIX_DGRAM,
        FAMILY_UNIX_PAIR as UNIX_PAIR, FAMILY_UNIX_SEQPACKET as UNIX_SEQPACKET,
        FAMILY_UNIX_STREAM as UNIX_STREAM,
    };
}

/// What rules speak about, numbered as in the table (docs/format.md §3): destinations of a protocol, or
/// addresses to bind and listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Number 0.
    Tcp,
    /// Number 1.
    Udp,
    /// Number 2; its port is always 0.
    Icmp,
    /// Number 3: what TCP sockets may be bound to.
    TcpBind,
    /// Number 4: what UDP sockets may be bound to.
    UdpBind,
}

impl Protocol {
    /// Whether addresses are bound, not sent to.
    fn is_bind(self) -> bool {
        matches!(self, Self::TcpBind | Self::UdpBind)
    }
}

/// What a table says about an address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Some allow rule and no deny rule covers it.
    Allow,
    /// Everything else.
    Deny,
}

/// What the executor has to do for a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No rule allows anything of it.
    Closed,
    /// Every destination is looked up.
    Supervised,
    /// The kernel decides, by Landlock and the port alone.
    Kernel,
    /// Everything is allowed.
    Open,
}

/// Why bytes are not a table: a code of `policy/format.ts` and the offset in bytes of the field at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defect {
    /// A `DEFECT_` code; its text is in the same file.
    pub code: u32,
    /// From the start of the file.
    pub offset: u64,
}

impl Defect {
    /// What it means.
    pub fn text(self) -> &'static str {
        let found = format_gen::DEFECT_TEXTS.iter().find(|(code, _)| *code == self.code);
        found.map_or("unknown", |(_, text)| text)
    }
}

/// A verified table. Owns or borrows its bytes; whoever may write to them may not do so while the table
/// lives, and even then a look-up only answers wrongly or with deny: every read is bounds-checked.
#[derive(Debug)]
pub struct Table<B> {
    bytes: B,
    layout: Layout,
    facts: Facts,
}

impl<B: AsRef<[u8]>> Table<B> {
    /// Checks all of `bytes`, in time linear in their length.
    pub fn open(bytes: B) -> Result<Self, Defect> {
        verify::verify(bytes.as_ref())?;
        Self::reopen(bytes)
    }

    /// The same without the checks, of bytes that have passed them and can not have changed since. Of others
    /// the answers are wrong, and nothing worse.
    pub fn reopen(bytes: B) -> Result<Self, Defect> {
        let view = bytes.as_ref();
        let layout = Layout::read(view)?;
        let facts = Facts::read(view)?;
        Ok(Self { bytes, layout, facts })
    }

    /// Decides on a destination, or, for the bind protocols, on an address to bind. `port` is 0 for ICMP.
    pub fn lookup(&self, protocol: Protocol, address: IpAddr, port: u16) -> Verdict {
        self.lookup_all(protocol, address, (port, port))
    }

    /// The same of every port of `low..=high` together: allowed is only what is allowed of each.
    pub fn lookup_all(&self, protocol: Protocol, address: IpAddr, ports: (u16, u16)) -> Verdict {
        let key = if protocol.is_bind() { Key::of(address) } else { Key::of_destination(address) };
        match self.layout.holds(self.bytes.as_ref(), protocol, key, ports) {
            Some(true) => Verdict::Allow,
            _ => Verdict::Deny,
        }
    }

    /// The rules by their prefixes, for `decided`.
    pub fn by_prefix(&self) -> Result<ByPrefix, Defect> {
        ByPrefix::new(bytes::View(self.bytes.as_ref()))
    }

    /// What the verdict of the same look-up comes from.
    pub fn decided(
        &self,
        by: &ByPrefix,
        protocol: Protocol,
        address: IpAddr,
        port: u16,
    ) -> Result<Decided, Defect> {
        let key = if protocol.is_bind() { Key::of(address) } else { Key::of_destination(address) };
        let verdict = self.lookup(protocol, address, port);
        deciding::decided(self.bytes.as_ref(), by, verdict, protocol, key.address(), port)
    }

    /// The first rule that opens a port at the addresses of a name that a command asks for.
    pub fn opened_by_name(
        &self,
        protocol: Protocol,
        name: &str,
        port: u16,
    ) -> Result<Option<Written>, Defect> {
        deciding::opened_by_name(self.bytes.as_ref(), protocol, name, port)
    }

    /// What decides on a UNIX socket outside, by its path or its abstract name.
    pub fn decided_unix(&self, name: &str, is_abstract: bool) -> Result<Decided, Defect> {
        deciding::decided_unix(self.bytes.as_ref(), name, is_abstract)
    }

    /// What the executor has to do for a protocol.
    pub fn plan(&self, protocol: Protocol) -> Mode {
        self.layout.plan(protocol)
    }

    /// The ports that every address of both families has, as ranges `low..=high`; none when addresses differ.
    pub fn ports_of_all(&self, protocol: Protocol) -> Option<Vec<(u16, u16)>> {
        let view = bytes::View(self.bytes.as_ref());
        let set = verify_plan::ports_of_all(view, protocol as u64).ok()??;
        verify_plan::port_ranges(view, set).ok()?.collect::<Result<_, _>>().ok()
    }

    /// The families of sockets that programs may make, as `FAMILY_` bits (docs/format.md §8).
    pub fn families(&self) -> u32 {
        self.facts.families
    }

    /// Whether the table lacks addresses of names that are to be pinned before a command starts: nothing may
    /// run under it.
    #[must_use]
    pub fn has_unpinned_names(&self) -> bool {
        self.facts.has_unpinned_names
    }

    /// Whether programs may make user namespaces, and others inside them.
    pub fn allows_user_namespaces(&self) -> bool {
        self.facts.allows_user_namespaces
    }

    /// The names of the rules.
    pub fn names(&self) -> Vec<Name> {
        names::names(self.bytes.as_ref()).unwrap_or_default()
    }

    /// The names that may have addresses of the inside, beside `localhost`.
    pub fn private_names(&self) -> Vec<PrivateName> {
        names::private_names(self.bytes.as_ref()).unwrap_or_default()
    }

    /// Whether some allow rule of the protocol, not one on a name, has that port by itself (docs/format.md
    /// §6, *Port 53*).
    pub fn speaks_of_port(&self, port: u16, protocol: Protocol) -> bool {
        names::opens_port(self.bytes.as_ref(), protocol, |range| range == (port, port)).unwrap_or(false)
    }

    /// Whether some allow rule of the protocol has that port, by itself or among others.
    pub fn opens_port(&self, port: u16, protocol: Protocol) -> bool {
        names::opens_port(self.bytes.as_ref(), protocol, |(low, high)| (low..=high).contains(&port))
            .unwrap_or(false)
    }

    /// What is left of `opens` at `address` once the deny rules that cover it are taken away.
    pub fn without_denied(&self, opens: &[Ports], address: IpAddr) -> Vec<Ports> {
        names::without_denied(self.bytes.as_ref(), opens, canonical(address)).unwrap_or_default()
    }

    /// The UNIX sockets outside that may be reached, in source order.
    pub fn unix_rules(&self) -> impl Iterator<Item = UnixRule<'_>> {
        self.facts.unix_rules(self.bytes.as_ref())
    }
}

/// The canonical form of a destination (docs/format.md §6): `::ffff:a.b.c.d` is `a.b.c.d`, and the
/// unspecified addresses are the loopback that Linux connects them to.
pub fn canonical(address: IpAddr) -> IpAddr {
    Key::of_destination(address).address()
}
