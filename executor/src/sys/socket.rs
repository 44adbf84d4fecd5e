//! Socket calls made on our own duplicate of a descriptor. Decides nothing: the caller has checked what is sent where.

use std::os::fd::AsRawFd;
use std::time::Duration;

use super::errno::{Errno, Result, check, check_long, check_size};

/// A socket address in the form the kernel takes, at most `sockaddr_storage` (128 bytes).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    // Aligned as the kernel's own storage is; the address families we build only need 4.
    bytes: [u64; 16],
    length: u32,
}

/// Most bytes of a socket address (`sizeof(struct sockaddr_storage)`).
pub const NAME_BYTES: usize = 128;

impl Name {
    /// Copies `bytes`, cut at 128.
    pub fn new(bytes: &[u8]) -> Self {
        let mut name = Self { bytes: [0; 16], length: 0 };
        for (cell, chunk) in name.bytes.iter_mut().zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            for (to, from) in whole.iter_mut().zip(chunk) {
                *to = *from;
            }
            *cell = u64::from_ne_bytes(whole);
        }
        name.length = u32::try_from(bytes.len().min(NAME_BYTES)).unwrap_or(0);
        name
    }

    /// The bytes of the address.
    pub fn as_bytes(&self) -> &[u8] {
        let length = (self.length as usize).min(NAME_BYTES);
        // SAFETY: the array has 128 bytes, every one of them initialised, and `length` is at most that.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().cast(), length) }
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Name").field(&self.as_bytes()).finish()
    }
}

/// An integer option (getsockopt(2)).
pub fn option(fd: &impl AsRawFd, level: i32, name: i32) -> Result<i32> {
    let mut value = 0i32;
    let mut length: libc::socklen_t = 4;
    // SAFETY: `value` has the four bytes that `length` says.
    check(unsafe {
        libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length)
    })?;
    Ok(value)
}

/// Whether a socket of the IP families is plain TCP: of those only TCP and MPTCP answer this question, and
/// MPTCP answers 1 (`TCP_IS_MPTCP`, net/ipv4/tcp.c and net/mptcp/sockopt.c). Also false where the kernel does
/// not know it (before Linux 6.9).
pub fn is_tcp(fd: &impl AsRawFd) -> bool {
    const TCP_IS_MPTCP: i32 = 43;
    option(fd, libc::IPPROTO_TCP, TCP_IS_MPTCP) == Ok(0)
}

/// The number that the kernel gives this socket and no other (`SO_COOKIE`, Linux 4.12).
pub fn cookie(fd: &impl AsRawFd) -> Result<u64> {
    number(fd, libc::SO_COOKIE)
}

/// The number of the network namespace that this socket is of (`SO_NETNS_COOKIE`). ENOPROTOOPT: before Linux 5.14.
pub fn network(fd: &impl AsRawFd) -> Result<u64> {
    const SO_NETNS_COOKIE: i32 = 71; // asm-generic/socket.h
    number(fd, SO_NETNS_COOKIE)
}

/// An option of eight bytes.
fn number(fd: &impl AsRawFd, name: i32) -> Result<u64> {
    let mut value = 0u64;
    let mut length: libc::socklen_t = 8;
    // SAFETY: `value` has the eight bytes that `length` says.
    check(unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length)
    })?;
    Ok(value)
}

/// The time limit for sends and connects (`SO_SNDTIMEO`) or for receives (`SO_RCVTIMEO`), if one is set.
pub fn time_limit(fd: &impl AsRawFd, option: i32) -> Option<Duration> {
    let mut limit = libc::timeval { tv_sec: 0, tv_usec: 0 };
    #[expect(clippy::cast_possible_truncation, reason = "16 bytes")]
    let mut length = size_of::<libc::timeval>() as libc::socklen_t;
    // SAFETY: `limit` has the bytes that `length` says.
    let result = unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut limit).cast(), &raw mut length)
    };
    let seconds = u64::try_from(limit.tv_sec).unwrap_or(0);
    let duration =
        Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(limit.tv_usec).unwrap_or(0));
    (result == 0 && !duration.is_zero()).then_some(duration)
}

