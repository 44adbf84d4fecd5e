//! Step 3 of `receiver/`: what a socket is, asked of our duplicate with as few questions as tell it. Each
//! is a system call, a twentieth of a refusal.
//!
//! What a socket is never changes, but for `IPV6_ADDRFORM`, which makes an IPv6 socket with an IPv4 peer an
//! IPv4 one: the kernel then refuses the IPv6 names that are made for it.

use std::os::fd::AsRawFd;

use crate::sockaddr::Kind;
use crate::sys::{Result, socket};

/// Sockets that are remembered.
const REMEMBERED: usize = 64;

/// What sockets are, as far as it need not be asked.
pub(crate) struct Kinds {
    /// By cookie (`SO_COOKIE`): a number that no other socket gets until the machine is started anew.
    recent: [(u64, Option<Kind>); REMEMBERED],
    /// The kernel tells TCP by one question (`socket::is_tcp`), or it is not known yet that it does not.
    tells_tcp: bool,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { recent: [(0, None); REMEMBERED], tells_tcp: true }
    }
}

impl Kinds {
    /// What a socket is that is used again and again: one question instead of three.
    pub(crate) fn of(&mut self, fd: &impl AsRawFd) -> Result<Kind> {
        let cookie = socket::cookie(fd)?;
        let index = usize::try_from(cookie).unwrap_or(0) % REMEMBERED;
        let Some(cell) = self.recent.get_mut(index) else { return kind(fd) };
        if let (known, Some(kind)) = *cell
            && known == cookie
        {
            return Ok(kind);
        }
        let kind = kind(fd)?;
        *cell = (cookie, Some(kind));
        Ok(kind)
    }

    /// What a socket is that connects, most likely a new one and TCP: two questions then. A raw socket of
    /// protocol 6 is none that answers the second.
    pub(crate) fn of_connecting(&mut self, fd: &impl AsRawFd) -> Result<Kind> {
        let domain = domain(fd)?;
        let is_ip = matches!(domain, libc::AF_INET | libc::AF_INET6);
        if is_ip && self.tells_tcp && socket::is_tcp(fd) {
            return Ok(Kind::Tcp { v6: domain == libc::AF_INET6 });
        }
        let kind = among(domain, fd)?;
        self.tells_tcp &= !matches!(kind, Kind::Tcp { .. });
        Ok(kind)
    }
}

/// What a socket is. ENOTSOCK for other files.
pub(crate) fn kind(fd: &impl AsRawFd) -> Result<Kind> {
    among(domain(fd)?, fd)
}

fn domain(fd: &impl AsRawFd) -> Result<i32> {
    socket::option(fd, libc::SOL_SOCKET, libc::SO_DOMAIN)
}

fn among(domain: i32, fd: &impl AsRawFd) -> Result<Kind> {
    let kind = socket::option(fd, libc::SOL_SOCKET, libc::SO_TYPE)?;
    let protocol = socket::option(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL)?;
    Kind::of(domain, kind, protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Errno;
    use std::os::fd::OwnedFd;

    fn all() -> Vec<OwnedFd> {
        let kinds = [
            (libc::AF_INET, libc::SOCK_STREAM, 0),
            (libc::AF_INET6, libc::SOCK_STREAM, 0),
            (libc::AF_INET, libc::SOCK_STREAM, 262), // IPPROTO_MPTCP, where there is one
            (libc::AF_INET, libc::SOCK_DGRAM, 0),
            (libc::AF_INET6, libc::SOCK_DGRAM, 0),
            (libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_TCP), // with CAP_NET_RAW
            (libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_TCP),
            (libc::AF_UNIX, libc::SOCK_STREAM, 0),
            (libc::AF_UNIX, libc::SOCK_DGRAM, 0),
            (libc::AF_NETLINK, libc::SOCK_RAW, 0),
        ];
        kinds
            .into_iter()
            .filter_map(|(domain, kind, protocol)| socket::new(domain, kind, protocol).ok())
            .collect()
    }

    #[test]
    fn fewer_questions_tell_the_same() {
        let sockets = all();
        assert!(sockets.len() >= 7);
        for tells_tcp in [true, false] {
            let mut kinds = Kinds { tells_tcp, ..Kinds::default() };
            for socket in &sockets {
                let told = kind(socket);
                assert_eq!(kinds.of_connecting(socket), told);
                assert_eq!((kinds.of(socket), kinds.of(socket)), (told, told));
            }
        }
    }

    #[test]
    fn a_kernel_that_does_not_tell_tcp_is_asked_once() {
        let tcp = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        let udp = socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap();
        let mut kinds = Kinds::default();
        assert!(!socket::is_tcp(&udp));
        assert_eq!(kinds.of_connecting(&udp), Ok(Kind::Udp { v6: false }));
        assert!(kinds.tells_tcp);
        assert_eq!(kinds.of_connecting(&tcp), Ok(Kind::Tcp { v6: false }));
        assert_eq!(kinds.tells_tcp, socket::is_tcp(&tcp));
    }

    #[test]
    fn what_is_no_socket_is_told() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(Kinds::default().of_connecting(&file), Err(Errno(libc::ENOTSOCK)));
    }
}
