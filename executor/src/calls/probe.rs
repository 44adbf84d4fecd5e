//! Connects of datagram sockets that only ask. Resolvers sort addresses (RFC 6724), and ping(8) finds its
//! source, by connecting a UDP socket and asking for its own address; nothing is sent. Such a connect is
//! taken though UDP may not go there: the socket is told the source it would have, and its peer is a port of
//! this machine at which nobody receives: what it sends is answered like a closed port (ECONNREFUSED).

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use crate::receiver::Receiver;
use crate::sockaddr::{Form, Inet, Kind, from_kernel};
use crate::sys::{Errno, Result, socket};
use crate::table::{Mode, Protocol, Verdict};

/// Source addresses for which there is a port at most. A machine has a handful. None is given up again:
/// sockets of the command may be connected to it, and it would become anybody's.
const MOST: usize = 256;

/// A port of ours at each source address, held by a socket that is connected to itself: so nobody else can
/// have it, and what others send there finds no receiver.
#[derive(Debug, Default)]
pub struct Closed(HashMap<IpAddr, (OwnedFd, u16)>);

impl Closed {
    fn port(&mut self, source: Inet) -> Result<u16> {
        let ip = source.canonical();
        if let Some((_, port)) = self.0.get(&ip) {
            return Ok(*port);
        }
        if self.0.len() >= MOST {
            return Err(Errno(libc::ENETUNREACH));
        }
        let (domain, form) =
            if ip.is_ipv4() { (libc::AF_INET, Form::V4) } else { (libc::AF_INET6, Form::V6) };
        let held = socket::new(domain, libc::SOCK_DGRAM, 0)?;
        socket::bind(&held, &Inet { ip, port: 0, scope: source.scope, form }.name())?;
        let own = socket::local_name(&held)?;
        socket::connect(&held, &own)?;
        let (_, port) = from_kernel(&own).ok_or(Errno(libc::EADDRNOTAVAIL))?;
        self.0.insert(ip, (held, port));
        Ok(port)
    }
}

/// Ports that resolvers take when they were given none: glibc, Go (net/addrselect.go), musl
/// (src/network/lookup_name.c).
const PROBED: [u16; 3] = [0, 9, 65535];

/// Whether a refused connect is one: UDP may not go there but TCP on that port, or an echo request, may; or
/// its port is one that resolvers take; or it is an address of a name (which port it is for, resolvers do not
/// say); or it is 0.0.0.0 or :: with a port that may be bound there (servers have those two sorted as well, and
/// bind the first).
pub(super) fn is_one(receiver: &mut Receiver, kind: Kind, inet: &Inet) -> bool {
    if !matches!(kind, Kind::Udp { .. }) {
        return false;
    }
    if PROBED.contains(&inet.port) {
        return true;
    }
    if receiver.names.as_mut().is_some_and(|names| names.is_named(inet.canonical())) {
        return true;
    }
    let may = |protocol, port| {
        receiver.table.plan(protocol) != Mode::Closed
            && receiver.table.lookup(protocol, inet.canonical(), port) == Verdict::Allow
    };
    let may_bind = || [Protocol::TcpBind, Protocol::UdpBind].into_iter().any(|bind| may(bind, inet.port));
    may(Protocol::Tcp, inet.port) || may(Protocol::Icmp, 0) || inet.canonical().is_unspecified() && may_bind()
}

/// Connects the socket so that its own address is that of a socket connected to `inet`. The error of such a
/// connect is its error.
pub(super) fn answer(receiver: &mut Receiver, fd: &OwnedFd, kind: Kind, inet: &Inet) -> Result<()> {
    let domain = if matches!(kind, Kind::Udp { v6: true }) { libc::AF_INET6 } else { libc::AF_INET };
    let ours = socket::new(domain, libc::SOCK_DGRAM, 0)?;
    socket::connect(&ours, &inet.name())?;
    let (ip, _) = from_kernel(&socket::local_name(&ours)?).ok_or(Errno(libc::EADDRNOTAVAIL))?;
    // A source on a link may be that of other destinations too.
    receiver.links.names(ip);
    if receiver.links.meets(fd, ip)? {
        return Err(Errno(libc::EALREADY));
    }
    let source = Inet { ip, port: 0, scope: inet.scope, form: inet.form };
    let port = receiver.closed.port(source)?;
    // A socket of IPv6 keeps IPv4 in its mapped form, also where it was given in the other.
    let form = if domain == libc::AF_INET6 { Form::V6 } else { Form::V4 };
    socket::connect(fd, &Inet { port, form, ..source }.name())
}
