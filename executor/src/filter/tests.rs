//! The assembled filter, interpreted, against what the table must say.

use std::collections::{BTreeSet, HashMap};

use super::*;
use crate::bpf::{Question, Sample, interpret};

const CLOSED: Walls = Walls {
    families: 0xff & !families::UNIX_DGRAM,
    tcp: Mode::Supervised,
    tcp_opens: true,
    udp: Mode::Closed,
    icmp: Mode::Closed,
    tcp_bind: false,
    udp_bind: false,
    names: false,
    outside_unix: false,
    namespaces: false,
    confined: true,
    scoped: true,
    observed: false,
    inspected: true,
    holds_sockets: false,
};
const UDP: Walls = Walls { udp: Mode::Supervised, ..CLOSED };
const ICMP: Walls = Walls { icmp: Mode::Supervised, ..CLOSED };
/// No unix socket but pairs.
const PAIRS: u32 = 0xf8 | families::UNIX_PAIR;
/// TCP by its ports alone, and no socket that could use its calls for something else.
const KERNEL: Walls = Walls { families: PAIRS, tcp: Mode::Kernel, ..CLOSED };

fn run(walls: Walls, nr: i64, args: [u64; 6]) -> u32 {
    interpret(&program(walls), &Sample { nr: word(nr), arch: ARCH, args }).0
}

fn args(values: &[u64]) -> [u64; 6] {
    let mut args = [0; 6];
    args[..values.len()].copy_from_slice(values);
    args
}

/// What a decision says of a call, without any program.
fn decide(decision: &Decision, sample: &Sample) -> Action {
    match decision {
        Decision::Return(action) => *action,
        Decision::Ask(question) => {
            let Question { word, mask, test, yes, no } = question.as_ref();
            let value = mask
                & match *word {
                    Word::Number => sample.nr,
                    Word::Arch => sample.arch,
                    Word::Low(argument) => (sample.args[usize::from(argument)] & 0xffff_ffff) as u32,
                    Word::High(argument) => (sample.args[usize::from(argument)] >> 32) as u32,
                };
            let holds = match test {
                Test::Is(other) => value == *other,
                Test::AtLeast(other) => value >= *other,
                Test::AnyOf(bits) => value & bits != 0,
            };
            decide(if holds { yes } else { no }, sample)
        }
    }
}

/// For each word of an argument the values around everything that a decision asks of it.
fn corners(decision: &Decision, found: &mut HashMap<Word, BTreeSet<u32>>) {
    let Decision::Ask(question) = decision else { return };
    let Question { word, mask, test, yes, no } = question.as_ref();
    let values = match test {
        Test::Is(value) => [*value, value.wrapping_add(1), value | !mask],
        Test::AtLeast(value) => [*value, value.wrapping_sub(1), u32::MAX],
        Test::AnyOf(bits) => [*bits, !bits, bits & bits.wrapping_neg()],
    };
    found.entry(*word).or_default().extend(values.into_iter().chain([0]));
    corners(yes, found);
    corners(no, found);
}

/// Every combination of these values; what is not asked of is full of ones.
fn combinations(corners: &HashMap<Word, BTreeSet<u32>>) -> Vec<[u64; 6]> {
    let mut all = vec![[u64::MAX; 6]];
    for (word, values) in corners {
        let with = |args: &[u64; 6], value: u32| {
            let mut args = *args;
            match *word {
                Word::Low(argument) => {
                    let argument = &mut args[usize::from(argument)];
                    *argument = *argument >> 32 << 32 | u64::from(value);
                }
                Word::High(argument) => {
                    let argument = &mut args[usize::from(argument)];
                    *argument = *argument & 0xffff_ffff | u64::from(value) << 32;
                }
                Word::Number | Word::Arch => panic!("the table asks of arguments alone"),
            }
            args
        };
        all = all.iter().flat_map(|args| values.iter().map(move |value| with(args, *value))).collect();
    }
    all
}