/// connect(2).
pub fn connect(fd: &impl AsRawFd, name: &Name) -> Result<()> {
    // SAFETY: pointer and length are those of `name`.
    check(unsafe { libc::connect(fd.as_raw_fd(), name.bytes.as_ptr().cast(), name.length) }).map(drop)
}

/// bind(2).
pub fn bind(fd: &impl AsRawFd, name: &Name) -> Result<()> {
    // SAFETY: pointer and length are those of `name`.
    check(unsafe { libc::bind(fd.as_raw_fd(), name.bytes.as_ptr().cast(), name.length) }).map(drop)
}

/// listen(2).
pub fn listen(fd: &impl AsRawFd, backlog: i32) -> Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

/// The address the socket is bound to (getsockname(2)).
pub fn local_name(fd: &impl AsRawFd) -> Result<Name> {
    name_by(fd, libc::getsockname)
}

/// The address of the peer (getpeername(2)). ENOTCONN: it has none.
pub fn peer_name(fd: &impl AsRawFd) -> Result<Name> {
    name_by(fd, libc::getpeername)
}

type NameCall = unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> i32;

fn name_by(fd: &impl AsRawFd, call: NameCall) -> Result<Name> {
    let mut name = Name { bytes: [0; 16], length: 128 };
    // SAFETY: `bytes` has the 128 bytes that `length` says.
    check(unsafe { call(fd.as_raw_fd(), name.bytes.as_mut_ptr().cast(), &raw mut name.length) })?;
    name.length = name.length.min(128);
    Ok(name)
}

/// Sends one buffer, to `name` where given, with ready-made control messages. SIGPIPE is never raised.
/// Without control messages by sendto(2), which has less to copy than sendmsg(2).
pub fn send(
    fd: &impl AsRawFd,
    name: Option<&Name>,
    data: &[u8],
    control: &[u8],
    flags: i32,
) -> Result<usize> {
    let flags = flags | libc::MSG_NOSIGNAL;
    if control.is_empty() {
        let (to, length) = name.map_or((std::ptr::null(), 0), |name| (name.bytes.as_ptr(), name.length));
        // SAFETY: pointers and lengths are those of `data` and `name`, which the call only reads.
        return check_size(unsafe {
            libc::sendto(fd.as_raw_fd(), data.as_ptr().cast(), data.len(), flags, to.cast(), length)
        });
    }
    let mut part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    let message = std::mem::MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: all-zero is a valid msghdr (no name, no parts, no control); some targets have padding fields.
    let mut message = unsafe { message.assume_init() };
    if let Some(name) = name {
        message.msg_name = name.bytes.as_ptr().cast_mut().cast();
        message.msg_namelen = name.length;
    }
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_ptr().cast_mut().cast();
    #[expect(clippy::useless_conversion, reason = "the field is size_t on glibc and u32 on musl")]
    {
        message.msg_controllen = control.len().try_into().unwrap_or(0);
    }
    // The call itself: musl's own copies the control messages first, into room of a limited size.
    // SAFETY: every pointer of `message` is to a live buffer of the stated length; sendmsg only reads them.
    check_long(unsafe { libc::syscall(libc::SYS_sendmsg, fd.as_raw_fd(), &raw const message, flags) })
        .map(|count| usize::try_from(count).unwrap_or(0))
}

/// sendmsg(2) of one buffer to `name`, as a program makes it.
#[cfg(test)]
pub fn send_message(fd: &impl AsRawFd, name: &Name, data: &[u8]) -> Result<usize> {
    let mut part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    let message = std::mem::MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: all-zero is a valid msghdr.
    let mut message = unsafe { message.assume_init() };
    message.msg_name = name.bytes.as_ptr().cast_mut().cast();
    message.msg_namelen = name.length;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: every pointer of `message` is to a live buffer of the stated length; sendmsg only reads them.
    check_size(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, 0) })
}

