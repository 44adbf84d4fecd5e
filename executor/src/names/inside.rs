//! Which addresses are of the inside: no public name has them, but for rebinding. The same is decided in
//! `compiler/inside-addresses.ts`; test/name-vectors/inside.txt holds the two together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks of IPv4 that are no destination on the internet: first address and length, with their documents.
const BLOCKS: [([u8; 4], u32); 10] = [
    ([0, 0, 0, 0], 8),        // this network, RFC 1122 §3.2.1.3
    ([10, 0, 0, 0], 8),       // private, RFC 1918
    ([100, 64, 0, 0], 10),    // shared by carriers and overlay networks, RFC 6598
    ([127, 0, 0, 0], 8),      // loopback, RFC 1122 §3.2.1.3
    ([168, 63, 129, 16], 32), // which Azure answers on every virtual machine
    ([169, 254, 0, 0], 16),   // link-local, RFC 3927; metadata services
    ([172, 16, 0, 0], 12),    // private, RFC 1918
    ([192, 0, 0, 0], 24),     // protocol assignments, RFC 6890; Oracle's metadata service was at 192.0.0.192
    ([192, 168, 0, 0], 16),   // private, RFC 1918
    ([224, 0, 0, 0], 3),      // multicast, reserved and broadcast, RFC 1112
];

/// Whether the address is of the inside, in itself or by an IPv4 address that it carries.
pub fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_inside_v4(address),
        IpAddr::V6(address) => is_inside_v6(address),
    }
}

fn is_inside_v4(address: Ipv4Addr) -> bool {
    BLOCKS.iter().any(|(first, bits)| {
        (address.to_bits() ^ Ipv4Addr::from(*first).to_bits()).checked_shr(32 - bits) == Some(0)
    })
}

fn is_inside_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [.., high, low] = segments;
    let ipv4 =
        |high: u16, low: u16| is_inside_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match segments {
        // fc00::/7, RFC 4193; ff00::/8, RFC 4291; fe80::/10 and fec0::/10 of old, RFC 3879; 64:ff9b:1::/48 is
        // for local use, RFC 8215.
        [0xfc00..=0xfdff | 0xff00..=0xffff | 0xfe80..=0xfeff, ..] | [0x0064, 0xff9b, 1, ..] => true,
        // 6to4 (RFC 3056) carries an IPv4 address behind 2002; the rest is behind that router.
        [0x2002, first, second, ..] => ipv4(first, second),
        // Teredo (RFC 4380 §4) carries its server, and its client with every bit turned.
        [0x2001, 0, first, second, ..] => ipv4(first, second) || ipv4(!high, !low),
        // NAT64, RFC 6052 §2.1; the last 32 bits after an identifier of ISATAP (RFC 5214 §6.1); ::/96, which
        // holds ::, ::1 and the IPv4-compatible addresses of RFC 4291 §2.5.5.1; ::ffff:0:0:0/96 of RFC 2765
        // §2.1.
        [0x0064, 0xff9b, 0, 0, 0, 0, ..]
        | [_, _, _, _, 0x0000 | 0x0200, 0x5efe, ..]
        | [0, 0, 0, 0, 0 | 0xffff, 0, ..] => ipv4(high, low),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_judged_as_the_compiler_judges_them() {
        let vectors = include_str!("../../../test/name-vectors/inside.txt");
        let lines = vectors.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut count = 0;
        for line in lines {
            let (verdict, address) = line.split_once(' ').unwrap();
            let address: IpAddr = address.trim().parse().unwrap();
            assert_eq!(is_inside(address), verdict == "inside", "{line}");
            count += 1;
        }
        assert!(count > 40, "{count}");
    }
}
