//! Who asks: of a question only the port is seen that it comes from, and only sockets of the sandbox are
//! answered. A port may be another's by now, and several sockets may share it (`SO_REUSEPORT`). So the kernel
//! is asked, for each question, which socket the answer would come to; it is answered if that one was turned
//! here. Knows nothing of names.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};

use crate::locks::lock;
use crate::socket_diag::Diag;
use crate::sys::{Errno, Result};

/// Sockets that shared a port, or had one that was taken again, before the closed ones are looked for; then
/// when twice as many are remembered as were open.
const FIRST: usize = 1024;

/// The sockets that were turned here, of UDP and of TCP.
#[derive(Default)]
pub(super) struct Askers([Mutex<Sockets>; 2]);

/// Those of one protocol: 3 MiB at most when all ports have been used, and as much for those beside the last
/// as are open.
#[derive(Default)]
struct Sockets {
    /// The last one of each port, by `SO_COOKIE`, and the thread that turned it here.
    last: HashMap<u16, (u64, u32)>,
    /// The thread of those before it, by port and `SO_COOKIE`.
    earlier: HashMap<(u16, u64), u32>,
    /// How many of these there may be before the closed ones are forgotten, or `FIRST`.
    room: usize,
}

impl Askers {
    fn of(&self, is_stream: bool) -> MutexGuard<'_, Sockets> {
        let [datagrams, streams] = &self.0;
        lock(if is_stream { streams } else { datagrams })
    }

    /// A thread turned the socket with that port here.
    pub(super) fn note(&self, is_stream: bool, port: u16, cookie: u64, tid: u32) {
        let mut sockets = self.of(is_stream);
        let Some((before, its)) = sockets.last.insert(port, (cookie, tid)) else { return };
        if before == cookie {
            return;
        }
        sockets.earlier.insert((port, before), its);
        if sockets.earlier.len() > sockets.room.max(FIRST) {
            // Where it can not be asked, all are forgotten.
            let open = Diag::open().and_then(|mut diag| diag.open_sockets(protocol_of(is_stream)));
            let open = open.unwrap_or_default();
            sockets.earlier.retain(|(_, cookie), _| open.contains(cookie));
            sockets.room = 2 * sockets.earlier.len();
        }
    }

    /// The thread that turned a socket here which had that port: that one; none: the last.
    fn thread_of(&self, is_stream: bool, port: u16, cookie: Option<u64>) -> Option<u32> {
        let sockets = self.of(is_stream);
        let (last, tid) = *sockets.last.get(&port)?;
        match cookie {
            Some(cookie) if cookie != last => sockets.earlier.get(&(port, cookie)).copied(),
            _ => Some(tid),
        }
    }
}

fn protocol_of(is_stream: bool) -> i32 {
    if is_stream { libc::IPPROTO_TCP } else { libc::IPPROTO_UDP }
}

/// Asks the kernel who has a port.
#[derive(Default)]
pub(super) struct Ports {
    /// Kept open: making one takes longer than the question. None: there was none yet, or it had an error.
    diag: Option<Diag>,
    /// It does not tell, of UDP or TCP: it lacks a module (sock_diag, udp_diag, tcp_diag).
    are_untold: [bool; 2],
}

impl Ports {
    /// The thread that asks, from `peer`, one of our sockets at `own`. None: it is not a socket of the sandbox
    /// that the answer would come to, or it can not be asked now. Where the kernel does not tell who has a
    /// port, whoever has one that was noted is answered.
    pub(super) fn asker(
        &mut self,
        askers: &Askers,
        is_stream: bool,
        own: SocketAddr,
        peer: SocketAddr,
    ) -> Option<u32> {
        // Whoever is not known anyway is not asked for.
        let last = askers.thread_of(is_stream, peer.port(), None)?;
        let [datagrams, streams] = &mut self.are_untold;
        let is_untold = if is_stream { streams } else { datagrams };
        if *is_untold {
            return Some(last);
        }
        match receiver(&mut self.diag, protocol_of(is_stream), own, peer) {
            Ok(Some(cookie)) => askers.thread_of(is_stream, peer.port(), Some(cookie)),
            Ok(None) => None,
            Err(Errno(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EAGAIN)) => {
                self.diag = None;
                None
            }
            Err(_) => {
                *is_untold = true;
                Some(last)
            }
        }
    }
}

/// The socket that has an answer from `own` to `peer`. ENOENT: the kernel does not tell of such sockets, not
/// even of ours.
fn receiver(
    diag: &mut Option<Diag>,
    protocol: i32,
    own: SocketAddr,
    peer: SocketAddr,
) -> Result<Option<u64>> {
    let diag = match diag {
        Some(diag) => diag,
        None => diag.insert(Diag::open()?),
    };
    let told = diag.receiver(protocol, own, peer)?;
    // Known without asking: ours is there, the stream or else its listener.
    if told.is_none() && diag.receiver(protocol, peer, own)?.is_none() {
        return Err(Errno(libc::ENOENT));
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::socket;
    use std::net::{Ipv4Addr, UdpSocket};

    #[test]
    fn of_all_ports_the_last_sockets_are_known_and_of_others_those_that_are_open() {
        let askers = Askers::default();
        let open = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, cookie) = (open.local_addr().unwrap().port(), socket::cookie(&open).unwrap());
        askers.note(false, port, cookie, 9);
        for tid in 0..3 {
            for port in 0..=u16::MAX {
                // Larger than the kernel's own.
                askers.note(false, port, u64::from(tid + 1) << 48 | u64::from(port), tid);
            }
        }
        let known = |port, cookie| askers.thread_of(false, port, cookie);
        assert_eq!((known(7, None), known(7, Some(3 << 48 | 7))), (Some(2), Some(2)));
        assert_eq!(known(7, Some(1 << 48 | 7)), None);
        assert_eq!((known(port, Some(cookie)), known(port ^ 1, Some(cookie))), (Some(9), None));
        assert_eq!(askers.thread_of(true, 7, None), None);
        let sockets = askers.of(false);
        assert_eq!(sockets.last.len(), 65_536);
        assert!(sockets.earlier.len() <= FIRST + 1, "{}", sockets.earlier.len());
    }

    #[test]
    fn who_can_not_be_asked_for_now_is_not_answered_and_who_is_never_told_is() {
        let askers = Askers::default();
        let [server, asker] = [0; 2].map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
        let [own, peer] = [&server, &asker].map(|socket| socket.local_addr().unwrap());
        let mut ports = Ports::default();
        assert_eq!(ports.asker(&askers, false, own, peer), None);
        askers.note(false, peer.port(), 1 << 48, 1);
        assert_eq!(ports.asker(&askers, false, own, peer), None);
        askers.note(false, peer.port(), socket::cookie(&asker).unwrap(), 2);
        assert_eq!(ports.asker(&askers, false, own, peer), Some(2));
        drop(asker);
        assert_eq!(ports.asker(&askers, false, own, peer), None);
        // Nor is ours: as if the kernel had no udp_diag.
        drop(server);
        assert_eq!(ports.asker(&askers, false, own, peer), Some(2));
        assert_eq!(ports.are_untold, [true, false]);
    }
}
