//! Which names the sandbox's TCP sockets keep. A name that bind(2) was asked for stays with its socket for
//! good; one that Linux chose is lost when the socket is disconnected, when its connection ends, when its
//! queue is shut, and getsockname(2) still tells the old port then (net/ipv4/inet_hashtables.c,
//! `__inet_put_port`). So where a socket may listen is judged by what it was bound to, and not by the name
//! that it shows. Knows nothing of who may bind what.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use crate::sys::{Result, fd, socket};

/// The ports that Linux chooses from, whatever a socket asks for (`IP_LOCAL_PORT_RANGE` only narrows them).
const CHOSEN: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Sockets remembered before the closed ones among them are looked for the first time; from then on when
/// their number has doubled. So at most twice as many are remembered as were open then, 64 bytes for each,
/// of which the kernel spends thousands.
const FIRST: usize = 1024;

/// Sockets that were bound, by `SO_COOKIE`.
#[derive(Debug, Default)]
pub struct Bound {
    sockets: HashMap<u64, Asked>,
    /// How many there may be before the closed ones are forgotten, or `FIRST`.
    room: usize,
}

/// What was asked for: port 0 leaves the port to Linux, and keeps the address.
#[derive(Debug)]
struct Asked {
    inode: u64,
    ip: IpAddr,
    port: u16,
}

impl Bound {
    /// The socket was bound to that. `open` tells the inodes of those that are still open; where it can not,
    /// all that came before are forgotten, and may listen as little as what was never bound.
    pub fn remember(
        &mut self,
        socket: &OwnedFd,
        (ip, port): (IpAddr, u16),
        open: impl FnOnce() -> Result<HashSet<u64>>,
    ) -> Result<()> {
        let (cookie, inode) = (socket::cookie(socket)?, fd::identity(socket)?.inode);
        if self.sockets.len() >= self.room.max(FIRST) {
            let open = open().unwrap_or_default();
            self.sockets.retain(|_, bound| open.contains(&bound.inode));
            self.room = 2 * self.sockets.len();
        }
        self.sockets.insert(cookie, Asked { inode, ip, port });
        Ok(())
    }

    /// Where the socket will listen: the address and all ports of which it may be any. One that is not known
    /// (`v6`: its family) may be given every address.
    pub fn listens(&self, cookie: u64, v6: bool) -> (IpAddr, (u16, u16)) {
        let any = if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        match self.sockets.get(&cookie) {
            Some(Asked { ip, port: 0, .. }) => (*ip, chosen()),
            Some(Asked { ip, port, .. }) => (*ip, (*port, *port)),
            None => (any, chosen()),
        }
    }
}

/// The ports that Linux chooses from; where it does not say, every one.
pub(crate) fn chosen() -> (u16, u16) {
    fs::read_to_string(CHOSEN).ok().and_then(|text| parse(&text)).unwrap_or((1, u16::MAX))
}

fn parse(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Errno;

    const OWN: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn tcp() -> (OwnedFd, u64) {
        let socket = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        let cookie = socket::cookie(&socket).unwrap();
        (socket, cookie)
    }

    #[test]
    fn a_socket_listens_where_it_was_bound_and_else_anywhere() {
        let mut bound = Bound::default();
        let [first, second] = [80, 0].map(|port| {
            let (socket, cookie) = tcp();
            bound.remember(&socket, (OWN, port), || unreachable!()).unwrap();
            cookie
        });
        assert_eq!(bound.listens(first, false), (OWN, (80, 80)));
        assert_eq!(bound.listens(second, false), (OWN, chosen()));
        assert_eq!(bound.listens(u64::MAX, false), (Ipv4Addr::UNSPECIFIED.into(), chosen()));
        assert_eq!(bound.listens(u64::MAX, true), (Ipv6Addr::UNSPECIFIED.into(), chosen()));
    }

    #[test]
    fn what_is_closed_is_forgotten_and_what_is_open_is_not_however_many_were_bound() {
        let mut bound = Bound::default();
        let (open, its) = tcp();
        let inode = fd::identity(&open).unwrap().inode;
        bound.remember(&open, (OWN, 80), || unreachable!()).unwrap();
        let mut searches = 0;
        for _ in 0..10 * FIRST {
            let (socket, cookie) = tcp();
            let found = || {
                searches += 1;
                Ok(HashSet::from([inode]))
            };
            bound.remember(&socket, (OWN, 81), found).unwrap();
            assert_eq!(bound.listens(cookie, false).1, (81, 81));
        }
        assert_eq!(bound.listens(its, false).1, (80, 80));
        assert!(bound.sockets.len() <= FIRST && searches <= 11, "{searches} searches");
    }

    #[test]
    fn what_can_not_be_looked_for_may_listen_anywhere() {
        let mut bound = Bound::default();
        let (first, its) = tcp();
        bound.remember(&first, (OWN, 80), || unreachable!()).unwrap();
        for _ in 0..FIRST {
            bound.remember(&tcp().0, (OWN, 80), || Err(Errno(libc::EMFILE))).unwrap();
        }
        assert_eq!(bound.listens(its, false).0, IpAddr::from([0, 0, 0, 0]));
        assert_eq!(bound.sockets.len(), 1);
    }

    #[test]
    fn the_range_is_two_numbers() {
        assert_eq!(parse("32768\t60999\n"), Some((32768, 60999)));
        assert_eq!(parse("32768\n"), None);
        assert_eq!(parse("0 65536"), None);
    }
}
