//! Socket addresses: the bytes a program passed → what they mean for that kind of socket, and back into bytes
//! of our own making. Pure. What goes to the kernel holds family, port, address and scope and nothing else
//! the program wrote. Where Linux refuses an address, the same errno comes out here, in the kernel's order of
//! checks (net/ipv4/af_inet.c, udp.c, ping.c, net/ipv6/*, net/unix/af_unix.c; 6.x).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sys::socket::Name;
use crate::sys::{Errno, Result};

/// What a socket is, from its own SO_DOMAIN, SO_TYPE and SO_PROTOCOL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// TCP; `v6` says which domain.
    Tcp {
        /// AF_INET6
        v6: bool,
    },
    /// UDP.
    Udp {
        /// AF_INET6
        v6: bool,
    },
    /// ICMP echo ("ping") socket.
    Icmp {
        /// AF_INET6
        v6: bool,
    },
    /// Unix socket; connection-oriented or datagram.
    Unix {
        /// `SOCK_DGRAM`
        datagram: bool,
        /// `SOCK_STREAM`
        stream: bool,
    },
    /// Netlink of the routing family.
    Netlink,
}

impl Kind {
    /// Classifies a socket. EACCES for one that this sandbox can not have made: unknown means no.
    pub fn of(domain: i32, kind: i32, protocol: i32) -> Result<Self> {
        let v6 = domain == libc::AF_INET6;
        match (domain, kind, protocol) {
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_TCP) => Ok(Self::Tcp { v6 }),
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_UDP) => Ok(Self::Udp { v6 }),
            (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)
            | (libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_ICMPV6) => Ok(Self::Icmp { v6 }),
            (libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_DGRAM | libc::SOCK_SEQPACKET, _) => {
                Ok(Self::Unix { datagram: kind == libc::SOCK_DGRAM, stream: kind == libc::SOCK_STREAM })
            }
            (libc::AF_NETLINK, _, libc::NETLINK_ROUTE) => Ok(Self::Netlink),
            _ => Err(Errno(libc::EACCES)),
        }
    }

    /// Signals a broken pipe by SIGPIPE.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Tcp { .. } | Self::Unix { stream: true, .. })
    }
}

/// The form in which an IP destination was written and goes to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `struct sockaddr_in`
    V4,
    /// `struct sockaddr_in6`
    V6,
}

/// An IP destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inet {
    /// As written: IPv4-mapped stays IPv6 here.
    pub ip: IpAddr,
    /// Port, host order.
    pub port: u16,
    /// Scope id (interface) of a link-local IPv6 address, host order.
    pub scope: u32,
    /// How it is passed.
    pub form: Form,
}

/// What an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// AF_UNSPEC in connect(2): dissolve the association.
    Disconnect,
    /// AF_UNSPEC in a send on an IPv6 socket: as if no name had been given.
    NoName,
    /// An IP destination.
    Inet(Inet),
    /// Unix, pathname: bytes up to the first NUL.
    Path(Name),
    /// Unix, abstract: the whole `sockaddr_un` as given.
    Abstract(Name),
    /// The kernel, by netlink.
    Kernel,
}

fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

fn family(bytes: &[u8]) -> Option<i32> {
    field::<2>(bytes, 0).map(|family| i32::from(u16::from_ne_bytes(family)))
}

const INVALID: Errno = Errno(libc::EINVAL);
const WRONG_FAMILY: Errno = Errno(libc::EAFNOSUPPORT);

fn v4(bytes: &[u8]) -> Result<Inet> {
    let port = field::<2>(bytes, 2).ok_or(INVALID)?;
    let address = field::<4>(bytes, 4).ok_or(INVALID)?;
    if bytes.len() < 16 {
        return Err(INVALID);
    }
    Ok(Inet {
        ip: IpAddr::V4(Ipv4Addr::from(address)),
        port: u16::from_be_bytes(port),
        scope: 0,
        form: Form::V4,
    })
}

