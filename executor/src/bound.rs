//! Which names the sandbox's TCP sockets keep. A name that bind(2) was asked for stays with its socket for
//! good; one that Linux chose is lost when the socket is disconnected, when its connection ends, when its
//! queue is shut, and getsockname(2) still tells the old port then (net/ipv4/inet_hashtables.c,
//! `__inet_put_port`). So where a socket may listen is judged by what it was bound to, and not by the name
//! that it shows. Knows nothing of who may bind what.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ports that Linux chooses from, whatever a socket asks for (`IP_LOCAL_PORT_RANGE` only narrows them).
const CHOSEN: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Sockets remembered before it begins anew: a server listens soon after it was bound. 48 KiB.
const MOST: usize = 1024;

/// Sockets that were bound, by `SO_COOKIE`, with what was asked for: port 0 leaves the port to Linux, and
/// keeps the address.
#[derive(Debug, Default)]
pub struct Bound(HashMap<u64, (IpAddr, u16)>);

impl Bound {
    /// The socket was bound to that.
    pub fn remember(&mut self, cookie: u64, ip: IpAddr, port: u16) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(cookie, (ip, port));
    }

    /// Where the socket will listen: the address and all ports of which it may be any. One that is not known
    /// (`v6`: its family) may be given every address.
    pub fn listens(&self, cookie: u64, v6: bool) -> (IpAddr, (u16, u16)) {
        let any = if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        match self.0.get(&cookie) {
            Some((ip, port)) if *port != 0 => (*ip, (*port, *port)),
            Some((ip, _)) => (*ip, chosen()),
            None => (any, chosen()),
        }
    }
}

/// The ports that Linux chooses from; where it does not say, every one.
fn chosen() -> (u16, u16) {
    fs::read_to_string(CHOSEN).ok().and_then(|text| parse(&text)).unwrap_or((1, u16::MAX))
}

fn parse(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_listens_where_it_was_bound_and_else_anywhere() {
        let mut bound = Bound::default();
        let own = IpAddr::from([127, 0, 0, 1]);
        bound.remember(1, own, 80);
        bound.remember(2, own, 0);
        assert_eq!(bound.listens(1, false), (own, (80, 80)));
        assert_eq!(bound.listens(2, false), (own, chosen()));
        assert_eq!(bound.listens(3, false), (Ipv4Addr::UNSPECIFIED.into(), chosen()));
        assert_eq!(bound.listens(3, true), (Ipv6Addr::UNSPECIFIED.into(), chosen()));
    }

    #[test]
    fn what_was_forgotten_may_listen_anywhere() {
        let mut bound = Bound::default();
        for cookie in 0..=MOST as u64 {
            bound.remember(cookie, IpAddr::from([127, 0, 0, 1]), 80);
        }
        assert_eq!(bound.listens(0, false).0, IpAddr::from([0, 0, 0, 0]));
        assert_eq!(bound.listens(MOST as u64, false).1, (80, 80));
    }

    #[test]
    fn the_range_is_two_numbers() {
        assert_eq!(parse("32768\t60999\n"), Some((32768, 60999)));
        assert_eq!(parse("32768\n"), None);
        assert_eq!(parse("0 65536"), None);
    }
}
