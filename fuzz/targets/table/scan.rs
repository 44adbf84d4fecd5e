//! A second reader of accepted tables, written from docs/format.md §4–6 without any search: it walks every child of the root and every
//! boundary of its run, and every range of the port set. Panics where a table leads outside, which an accepted one must not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most boundaries of a trie that are looked up around; tables of fuzzers are small, the bound is for time.
const MOST: usize = 64;

/// The bytes of an accepted table.
pub struct Scan<'a>(pub &'a [u8]);

/// A trie with its boundaries: key (128 bits, IPv4 in the lower 32) and port set.
struct Boundaries(Vec<(u128, u16)>);

impl Scan<'_> {
    /// The verdict by scanning. `protocol` is its number.
    pub fn allows(&self, protocol: usize, address: IpAddr, port: u16) -> bool {
        let (family, key) = key(address);
        let set = self.boundaries(2 * protocol + family).at(key);
        self.ranges(set).iter().any(|&(low, high)| (low..=high).contains(&port))
    }

    /// The first and last address of intervals, and some that have a canonical form of their own.
    pub fn interesting_addresses(&self, protocol: usize) -> Vec<IpAddr> {
        let mut addresses = vec![
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V4(Ipv4Addr::BROADCAST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            IpAddr::V6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()),
            IpAddr::V6(Ipv6Addr::from(u128::MAX)),
        ];
        for (key, _) in self.boundaries(2 * protocol).0.into_iter().take(MOST) {
            for key in [(key as u32).wrapping_sub(1), key as u32] {
                addresses.push(IpAddr::V4(Ipv4Addr::from(key)));
                addresses.push(IpAddr::V6(Ipv4Addr::from(key).to_ipv6_mapped()));
            }
        }
        for (key, _) in self.boundaries(2 * protocol + 1).0.into_iter().take(MOST) {
            addresses.extend([key.wrapping_sub(1), key].map(|key| IpAddr::V6(Ipv6Addr::from(key))));
        }
        addresses
    }

    /// The edges of the port set at an address and their neighbours.
    pub fn interesting_ports(&self, protocol: usize, address: IpAddr) -> Vec<u16> {
        let (family, key) = key(address);
        let set = self.boundaries(2 * protocol + family).at(key);
        let edge = |&(low, high): &(u16, u16)| [low.wrapping_sub(1), low, high, high.wrapping_add(1)];
        let mut ports: Vec<u16> = self.ranges(set).iter().take(MOST).flat_map(edge).collect();
        ports.extend([0, u16::MAX]);
        ports
    }

    fn boundaries(&self, trie: usize) -> Boundaries {
        let at = self.section(2) + trie * 40;
        let (root_bits, start_bytes) = (u32::from(self.0[at]), usize::from(self.0[at + 1]));
        let key_bits = if trie % 2 == 0 { 32 } else { 128 };
        let (root, starts, sets) = (self.u32(at + 8), self.u32(at + 12), self.u32(at + 16));
        let mut boundaries = Vec::new();
        for child in 0..1usize << root_bits {
            let run = self.u32(root + child * 4)..self.u32(root + child * 4 + 4);
            for boundary in run {
                let start = &self.0[starts + boundary * start_bytes..][..start_bytes];
                let key = match start_bytes {
                    2 => (child as u128) << (key_bits - root_bits) & 0xffff_0000 | little(start),
                    8 => little(start) << 64,
                    16 => little(&start[..8]) << 64 | little(&start[8..]),
                    _ => little(start),
                };
                boundaries.push((key, little(&self.0[sets + boundary * 2..][..2]) as u16));
            }
        }
        assert_eq!(boundaries.len(), self.u32(at + 4));
        Boundaries(boundaries)
    }

    fn ranges(&self, set: u16) -> Vec<(u16, u16)> {
        let cell = self.section(3) + usize::from(set) * 4;
        let range = |index: usize| {
            let range = self.u32(self.section(4) + index * 4);
            (range as u16, (range >> 16) as u16)
        };
        (self.u32(cell)..self.u32(cell + 4)).map(range).collect()
    }

    /// Offset of the section of a kind.
    fn section(&self, kind: usize) -> usize {
        self.u32(64 + (kind - 1) * 16 + 8)
    }

    fn u32(&self, at: usize) -> usize {
        little(&self.0[at..at + 4]) as usize
    }
}

impl Boundaries {
    fn at(&self, key: u128) -> u16 {
        let last = self.0.iter().rfind(|&&(start, _)| start <= key);
        last.expect("boundary 0 has key 0").1
    }
}

/// Family and key of the canonical form.
fn key(address: IpAddr) -> (usize, u128) {
    let address = match address {
        IpAddr::V6(address) => match address.octets() {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => IpAddr::from([a, b, c, d]),
            _ => IpAddr::V6(address),
        },
        address => address,
    };
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => (0, 0x7f00_0001),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => (1, 1),
        IpAddr::V4(address) => (0, u128::from(u32::from_be_bytes(address.octets()))),
        IpAddr::V6(address) => (1, u128::from_be_bytes(address.octets())),
    }
}

fn little(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte))
}

/// CRC-32C, bit by bit.
pub fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}