/// The kernel accepts 24 bytes, the size before RFC 2553 added the scope id.
const V6_SHORTEST: usize = 24;

fn v6(bytes: &[u8]) -> Result<Inet> {
    let port = field::<2>(bytes, 2).ok_or(INVALID)?;
    let address = field::<16>(bytes, 8).ok_or(INVALID)?;
    let scope = field::<4>(bytes, 24).unwrap_or_default();
    Ok(Inet {
        ip: IpAddr::V6(Ipv6Addr::from(address)),
        port: u16::from_be_bytes(port),
        scope: u32::from_ne_bytes(scope),
        form: Form::V6,
    })
}

/// The address of a connect(2).
pub fn connect_target(kind: Kind, bytes: &[u8]) -> Result<Target> {
    let family = family(bytes).ok_or(INVALID)?;
    if let Kind::Unix { .. } = kind {
        return unix(bytes);
    }
    if family == libc::AF_UNSPEC {
        return Ok(Target::Disconnect);
    }
    match kind {
        Kind::Tcp { v6: false } | Kind::Udp { v6: false } | Kind::Icmp { v6: false } => {
            let inet = v4(bytes)?;
            if family == libc::AF_INET { Ok(Target::Inet(inet)) } else { Err(WRONG_FAMILY) }
        }
        Kind::Udp { v6: true } | Kind::Icmp { v6: true } if family == libc::AF_INET => {
            v4(bytes).map(Target::Inet)
        }
        Kind::Tcp { v6: true } | Kind::Udp { v6: true } | Kind::Icmp { v6: true } => {
            if bytes.len() < V6_SHORTEST {
                return Err(INVALID);
            }
            if family == libc::AF_INET6 { v6(bytes).map(Target::Inet) } else { Err(WRONG_FAMILY) }
        }
        Kind::Netlink => netlink(bytes),
        Kind::Unix { .. } => unix(bytes),
    }
}

/// The name of a datagram. `bytes` may be empty: then Linux finds it too short (a name pointer with length 0
/// in sendto).
pub fn send_target(kind: Kind, bytes: &[u8]) -> Result<Target> {
    match kind {
        Kind::Udp { v6: false } => {
            let inet = v4(bytes)?;
            match family(bytes) {
                // Taken as AF_INET by udp_sendmsg.
                Some(libc::AF_INET | libc::AF_UNSPEC) => with_port(inet),
                _ => Err(WRONG_FAMILY),
            }
        }
        Kind::Icmp { v6: false } => {
            let inet = v4(bytes)?;
            if family(bytes) == Some(libc::AF_INET) { Ok(Target::Inet(inet)) } else { Err(WRONG_FAMILY) }
        }
        Kind::Udp { v6: true } => match family(bytes).ok_or(INVALID)? {
            libc::AF_INET6 if bytes.len() < V6_SHORTEST => Err(INVALID),
            libc::AF_INET6 => v6(bytes).and_then(with_port),
            libc::AF_INET => v4(bytes).and_then(with_port),
            libc::AF_UNSPEC => Ok(Target::NoName),
            _ => Err(INVALID),
        },
        Kind::Icmp { v6: true } => {
            if bytes.len() < 28 {
                return Err(INVALID);
            }
            if family(bytes) == Some(libc::AF_INET6) {
                v6(bytes).map(Target::Inet)
            } else {
                Err(WRONG_FAMILY)
            }
        }
        // TCP ignores a name (and Fast Open is refused by the filter).
        Kind::Tcp { .. } => Ok(Target::NoName),
        Kind::Unix { .. } => unix(bytes),
        Kind::Netlink => netlink(bytes),
    }
}

fn with_port(inet: Inet) -> Result<Target> {
    if inet.port == 0 { Err(INVALID) } else { Ok(Target::Inet(inet)) }
}

