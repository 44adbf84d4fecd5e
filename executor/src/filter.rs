//! Which system calls of the sandbox run, are refused, or go to the supervisor: the seccomp filter as a table that people can read.
//!
//! What the registers decide is decided here, at no cost; what lies behind a pointer is never looked at here and goes to the supervisor. The
//! default is to run the call: this filter closes the ways to reach a network destination, to make a socket that could, to get at the supervisor or
//! around the filter. It refuses to know the rules; it is told only by what each protocol is held.

use crate::bpf::{Action, Decision, Test, Word, ask, ask_any, ask_masked, assemble, select};
use crate::sys::seccomp::{Instruction, NEW_LISTENER};
use crate::table::{Mode, families};
use crate::walls::Walls;

#[cfg(target_arch = "x86_64")]
pub(crate) const ARCH: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64, linux/audit.h
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCH: u32 = 0xc000_00b7; // AUDIT_ARCH_AARCH64, linux/audit.h

/// System calls of the x32 ABI carry this bit and share the architecture value of x86-64 (asm/unistd.h).
const X32: u32 = 0x4000_0000;

const UNIX: u32 = 1;
const INET: u32 = 2;
const INET6: u32 = 10;
const NETLINK: u32 = 16;
const ALG: u32 = 38;
const STREAM: u32 = 1;
const DGRAM: u32 = 2;
const RAW: u32 = 3;
const SEQPACKET: u32 = 5;
/// The kernel masks a socket's type so; the rest are flags it checks itself.
const TYPE_MASK: u32 = 0xf;
/// `SOCK_MAX`
const TYPES: u32 = 11;
/// `IPPROTO_MAX`; MPTCP, 262, is the last.
const PROTOCOLS: u32 = 263;
const MSG_FASTOPEN: u32 = 0x2000_0000;

/// Every flag of clone(2) and unshare(2) that makes a namespace. `CLONE_NEWTIME` exists for unshare only; in clone its bit is part of the signal.
const NAMESPACES: u32 =
    0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;
const NEW_TIME: u32 = 0x80;

const CLONE_FILES: u32 = 0x400;
const CLONE_THREAD: u32 = 0x1_0000;

/// Socket options that send packets elsewhere than the address says, or make the kernel send some of its own: (level, option, errno).
const OPTIONS: &[(u32, u32, i32)] = &[
    (0, 4, libc::EPERM),       // IP_OPTIONS: source routes
    (0, 15, libc::EPERM),      // IP_FREEBIND: foreign source
    (0, 19, libc::EPERM),      // IP_TRANSPARENT
    (0, 35, libc::EPERM),      // IP_ADD_MEMBERSHIP: IGMP to groups nobody listed
    (0, 39, libc::EPERM),      // IP_ADD_SOURCE_MEMBERSHIP
    (0, 42, libc::EPERM),      // MCAST_JOIN_GROUP
    (0, 46, libc::EPERM),      // MCAST_JOIN_SOURCE_GROUP
    (0, 50, libc::EPERM),      // IP_UNICAST_IF
    (1, 25, libc::EPERM),      // SO_BINDTODEVICE
    (1, 60, libc::EOPNOTSUPP), // SO_ZEROCOPY: the buffer sent on behalf would be the supervisor's
    (1, 62, libc::EPERM),      // SO_BINDTOIFINDEX
    (6, 31, libc::ENOENT),     // TCP_ULP: other protocols inside a TCP socket
    (41, 5, libc::EPERM),      // IPV6_2292RTHDR
    (41, 6, libc::EPERM),      // IPV6_2292PKTOPTIONS: carries any header
    (41, 20, libc::EPERM),     // IPV6_JOIN_GROUP
    (41, 27, libc::EPERM),     // IPV6_JOIN_ANYCAST
    (41, 42, libc::EPERM),     // MCAST_JOIN_GROUP
    (41, 46, libc::EPERM),     // MCAST_JOIN_SOURCE_GROUP
    (41, 54, libc::EPERM),     // IPV6_HOPOPTS
    (41, 55, libc::EPERM),     // IPV6_RTHDRDSTOPTS
    (41, 57, libc::EPERM),     // IPV6_RTHDR: segment routing needs no capability
    (41, 59, libc::EPERM),     // IPV6_DSTOPTS
    (41, 75, libc::EPERM),     // IPV6_TRANSPARENT
    (41, 76, libc::EPERM),     // IPV6_UNICAST_IF
    (41, 78, libc::EPERM),     // IPV6_FREEBIND
];