#[test]
fn the_program_says_of_every_call_what_the_table_says() {
    let observed = Walls { observed: true, udp: Mode::Supervised, outside_unix: true, ..CLOSED };
    let bare = Walls { confined: false, ..UDP };
    let open = Walls { families: u32::MAX, icmp: Mode::Open, namespaces: true, ..UDP };
    let blind = Walls { inspected: false, ..KERNEL };
    for walls in [CLOSED, UDP, ICMP, KERNEL, Walls { names: true, ..UDP }, observed, bare, open, blind] {
        let (program, calls) = (program(walls), calls(walls));
        for nr in (0..1000).chain(X32 - 2..X32 + 600).chain(u32::MAX - 2..=u32::MAX) {
            let listed = calls.iter().find(|(number, _)| *number == nr).map(|(_, decision)| decision);
            let mut found = HashMap::new();
            if let Some(decision) = listed {
                corners(decision, &mut found);
            }
            for args in combinations(&found) {
                for arch in [ARCH, ARCH - 1, ARCH + 1, 0x4000_0003, 0] {
                    let sample = Sample { nr, arch, args };
                    let expected = match listed {
                        _ if arch != ARCH => Action::Kill,
                        _ if cfg!(target_arch = "x86_64") && nr >= X32 => Action::Refuse(libc::ENOSYS),
                        Some(decision) => decide(decision, &sample),
                        None => Action::Allow,
                    };
                    assert_eq!(interpret(&program, &sample).0, expected.code(), "{walls:?} {sample:x?}");
                }
            }
        }
    }
}

