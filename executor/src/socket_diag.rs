//! What the kernel tells of sockets of our network (`sock_diag(7)`): of unix sockets all, with 32 bits of the
//! number of a file (linux/unix_diag.h); of others who has an address (linux/inet_diag.h). Knows neither
//! policy nor sandbox.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use crate::sys::{Errno, Result, fd, mounts, socket};

/// A file, as it is told. On file systems that number files in 64 bits another may be told the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldFile {
    inode: u32,
    device: u32,
}

impl ToldFile {
    /// What is told of that file. Where a file system shows several devices (btrfs one for each subvolume,
    /// overlayfs for each layer), that of stat(2) is not the one that is told, and the mount has it.
    pub fn of(file: &OwnedFd) -> Result<Self> {
        let identity = fd::identity(file)?;
        Ok(Self::new(identity.inode, mounts::device_of(file).unwrap_or(identity.device)))
    }

    /// Whether it may be that file. Asks for the mount only where it has to: all of them are read for that.
    pub fn is(self, file: &OwnedFd) -> Result<bool> {
        let identity = fd::identity(file)?;
        let by_stat = Self::new(identity.inode, identity.device);
        Ok(self == by_stat || self.inode == by_stat.inode && self == Self::of(file)?)
    }

    /// The kernel cuts the number, and has devices in another form than stat(2) (linux/kdev_t.h, MINORBITS 20).
    fn new(inode: u64, device: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "as the kernel cuts it")]
        Self { inode: inode as u32, device: libc::major(device) << 20 | libc::minor(device) }
    }
}

/// The file that a unix socket is bound to.
pub fn file_of(socket: &OwnedFd) -> Result<ToldFile> {
    let inode = u32::try_from(fd::identity(socket)?.inode).map_err(|_| Errno(libc::ERANGE))?;
    let diag = ask(inode, false)?;
    let mut buffer = [0u8; 512];
    let length = socket::receive(&diag, &mut buffer)?;
    messages(buffer.get(..length).unwrap_or_default())
        .find_map(|message| message.file)
        .ok_or(Errno(libc::ENOENT))
}

/// Whether anybody, of our network, may have that abstract name for a socket of the same type as `socket`;
/// also where that can not be asked.
pub fn may_be_bound(socket: &OwnedFd, name: &[u8]) -> bool {
    let Ok(kind) = socket::option(socket, libc::SOL_SOCKET, libc::SO_TYPE) else { return true };
    let mut is_bound = false;
    let asked = each(|message| {
        let its = message.name.as_deref().and_then(|name| name.strip_prefix(b"\0"));
        is_bound |= i32::from(message.kind) == kind && its == Some(name);
    });
    is_bound || asked.is_err()
}

/// Asks for every unix socket of our network.
pub fn each(mut told: impl FnMut(Message)) -> Result<()> {
    let diag = ask(0, true)?;
    let mut buffer = vec![0u8; 32 * 1024];
    loop {
        let length = socket::receive(&diag, &mut buffer)?;
        for message in messages(buffer.get(..length).unwrap_or_default()) {
            match message.end {
                None => told(message),
                Some(end) => return end,
            }
        }
        if length == 0 {
            return Err(Errno(libc::EIO));
        }
    }
}

