//! Socket addresses: arbitrary bytes through `connect_target` and `send_target` for every kind of socket.
//!
//! Demanded of what comes out: the name that goes to the kernel means the destination that was decided on,
//! holds nothing else the program wrote, and bytes behind the address decide nothing. sockaddr_kernel.rs
//! compares the same code with the running kernel.

#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use sandlock::fuzz::{Errno, Form, Inet, Kind, Result, Target, connect_target, from_kernel, send_target};

const KINDS: [Kind; 10] = [
    Kind::Tcp { v6: false },
    Kind::Tcp { v6: true },
    Kind::Udp { v6: false },
    Kind::Udp { v6: true },
    Kind::Icmp { v6: false },
    Kind::Icmp { v6: true },
    Kind::Unix { datagram: true, stream: false },
    Kind::Unix { datagram: false, stream: true },
    Kind::Unix { datagram: false, stream: false },
    Kind::Netlink,
];

type Reader = fn(Kind, &[u8]) -> Result<Target>;

fuzz_target!(|input: &[u8]| {
    let bytes = &input[..input.len().min(128)];
    for kind in KINDS {
        for read in [connect_target as Reader, send_target] {
            match read(kind, bytes) {
                Ok(target) => check(kind, read, bytes, target),
                Err(Errno(errno)) => {
                    assert!([libc::EINVAL, libc::EAFNOSUPPORT, libc::EPERM].contains(&errno), "{errno}");
                }
            }
        }
    }
});

fn check(kind: Kind, read: Reader, bytes: &[u8], target: Target) {
    let family = bytes.first_chunk::<2>().map(|&family| i32::from(u16::from_ne_bytes(family)));
    match target {
        Target::Inet(inet) => check_inet(kind, read, bytes, inet),
        Target::Disconnect => assert_eq!(family, Some(libc::AF_UNSPEC)),
        Target::NoName => assert!(
            matches!(kind, Kind::Tcp { .. })
                || kind == Kind::Udp { v6: true } && family == Some(libc::AF_UNSPEC)
        ),
        Target::Path(name) => {
            let path = name.as_bytes();
            assert!((1..=108).contains(&path.len()) && !path.contains(&0));
            assert!(bytes[2..].starts_with(path));
            assert!(matches!(bytes.get(2 + path.len()), None | Some(0)), "the path goes on");
            assert_eq!((is_unix(kind), family), (true, Some(libc::AF_UNIX)));
        }
        Target::Abstract(name) => {
            assert_eq!((name.as_bytes(), bytes[2]), (bytes, 0));
            assert_eq!((is_unix(kind), family), (true, Some(libc::AF_UNIX)));
        }
        Target::Kernel => {
            assert_eq!((kind, family), (Kind::Netlink, Some(libc::AF_NETLINK)));
            assert_eq!(bytes[4..12], [0; 8]);
        }
    }
}

fn is_unix(kind: Kind) -> bool {
    matches!(kind, Kind::Unix { .. })
}

fn check_inet(kind: Kind, read: Reader, bytes: &[u8], inet: Inet) {
    let is_v6_socket = match kind {
        Kind::Tcp { v6 } | Kind::Udp { v6 } | Kind::Icmp { v6 } => v6,
        Kind::Unix { .. } | Kind::Netlink => panic!("{kind:?} reaches {inet:?}"),
    };
    assert_eq!(inet.form == Form::V4, inet.ip.is_ipv4());
    assert!(is_v6_socket || inet.form == Form::V4);
    let (length, address) = match inet.form {
        Form::V4 => (16, 4..8),
        Form::V6 => (28, 8..24),
    };
    let octets = match inet.ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    assert_eq!(octets, bytes[address.clone()]);
    assert_eq!(inet.port.to_be_bytes(), bytes[2..4]);

    // The name: the fields that were decided on, and zeros.
    let name = inet.name();
    let mut expected = vec![0; length];
    expected[0] = if inet.form == Form::V4 { libc::AF_INET as u8 } else { libc::AF_INET6 as u8 };
    expected[2..4].copy_from_slice(&bytes[2..4]);
    expected[address.clone()].copy_from_slice(&octets);
    if inet.form == Form::V6 {
        expected[24..28].copy_from_slice(&inet.scope.to_ne_bytes());
        let written = bytes.get(24..28).map_or(0, |scope| u32::from_ne_bytes(scope.try_into().expect("4")));
        assert_eq!(inet.scope, written);
    }
    assert_eq!(name.as_bytes(), expected);
    assert_eq!(read(kind, name.as_bytes()), Ok(Target::Inet(inet)), "the name means something else");
    assert_eq!(from_kernel(&name), Some((inet.ip, inet.port)));

    // What stands behind the address decides nothing.
    let cut = &bytes[..bytes.len().min(length)];
    assert_eq!(read(kind, cut), Ok(Target::Inet(inet)));

    for local in [None, Some(IpAddr::from([127, 0, 0, 5])), Some(IpAddr::from([0; 16])), Some(inet.ip)] {
        let concrete = inet.concrete(local);
        assert!(!concrete.ip.to_canonical().is_unspecified());
        assert_eq!(concrete.concrete(local), concrete);
        assert_eq!((concrete.form, concrete.port, concrete.scope), (inet.form, inet.port, inet.scope));
        assert_eq!(concrete.ip.is_ipv4(), inet.ip.is_ipv4());
        assert!(concrete == inet || inet.canonical().is_unspecified());
        assert!(concrete == inet || concrete.canonical().is_loopback());
    }
}
