//! Socket addresses against the running kernel: for arbitrary bytes, connect(2) and sendto(2) on UDP sockets
//! of our own must answer as `connect_target` and `send_target` say, and the name we would pass on must lead
//! where the program's own bytes lead.
//!
//! Nothing is sent: connecting a UDP socket makes no packet, and MSG_PROBE ends a send after its route was
//! found (net/ipv4/ip_output.c). The first byte of the input chooses what the sockets are bound to; the rest
//! is the address.

#![no_main]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use libfuzzer_sys::fuzz_target;
use sandlock::fuzz::{Errno, Kind, Target, connect_target, send_target};

const MSG_PROBE: i32 = 0x10;
const LOCAL: [&str; 6] = ["0.0.0.0", "127.0.0.1", "127.0.0.5", "::", "::1", "::ffff:127.0.0.5"];

/// What a call answered, and the peer the socket then has.
type Answer = (i32, Vec<u8>);

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let bytes = &bytes[..bytes.len().min(128)];
    let local: IpAddr = LOCAL[usize::from(choice) % LOCAL.len()].parse().expect("an address");
    let kind = Kind::Udp { v6: local.is_ipv6() };

    let original = connect(local, bytes);
    match connect_target(kind, bytes) {
        Err(Errno(errno)) => {
            let errno = if is_v6_only(local) && is_v4(bytes) { libc::EAFNOSUPPORT } else { errno };
            assert_eq!(original.0, errno, "connect of {kind:?}");
        }
        Ok(Target::Disconnect) => assert_eq!(original, (0, Vec::new())),
        Ok(Target::Inet(inet)) => {
            assert_eq!(original, connect(local, inet.name().as_bytes()), "connect to {inet:?}");
            let concrete = inet.concrete(Some(local));
            assert_eq!(original, connect(local, concrete.name().as_bytes()), "connect to {concrete:?}");
        }
        Ok(other) => panic!("{kind:?} was told {other:?}"),
    }

    let original = send(local, Some(bytes));
    match send_target(kind, bytes) {
        Err(Errno(errno)) => {
            let errno = if is_v6_only(local) && is_v4(bytes) { libc::ENETUNREACH } else { errno };
            assert_eq!(original, errno, "send of {kind:?}");
        }
        Ok(Target::NoName) => assert_eq!(original, send(local, None)),
        Ok(Target::Inet(inet)) => {
            assert_eq!(original, send(local, Some(inet.name().as_bytes())), "send to {inet:?}");
            let concrete = inet.concrete(Some(local));
            assert_eq!(original, send(local, Some(concrete.name().as_bytes())), "send to {concrete:?}");
        }
        Ok(other) => panic!("{kind:?} was told {other:?}"),
    }
});

/// Bound to an IPv6 address, a socket refuses IPv4 before it looks at length or port (net/ipv6/af_inet6.c).
/// The parsers do not know what a socket is bound to and say EINVAL: no destination either way.
fn is_v6_only(local: IpAddr) -> bool {
    matches!(local.to_canonical(), IpAddr::V6(ip) if !ip.is_unspecified())
}

fn is_v4(bytes: &[u8]) -> bool {
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    match bytes.first_chunk().map(|&family| i32::from(u16::from_ne_bytes(family))) {
        Some(libc::AF_INET) => true,
        Some(libc::AF_INET6) => bytes.len() >= 24 && bytes[8..20] == mapped,
        _ => false,
    }
}

fn socket(local: IpAddr) -> UdpSocket {
    UdpSocket::bind(SocketAddr::new(local, 0)).expect("a socket on loopback")
}

fn connect(local: IpAddr, bytes: &[u8]) -> Answer {
    let socket = socket(local);
    // SAFETY: pointer and length are those of `bytes`, which is only read.
    let result =
        unsafe { libc::connect(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len() as libc::socklen_t) };
    if result != 0 {
        return (last_error(), Vec::new());
    }
    let mut peer = [0u8; 128];
    let mut length: libc::socklen_t = 128;
    // SAFETY: `peer` has the bytes that `length` says.
    let result = unsafe { libc::getpeername(socket.as_raw_fd(), peer.as_mut_ptr().cast(), &raw mut length) };
    (0, if result == 0 { peer[..length as usize].to_vec() } else { Vec::new() })
}

fn send(local: IpAddr, bytes: Option<&[u8]>) -> i32 {
    let socket = socket(local);
    let (name, length) = bytes.map_or((std::ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
    let empty = [0u8; 1];
    // SAFETY: no data is read; the name's pointer and length are those of `bytes`, or null.
    let result = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            empty.as_ptr().cast(),
            0,
            MSG_PROBE | libc::MSG_DONTWAIT,
            name.cast(),
            length as libc::socklen_t,
        )
    };
    if result < 0 { last_error() } else { 0 }
}

fn last_error() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
