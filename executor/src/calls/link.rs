//! Sockets of IPv6 that are tied to one link: a bind or a connect to a link-local address with its scope does
//! that, for good, and so does being accepted from one. Linux then sends to every other address on that link
//! as well, to an address of this machine even, where it is another host's. Decides whether such a
//! destination is refused; knows nothing of rules.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use crate::event::Call;
use crate::receiver::Receiver;
use crate::sockaddr::{Inet, Kind};
use crate::sys::seccomp::Notification;
use crate::sys::{Errno, Result, socket};

/// ENETUNREACH: the socket is tied to a link, and the address is not one of links. Such a refusal is told.
pub(super) fn leads_to(
    receiver: &mut Receiver,
    notification: &Notification,
    call: Call,
    kind: Kind,
    socket: &OwnedFd,
    inet: &Inet,
) -> Result<()> {
    let is_v6 = matches!(kind, Kind::Tcp { v6: true } | Kind::Udp { v6: true } | Kind::Icmp { v6: true });
    if !is_v6 || is_of_a_link(inet.ip) {
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

/// A link-local or multicast address: which link is meant, its scope or an option says.
fn is_of_a_link(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local() || address.is_multicast())
}

/// The index of the link, 0: none.
fn link_of(socket: &OwnedFd) -> Result<i32> {
    socket::option(socket, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX)
}
