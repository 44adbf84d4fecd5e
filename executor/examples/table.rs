//! The reader of tables by itself, for measurements: how long opening takes and what a look-up costs
//! (bench/table/), and a run that does nothing but look-ups, whose instructions can be counted.
//!
//! ```text
//! table open TABLE REPETITIONS     median ns of checking the whole table, of its checksum alone
//! table lookup TABLE KEYS          ns of a look-up: each waiting for the one before; the same over 64 keys; none waiting
//! table once TABLE KEYS            opens the table, then calls `look_up` once for every key
//! ```
//!
//! KEYS is a file of addresses of 16 bytes in network order, IPv4 as `::ffff:a.b.c.d`; each is asked as tcp
//! to port 443.

#![expect(clippy::print_stdout, reason = "a program whose output is its figures")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Instant;

use sandlock::fuzz::{Protocol, Table, Verdict, table_checksum};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let report = match arguments.as_slice() {
        ["open", table, repetitions] => open(table, repetitions),
        ["lookup", table, keys] => lookup(table, keys),
        ["once", table, keys] => once(table, keys),
        _ => Err("usage: table open TABLE REPETITIONS | lookup TABLE KEYS | once TABLE KEYS".into()),
    };
    match report {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn open(table: &str, repetitions: &str) -> Result<String> {
    let bytes = std::fs::read(table)?;
    let mut opened = Vec::new();
    let mut summed = Vec::new();
    for _ in 0..repetitions.parse()? {
        opened.push(nanoseconds(|| Table::open(bytes.as_slice()).is_ok()));
        summed.push(nanoseconds(|| table_checksum(&bytes)));
    }
    Table::open(bytes.as_slice()).map_err(|defect| format!("{defect:?}"))?;
    Ok(format!("{} {}", median(opened), median(summed)))
}

fn lookup(table: &str, keys: &str) -> Result<String> {
    let (bytes, keys) = (std::fs::read(table)?, read_keys(keys)?);
    let table = Table::open(bytes.as_slice()).map_err(|defect| format!("{defect:?}"))?;
    let few = keys.get(..65).ok_or("fewer than 65 keys")?;
    let every = keys.len() - 1;
    let chained = chain(&table, &keys, every);
    let hot = chain(&table, few, every);
    let independent = nanoseconds(|| keys.iter().map(|&key| u64::from(look_up(&table, key))).sum::<u64>());
    Ok(format!("{:.2} {:.2} {:.2}", per(chained, every), per(hot, every), per(independent, keys.len())))
}

/// Looks `count` keys up, over and over through all but the last: which key is next depends on the verdict before.
fn chain(table: &Table<&[u8]>, keys: &[IpAddr], count: usize) -> u128 {
    let mut last = false;
    nanoseconds(|| {
        let mut places = (0..keys.len() - 1).cycle();
        for _ in 0..count {
            let place = places.next().unwrap_or(0) + usize::from(last);
            last = keys.get(place).is_some_and(|&key| look_up(table, key));
        }
        last
    })
}

fn once(table: &str, keys: &str) -> Result<String> {
    let (bytes, keys) = (std::fs::read(table)?, read_keys(keys)?);
    let table = Table::open(bytes.as_slice()).map_err(|defect| format!("{defect:?}"))?;
    let allowed = keys.iter().filter(|&&key| look_up(&table, key)).count();
    Ok(format!("{} of {}", allowed, keys.len()))
}

/// One look-up, as the supervisor makes it; never inlined, so that what it costs can be attributed.
#[inline(never)]
fn look_up(table: &Table<&[u8]>, key: IpAddr) -> bool {
    table.lookup(Protocol::Tcp, key, 443) == Verdict::Allow
}

fn read_keys(path: &str) -> Result<Vec<IpAddr>> {
    let bytes = std::fs::read(path)?;
    let (keys, _) = bytes.as_chunks::<16>();
    Ok(keys.iter().map(|&key| Ipv6Addr::from(key).to_canonical()).collect())
}

fn nanoseconds<T>(run: impl FnOnce() -> T) -> u128 {
    let before = Instant::now();
    black_box(run());
    before.elapsed().as_nanos()
}

#[expect(clippy::cast_precision_loss, reason = "a few seconds at most")]
fn per(time: u128, count: usize) -> f64 {
    time as f64 / count as f64
}

fn median(mut times: Vec<u128>) -> u128 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}
