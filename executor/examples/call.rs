//! What a supervised call costs in user space, without the kernel's part: for counting instructions
//! (scripts/instructions.mjs). Each kind of call is made COUNT times over with bytes as a program passes
//! them.
//!
//! ```text
//! call TABLE lookup|connect|sendmsg COUNT
//! ```
//!
//! `lookup` asks for addresses all over IPv4; `connect` and `sendmsg` read the address (and header and
//! parts), look it up and write the one that goes to the kernel.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use sandlock::fuzz::{
    HEADER_BYTES, Header, Inet, Kind, Name, Protocol, Remote, Table, Target, Verdict, connect_target,
    parts_of, send_target,
};

/// Scatters numbers over all 32 bits: an odd factor permutes them.
const SCATTER: u32 = 0x9e37_79b1;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, kind, count] = arguments.as_slice() else { return ExitCode::FAILURE };
    let (Ok(bytes), Ok(count)) = (std::fs::read(path), count.parse::<u32>()) else {
        return ExitCode::FAILURE;
    };
    let Ok(table) = Table::open(bytes) else { return ExitCode::FAILURE };
    let mut parts = Vec::with_capacity(8);
    for index in 0..count {
        let address = Ipv4Addr::from(index.wrapping_mul(SCATTER));
        match kind.as_str() {
            "lookup" => {
                black_box(table.lookup(Protocol::Tcp, IpAddr::V4(address), 443));
            }
            "connect" => {
                black_box(connect(&table, black_box(&sockaddr(address))));
            }
            "sendmsg" => {
                black_box(sendmsg(&table, black_box(&sockaddr(address)), &mut parts));
            }
            _ => return ExitCode::FAILURE,
        }
    }
    ExitCode::SUCCESS
}

/// `struct sockaddr_in`, port 443.
fn sockaddr(address: Ipv4Addr) -> [u8; 16] {
    let [a, b, c, d] = address.octets();
    let [low, high] = 2u16.to_ne_bytes();
    [low, high, 1, 187, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0]
}

fn connect(table: &Table<Vec<u8>>, bytes: &[u8]) -> Option<Name> {
    let target = connect_target(Kind::of(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP).ok()?, bytes);
    decided(table, Protocol::Tcp, target.ok()?)
}

fn sendmsg(table: &Table<Vec<u8>>, bytes: &[u8], parts: &mut Vec<Remote>) -> Option<Name> {
    black_box(Header::read(black_box(&cells::<HEADER_BYTES>([1, 16, 2, 1, 0, 0, 0])), 0).ok()?);
    black_box(parts_of(black_box(&cells::<16>([4096, 64])), parts).ok()?);
    let target = send_target(Kind::of(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDP).ok()?, bytes);
    decided(table, Protocol::Udp, target.ok()?)
}

/// Words in a row, as a program lays them out.
fn cells<const BYTES: usize>(values: impl IntoIterator<Item = u64>) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (cell, value) in bytes.chunks_exact_mut(8).zip(values) {
        cell.copy_from_slice(&value.to_ne_bytes());
    }
    bytes
}

/// Refused destinations take as long as others: the name is written for both.
fn decided(table: &Table<Vec<u8>>, protocol: Protocol, target: Target) -> Option<Name> {
    let Target::Inet(inet) = target else { return None };
    let inet: Inet = inet;
    black_box(table.lookup(protocol, inet.canonical(), inet.port) == Verdict::Allow);
    Some(inet.name())
}
