//! `/proc/TID/status`: arbitrary text must not end the supervisor, and a program that chooses its own name
//! must not choose its process id, its parent or its signals with it. The first bytes of the input are the
//! name, the rest is put where lines of a newer kernel stand.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sandlock::fuzz::Status;

/// `TASK_COMM_LEN` without the terminator.
const NAME: usize = 15;

fuzz_target!(|input: &[u8]| {
    if let Some(status) = Status::parse(input) {
        assert!(!status.name.contains(&b'\n'));
        assert!(input.windows(5).any(|window| window == b"Tgid:"));
    }
    let (name, other) = input.split_at(input.len().min(NAME));
    let name = escaped(name);
    // Lines that a kernel may add have keys of their own.
    let other: Vec<u8> =
        other.split(|byte| *byte == b'\n').flat_map(|line| [b"New-", line, b"\n"].concat()).collect();
    let mut text = b"Name:\t".to_vec();
    text.extend(&name);
    text.extend(b"\nUmask:\t0027\nState:\tT (stopped)\nTgid:\t4711\nNgid:\t0\nPid:\t4712\nPPid:\t99\n");
    text.extend(b"TracerPid:\t5\nUid:\t1000\t0\t0\t0\n");
    text.extend(&other);
    text.extend(b"Threads:\t3\nSigQ:\t0/1\nSigPnd:\t0000000000000003\nShdPnd:\t8000000000000300\n");
    text.extend(b"SigBlk:\t0000000000000102\n");
    let expected = Status {
        name,
        group: 4711,
        parent: 99,
        user: 1000,
        umask: 0o027,
        state: b'T',
        threads: 3,
        own_signals: 1,
        shared_signals: 1 << 63 | 0x200,
    };
    assert_eq!(Status::parse(&text), Some(expected));
});

/// A name as the kernel writes it (fs/proc/array.c, proc_task_name): NUL ends it; newline and backslash are escaped.
fn escaped(name: &[u8]) -> Vec<u8> {
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let escape = |&byte: &u8| match byte {
        b'\n' => b"\\n".to_vec(),
        b'\\' => b"\\\\".to_vec(),
        byte => vec![byte],
    };
    name.iter().flat_map(escape).collect()
}
