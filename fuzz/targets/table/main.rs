//! policy.bin: arbitrary bytes through `Table::open`, and look-ups in what it accepts.
//!
//! The checksum finds damage, not malice, so an input that fails by length or checksum alone is repaired and opened again: everything else
//! must be checked as if there were none. Of an accepted table the verdicts must be those of scan.rs, which knows the format and no search.

#![no_main]

mod scan;

use libfuzzer_sys::fuzz_target;
use sandlock::fuzz::{Defect, Mode, Protocol, Table, Verdict};
use scan::Scan;

const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Icmp];

/// DEFECT_FILE_BYTES and DEFECT_CHECKSUM of docs/format.md §8.
const REPAIRED: [u32; 2] = [6, 7];

fuzz_target!(|input: &[u8]| {
    match Table::open(input) {
        Ok(table) => look_up(&table, input),
        Err(defect) if REPAIRED.contains(&defect.code) => {
            let bytes = repaired(input);
            match Table::open(bytes.as_slice()) {
                Ok(table) => look_up(&table, &bytes),
                Err(defect) => {
                    assert!(!REPAIRED.contains(&defect.code), "the repair failed");
                    check(defect, &bytes);
                }
            }
        }
        Err(defect) => check(defect, input),
    }
});

/// A defect is one of those documented, at a byte of the file or at its end.
fn check(defect: Defect, bytes: &[u8]) {
    assert!(defect.code > 0, "{defect:?}");
    assert!(defect.offset <= bytes.len() as u64, "{defect:?}");
    assert_eq!(Table::open(bytes).err(), Some(defect), "another defect the second time");
}

fn repaired(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    bytes[16..24].copy_from_slice(&(input.len() as u64).to_le_bytes());
    bytes[24..28].fill(0);
    let checksum = scan::crc32c(&bytes);
    bytes[24..28].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn look_up(table: &Table<&[u8]>, bytes: &[u8]) {
    let scan = Scan(bytes);
    for (index, protocol) in (0..).zip(PROTOCOLS) {
        let mut allowed = false;
        for address in scan.interesting_addresses(index) {
            for port in scan.interesting_ports(index, address) {
                let expected = if scan.allows(index, address, port) { Verdict::Allow } else { Verdict::Deny };
                let found = table.lookup(protocol, address, port);
                assert_eq!(found, expected, "{protocol:?} {address} {port}");
                allowed |= found == Verdict::Allow;
            }
        }
        assert!(!allowed || table.plan(protocol) == Mode::Supervised, "{protocol:?} is closed");
    }
}
