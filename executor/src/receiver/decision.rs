//! May a destination be reached: what the table says, and the names that were learnt. Makes no call.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use super::Receiver;
use crate::names::live::Live;
use crate::names::redirect;
use crate::sockaddr::{self, Inet, Kind};
use crate::sys::{Errno, Result, socket};
use crate::table::{Mode, Protocol, Verdict};

impl Receiver {
    /// May the sandbox reach that destination by that kind of socket? Returns it with an unspecified address
    /// made concrete.
    pub(crate) fn decide(&mut self, kind: Kind, socket: &OwnedFd, inet: Inet) -> Result<Inet> {
        let protocol = match kind {
            Kind::Tcp { .. } => Protocol::Tcp,
            Kind::Udp { .. } => Protocol::Udp,
            Kind::Icmp { .. } => Protocol::Icmp,
            Kind::Unix { .. } | Kind::Netlink => return Err(Errno(libc::EACCES)),
        };
        if self.table.plan(protocol) == Mode::Closed {
            return Err(Errno(libc::EACCES));
        }
        let inet = self.concrete(socket, inet);
        let port = if protocol == Protocol::Icmp { 0 } else { inet.port };
        let address = inet.canonical();
        let is_allowed = self.table.lookup(protocol, address, port) == Verdict::Allow
            || self.live().is_some_and(|live| live.allows(protocol, address, port));
        if is_allowed { Ok(inet) } else { Err(Errno(libc::ECONNREFUSED)) }
    }

    /// The addresses learnt while the command runs.
    fn live(&mut self) -> Option<&mut Live> {
        self.names.as_mut()?.live.as_mut()
    }

    /// Whether the destination is a name server whose place ours takes (docs/format.md §6, *Port 53*).
    pub(crate) fn is_question(&self, kind: Kind, inet: &Inet) -> bool {
        let protocol = match kind {
            _ if inet.port != redirect::PORT => return false,
            Kind::Tcp { .. } => Protocol::Tcp,
            Kind::Udp { .. } => Protocol::Udp,
            _ => return false,
        };
        let Some(names) = &self.names else { return false };
        !names.are_asked(protocol)
            || self.table.lookup(protocol, inet.canonical(), redirect::PORT) == Verdict::Deny
    }

    /// The destination that Linux makes of an unspecified address.
    #[expect(clippy::unused_self, reason = "a step of the decision")]
    pub(crate) fn concrete(&self, socket: &OwnedFd, inet: Inet) -> Inet {
        if inet.canonical().is_unspecified() { inet.concrete(local(socket)) } else { inet }
    }
}

/// The local address of an IP socket, if it has one.
fn local(fd: &OwnedFd) -> Option<IpAddr> {
    sockaddr::from_kernel(&socket::local_name(fd).ok()?).map(|(ip, _)| ip)
}
