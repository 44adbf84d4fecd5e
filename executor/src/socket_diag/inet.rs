//! Sockets of TCP and UDP: who has an address (linux/inet_diag.h).

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use super::{Diag, cookie};
use crate::sys::Result;

/// Where the cookie stands in a `struct inet_diag_msg`: family, state, timer, retransmissions, then the
/// ports, two addresses and the interface of its `struct inet_diag_sockid`.
const COOKIE: usize = 4 + 2 * 2 + 2 * 16 + 4;

impl Diag {
    /// The socket of TCP or UDP, by `SO_COOKIE`, to which comes what is sent from `from` to `to`. None: there
    /// is no such socket, or the kernel does not answer such questions.
    pub fn receiver(&mut self, protocol: i32, from: SocketAddr, to: SocketAddr) -> Result<Option<u64>> {
        // The receiver stands first for TCP and last for UDP, "for historical reasons" (net/ipv4/udp_diag.c).
        let ends = if protocol == libc::IPPROTO_TCP { [to, from] } else { [from, to] };
        let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let question = question(family, protocol, Some(ends));
        self.one(&question, |message| cookie(message, COOKIE)).map(Option::flatten)
    }

    /// Every socket of TCP or UDP, by `SO_COOKIE`.
    pub fn open_sockets(&mut self, protocol: i32) -> Result<HashSet<u64>> {
        let mut open = HashSet::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            self.each(&question(family, protocol, None), |message| open.extend(cookie(message, COOKIE)))?;
        }
        Ok(open)
    }
}

/// `struct inet_diag_req_v2`
fn question(family: i32, protocol: i32, ends: Option<[SocketAddr; 2]>) -> Vec<u8> {
    let number = |number: i32| u8::try_from(number).unwrap_or(0);
    let [first, second] = ends.map_or([(0, [0; 16]); 2], |ends| ends.map(|end| (end.port(), octets(end))));
    let request: [&[u8]; 8] = [
        &[number(family), number(protocol), 0, 0], // family, protocol, extensions, pad
        &u32::MAX.to_ne_bytes(),                   // all states
        &first.0.to_be_bytes(),
        &second.0.to_be_bytes(),
        &first.1,
        &second.1,
        &0u32.to_ne_bytes(),     // any interface
        &u64::MAX.to_ne_bytes(), // any cookie (INET_DIAG_NOCOOKIE)
    ];
    request.concat()
}

fn octets(address: SocketAddr) -> [u8; 16] {
    match address.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Errno;
    use crate::sys::socket::{self, Name};
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
    use std::os::fd::{AsRawFd, OwnedFd};

    fn cookie_of(socket: &impl AsRawFd) -> Option<u64> {
        socket::cookie(socket).ok()
    }

    #[test]
    fn it_is_told_which_socket_has_an_address_and_not_which_had_it() {
        let mut diag = Diag::open().unwrap();
        for own in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let [server, first] = [0; 2].map(|port| UdpSocket::bind((own, port)).unwrap());
            let [to, at] = [&server, &first].map(|socket| socket.local_addr().unwrap());
            first.connect(to).unwrap();
            let mut receiver = || diag.receiver(libc::IPPROTO_UDP, to, at).unwrap();
            assert_eq!(receiver(), cookie_of(&first));
            drop(first);
            assert_eq!(receiver(), None);
            let next = UdpSocket::bind(at).unwrap();
            assert_eq!(receiver(), cookie_of(&next));

            let listener = TcpListener::bind((own, 0)).unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let [to, at] = [stream.peer_addr(), stream.local_addr()].map(|at| at.unwrap());
            assert_eq!(diag.receiver(libc::IPPROTO_TCP, to, at).unwrap(), cookie_of(&stream));
            // Whoever is not connected comes to the listener.
            let nobody = (own, at.port().wrapping_add(1)).into();
            assert_eq!(diag.receiver(libc::IPPROTO_TCP, nobody, to).unwrap(), cookie_of(&listener));
        }
    }

    #[test]
    fn what_is_open_is_told_of_both_families() {
        let mut diag = Diag::open().unwrap();
        let sockets = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()]
            .map(|own| UdpSocket::bind((own, 0)).unwrap());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let open = diag.open_sockets(libc::IPPROTO_UDP).unwrap();
        assert!(sockets.iter().all(|socket| open.contains(&cookie_of(socket).unwrap())));
        assert!(!open.contains(&cookie_of(&listener).unwrap()));
        let [closed, _] = sockets.map(|socket| cookie_of(&socket).unwrap());
        assert!(!diag.open_sockets(libc::IPPROTO_UDP).unwrap().contains(&closed));
        assert!(diag.open_sockets(libc::IPPROTO_TCP).unwrap().contains(&cookie_of(&listener).unwrap()));
    }

    #[test]
    fn an_answer_that_was_not_read_is_not_that_to_the_next_question() {
        let mut diag = Diag::open().unwrap();
        let [first, second] = [0; 2].map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
        let [one, other] = [&first, &second].map(|socket| socket.local_addr().unwrap());
        diag.ask(0, &question(libc::AF_INET, libc::IPPROTO_UDP, Some([other, one]))).unwrap();
        // A whole list of which nothing was read.
        diag.ask(0x300, &question(libc::AF_INET, libc::IPPROTO_UDP, None)).unwrap();
        assert_eq!(diag.receiver(libc::IPPROTO_UDP, one, other), Ok(cookie_of(&second)));
    }

    #[test]
    fn nobody_but_the_kernel_answers() {
        let new = || socket::new(libc::AF_NETLINK, libc::SOCK_DGRAM, 4).unwrap();
        let (sender, open, diag) = (new(), new(), Diag::open().unwrap());
        socket::bind(&open, &Name::new(&[16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])).unwrap();
        let send =
            |to: &OwnedFd| socket::send(&sender, Some(&socket::local_name(to).unwrap()), &[0; 16], &[], 0);
        match send(&open) {
            Ok(_) => assert_eq!(send(&diag.socket), Err(Errno(libc::ECONNREFUSED))),
            // Only root may try.
            denied => assert_eq!((denied, send(&diag.socket)), (Err(Errno(libc::EPERM)), denied)),
        }
    }
}
