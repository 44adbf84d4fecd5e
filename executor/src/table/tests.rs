//! The committed vectors and damaged tables (test/vectors, test/bad-data), which the tests of policy.wasm read as well.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{Defect, Mode, Protocol, Table, Verdict, canonical};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test").join(name)
}

/// The lines of a list, each `["a","b",1]`, split at the commas.
fn lines(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let line = line.trim_end_matches(',').strip_prefix('[')?.strip_suffix(']')?;
        Some(line.split(',').map(|part| part.trim_matches('"').to_owned()).collect())
    };
    text.lines().filter_map(line).collect()
}

fn address(hex: &str) -> IpAddr {
    match hex.len() {
        8 => IpAddr::from(u32::from_str_radix(hex, 16).unwrap().to_be_bytes()),
        _ => IpAddr::from(u128::from_str_radix(hex, 16).unwrap().to_be_bytes()),
    }
}

#[test]
fn committed_tables_answer_as_their_vectors_say() {
    let mut tables = 0;
    for entry in fs::read_dir(folder("vectors")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "bin") {
            continue;
        }
        let table = Table::open(fs::read(&path).unwrap()).unwrap();
        let queries = lines(&path.with_extension("json"));
        assert_eq!(queries.len(), 200, "{}", path.display());
        for query in queries {
            let [protocol, hex, port, verdict] = query.as_slice() else { panic!("{query:?}") };
            let protocol = match protocol.as_str() {
                "tcp" => Protocol::Tcp,
                "udp" => Protocol::Udp,
                _ => Protocol::Icmp,
            };
            let expected = if verdict == "allow" { Verdict::Allow } else { Verdict::Deny };
            let found = table.lookup(protocol, address(hex), port.parse().unwrap());
            assert_eq!(found, expected, "{} {query:?}", path.display());
        }
        tables += 1;
    }
    assert_eq!(tables, 6);
}

#[test]
fn damaged_tables_are_refused_at_the_byte_at_fault() {
    let folder = folder("bad-data");
    let index = lines(&folder.join("index.json"));
    assert!(index.len() > 80);
    for line in index {
        let [name, code, offset] = line.as_slice() else { panic!("{line:?}") };
        let expected = Defect { code: code.parse().unwrap(), offset: offset.parse().unwrap() };
        let found = Table::open(fs::read(folder.join(name)).unwrap()).unwrap_err();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn every_cut_of_a_table_is_refused() {
    let bytes = fs::read(folder("vectors").join("mixed.bin")).unwrap();
    for length in 0..bytes.len() {
        assert!(Table::open(bytes.get(..length).unwrap()).is_err(), "{length}");
    }
}

#[test]
fn the_plan_says_which_protocols_are_closed() {
    let table = Table::open(fs::read(folder("vectors").join("mixed.bin")).unwrap()).unwrap();
    let modes = [Protocol::Tcp, Protocol::Udp, Protocol::Icmp].map(|protocol| table.plan(protocol));
    assert_eq!(modes, [Mode::Supervised, Mode::Supervised, Mode::Closed]);
}

#[test]
fn unspecified_and_mapped_addresses_have_a_canonical_form() {
    let pairs = [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("::ffff:0.0.0.0", "127.0.0.1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::10.1.2.3", "::10.1.2.3"),
        ("64:ff9b::10.1.2.3", "64:ff9b::10.1.2.3"),
    ];
    for (given, expected) in pairs {
        let given: IpAddr = given.parse().unwrap();
        assert_eq!(canonical(given), expected.parse::<IpAddr>().unwrap(), "{given}");
    }
}
