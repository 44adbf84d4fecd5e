//! Sockets of IPv6 that are tied to one link: a bind or a connect to a link-local address with its scope does
//! that, for good, and so does being accepted from one. Linux then sends to every other address on that link
//! as well, to an address of this machine even, where it is another host's. Decides whether such a
//! destination is refused; knows nothing of rules.
//!
//! What ties a socket is made by the thread that receives, but for a TCP connect to an address of a link; that
//! a socket is not tied is asked there as well. So a call that another thread makes later, or once more, must
//! find the socket as it was then: while it is under way, none that names a link begins on that socket, and
//! while one that does is, no other connect.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use crate::event::Call;
use crate::receiver::Receiver;
use crate::sockaddr::{Inet, Kind, from_kernel};
use crate::sys::seccomp::Notification;
use crate::sys::socket::Name;
use crate::sys::{Errno, Result, socket};
use crate::under_way::{Apart, UnderWay};

/// Whether a socket of the sandbox may be tied to a link. Options that tie one are refused by the filter, so
/// it takes a bind or a connect, which come here before they are made, an accept, or somebody outside who
/// hands one in. Most commands do nothing of that, and their sockets need not be asked.
#[derive(Debug)]
pub struct Links {
    may_be_tied: bool,
    under_way: UnderWay,
}

impl Links {
    /// `from_outside`: the command was given sockets, or somebody outside can hand it one.
    pub fn new(from_outside: bool) -> Self {
        Self { may_be_tied: from_outside, under_way: UnderWay::default() }
    }

    /// A socket is about to be bound, or to send, to that address.
    pub(super) fn names(&mut self, address: IpAddr) {
        self.may_be_tied |= is_of_a_link(address);
    }

    /// A connect to that name is about to be made by another thread, or once more; none: it is no matter of links.
    pub(super) fn connects(&self, socket: &OwnedFd, name: &Name) -> Result<Option<Apart>> {
        match from_kernel(name) {
            Some((ip @ IpAddr::V6(_), _)) => self.under_way.begin(socket, is_of_a_link(ip)).map(Some),
            _ => Ok(None),
        }
    }

    /// The same for a message. One to a link ties nothing.
    pub(super) fn sends(&self, kind: Kind, socket: &OwnedFd, name: Option<&Name>) -> Result<Option<Apart>> {
        match name.and_then(from_kernel) {
            Some((ip, _)) if is_v6(kind) && !is_of_a_link(ip) => {
                self.under_way.begin(socket, false).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Whether a bind or a connect of that socket to that address would meet a call under way that goes
    /// elsewhere by it.
    pub(super) fn meets(&self, socket: &OwnedFd, address: IpAddr) -> Result<bool> {
        self.under_way.has(socket, !is_of_a_link(address))
    }

    /// A socket is about to listen: it accepts from links too, and one of unix from anybody who then hands
    /// something in. One of IPv4 accepts neither.
    pub(super) fn listens(&mut self, kind: Kind) {
        self.may_be_tied |= kind != Kind::Tcp { v6: false };
    }
}

/// ENETUNREACH: the socket is tied to a link, and the address is not one of links. Such a refusal is told.
/// EALREADY: a call under way would be led away by this connect, or lead it.
pub(super) fn leads_to(
    receiver: &mut Receiver,
    notification: &Notification,
    call: Call,
    kind: Kind,
    socket: &OwnedFd,
    inet: &Inet,
) -> Result<()> {
    receiver.links.names(inet.ip);
    if !is_v6(kind) || !receiver.links.may_be_tied {
        return Ok(());
    }
    if call == Call::Connect && receiver.links.meets(socket, inet.ip)? {
        return Err(Errno(libc::EALREADY));
    }
    if is_of_a_link(inet.ip) {
        return Ok(());
    }
    let link = link_of(socket)?;
    // Where the administrator ties every socket to one (`ip vrf exec`), ours are as well.
    if link == 0 || link == link_of(&socket::new(libc::AF_INET6, libc::SOCK_DGRAM, 0)?)? {
        return Ok(());
    }
    let error = Errno(libc::ENETUNREACH);
    receiver.tell_denied(notification, call, kind, inet, error);
    Err(error)
}

fn is_v6(kind: Kind) -> bool {
    matches!(kind, Kind::Tcp { v6: true } | Kind::Udp { v6: true } | Kind::Icmp { v6: true })
}

/// A link-local or multicast address: which link is meant, its scope or an option says.
pub(super) fn is_of_a_link(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local() || address.is_multicast())
}

/// The index of the link, 0: none.
fn link_of(socket: &OwnedFd) -> Result<i32> {
    socket::option(socket, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_asked_once_one_may_be_tied() {
        let link: IpAddr = "fe80::1".parse().unwrap();
        let tcp = |v6| Kind::Tcp { v6 };
        let unix = Kind::Unix { datagram: false, stream: true };
        let after = |change: &dyn Fn(&mut Links)| {
            let mut links = Links::new(false);
            change(&mut links);
            // For good.
            links.names(IpAddr::from([127, 0, 0, 1]));
            links.may_be_tied
        };
        assert!(Links::new(true).may_be_tied);
        assert!(after(&|links| links.names(link)));
        assert!(after(&|links| links.names("ff02::1".parse().unwrap())));
        assert!(after(&|links| links.listens(tcp(true))));
        assert!(after(&|links| links.listens(unix)));
        assert!(!after(&|links| links.listens(tcp(false))));
        for far in ["::1", "::", "fec0::1", "2001:db8::1", "::ffff:169.254.1.1", "169.254.1.1"] {
            assert!(!after(&|links| links.names(far.parse().unwrap())), "{far}");
        }
    }
}