/// `struct sockaddr_un`: 2 bytes family, up to 108 of name.
fn unix(bytes: &[u8]) -> Result<Target> {
    let family = family(bytes).ok_or(INVALID)?;
    if bytes.len() > 110 {
        return Err(INVALID);
    }
    if family == libc::AF_UNSPEC {
        return Ok(Target::Disconnect);
    }
    if family != libc::AF_UNIX {
        return Err(INVALID);
    }
    let name = bytes.get(2..).unwrap_or_default();
    match name.first() {
        None => Err(INVALID),
        Some(0) => Ok(Target::Abstract(Name::new(bytes))),
        Some(_) => {
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            Ok(Target::Path(Name::new(name.get(..end).unwrap_or_default())))
        }
    }
}

/// `struct sockaddr_nl`: only the kernel itself (port id 0), no multicast group.
fn netlink(bytes: &[u8]) -> Result<Target> {
    if bytes.len() < 12 || family(bytes) != Some(libc::AF_NETLINK) {
        return Err(INVALID);
    }
    match (field::<4>(bytes, 4), field::<4>(bytes, 8)) {
        (Some([0, 0, 0, 0]), Some([0, 0, 0, 0])) => Ok(Target::Kernel),
        _ => Err(Errno(libc::EPERM)),
    }
}

impl Inet {
    /// The address to look up and to name in records: IPv4-mapped becomes IPv4.
    pub fn canonical(&self) -> IpAddr {
        self.ip.to_canonical()
    }

    /// The name to pass to the kernel.
    pub fn name(&self) -> Name {
        let mut bytes = [0u8; 28];
        let (family, length) = match self.form {
            Form::V4 => (libc::AF_INET, 16),
            Form::V6 => (libc::AF_INET6, 28),
        };
        let mut put = |offset: usize, value: &[u8]| {
            for (to, from) in bytes.iter_mut().skip(offset).zip(value) {
                *to = *from;
            }
        };
        put(0, &u16::try_from(family).unwrap_or(0).to_ne_bytes());
        put(2, &self.port.to_be_bytes());
        match (self.form, self.ip) {
            (Form::V4, IpAddr::V4(address)) => put(4, &address.octets()),
            (Form::V6, IpAddr::V6(address)) => put(8, &address.octets()),
            (Form::V4, IpAddr::V6(_)) => {}
            (Form::V6, IpAddr::V4(address)) => put(8, &address.to_ipv6_mapped().octets()),
        }
        put(24, &self.scope.to_ne_bytes());
        Name::new(bytes.get(..length).unwrap_or_default())
    }

    /// The same destination with an unspecified address replaced by the one Linux would use: the address the
    /// socket is bound to, or the loopback of the family (RFC 1122 leaves it open; net/ipv4/route.c,
    /// net/ipv6/tcp_ipv6.c and udp.c decide).
    #[must_use]
    pub fn concrete(self, local: Option<IpAddr>) -> Self {
        let bound = local.map(|ip| ip.to_canonical()).filter(|ip| !ip.is_unspecified());
        let ip = match (self.ip, self.canonical()) {
            (IpAddr::V4(ip), _) if ip.is_unspecified() => match bound {
                Some(IpAddr::V4(bound)) => IpAddr::V4(bound),
                _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
            },
            (IpAddr::V6(_), IpAddr::V4(ip)) if ip.is_unspecified() => match bound {
                Some(IpAddr::V4(bound)) => IpAddr::V6(bound.to_ipv6_mapped()),
                _ => IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()),
            },
            (IpAddr::V6(ip), _) if ip.is_unspecified() => match bound {
                Some(IpAddr::V4(_)) => IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()),
                _ => IpAddr::V6(Ipv6Addr::LOCALHOST),
            },
            (ip, _) => ip,
        };
        Self { ip, ..self }
    }
}

