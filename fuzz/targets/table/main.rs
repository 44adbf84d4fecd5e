//! policy.bin: arbitrary bytes through `Table::open`, and look-ups in what it accepts.
//!
//! The checksum finds damage, not malice, so an input that fails by length or checksum alone is repaired and
//! opened again: everything else must be checked as if there were none. Of an accepted table the verdicts
//! must be those of scan.rs, which knows the format and no search.

#![no_main]

mod check;
mod scan;

use libfuzzer_sys::fuzz_target;
use sandlock::fuzz::Table;

fuzz_target!(|input: &[u8]| {
    match Table::open(input) {
        Ok(table) => check::look_up(&table, input),
        Err(defect) if check::REPAIRED.contains(&defect.code) => check::open(&check::repaired(input)),
        Err(defect) => check::defect(defect, input),
    }
});