/// recv(2) into `buffer`.
pub fn receive(fd: &impl AsRawFd, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: pointer and length are those of one writable slice.
    check_size(unsafe { libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) })
}

/// What recvmsg(2) tells of a message.
pub struct Received {
    /// Its result.
    pub count: usize,
    /// The source.
    pub source: Name,
    /// Bytes of control messages.
    pub control: usize,
    /// `msg_flags`
    pub flags: i32,
}

/// recvmsg(2) into `buffer` and, where it has room, `control`.
pub fn receive_from(
    fd: &impl AsRawFd,
    buffer: &mut [u8],
    control: &mut [u8],
    flags: i32,
) -> Result<Received> {
    let mut source = Name { bytes: [0; 16], length: 128 };
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let message = std::mem::MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: all-zero is a valid msghdr (no name, no parts, no control); some targets have padding fields.
    let mut message = unsafe { message.assume_init() };
    message.msg_name = source.bytes.as_mut_ptr().cast();
    message.msg_namelen = source.length;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    #[expect(clippy::useless_conversion, reason = "the field is size_t on glibc and u32 on musl")]
    {
        message.msg_controllen = control.len().try_into().unwrap_or(0);
    }
    // SAFETY: every pointer of `message` is to a live writable buffer of the stated length.
    let count = check_size(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, flags) })?;
    source.length = message.msg_namelen.min(128);
    #[expect(clippy::useless_conversion, reason = "the field is size_t on glibc and u32 on musl")]
    let control = usize::try_from(message.msg_controllen).unwrap_or(0);
    Ok(Received { count, source, control, flags: message.msg_flags })
}

/// State of a TCP socket (`TCP_INFO`; the numbers of net/tcp_states.h).
pub fn tcp_state(fd: &impl AsRawFd) -> Result<u8> {
    let mut state = 0u8;
    let mut length: libc::socklen_t = 1;
    // SAFETY: `state` has the byte that `length` says; the kernel cuts what it tells to that.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut state).cast(),
            &raw mut length,
        )
    })?;
    Ok(state)
}

/// Shuts a socket for sending, for whoever has it and for good: of a datagram socket no connect, disconnect,
/// bind or option takes that back, and every send is EPIPE (net/core/sock.c, `sock_alloc_send_pskb`).
pub fn mute(fd: &impl AsRawFd) -> Result<()> {
    // SAFETY: takes no pointers.
    match check(unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_WR) }) {
        // It has no peer, and is shut all the same (net/ipv4/af_inet.c, inet_shutdown).
        Ok(_) | Err(Errno(libc::ENOTCONN)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// shutdown(2), both directions, for whoever has the socket.
pub fn shut_down(fd: &impl AsRawFd) {
    // SAFETY: takes no pointers. ENOTCONN: done all the same (net/ipv4/af_inet.c, inet_shutdown).
    unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_RDWR) };
}

/// The number of the link with that name; none: there is no such link.
pub fn link_number(name: &std::ffi::CStr) -> Option<u32> {
    // SAFETY: the name ends in NUL.
    let number = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (number != 0).then_some(number)
}

/// socketpair(2), CLOEXEC.
pub fn pair(domain: i32, kind: i32, protocol: i32) -> Result<[std::os::fd::OwnedFd; 2]> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two descriptors the call writes.
    check(unsafe { libc::socketpair(domain, kind | libc::SOCK_CLOEXEC, protocol, ends.as_mut_ptr()) })?;
    Ok(ends.map(super::fd::own))
}

/// socket(2), CLOEXEC.
pub fn new(domain: i32, kind: i32, protocol: i32) -> Result<std::os::fd::OwnedFd> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) }).map(super::fd::own)
}
