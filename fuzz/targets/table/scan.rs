//! A second reader of accepted tables, written from docs/format.md §4–6 without any search: it walks every
//! child of the root and every boundary of its run, the end of every span, and every range of the port set.
//! Panics where a table leads outside, which an accepted one must not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most boundaries of a trie, or ranges of a port set, that are looked up around; the bound is for time.
const MOST: usize = 48;

/// First of the protocols whose addresses are bound; 0.0.0.0 is what it says there.
const BIND: usize = 3;

/// What a table says of one protocol.
pub struct Scan {
    is_bind: bool,
    /// By family: key (IPv4 in the lower 32 bits) and port set of each boundary.
    boundaries: [Vec<(u128, u16)>; 2],
    /// Ranges by port set.
    port_sets: Vec<Vec<(u16, u16)>>,
}

impl Scan {
    /// Reads what belongs to a protocol.
    pub fn new(bytes: &[u8], protocol: usize) -> Self {
        let table = Bytes(bytes);
        Self {
            is_bind: protocol >= BIND,
            boundaries: [table.boundaries(2 * protocol), table.boundaries(2 * protocol + 1)],
            port_sets: table.port_sets(),
        }
    }

    /// Whether address and port are allowed.
    pub fn allows(&self, address: IpAddr, port: u16) -> bool {
        self.ranges(address).iter().any(|&(low, high)| (low..=high).contains(&port))
    }

    /// The first and last address of intervals, and some that have a canonical form of their own.
    pub fn interesting_addresses(&self) -> Vec<IpAddr> {
        let mut addresses = vec![
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V4(Ipv4Addr::BROADCAST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            IpAddr::V6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()),
            IpAddr::V6(Ipv6Addr::from(u128::MAX)),
        ];
        let [ipv4, ipv6] = &self.boundaries;
        for &(key, _) in ipv4.iter().take(MOST) {
            for key in [(key as u32).wrapping_sub(1), key as u32] {
                addresses.push(IpAddr::V4(Ipv4Addr::from(key)));
                addresses.push(IpAddr::V6(Ipv4Addr::from(key).to_ipv6_mapped()));
            }
        }
        for &(key, _) in ipv6.iter().take(MOST) {
            addresses.extend([key.wrapping_sub(1), key].map(|key| IpAddr::V6(Ipv6Addr::from(key))));
        }
        addresses
    }

    /// The edges of the port set at an address and their neighbours.
    pub fn interesting_ports(&self, address: IpAddr) -> Vec<u16> {
        let edge = |&(low, high): &(u16, u16)| [low.wrapping_sub(1), low, high, high.wrapping_add(1)];
        let mut ports: Vec<u16> = self.ranges(address).iter().take(MOST).flat_map(edge).collect();
        ports.extend([0, u16::MAX]);
        ports
    }

    fn ranges(&self, address: IpAddr) -> &[(u16, u16)] {
        let (family, key) = self.key(address);
        let last = self.boundaries[family].iter().rfind(|&&(start, _)| start <= key);
        &self.port_sets[usize::from(last.expect("boundary 0 has key 0").1)]
    }

    /// Family and key of the canonical form.
    fn key(&self, address: IpAddr) -> (usize, u128) {
        let octets = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        let key = u128::from_be_bytes(octets);
        match (octets, self.is_bind) {
            ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0], false) => (0, 0x7f00_0001),
            ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..], _) => (0, key & 0xffff_ffff),
            ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], false) => (1, 1),
            _ => (1, key),
        }
    }
}

/// Boundaries as they would be if no span ended by itself: behind the last key that shares its first bits the
/// background begins.
fn without_spans(boundaries: &[(u128, u16, u32)], key_bits: u32, background: u16) -> Vec<(u128, u16)> {
    let last_key = u128::MAX >> (128 - key_bits);
    let mut plain = Vec::new();
    for (index, &(key, set, bits)) in boundaries.iter().enumerate() {
        plain.push((key, set));
        if bits == 0 {
            continue;
        }
        let last = key | last_key.checked_shr(bits).unwrap_or(0);
        let next = boundaries.get(index + 1).map_or(last_key, |&(next, ..)| next - 1);
        if last < next {
            plain.push((last + 1, background));
        }
    }
    plain
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn boundaries(&self, trie: usize) -> Vec<(u128, u16)> {
        let at = self.section(2) + trie * 40;
        let (root_bits, start_bytes) = (u32::from(self.0[at]), usize::from(self.0[at + 1]));
        let (root, starts, sets) = (self.u32(at + 8), self.u32(at + 12), self.u32(at + 16));
        let mut boundaries = Vec::new();
        let spans = self.0[at + 3] == 1;
        let background = self.u32(at + 20) as u16;
        let cell_bytes = if spans { 4 } else { 2 };
        for child in 0..1usize << root_bits {
            for boundary in self.u32(root + child * 4)..self.u32(root + child * 4 + 4) {
                let start = &self.0[starts + boundary * start_bytes..][..start_bytes];
                let key = match start_bytes {
                    2 => (child as u128) << (32 - root_bits) & 0xffff_0000 | little(start),
                    8 => little(start) << 64,
                    16 => little(&start[..8]) << 64 | little(&start[8..]),
                    _ => little(start),
                };
                let cell = &self.0[sets + boundary * cell_bytes..][..cell_bytes];
                let bits = if spans { u32::from(cell[2]) } else { 0 };
                boundaries.push((key, little(&cell[..2]) as u16, bits));
            }
        }
        assert_eq!(boundaries.len(), self.u32(at + 4));
        let key_bits = u32::from(self.0[at + 2]);
        without_spans(&boundaries, key_bits, background)
    }

    fn port_sets(&self) -> Vec<Vec<(u16, u16)>> {
        let range = |index: usize| {
            let range = self.u32(self.section(4) + index * 4);
            (range as u16, (range >> 16) as u16)
        };
        let first = |set: usize| self.u32(self.section(3) + set * 4);
        let count = self.u32(64 + 2 * 16 + 4) - 1;
        (0..count).map(|set| (first(set)..first(set + 1)).map(range).collect()).collect()
    }

    /// Offset of the section of a kind.
    fn section(&self, kind: usize) -> usize {
        self.u32(64 + (kind - 1) * 16 + 8)
    }

    fn u32(&self, at: usize) -> usize {
        little(&self.0[at..at + 4]) as usize
    }
}

fn little(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte))
}

const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// CRC-32C, a byte at a time.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| crc >> 8 ^ CRC[usize::from(crc as u8 ^ byte)])
}