/// Whether the kernel answers such questions at all (the modules sock_diag and unix_diag), tried on a socket
/// of our own.
pub fn can_ask() -> Result<()> {
    let socket = socket::new(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    let inode = u32::try_from(fd::identity(&socket)?.inode).map_err(|_| Errno(libc::ERANGE))?;
    let mut buffer = [0u8; 512];
    let length = socket::receive(&ask(inode, false)?, &mut buffer)?;
    let first = messages(buffer.get(..length).unwrap_or_default()).next();
    if first.is_some_and(|message| message.end.is_none()) { Ok(()) } else { Err(Errno(libc::ENOENT)) }
}

/// Whether what is sent from `from` to `to` comes to the socket with that cookie, of TCP or UDP. False also
/// where the kernel does not answer such questions.
pub fn comes_to(cookie: u64, protocol: i32, from: SocketAddr, to: SocketAddr) -> Result<bool> {
    // The receiver stands first for TCP and last for UDP, "for historical reasons" (net/ipv4/udp_diag.c).
    let [first, second] = if protocol == libc::IPPROTO_TCP { [to, from] } else { [from, to] };
    let octets = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => [ip.octets().as_slice(), &[0; 12]].concat(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let number = |number: i32| u8::try_from(number).unwrap_or(0);
    let low = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap_or(0);
    let request: [&[u8]; 8] = [
        &[number(family), number(protocol), 0, 0], // inet_diag_req_v2: family, protocol, extensions, pad
        &u32::MAX.to_ne_bytes(),                   // all states
        &first.port().to_be_bytes(),
        &second.port().to_be_bytes(),
        &octets(first),
        &octets(second),
        &0u32.to_ne_bytes(), // any interface
        &[low(cookie), low(cookie >> 32)].map(u32::to_ne_bytes).concat(),
    ];
    let diag = send(0, &request.concat())?;
    let mut buffer = [0u8; 512];
    let length = socket::receive(&diag, &mut buffer)?;
    let first = messages(buffer.get(..length).unwrap_or_default()).next();
    Ok(first.is_some_and(|message| message.end.is_none()))
}

/// Asks for one unix socket, or for `all`.
fn ask(inode: u32, all: bool) -> Result<OwnedFd> {
    const NLM_F_DUMP: u16 = 0x300;
    const SHOW_NAME_AND_VFS: u32 = 3;
    let request: [&[u8]; 6] = [
        &[1, 0, 0, 0],           // unix_diag_req: AF_UNIX, protocol, pad
        &u32::MAX.to_ne_bytes(), // all states
        &inode.to_ne_bytes(),
        &SHOW_NAME_AND_VFS.to_ne_bytes(),
        &u32::MAX.to_ne_bytes(), // any cookie
        &u32::MAX.to_ne_bytes(),
    ];
    send(if all { NLM_F_DUMP } else { 0 }, &request.concat())
}

/// Sends a question (linux/netlink.h); the answer comes on what is returned.
fn send(flags: u16, question: &[u8]) -> Result<OwnedFd> {
    const NLM_F_REQUEST: u16 = 1;
    const NETLINK_SOCK_DIAG: i32 = 4;
    let diag = socket::new(libc::AF_NETLINK, libc::SOCK_DGRAM, NETLINK_SOCK_DIAG)?;
    let length = u32::try_from(16 + question.len()).map_err(|_| Errno(libc::EINVAL))?;
    let message: [&[u8]; 6] = [
        &length.to_ne_bytes(), // nlmsghdr: length, type, flags, sequence, port
        &SOCK_DIAG_BY_FAMILY.to_ne_bytes(),
        &(NLM_F_REQUEST | flags).to_ne_bytes(),
        &0u32.to_ne_bytes(),
        &0u32.to_ne_bytes(),
        question,
    ];
    socket::send(&diag, None, &message.concat(), &[], 0)?;
    Ok(diag)
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_DONE: u16 = 3;

/// What one message of an answer says.
#[derive(Default)]
pub struct Message {
    /// `SO_COOKIE`.
    pub cookie: u64,
    /// The file that the socket is bound to.
    pub file: Option<ToldFile>,
    /// The name as it was bound: a path, or NUL and an abstract one.
    pub name: Option<Vec<u8>>,
    /// `SO_TYPE`.
    kind: u8,
    /// The answer ends here, or in an error.
    end: Option<Result<()>>,
}

/// The messages of an answer.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message> {
    std::iter::from_fn(move || {
        let length = usize::try_from(whole(bytes, 0)?).ok()?.max(16);
        let message = bytes.get(..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        if half(message, 4) != Some(SOCK_DIAG_BY_FAMILY) {
            let is_done = half(message, 4) == Some(NLMSG_DONE);
            let end = Some(if is_done { Ok(()) } else { Err(Errno(libc::ENOENT)) });
            return Some(Message { end, ..Message::default() });
        }
        // nlmsghdr (16); unix_diag_msg: family, type, state, pad, inode, cookie (16)
        let kind = message.get(17).copied().unwrap_or(0);
        let [low, high] = [24, 28].map(|offset| u64::from(whole(message, offset).unwrap_or(0)));
        Some(Message { kind, cookie: high << 32 | low, ..attributes(message.get(32..).unwrap_or_default()) })
    })
}

/// Attributes: length, type, value, padded to 4.
fn attributes(mut bytes: &[u8]) -> Message {
    const UNIX_DIAG_NAME: u16 = 0;
    const UNIX_DIAG_VFS: u16 = 1;
    let mut message = Message::default();
    while let (Some(length), Some(kind)) = (half(bytes, 0), half(bytes, 2)) {
        let length = usize::from(length.max(4));
        let value = bytes.get(4..length).unwrap_or_default();
        match kind {
            UNIX_DIAG_NAME => {
                message.name = Some(value.to_vec());
            }
            UNIX_DIAG_VFS => {
                message.file =
                    whole(value, 0).zip(whole(value, 4)).map(|(inode, device)| ToldFile { inode, device });
            }
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    message
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn whole(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};

    fn comes(socket: &impl std::os::fd::AsRawFd, protocol: i32, from: SocketAddr, to: SocketAddr) -> bool {
        comes_to(socket::cookie(socket).unwrap(), protocol, from, to).unwrap()
    }

    #[test]
    fn it_is_told_which_socket_has_an_address_and_not_which_had_it() {
        for own in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let [server, first] = [0; 2].map(|port| UdpSocket::bind((own, port)).unwrap());
            let [to, at] = [&server, &first].map(|socket| socket.local_addr().unwrap());
            first.connect(to).unwrap();
            assert!(comes(&first, libc::IPPROTO_UDP, to, at));
            assert!(!comes(&server, libc::IPPROTO_UDP, to, at));
            let cookie = socket::cookie(&first).unwrap();
            drop(first);
            assert_eq!(comes_to(cookie, libc::IPPROTO_UDP, to, at), Ok(false));
            let next = UdpSocket::bind(at).unwrap();
            assert!(comes(&next, libc::IPPROTO_UDP, to, at));
            assert_eq!(comes_to(cookie, libc::IPPROTO_UDP, to, at), Ok(false));

            let listener = TcpListener::bind((own, 0)).unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let [to, at] = [stream.peer_addr(), stream.local_addr()].map(|at| at.unwrap());
            assert!(comes(&stream, libc::IPPROTO_TCP, to, at));
            assert!(!comes(&listener, libc::IPPROTO_TCP, to, at));
        }
    }
}
