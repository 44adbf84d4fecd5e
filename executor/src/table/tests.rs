//! The committed vectors and damaged tables (test/vectors, test/bad-data), which the tests of policy.wasm read as well.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{Defect, Mode, Protocol, Table, UnixRule, Verdict, canonical};

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
                "icmp" => Protocol::Icmp,
                "tcp-bind" => Protocol::TcpBind,
                "udp-bind" => Protocol::UdpBind,
                other => panic!("{other}"),
            };
            let expected = if verdict == "allow" { Verdict::Allow } else { Verdict::Deny };
            let found = table.lookup(protocol, address(hex), port.parse().unwrap());
            assert_eq!(found, expected, "{} {query:?}", path.display());
        }
        tables += 1;
    }
    assert_eq!(tables, 8);
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
fn that_a_table_is_damaged_is_told_before_what_the_damage_is() {
    const CHECKSUM: usize = 24;
    let mut bytes = fs::read(folder("vectors").join("mixed.bin")).unwrap();
    for at in CHECKSUM..bytes.len() {
        let byte = bytes[at];
        bytes[at] ^= 0x55;
        let found = Table::open(bytes.as_slice()).unwrap_err();
        assert_eq!(found, Defect { code: 7, offset: CHECKSUM as u64 }, "{at}");
        bytes[at] = byte;
    }
}

#[test]
fn the_plan_says_which_protocols_are_closed() {
    let table = Table::open(fs::read(folder("vectors").join("mixed.bin")).unwrap()).unwrap();
    let protocols = [Protocol::Tcp, Protocol::Udp, Protocol::Icmp, Protocol::TcpBind, Protocol::UdpBind];
    let modes = protocols.map(|protocol| table.plan(protocol));
    let [closed, supervised] = [Mode::Closed, Mode::Supervised];
    assert_eq!(modes, [supervised, supervised, closed, supervised, closed]);
}

#[test]
fn what_is_left_to_the_kernel_is_a_list_of_ports() {
    let open = |name| Table::open(fs::read(folder("vectors").join(name)).unwrap()).unwrap();
    let table = open("kernel.bin");
    let modes = [Protocol::Tcp, Protocol::Udp, Protocol::Icmp].map(|protocol| table.plan(protocol));
    assert_eq!(modes, [Mode::Kernel, Mode::Open, Mode::Open]);
    assert_eq!(table.ports_of_all(Protocol::Tcp), Some(vec![(443, 443), (8000, 8004), (8006, 8010)]));
    assert_eq!(table.ports_of_all(Protocol::Udp), Some(vec![(0, 65535)]));
    assert_eq!(table.ports_of_all(Protocol::TcpBind), Some(Vec::new()));
    assert_eq!(open("mixed.bin").ports_of_all(Protocol::Tcp), None);
}

#[test]
fn binding_every_address_is_not_binding_the_loopback() {
    let table = Table::open(fs::read(folder("vectors").join("mixed.bin")).unwrap()).unwrap();
    let verdicts = |protocol, port| {
        ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::ffff:0.0.0.0", "::"]
            .map(|address: &str| table.lookup(protocol, address.parse().unwrap(), port) == Verdict::Allow)
    };
    assert_eq!(verdicts(Protocol::TcpBind, 8080), [true, true, false, false, false]);
    assert_eq!(verdicts(Protocol::TcpBind, 8081), [false, false, true, true, false]);
    assert_eq!(verdicts(Protocol::UdpBind, 8080), [false; 5]);
    assert_eq!(verdicts(Protocol::Tcp, 8080), [false; 5]);
}

#[test]
fn a_table_tells_its_families_flags_and_unix_sockets() {
    let open = |name: &str| Table::open(fs::read(folder("vectors").join(name)).unwrap()).unwrap();
    let mixed = open("mixed.bin");
    assert_eq!(mixed.families(), 0b1_0010_1001);
    assert!(mixed.allows_user_namespaces());
    assert_eq!(
        mixed.unix_rules().collect::<Vec<_>>(),
        [
            UnixRule::Path(b"/run/postgresql/.s.PGSQL.5432"),
            UnixRule::Directory("/run/üser/1000".as_bytes()),
            UnixRule::Abstract(b"sandlock"),
        ]
    );
    let wide = open("open.bin");
    assert_eq!((wide.families(), wide.allows_user_namespaces()), (0, false));
    assert_eq!(wide.unix_rules().collect::<Vec<_>>(), [UnixRule::Directory(b"/")]);
    let empty = open("empty.bin");
    assert_eq!((empty.families(), empty.unix_rules().count()), (0xff, 0));
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
