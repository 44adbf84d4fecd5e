//! An address as look-ups hold it: in canonical form (docs/format.md §6) and top-aligned, IPv4 in the top 32
//! bits, so that both families find their child by the same shift. Which ports are open there it does not
//! know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// 127.0.0.1 and `::1`, where Linux connects what goes to the unspecified addresses.
const LOOPBACK_IPV4: Key = Key { is_ipv4: true, upper: 0x7f00_0001 << 32, lower: 0 };
const LOOPBACK_IPV6: Key = Key { is_ipv4: false, upper: 0, lower: 1 };

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) is_ipv4: bool,
    pub(super) upper: u64,
    pub(super) lower: u64,
}

impl Key {
    /// `::ffff:a.b.c.d` is `a.b.c.d`.
    #[inline]
    pub(super) fn of(address: IpAddr) -> Self {
        let ipv4 = |upper: u64| Self { is_ipv4: true, upper, lower: 0 };
        match address {
            IpAddr::V4(address) => ipv4(u64::from(address.to_bits()) << 32),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                let [upper, lower] = [half(bits >> 64), half(bits)];
                if upper == 0 && lower >> 32 == 0xffff {
                    ipv4(lower << 32)
                } else {
                    Self { is_ipv4: false, upper, lower }
                }
            }
        }
    }

    /// The same of a destination: the unspecified addresses are the loopback.
    #[inline]
    pub(super) fn of_destination(address: IpAddr) -> Self {
        match Self::of(address) {
            Self { is_ipv4: true, upper: 0, .. } => LOOPBACK_IPV4,
            Self { is_ipv4: false, upper: 0, lower: 0 } => LOOPBACK_IPV6,
            other => other,
        }
    }

    pub(super) fn address(self) -> IpAddr {
        let bits = (u128::from(self.upper) << 64) | u128::from(self.lower);
        match u32::try_from(self.upper >> 32) {
            Ok(bits) if self.is_ipv4 => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        }
    }
}

/// The lower half of a number.
fn half(bits: u128) -> u64 {
    u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(u64::MAX)
}