#[test]
fn every_number_of_a_foreign_architecture_is_killed() {
    for arch in [0x4000_0003, 0xc000_00b8, 0, u32::MAX] {
        for nr in (0..600).chain([X32, u32::MAX]) {
            let (code, _) = interpret(&program(UDP), &Sample { nr, arch, args: [0; 6] });
            assert_eq!(code, Action::Kill.code(), "arch {arch:#x} nr {nr}");
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn every_number_of_the_x32_abi_does_not_exist() {
    for nr in (X32..X32 + 600).chain([u32::MAX]) {
        assert_eq!(run(UDP, i64::from(nr), [0; 6]), Action::Refuse(libc::ENOSYS).code(), "nr {nr:#x}");
    }
}

#[test]
fn calls_that_are_not_in_the_table_run_whatever_their_arguments() {
    let listed: Vec<u32> = calls(UDP).into_iter().map(|(number, _)| number).collect();
    for nr in (0..600).filter(|nr| !listed.contains(nr)) {
        for value in [0, 1, u64::MAX] {
            assert_eq!(run(UDP, i64::from(nr), [value; 6]), Action::Allow.code(), "nr {nr}");
        }
    }
}

#[test]
fn an_untrapped_call_passes_few_instructions() {
    for nr in [libc::SYS_read, libc::SYS_write, libc::SYS_futex, libc::SYS_epoll_pwait, libc::SYS_openat] {
        let (code, executed) = interpret(&program(UDP), &Sample { nr: word(nr), arch: ARCH, args: [0; 6] });
        assert_eq!(code, Action::Allow.code());
        assert!(executed <= 13, "{executed} instructions for {nr}");
    }
    assert!(program(UDP).len() <= 210, "installing it costs as it is long");
    for nr in [libc::SYS_connect, libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_sendmmsg] {
        let sample = Sample { nr: word(nr), arch: ARCH, args: [3, 1, 16, 0, 1, 16] };
        let (code, executed) = interpret(&program(KERNEL), &sample);
        assert_eq!(code, Action::Allow.code());
        assert!(executed <= 24, "{executed} instructions for {nr}");
    }
}

#[test]
fn names_bring_datagram_sockets_and_have_receives_seen_that_tell_a_source() {
    const NAMES: Walls = Walls { names: true, ..CLOSED };
    let (allow, notify) = (Action::Allow.code(), Action::Notify.code());
    assert_eq!(run(NAMES, libc::SYS_socket, args(&[2, 2, 17])), allow);
    assert_eq!(run(CLOSED, libc::SYS_socket, args(&[2, 2, 17])), notify, "a mute one");
    for call in [libc::SYS_sendmsg, libc::SYS_sendmmsg, libc::SYS_recvmsg, libc::SYS_recvmmsg] {
        assert_eq!(run(NAMES, call, args(&[3, 4, 0])), notify, "call {call}");
        assert_eq!(run(CLOSED, call, args(&[3, 4, 0])), allow, "call {call}");
    }
    // MSG_CMSG_CLOEXEC, MSG_ERRQUEUE and MSG_OOB; and MSG_DONTWAIT.
    for (flag, expected) in [(0x4000_0000, allow), (0x2000, allow), (1, allow), (0x40, notify)] {
        assert_eq!(run(NAMES, libc::SYS_recvmsg, args(&[3, 4, flag])), expected);
        assert_eq!(run(NAMES, libc::SYS_recvmmsg, args(&[3, 4, 1, flag])), expected);
    }
    for (source, expected) in [(0, allow), (1, notify), (1 << 32, notify)] {
        assert_eq!(run(NAMES, libc::SYS_recvfrom, args(&[3, 4, 5, 0, source, 6])), expected);
        assert_eq!(run(UDP, libc::SYS_recvfrom, args(&[3, 4, 5, 0, source, 6])), allow);
    }
}

#[test]
fn sockets_are_an_allowlist_by_family_type_and_protocol() {
    let allow = Action::Allow.code();
    let refuse = |errno| Action::Refuse(errno).code();
    let rows: &[(Walls, [u64; 3], u32)] = &[
        (CLOSED, [2, 1, 0], allow),
        (CLOSED, [2, 1, 6], allow),
        (CLOSED, [10, 1 | 0o2_004_000, 6], allow),
        (CLOSED, [0x1_0000_0002, 1, 0], allow),
        (CLOSED, [2, 1, 262], refuse(libc::EPROTONOSUPPORT)),
        (CLOSED, [2, 1, 132], refuse(libc::EPROTONOSUPPORT)),
        (CLOSED, [2, 2, 0], Action::Notify.code()),
        (CLOSED, [10, 2, 17], Action::Notify.code()),
        (KERNEL, [10, 2, 17], Action::Notify.code()),
        (Walls { tcp_opens: false, ..CLOSED }, [2, 2, 0], refuse(libc::EACCES)),
        (Walls { tcp_opens: false, tcp_bind: true, ..CLOSED }, [2, 2, 0], Action::Notify.code()),
        (Walls { inspected: false, ..KERNEL }, [2, 2, 0], refuse(libc::EACCES)),
        (CLOSED, [2, 2, 1], refuse(libc::EACCES)),
        (CLOSED, [2, 2, 136], refuse(libc::EPROTONOSUPPORT)),
        (UDP, [2, 2, 0], allow),
        (UDP, [10, 2, 17], allow),
        (UDP, [2, 2, 1], refuse(libc::EACCES)),
        (UDP, [2, 2, 136], refuse(libc::EPROTONOSUPPORT)),
        (ICMP, [2, 2, 1], allow),
        (ICMP, [10, 2, 58], allow),
        (ICMP, [10, 2, 1], refuse(libc::EPROTONOSUPPORT)),
        (ICMP, [2, 2, 17], allow),
        (UDP, [2, 3, 1], refuse(libc::EPROTONOSUPPORT)),
        (UDP, [2, 15, 0], refuse(libc::EINVAL)),
        (UDP, [2, 11, 0], refuse(libc::EINVAL)),
        (UDP, [10, 1, 263], refuse(libc::EINVAL)),
        (UDP, [2, 1, 0xffff_ffff], refuse(libc::EINVAL)),
        (UDP, [2, 10, 0], refuse(libc::ESOCKTNOSUPPORT)),
        (UDP, [2, 10, 0x300], refuse(libc::EINVAL)),
        (UDP, [2, 5, 132], refuse(libc::ESOCKTNOSUPPORT)),
        (CLOSED, [1, 1, 0], allow),
        (CLOSED, [1, 5, 0], allow),
        (CLOSED, [1, 2, 0], refuse(libc::EACCES)),
        (CLOSED, [1, 3, 0], refuse(libc::EACCES)),
        (UDP, [1, 2, 0], allow),
        (UDP, [1, 4, 0], refuse(libc::ESOCKTNOSUPPORT)),
        (CLOSED, [16, 3, 0], allow),
        (CLOSED, [16, 2, 0], allow),
        (CLOSED, [16, 3, 4], refuse(libc::EPROTONOSUPPORT)),
        (CLOSED, [16, 3, 2], refuse(libc::EPROTONOSUPPORT)),
    ];
    for (walls, triple, expected) in rows {
        assert_eq!(run(*walls, libc::SYS_socket, args(triple)), *expected, "{triple:?} {walls:?}");
    }
    for family in (0..64).filter(|family| ![1, 2, 10, 16].contains(family)).chain([0xffff_ffff]) {
        for kind in 0..16 {
            let code = run(UDP, libc::SYS_socket, args(&[family, kind, 0]));
            assert_eq!(code, refuse(libc::EAFNOSUPPORT), "family {family} type {kind}");
        }
    }
}

#[test]
fn a_family_that_is_not_named_does_not_exist() {
    let refuse = |errno| Action::Refuse(errno).code();
    let only = |families| Walls { families, ..UDP };
    let socket =
        |walls, domain, kind, protocol| run(walls, libc::SYS_socket, args(&[domain, kind, protocol]));
    let none = only(0);
    for domain in 0..64 {
        assert_eq!(socket(none, domain, 1, 0), refuse(libc::EAFNOSUPPORT), "family {domain}");
    }
    let stream = only(families::INET_STREAM);
    assert_eq!(socket(stream, 2, 1, 0), Action::Allow.code());
    assert_eq!(socket(stream, 2, 2, 0), refuse(libc::ESOCKTNOSUPPORT));
    assert_eq!(socket(stream, 10, 1, 0), refuse(libc::EAFNOSUPPORT));
    assert_eq!(socket(only(families::INET6_DGRAM), 10, 2, 17), Action::Allow.code());
    assert_eq!(socket(only(families::ALG), 38, 5, 0), Action::Allow.code());
    assert_eq!(socket(only(families::UNIX_SEQPACKET), 1, 5, 0), Action::Allow.code());
    assert_eq!(socket(only(families::UNIX_SEQPACKET), 1, 1, 0), refuse(libc::ESOCKTNOSUPPORT));
    assert_eq!(socket(only(families::UNIX_SEQPACKET), 1, 2, 0), refuse(libc::ESOCKTNOSUPPORT));
    let named = Walls { families: families::UNIX_DGRAM, ..CLOSED };
    assert_eq!(socket(named, 1, 2, 0), Action::Allow.code());
    assert_eq!(run(named, libc::SYS_sendmsg, args(&[3, 1, 0])), Action::Notify.code());
    let outside = Walls { outside_unix: true, ..CLOSED };
    assert_eq!(run(outside, libc::SYS_sendmsg, args(&[3, 1, 0])), Action::Notify.code());
}

#[test]
fn namespaces_may_be_made_only_where_the_policy_says_so() {
    let open = Walls { namespaces: true, ..CLOSED };
    for (nr, flags) in
        [(libc::SYS_clone, 0x7000_0011), (libc::SYS_unshare, 0x1000_0000), (libc::SYS_setns, 3)]
    {
        assert_eq!(run(open, nr, args(&[flags])), Action::Allow.code());
        assert_eq!(run(CLOSED, nr, args(&[flags])), Action::Refuse(libc::EPERM).code());
    }
    assert_eq!(run(open, libc::SYS_clone3, [0; 6]), Action::Refuse(libc::ENOSYS).code());
}

#[test]
fn a_process_that_shares_its_descriptor_table_is_told_where_messages_are_trapped() {
    let clone = |walls, flags| run(walls, libc::SYS_clone, args(&[flags]));
    let (notify, allow) = (Action::Notify.code(), Action::Allow.code());
    for walls in [UDP, Walls { namespaces: true, ..UDP }] {
        assert_eq!(clone(walls, 0x411), notify);
        assert_eq!(clone(walls, 0x0080_0f00), notify); // without CLONE_THREAD
        assert_eq!(clone(walls, 0x003d_0f00), allow); // pthread_create
        assert_eq!(clone(walls, 0x4111), allow); // posix_spawn
        assert_eq!(clone(walls, 17), allow); // fork
        assert_eq!(clone(walls, 0x400 | 1 << 32), notify);
    }
    assert_eq!(clone(Walls { namespaces: true, ..UDP }, 0x1000_0400), notify);
    assert_eq!(clone(CLOSED, 0x411), allow);
}

#[test]
fn under_observation_sends_to_the_peer_and_rare_families_are_seen() {
    let observed = Walls { observed: true, udp: Mode::Supervised, ..CLOSED };
    let notify = Action::Notify.code();
    assert_eq!(run(observed, libc::SYS_sendto, [0; 6]), notify);
    assert_eq!(
        run(observed, libc::SYS_sendto, args(&[0, 0, 0, u64::from(MSG_FASTOPEN)])),
        Action::Refuse(libc::EOPNOTSUPP).code()
    );
    for (call, family, kind, expected) in [
        (libc::SYS_socket, ALG, SEQPACKET, notify),
        (libc::SYS_socket, UNIX, DGRAM, notify),
        (libc::SYS_socketpair, UNIX, DGRAM, notify),
        (libc::SYS_socket, UNIX, STREAM, Action::Allow.code()),
        (libc::SYS_socket, INET, STREAM, Action::Allow.code()),
        (libc::SYS_socket, 17, RAW, Action::Refuse(libc::EAFNOSUPPORT).code()),
    ] {
        assert_eq!(
            run(observed, call, args(&[family.into(), kind.into()])),
            expected,
            "{call} {family} {kind}"
        );
    }
}

#[test]
fn socket_pairs_are_unix_and_datagram_ones_exist_only_where_messages_are_trapped() {
    let pair = |walls, domain, kind| run(walls, libc::SYS_socketpair, args(&[domain, kind]));
    assert_eq!(pair(CLOSED, 1, 1), Action::Allow.code());
    assert_eq!(pair(CLOSED, 1, 5), Action::Allow.code());
    assert_eq!(pair(CLOSED, 1, 2), Action::Refuse(libc::EACCES).code());
    assert_eq!(pair(UDP, 1, 2), Action::Allow.code());
    assert_eq!(pair(UDP, 2, 1), Action::Refuse(libc::EAFNOSUPPORT).code());
}

#[test]
fn a_send_is_trapped_exactly_when_it_can_carry_a_destination() {
    let fast_open = u64::from(MSG_FASTOPEN);
    let refused = Action::Refuse(libc::EOPNOTSUPP).code();
    let open = Walls { udp: Mode::Open, icmp: Mode::Open, ..CLOSED };
    let mixed = Walls { udp: Mode::Open, ..ICMP };
    // Sockets for ping or for a server, in whose messages nothing may leave.
    let pings = Walls { icmp: Mode::Open, ..CLOSED };
    let serves = Walls { udp_bind: true, ..CLOSED };
    let (allow, notify) = (Action::Allow, Action::Notify);
    for (walls, expected) in [
        (CLOSED, allow),
        (KERNEL, allow),
        (open, allow),
        (UDP, notify),
        (ICMP, notify),
        (mixed, notify),
        (pings, notify),
        (serves, notify),
        (Walls { outside_unix: true, ..open }, notify),
        (Walls { families: 0xff, ..open }, notify),
    ] {
        let sendto = |flags, address| run(walls, libc::SYS_sendto, [3, 1, 1, flags, address, 16]);
        assert_eq!(sendto(0, 0), Action::Allow.code());
        assert_eq!(sendto(0, 1), expected.code(), "{walls:?}");
        assert_eq!(sendto(0, 1 << 32), expected.code());
        assert_eq!(sendto(fast_open, 0), refused);
        assert_eq!(sendto(fast_open | 1 << 40, 1), refused);
        assert_eq!(run(walls, libc::SYS_sendmsg, args(&[3, 1, 0])), expected.code());
        assert_eq!(run(walls, libc::SYS_sendmmsg, args(&[3, 1, 1, 0])), expected.code());
        assert_eq!(run(walls, libc::SYS_sendmsg, args(&[3, 1, fast_open])), refused);
        assert_eq!(run(walls, libc::SYS_sendmmsg, args(&[3, 1, 1, fast_open])), refused);
    }
}

#[test]
fn a_connect_is_trapped_unless_the_kernel_holds_every_socket_that_could_make_one() {
    let open = Walls { tcp: Mode::Open, udp: Mode::Open, icmp: Mode::Open, ..KERNEL };
    let none = Walls { tcp: Mode::Closed, tcp_opens: false, ..KERNEL };
    for walls in [KERNEL, open, none, Walls { families: 0x78, ..KERNEL }] {
        let connect = |length| run(walls, libc::SYS_connect, [3, 1, length, 0, 0, 0]);
        for length in [16, 28, 110, 128, 129, u64::from(u32::MAX), 1 << 33 | 16] {
            assert_eq!(connect(length), Action::Allow.code(), "{length} {walls:?}");
        }
        // Linux disconnects, where Landlock finds no address.
        for length in [0, 1, 2, 15, 1 << 32] {
            assert_eq!(connect(length), Action::Notify.code(), "{length} {walls:?}");
        }
    }
    let looked_at = [
        CLOSED,
        Walls { families: PAIRS, ..CLOSED },
        Walls { udp: Mode::Supervised, ..KERNEL },
        Walls { icmp: Mode::Supervised, ..open },
        Walls { icmp: Mode::Open, ..KERNEL },
        Walls { udp_bind: true, ..KERNEL },
        Walls { outside_unix: true, ..open },
        Walls { families: PAIRS | families::UNIX_STREAM, ..open },
        Walls { families: PAIRS | families::UNIX_SEQPACKET, ..open },
        Walls { families: PAIRS | families::UNIX_DGRAM, ..open },
    ];
    for walls in looked_at {
        for length in [2, 16, 28, 128] {
            assert_eq!(
                run(walls, libc::SYS_connect, [3, 1, length, 0, 0, 0]),
                Action::Notify.code(),
                "{walls:?}"
            );
        }
    }
    for walls in [CLOSED, KERNEL, open, none] {
        for nr in [libc::SYS_bind, libc::SYS_listen] {
            assert_eq!(run(walls, nr, [3, 1, 16, 0, 0, 0]), Action::Notify.code());
        }
    }
    // Where nothing can be looked at, only what needs no look is left.
    let blind = Walls { inspected: false, ..KERNEL };
    assert_eq!(run(blind, libc::SYS_bind, [3, 1, 16, 0, 0, 0]), Action::Allow.code());
    assert_eq!(run(blind, libc::SYS_listen, [3, 1, 0, 0, 0, 0]), Action::Refuse(libc::EACCES).code());
    assert!(!blind.needs_inspection() && !Walls { tcp: Mode::Open, ..blind }.needs_inspection());
    for walls in looked_at.into_iter().chain([open, Walls { tcp_bind: true, ..KERNEL }]) {
        assert!(walls.needs_inspection(), "{walls:?}");
    }
}

#[test]
fn pairs_exist_without_any_socket_that_could_be_connected() {
    let socket = |nr, kind| run(KERNEL, nr, args(&[1, kind, 0]));
    let refuse = |errno| Action::Refuse(errno).code();
    for kind in [STREAM, SEQPACKET, STREAM | 0o2_004_000] {
        assert_eq!(socket(libc::SYS_socketpair, u64::from(kind)), Action::Allow.code());
        assert_eq!(socket(libc::SYS_socket, u64::from(kind)), refuse(libc::EAFNOSUPPORT));
    }
    for kind in [DGRAM, RAW, 4] {
        assert_eq!(socket(libc::SYS_socketpair, u64::from(kind)), refuse(libc::ESOCKTNOSUPPORT));
        assert_eq!(socket(libc::SYS_socket, u64::from(kind)), refuse(libc::EAFNOSUPPORT));
    }
    let none = Walls { families: 0xf8, ..KERNEL };
    assert_eq!(run(none, libc::SYS_socketpair, args(&[1, 1, 0])), refuse(libc::EAFNOSUPPORT));
}

#[test]
fn without_a_scope_signals_to_others_are_looked_at_and_owners_are_not_set_with_one_no_group_is() {
    let open = Walls { scoped: false, ..CLOSED };
    let (allow, notify, refused) =
        (Action::Allow.code(), Action::Notify.code(), Action::Refuse(libc::EPERM).code());
    for (nr, arguments, without, with) in [
        (libc::SYS_kill, [1, 9, 0, 0], notify, allow),
        (libc::SYS_kill, [0, 15, 0, 0], notify, allow),
        (libc::SYS_tkill, [1, 9, 0, 0], notify, allow),
        (libc::SYS_tgkill, [1, 1, 9, 0], notify, allow),
        (libc::SYS_rt_sigqueueinfo, [1, 9, 1, 0], notify, allow),
        (libc::SYS_rt_tgsigqueueinfo, [1, 1, 9, 1], notify, allow),
        (libc::SYS_pidfd_send_signal, [3, 9, 0, 0], notify, allow),
        (libc::SYS_fcntl, [3, 8, 1, 0], refused, allow),
        (libc::SYS_fcntl, [3, 8 | 1 << 32, 0x8000_0000, 0], refused, refused),
        (libc::SYS_fcntl, [3, 8, 0x7fff_ffff | 0xf << 32, 0], refused, allow),
        (libc::SYS_fcntl, [3, 15 | 1 << 32, 1, 0], refused, refused),
        (libc::SYS_fcntl, [3, 4, 0, 0], allow, allow),
        (libc::SYS_ioctl, [3, 0x8901, 1, 0], refused, refused),
        (libc::SYS_ioctl, [3, 0x8902, 1, 0], refused, refused),
        (libc::SYS_ioctl, [3, 0x5412, 1, 0], refused, refused),
        (libc::SYS_ioctl, [3, 0x5401, 1, 0], allow, allow),
    ] {
        assert_eq!(run(open, nr, args(&arguments)), without, "{nr} {arguments:?}");
        assert_eq!(run(CLOSED, nr, args(&arguments)), with, "{nr} {arguments:?}");
    }
}

#[test]
fn redirecting_options_are_refused_by_level_and_number_and_all_others_run() {
    for level in 0..300u32 {
        for option in 0..130u32 {
            let listed = OPTIONS.iter().find(|(l, o, _)| (*l, *o) == (level, option));
            let expected = listed.map_or(Action::Allow, |(_, _, errno)| Action::Refuse(*errno));
            let arguments = args(&[3, u64::from(level) | 1 << 33, u64::from(option)]);
            assert_eq!(run(CLOSED, libc::SYS_setsockopt, arguments), expected.code(), "{level}/{option}");
        }
    }
}

#[test]
fn the_rest_of_the_table_looks_at_the_right_register() {
    let refuse = |errno| Action::Refuse(errno).code();
    let allow = Action::Allow.code();
    let rows: &[(i64, &[u64], u32)] = &[
        (libc::SYS_io_uring_setup, &[8, 1], refuse(libc::ENOSYS)),
        (libc::SYS_io_uring_enter, &[3], refuse(libc::ENOSYS)),
        (libc::SYS_io_uring_register, &[3], refuse(libc::ENOSYS)),
        (libc::SYS_seccomp, &[1, 8], refuse(libc::EBUSY)),
        (libc::SYS_seccomp, &[1, 8 | 1 << 40], refuse(libc::EBUSY)),
        (libc::SYS_seccomp, &[1, 1], allow),
        (libc::SYS_seccomp, &[3, 0], allow),
        (libc::SYS_prctl, &[4, 0], Action::Refuse(0).code()),
        (libc::SYS_prctl, &[4, 1], allow),
        (libc::SYS_prctl, &[15, 0], allow),
        (libc::SYS_prlimit64, &[0, 7], allow),
        (libc::SYS_prlimit64, &[1, 7], refuse(libc::EPERM)),
        (libc::SYS_sched_setaffinity, &[0, 8, 1], allow),
        (libc::SYS_sched_setaffinity, &[1 << 32, 8, 1], allow),
        (libc::SYS_sched_setaffinity, &[77, 8, 1], Action::Notify.code()),
        (libc::SYS_sched_setscheduler, &[77], Action::Notify.code()),
        (libc::SYS_sched_setparam, &[77], Action::Notify.code()),
        (libc::SYS_sched_setattr, &[77], Action::Notify.code()),
        (libc::SYS_setpriority, &[0, 0, 7], allow),
        (libc::SYS_setpriority, &[0, 77, 7], Action::Notify.code()),
        (libc::SYS_setpriority, &[1, 0, 7], Action::Notify.code()),
        (libc::SYS_setpriority, &[2, 0, 7], Action::Notify.code()),
        (libc::SYS_ioprio_set, &[1, 0, 7], allow),
        (libc::SYS_ioprio_set, &[1, 77, 7], Action::Notify.code()),
        (libc::SYS_ioprio_set, &[3, 0, 7], Action::Notify.code()),
        (libc::SYS_clone3, &[1], refuse(libc::ENOSYS)),
        (libc::SYS_clone, &[0x003d_0f00], allow),
        (libc::SYS_clone, &[0x1000_0011], refuse(libc::EPERM)),
        (libc::SYS_clone, &[0x4000_0011], refuse(libc::EPERM)),
        (libc::SYS_unshare, &[0x400], allow),
        (libc::SYS_unshare, &[0x80], refuse(libc::EPERM)),
        (libc::SYS_unshare, &[0x1000_0000], refuse(libc::EPERM)),
        (libc::SYS_setns, &[3, 0], refuse(libc::EPERM)),
        (libc::SYS_ioctl, &[0, 0x5412], refuse(libc::EPERM)),
        (libc::SYS_ioctl, &[0, 0x1_0000_5412], refuse(libc::EPERM)),
        (libc::SYS_ioctl, &[0, 0x541c], refuse(libc::EPERM)),
        (libc::SYS_ioctl, &[0, 0x5413], allow),
        (libc::SYS_ioctl, &[3, 0x4004_54ca], refuse(libc::EPERM)),
        (libc::SYS_ioctl, &[3, 0x4008_af60], refuse(libc::EPERM)),
        (libc::SYS_ioctl, &[3, 0x4008_af61], allow),
        (libc::SYS_ioctl, &[3, 0xaa00], refuse(libc::EPERM)),
        (libc::SYS_ptrace, &[16, 1], allow),
        (libc::SYS_bpf, &[0], refuse(libc::EPERM)),
        (libc::SYS_keyctl, &[0], refuse(libc::EPERM)),
    ];
    for (nr, values, expected) in rows {
        assert_eq!(run(CLOSED, *nr, args(values)), *expected, "{nr} {values:x?}");
    }
    let bare = Walls { confined: false, ..CLOSED };
    assert_eq!(run(bare, libc::SYS_ptrace, args(&[16, 1])), refuse(libc::EPERM));
    assert_eq!(run(bare, libc::SYS_pidfd_getfd, args(&[3, 1])), refuse(libc::EPERM));
}

#[test]
fn where_sockets_are_held_all_that_may_exist_are_made_by_us_and_pairs_of_datagrams() {
    let (notify, allow) = (Action::Notify.code(), Action::Allow.code());
    let holding = Walls { holds_sockets: true, ..UDP };
    for domain in 0..64 {
        for kind in 0..16 {
            for protocol in [0, 1, 6, 17, 58, 136, 262] {
                let socket = |walls| run(walls, libc::SYS_socket, args(&[domain, kind, protocol]));
                let expected = socket(UDP);
                let expected = if expected == allow { notify } else { expected };
                assert_eq!(socket(holding), expected, "{domain} {kind} {protocol}");
            }
        }
    }
    let pair = |walls, kind| run(walls, libc::SYS_socketpair, args(&[1, kind, 0]));
    assert_eq!([1, 5].map(|kind| pair(holding, kind)), [allow; 2]);
    assert_eq!([2, 3].map(|kind| pair(UDP, kind)), [allow; 2]);
    assert_eq!([2, 3].map(|kind| pair(holding, kind)), [notify; 2]);
}
