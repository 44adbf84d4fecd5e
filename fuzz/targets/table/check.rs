//! What is demanded of tables: a defect is the same each time and lies in the file; an accepted table answers
//! as scan.rs does.

use sandlock::fuzz::{Defect, Mode, Protocol, Table, Verdict};

use crate::scan::{Scan, crc32c};

/// In the order of their numbers (docs/format.md §3).
pub const PROTOCOLS: [Protocol; 5] =
    [Protocol::Tcp, Protocol::Udp, Protocol::Icmp, Protocol::TcpBind, Protocol::UdpBind];

/// DEFECT_FILE_BYTES and DEFECT_CHECKSUM of docs/format.md §9.
pub const REPAIRED: [u32; 2] = [6, 7];

/// Opens bytes whose length and checksum are right.
pub fn open(bytes: &[u8]) {
    match Table::open(bytes) {
        Ok(table) => look_up(&table, bytes),
        Err(found) => {
            assert!(!REPAIRED.contains(&found.code), "the repair failed");
            defect(found, bytes);
        }
    }
}

/// A defect lies at a byte of the file or at its end.
pub fn defect(defect: Defect, bytes: &[u8]) {
    assert!(defect.code > 0, "{defect:?}");
    assert!(defect.offset <= bytes.len() as u64, "{defect:?}");
    assert_eq!(Table::open(bytes).err(), Some(defect), "another defect the second time");
}

/// The bytes with length and checksum set right.
pub fn repaired(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    bytes[16..24].copy_from_slice(&(input.len() as u64).to_le_bytes());
    bytes[24..28].fill(0);
    let checksum = crc32c(&bytes);
    bytes[24..28].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Compares verdicts where they may change.
pub fn look_up(table: &Table<&[u8]>, bytes: &[u8]) {
    for (index, protocol) in (0..).zip(PROTOCOLS) {
        let scan = Scan::new(bytes, index);
        let mut allowed = false;
        for address in scan.interesting_addresses() {
            for port in scan.interesting_ports(address) {
                let expected = if scan.allows(address, port) { Verdict::Allow } else { Verdict::Deny };
                let found = table.lookup(protocol, address, port);
                assert_eq!(found, expected, "{protocol:?} {address} {port}");
                allowed |= found == Verdict::Allow;
            }
        }
        assert!(!allowed || table.plan(protocol) != Mode::Closed, "{protocol:?} is closed");
    }
}