/// The address and port a socket name of the kernel's own making holds, for IP families.
pub fn from_kernel(name: &Name) -> Option<(IpAddr, u16)> {
    let bytes = name.as_bytes();
    let inet = match family(bytes)? {
        libc::AF_INET => v4(bytes).ok()?,
        libc::AF_INET6 => v6(bytes).ok()?,
        _ => return None,
    };
    Some((inet.ip, inet.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP4: Kind = Kind::Tcp { v6: false };
    const TCP6: Kind = Kind::Tcp { v6: true };
    const UDP4: Kind = Kind::Udp { v6: false };
    const UDP6: Kind = Kind::Udp { v6: true };
    const PING6: Kind = Kind::Icmp { v6: true };
    const STREAM: Kind = Kind::Unix { datagram: false, stream: true };

    fn inet(ip: &str, port: u16) -> Inet {
        let ip: IpAddr = ip.parse().unwrap();
        Inet { ip, port, scope: 0, form: if ip.is_ipv4() { Form::V4 } else { Form::V6 } }
    }

    fn bytes(ip: &str, port: u16, length: usize) -> Vec<u8> {
        let mut bytes = inet(ip, port).name().as_bytes().to_vec();
        bytes.resize(length, 0xee);
        bytes
    }

    fn errno<T>(result: Result<T>) -> Option<i32> {
        result.err().map(|error| error.0)
    }

    #[test]
    fn connect_takes_the_lengths_linux_takes() {
        for length in [16, 17, 28, 110, 128] {
            let target = connect_target(TCP4, &bytes("127.0.0.1", 80, length));
            assert_eq!(target, Ok(Target::Inet(inet("127.0.0.1", 80))), "length {length}");
        }
        for length in [0, 1, 2, 8, 15] {
            assert_eq!(errno(connect_target(TCP4, &bytes("127.0.0.1", 80, length))), Some(libc::EINVAL));
        }
        for length in [2, 16, 23] {
            assert_eq!(errno(connect_target(TCP6, &bytes("::1", 80, length))), Some(libc::EINVAL));
        }
        assert_eq!(connect_target(TCP6, &bytes("::1", 80, 24)), Ok(Target::Inet(inet("::1", 80))));
    }

    #[test]
    fn the_family_is_judged_as_the_socket_judges_it() {
        assert_eq!(errno(connect_target(TCP4, &bytes("::1", 80, 28))), Some(libc::EAFNOSUPPORT));
        assert_eq!(errno(connect_target(TCP6, &bytes("127.0.0.1", 80, 16))), Some(libc::EINVAL));
        assert_eq!(errno(connect_target(TCP6, &bytes("127.0.0.1", 80, 28))), Some(libc::EAFNOSUPPORT));
        assert_eq!(
            connect_target(UDP6, &bytes("127.0.0.1", 80, 16)),
            Ok(Target::Inet(inet("127.0.0.1", 80)))
        );
        assert_eq!(errno(send_target(UDP6, &[1, 0, 0, 0])), Some(libc::EINVAL));
        assert_eq!(errno(send_target(UDP4, &bytes("::1", 80, 28))), Some(libc::EAFNOSUPPORT));
        assert_eq!(errno(send_target(PING6, &bytes("::1", 80, 24))), Some(libc::EINVAL));
    }

    #[test]
    fn an_unspecified_family_is_a_disconnect_a_destination_or_no_name() {
        let mut written = bytes("127.0.0.1", 53, 16);
        written[0] = 0;
        assert_eq!(connect_target(UDP4, &written), Ok(Target::Disconnect));
        assert_eq!(connect_target(TCP6, &written[..2]), Ok(Target::Disconnect));
        assert_eq!(send_target(UDP4, &written), Ok(Target::Inet(inet("127.0.0.1", 53))));
        assert_eq!(send_target(UDP6, &written), Ok(Target::NoName));
    }

    #[test]
    fn what_goes_to_the_kernel_holds_nothing_the_program_wrote_beside_the_address() {
        let mut written = bytes("127.0.0.1", 53, 128);
        written[8..].fill(0xaa);
        let Ok(Target::Inet(target)) = send_target(UDP4, &written) else { panic!("not an address") };
        assert_eq!(target.name().as_bytes(), &[2, 0, 0, 53, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut written = bytes("fe80::1", 53, 28);
        written[4..8].fill(0xaa); // flow information
        written[24..28].copy_from_slice(&7u32.to_ne_bytes());
        let Ok(Target::Inet(target)) = send_target(UDP6, &written) else { panic!("not an address") };
        assert_eq!(target.scope, 7);
        assert_eq!(target.name().as_bytes()[4..8], [0; 4]);
    }

    #[test]
    fn an_unspecified_address_becomes_the_bound_one_or_loopback() {
        let concrete = |ip: &str, local: Option<&str>| {
            inet(ip, 1).concrete(local.map(|local| local.parse().unwrap())).ip.to_string()
        };
        assert_eq!(concrete("0.0.0.0", None), "127.0.0.1");
        assert_eq!(concrete("0.0.0.0", Some("0.0.0.0")), "127.0.0.1");
        assert_eq!(concrete("0.0.0.0", Some("127.0.0.5")), "127.0.0.5");
        assert_eq!(concrete("::", None), "::1");
        assert_eq!(concrete("::", Some("::1")), "::1");
        assert_eq!(concrete("::", Some("::ffff:127.0.0.5")), "::ffff:127.0.0.1");
        assert_eq!(concrete("::ffff:0.0.0.0", Some("::ffff:127.0.0.5")), "::ffff:127.0.0.5");
        assert_eq!(concrete("::ffff:0.0.0.0", None), "::ffff:127.0.0.1");
        assert_eq!(concrete("10.0.0.1", Some("127.0.0.5")), "10.0.0.1");
    }

    #[test]
    fn a_datagram_needs_a_port_and_echo_does_not() {
        assert_eq!(errno(send_target(UDP4, &bytes("127.0.0.1", 0, 16))), Some(libc::EINVAL));
        assert_eq!(errno(send_target(UDP6, &bytes("::1", 0, 28))), Some(libc::EINVAL));
        assert!(send_target(PING6, &bytes("::1", 0, 28)).is_ok());
    }

    #[test]
    fn unix_names_are_paths_up_to_nul_or_abstract_to_the_last_byte() {
        let path = connect_target(STREAM, b"\x01\0/run/x\0garbage");
        assert_eq!(path, Ok(Target::Path(Name::new(b"/run/x"))));
        let name = b"\x01\0\0hidden\0part";
        assert_eq!(connect_target(STREAM, name), Ok(Target::Abstract(Name::new(name))));
        assert_eq!(errno(connect_target(STREAM, b"\x01\0")), Some(libc::EINVAL));
        assert_eq!(errno(connect_target(STREAM, b"\x02\0abc")), Some(libc::EINVAL));
        assert_eq!(errno(connect_target(STREAM, &[1; 111])), Some(libc::EINVAL));
    }

    #[test]
    fn netlink_speaks_to_the_kernel_alone() {
        let mut written = [0u8; 12];
        written[0] = 16;
        assert_eq!(send_target(Kind::Netlink, &written), Ok(Target::Kernel));
        written[4] = 1;
        assert_eq!(errno(send_target(Kind::Netlink, &written)), Some(libc::EPERM));
        written[4] = 0;
        written[8] = 1;
        assert_eq!(errno(send_target(Kind::Netlink, &written)), Some(libc::EPERM));
    }

    #[test]
    fn kinds_are_keyed_on_the_exact_protocol() {
        assert_eq!(Kind::of(2, 1, 6), Ok(TCP4));
        assert_eq!(Kind::of(10, 2, 17), Ok(UDP6));
        for (domain, kind, protocol) in
            [(2, 1, 262), (2, 2, 136), (2, 3, 1), (2, 1, 132), (10, 2, 1), (17, 2, 0), (40, 1, 0)]
        {
            assert_eq!(errno(Kind::of(domain, kind, protocol)), Some(libc::EACCES));
        }
    }
}
