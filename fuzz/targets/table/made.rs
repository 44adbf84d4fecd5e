//! Tables that nobody's builder would make: the input describes tries of any root, any width of starts, few
//! boundaries; write.rs lays them out by docs/format.md. They must be accepted and answer as described. Then
//! the rest of the input damages the table, which gets a fitting checksum: it is refused, or answers as
//! scan.rs does.

#![no_main]

mod check;
mod scan;
mod write;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use sandlock::fuzz::{Table, Verdict};
use write::Description;

fuzz_target!(|input: &[u8]| {
    let mut rest = input;
    let description = Description::read(&mut rest);
    let mut bytes = check::repaired(&description.write());
    let table =
        Table::open(bytes.as_slice()).unwrap_or_else(|defect| panic!("{defect:?} in {description:?}"));
    check::look_up(&table, &bytes);
    for (index, protocol) in (0..).zip(check::PROTOCOLS) {
        let [ipv4, ipv6] = &description.tries[index];
        for &(key, set) in &ipv4.boundaries {
            if key != 0 {
                expect(
                    &description,
                    table.lookup(protocol, IpAddr::V4(Ipv4Addr::from(key as u32)), 443),
                    set,
                );
            }
        }
        for &(key, set) in &ipv6.boundaries {
            if key > 1 && key >> 32 != 0xffff {
                expect(&description, table.lookup(protocol, IpAddr::V6(Ipv6Addr::from(key)), 443), set);
            }
        }
    }
    let (damages, _) = rest.as_chunks::<4>();
    for &[a, b, c, value] in damages.iter().take(8) {
        let place = u32::from_le_bytes([a, b, c, 0]) as usize % bytes.len();
        bytes[place] = value;
    }
    if !damages.is_empty() {
        check::open(&check::repaired(&bytes));
    }
});

fn expect(description: &Description, found: Verdict, set: u16) {
    let holds =
        description.port_sets[usize::from(set)].iter().any(|&(low, high)| (low..=high).contains(&443));
    assert_eq!(found == Verdict::Allow, holds, "port set {set} of {description:?}");
}