fn word(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn refuse(errno: i32) -> Decision {
    Action::Refuse(errno).into()
}

/// A decision by a socket's type.
fn by_type(cases: [(u32, Decision); 2], otherwise: Decision) -> Decision {
    cases.into_iter().rev().fold(otherwise, |rest, (kind, decision)| {
        ask_masked(Word::Low(1), TYPE_MASK, Test::Is(kind), decision, rest)
    })
}

/// socket(domain, type, protocol)
fn socket(walls: Walls) -> Decision {
    let absent = || refuse(libc::EAFNOSUPPORT);
    let route = ask(Word::Low(2), Test::Is(0), Action::Allow, refuse(libc::EPROTONOSUPPORT));
    let netlink = ask_any(Word::Low(1), TYPE_MASK, &[DGRAM, RAW], &route, refuse(libc::ESOCKTNOSUPPORT));
    let allowed = |is: bool, decision: Decision| if is { decision } else { absent() };
    let inet = [
        (families::INET_STREAM, families::INET_DGRAM, 1),
        (families::INET6_STREAM, families::INET6_DGRAM, 58),
    ]
    .map(|(stream, datagram, echo)| {
        allowed(walls.has(stream | datagram), internet(walls, walls.has(stream), walls.has(datagram), echo))
    });
    let [inet4, inet6] = inet;
    select(
        Word::Low(0),
        &[
            (UNIX, unix(walls, false)),
            (INET, inet4),
            (INET6, inet6),
            (NETLINK, allowed(walls.has(families::NETLINK_ROUTE), netlink)),
            (
                ALG,
                if walls.observed {
                    Action::Notify.into()
                } else {
                    allowed(walls.has(families::ALG), Action::Allow.into())
                },
            ),
        ],
        &absent(),
    )
}

/// The sockets of one IP family; `echo` is the protocol of its ping sockets.
fn internet(walls: Walls, has_stream: bool, has_datagram: bool, echo: u32) -> Decision {
    let other = || refuse(libc::EPROTONOSUPPORT);
    let opens = |yes: bool| if yes { Action::Allow } else { Action::Refuse(libc::EACCES) };
    // ping(8) asks a UDP socket for its own source address; what such a socket sends is looked at like any message.
    let udp = opens(walls.has_udp_sockets());
    let ping = ask(Word::Low(2), Test::Is(echo), opens(walls.icmp != Mode::Closed), other());
    let datagram = ask_any(Word::Low(2), u32::MAX, &[0, 17], &udp.into(), ping);
    let stream = ask_any(Word::Low(2), u32::MAX, &[0, 6], &Action::Allow.into(), other());
    let absent = || refuse(libc::ESOCKTNOSUPPORT);
    let raw = ask_masked(Word::Low(1), TYPE_MASK, Test::Is(RAW), other(), absent());
    let stream = if has_stream { stream } else { absent() };
    let datagram = if has_datagram { datagram } else { absent() };
    let known = by_type([(STREAM, stream), (DGRAM, datagram)], raw);
    // Out of range, negative numbers included: the kernel's own answers, before it looks at anything else (net/socket.c, net/ipv4/af_inet.c).
    let known = ask(Word::Low(2), Test::AtLeast(PROTOCOLS), Action::Refuse(libc::EINVAL), known);
    ask_masked(Word::Low(1), TYPE_MASK, Test::AtLeast(TYPES), Action::Refuse(libc::EINVAL), known)
}

/// The unix sockets there may be. A datagram one honours a name in every message, so it exists only where messages are looked at. `is_pair`: those of socketpair(2),
/// which are connected already and so reach nothing else (net/unix/af_unix.c: connect answers EISCONN, listen EINVAL, as long as they live).
fn unix(walls: Walls, is_pair: bool) -> Decision {
    let pair = if is_pair { families::UNIX_PAIR } else { 0 };
    let (stream, packet) = (families::UNIX_STREAM | pair, families::UNIX_SEQPACKET | pair);
    if !walls.has(stream | families::UNIX_DGRAM | packet) {
        return refuse(libc::EAFNOSUPPORT);
    }
    let absent = || refuse(libc::ESOCKTNOSUPPORT);
    let kind = |is: bool| if is { Action::Allow.into() } else { absent() };
    let datagram = if walls.observed { Action::Notify.into() } else { unix_datagram(walls) };
    // The kernel makes a datagram socket of SOCK_RAW (net/unix/af_unix.c, unix_create).
    let rest = ask_any(Word::Low(1), TYPE_MASK, &[DGRAM, RAW], &datagram, absent());
    by_type([(STREAM, kind(walls.has(stream))), (SEQPACKET, kind(walls.has(packet)))], rest)
}

fn unix_datagram(walls: Walls) -> Decision {
    match (walls.has(families::UNIX_STREAM | families::UNIX_DGRAM), walls.looks_at_messages()) {
        (true, true) => Action::Allow.into(),
        (true, false) => refuse(libc::EACCES),
        (false, _) => refuse(libc::ESOCKTNOSUPPORT),
    }
}

/// A message call: TCP Fast Open would connect without connect(2).
fn message(flags: u8, otherwise: impl Into<Decision>) -> Decision {
    ask(Word::Low(flags), Test::AnyOf(MSG_FASTOPEN), Action::Refuse(libc::EOPNOTSUPP), otherwise)
}

/// sendto(fd, buffer, length, flags, address, …) without an address reaches only the peer that connect(2) was allowed.
fn sendto(walls: Walls) -> Decision {
    if walls.observed {
        return message(3, Action::Notify);
    }
    if !walls.looks_at_messages() {
        return message(3, Action::Allow);
    }
    let addressed = ask(Word::High(4), Test::Is(0), Action::Allow, Action::Notify);
    message(3, ask(Word::Low(4), Test::Is(0), addressed, Action::Notify))
}

/// connect(fd, address, length). Landlock takes an address that is too short for one of IPv4 for none (EINVAL), where Linux looks at no more than its family; such
/// a disconnect is made by the supervisor.
fn connect(walls: Walls) -> Decision {
    if walls.looks_at_connects() {
        return Action::Notify.into();
    }
    ask(Word::Low(2), Test::AtLeast(16), Action::Allow, Action::Notify)
}

/// recvfrom(fd, buffer, length, flags, address, …): only who asks for the source is told another one.
fn recvfrom(walls: Walls) -> Decision {
    if !walls.names {
        return Action::Allow.into();
    }
    let addressed = ask(Word::High(4), Test::Is(0), Action::Allow, Action::Notify);
    ask(Word::Low(4), Test::Is(0), addressed, Action::Notify)
}

/// A call on the caller itself (task number 0) runs.
fn other_task(number: Word) -> Decision {
    ask(number, Test::Is(0), Action::Allow, Action::Notify)
}

fn setsockopt() -> Decision {
    let mut levels: Vec<u32> = OPTIONS.iter().map(|(level, ..)| *level).collect();
    levels.dedup();
    let cases: Vec<(u32, Decision)> = levels
        .into_iter()
        .map(|level| {
            let options: Vec<(u32, Decision)> = OPTIONS
                .iter()
                .filter(|(of, ..)| *of == level)
                .map(|(_, option, errno)| (*option, refuse(*errno)))
                .collect();
            (level, select(Word::Low(2), &options, &Action::Allow.into()))
        })
        .collect();
    select(Word::Low(1), &cases, &Action::Allow.into())
}

/// The table: system call number → decision. Every call that is not in it runs.
fn calls(walls: Walls) -> Vec<(u32, Decision)> {
    let allow = || Decision::from(Action::Allow);
    let notify = || Decision::from(Action::Notify);
    let messages = |flags| {
        let trapped = walls.looks_at_messages();
        message(flags, if trapped { Action::Notify } else { Action::Allow })
    };
    let receives = || if walls.names { notify() } else { allow() };
    let namespaces = |bits, otherwise: Decision| {
        if walls.namespaces {
            return otherwise;
        }
        ask(Word::Low(0), Test::AnyOf(bits), Action::Refuse(libc::EPERM), otherwise)
    };
    // A process that shares its descriptor table with another: the supervisor has to know (calls/alone.rs).
    let clone = if walls.looks_at_messages() {
        let shared = ask(Word::Low(0), Test::AnyOf(CLONE_THREAD), Action::Allow, Action::Notify);
        ask(Word::Low(0), Test::AnyOf(CLONE_FILES), shared, allow())
    } else {
        allow()
    };
    // Kept for programs: a process that is not dumpable could not be looked at by an unprivileged supervisor, so every network call of it would
    // fail. Saying yes without doing it costs a program nothing it can observe from inside.
    let dumpable = ask(Word::Low(1), Test::Is(0), Action::Refuse(0), allow());
    let listener = ask(Word::Low(1), Test::AnyOf(NEW_LISTENER), Action::Refuse(libc::EBUSY), allow());
    let mut calls = vec![
        (libc::SYS_connect, connect(walls)),
        (libc::SYS_sendto, sendto(walls)),
        (libc::SYS_sendmsg, messages(2)),
        (libc::SYS_sendmmsg, messages(3)),
        (libc::SYS_recvfrom, recvfrom(walls)),
        (libc::SYS_recvmsg, receives()),
        (libc::SYS_recvmmsg, receives()),
        // Without inspection there is no socket that could be bound but those of TCP, which Landlock holds, of netlink, and pairs of unix sockets.
        (libc::SYS_bind, if walls.inspected { notify() } else { allow() }),
        (libc::SYS_listen, if walls.inspected { notify() } else { refuse(libc::EACCES) }),
        (libc::SYS_socket, socket(walls)),
        (
            libc::SYS_socketpair,
            ask(Word::Low(0), Test::Is(UNIX), unix(walls, true), refuse(libc::EAFNOSUPPORT)),
        ),
        (libc::SYS_setsockopt, setsockopt()),
        // Rings make calls that no filter sees. ENOSYS makes runtimes fall back.
        (libc::SYS_io_uring_setup, refuse(libc::ENOSYS)),
        (libc::SYS_io_uring_enter, refuse(libc::ENOSYS)),
        (libc::SYS_io_uring_register, refuse(libc::ENOSYS)),
        // Whoever owns a newer listener answers first, and after our death alone.
        (libc::SYS_seccomp, ask(Word::Low(0), Test::Is(1), listener, allow())),
        (libc::SYS_prctl, ask(Word::Low(0), Test::Is(4), dumpable, allow())),
        // Priorities of the supervisor neither; programs set those of their own threads, by number.
        (libc::SYS_sched_setaffinity, other_task(Word::Low(0))),
        (libc::SYS_sched_setscheduler, other_task(Word::Low(0))),
        (libc::SYS_sched_setparam, other_task(Word::Low(0))),
        (libc::SYS_sched_setattr, other_task(Word::Low(0))),
        (libc::SYS_setpriority, ask(Word::Low(0), Test::Is(0), other_task(Word::Low(1)), Action::Notify)),
        (libc::SYS_ioprio_set, ask(Word::Low(0), Test::Is(1), other_task(Word::Low(1)), Action::Notify)),
        // Limits of the supervisor are not Landlock's business (security/landlock has no hook).
        (libc::SYS_prlimit64, ask(Word::Low(0), Test::Is(0), Action::Allow, refuse(libc::EPERM))),
        // The flags of clone3 lie behind a pointer; libc falls back to clone.
        (libc::SYS_clone3, refuse(libc::ENOSYS)),
        (libc::SYS_clone, namespaces(NAMESPACES, clone)),
        (libc::SYS_unshare, namespaces(NAMESPACES | NEW_TIME, allow())),
        (libc::SYS_setns, if walls.namespaces { allow() } else { refuse(libc::EPERM) }),
        // Typing into the user's terminal.
        (libc::SYS_ioctl, ask_any(Word::Low(1), u32::MAX, &[0x5412, 0x541c], &refuse(libc::EPERM), allow())),
    ];
    // Attack surface, and ways to make the kernel or a helper of it reach out; no program here needs them.
    for number in [
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        libc::SYS_memfd_secret,
        libc::SYS_kcmp,
        libc::SYS_fanotify_init,
        libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at,
    ] {
        calls.push((number, refuse(libc::EPERM)));
    }
    if !walls.confined {
        for number in
            [libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_pidfd_getfd]
        {
            calls.push((number, refuse(libc::EPERM)));
        }
    }
    let mut calls: Vec<(u32, Decision)> =
        calls.into_iter().map(|(number, decision)| (word(number), decision)).collect();
    calls.sort_by_key(|(number, _)| *number);
    calls
}

/// The filter for a policy with these protocols.
pub fn program(walls: Walls) -> Vec<Instruction> {
    let native = select(Word::Number, &calls(walls), &Action::Allow.into());
    let native = if cfg!(target_arch = "x86_64") {
        ask(Word::Number, Test::AtLeast(X32), Action::Refuse(libc::ENOSYS), native)
    } else {
        native
    };
    assemble(&ask(Word::Arch, Test::Is(ARCH), native, Action::Kill))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpf::{Sample, interpret};

    const CLOSED: Walls = Walls {
        families: 0xff & !families::UNIX_DGRAM,
        tcp: Mode::Supervised,
        udp: Mode::Closed,
        icmp: Mode::Closed,
        tcp_bind: false,
        udp_bind: false,
        names: false,
        outside_unix: false,
        namespaces: false,
        confined: true,
        observed: false,
        inspected: true,
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
        for nr in [libc::SYS_read, libc::SYS_write, libc::SYS_futex, libc::SYS_epoll_wait, libc::SYS_openat] {
            let (code, executed) =
                interpret(&program(UDP), &Sample { nr: word(nr), arch: ARCH, args: [0; 6] });
            assert_eq!(code, Action::Allow.code());
            assert!(executed <= 14, "{executed} instructions for {nr}");
        }
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
        assert_eq!(run(CLOSED, libc::SYS_socket, args(&[2, 2, 17])), Action::Refuse(libc::EACCES).code());
        for call in [libc::SYS_sendmsg, libc::SYS_sendmmsg, libc::SYS_recvmsg, libc::SYS_recvmmsg] {
            assert_eq!(run(NAMES, call, args(&[3, 4, 0])), notify, "call {call}");
            assert_eq!(run(CLOSED, call, args(&[3, 4, 0])), allow, "call {call}");
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
            (CLOSED, [2, 2, 0], refuse(libc::EACCES)),
            (CLOSED, [10, 2, 17], refuse(libc::EACCES)),
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
        let none = Walls { tcp: Mode::Closed, ..KERNEL };
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
}
