//! Which system calls of the sandbox run, are refused, or go to the supervisor: the seccomp filter as a table
//! that people can read.
//!
//! What the registers decide is decided here, at no cost; what lies behind a pointer is never looked at here
//! and goes to the supervisor. The default is to run the call: this filter closes the ways to reach a network
//! destination, to make a socket that could, to get at the supervisor or around the filter. It refuses to
//! know the rules; it is told only by what each protocol is held.

use crate::bpf::{Action, Decision, Test, Word, ask, ask_any, ask_masked, assemble, runs, search, select};
use crate::sys::seccomp::{Instruction, NEW_LISTENER};
use crate::table::{Mode, families};
use crate::walls::Walls;

#[cfg(target_arch = "x86_64")]
pub(crate) const ARCH: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64, linux/audit.h
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCH: u32 = 0xc000_00b7; // AUDIT_ARCH_AARCH64, linux/audit.h

/// System calls of the x32 ABI carry this bit and share the architecture value of x86-64 (asm/unistd.h).
const X32: u32 = 0x4000_0000;

/// About where the system call numbers end. The kernel runs the filter once for each when it is installed, to
/// know those that always run.
const NUMBERS: u32 = 470;

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
/// `MSG_CMSG_CLOEXEC`, which programs give on unix sockets, `MSG_ERRQUEUE` and `MSG_OOB`.
const NO_ANSWER: u32 = 0x4000_0000 | 0x2000 | 0x1;

/// Every flag of clone(2) and unshare(2) that makes a namespace. `CLONE_NEWTIME` exists for unshare only; in
/// clone its bit is part of the signal.
const NAMESPACES: u32 =
    0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;
const NEW_TIME: u32 = 0x80;

/// Requests of ioctl(2) and fcntl(2): asm-generic/ioctls.h, linux/tiocl.h, linux/if_tun.h,
/// linux/vhost.h, linux/userfaultfd.h, asm-generic/sockios.h, asm-generic/fcntl.h.
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
const TUNSETIFF: u32 = 0x4004_54ca;
const VHOST_VSOCK_SET_GUEST_CID: u32 = 0x4008_af60;
const USERFAULTFD_IOC_NEW: u32 = 0xaa00;
const FIOSETOWN: u32 = 0x8901;
const SIOCSPGRP: u32 = 0x8902;
const F_SETOWN: u32 = 8;
const F_SETOWN_EX: u32 = 15;
/// A negative int: an owner that is a process group.
const NEGATIVE: u32 = 1 << 31;

const CLONE_FILES: u32 = 0x400;
const CLONE_THREAD: u32 = 0x1_0000;

/// Socket options that send packets elsewhere than the address says, or make the kernel send some of its own:
/// (level, option, errno).
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
    (41, 50, libc::EPERM),     // IPV6_PKTINFO: names a link for good
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
    select(Word::Low(1), TYPE_MASK, cases, otherwise)
}

/// What makes a socket that may exist: the caller, or the supervisor, which then holds it (calls/make.rs).
fn make(walls: Walls) -> Action {
    if walls.holds_sockets { Action::Notify } else { Action::Allow }
}

/// socket(domain, type, protocol)
fn socket(walls: Walls) -> Decision {
    let absent = || refuse(libc::EAFNOSUPPORT);
    let route = ask(Word::Low(2), Test::Is(0), make(walls), refuse(libc::EPROTONOSUPPORT));
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
        u32::MAX,
        [
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
        absent(),
    )
}

/// The sockets of one IP family; `echo` is the protocol of its ping sockets.
fn internet(walls: Walls, has_stream: bool, has_datagram: bool, echo: u32) -> Decision {
    let other = || refuse(libc::EPROTONOSUPPORT);
    let opens = |yes: bool| if yes { make(walls) } else { Action::Refuse(libc::EACCES) };
    // ping(8) asks a UDP socket for its own source address; what such a socket sends is looked at like any message.
    let udp = if walls.has_mute_udp_sockets() { Action::Notify } else { opens(walls.has_udp_sockets()) };
    let ping = ask(Word::Low(2), Test::Is(echo), opens(walls.icmp != Mode::Closed), other());
    let datagram = ask_any(Word::Low(2), u32::MAX, &[0, 17], &udp.into(), ping);
    let stream = ask_any(Word::Low(2), u32::MAX, &[0, 6], &make(walls).into(), other());
    let absent = || refuse(libc::ESOCKTNOSUPPORT);
    let raw = ask_masked(Word::Low(1), TYPE_MASK, Test::Is(RAW), other(), absent());
    let stream = if has_stream { stream } else { absent() };
    let datagram = if has_datagram { datagram } else { absent() };
    let known = by_type([(STREAM, stream), (DGRAM, datagram)], raw);
    // Out of range, negative numbers included: the kernel's own answers, before it looks at anything else
    // (net/socket.c, net/ipv4/af_inet.c).
    let known = ask(Word::Low(2), Test::AtLeast(PROTOCOLS), Action::Refuse(libc::EINVAL), known);
    ask_masked(Word::Low(1), TYPE_MASK, Test::AtLeast(TYPES), Action::Refuse(libc::EINVAL), known)
}

/// The unix sockets there may be. A datagram one honours a name in every message, so it exists only where
/// messages are looked at. `is_pair`: those of socketpair(2), which are connected already and so reach
/// nothing else (net/unix/af_unix.c: connect answers EISCONN, listen EINVAL, as long as they live).
fn unix(walls: Walls, is_pair: bool) -> Decision {
    let pair = if is_pair { families::UNIX_PAIR } else { 0 };
    let (stream, packet) = (families::UNIX_STREAM | pair, families::UNIX_SEQPACKET | pair);
    if !walls.has(stream | families::UNIX_DGRAM | packet) {
        return refuse(libc::EAFNOSUPPORT);
    }
    let absent = || refuse(libc::ESOCKTNOSUPPORT);
    // Such a pair is made by the caller and held by nobody.
    let made = if is_pair { Action::Allow } else { make(walls) };
    let kind = |is: bool| if is { made.into() } else { absent() };
    let datagram = if walls.observed { Action::Notify.into() } else { unix_datagram(walls) };
    // The kernel makes a datagram socket of SOCK_RAW (net/unix/af_unix.c, unix_create).
    let rest = ask_any(Word::Low(1), TYPE_MASK, &[DGRAM, RAW], &datagram, absent());
    by_type([(STREAM, kind(walls.has(stream))), (SEQPACKET, kind(walls.has(packet)))], rest)
}

fn unix_datagram(walls: Walls) -> Decision {
    match (walls.has(families::UNIX_STREAM | families::UNIX_DGRAM), walls.looks_at_messages()) {
        (true, true) => make(walls).into(),
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

/// connect(fd, address, length). Landlock takes an address that is too short for one of IPv4 for none
/// (EINVAL), where Linux looks at no more than its family; such a disconnect is made by the supervisor.
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

/// A receive that may tell a source. Who takes descriptors, queued errors or urgent data does not receive an
/// answer to a question.
fn receive(flags: u8) -> Decision {
    ask(Word::Low(flags), Test::AnyOf(NO_ANSWER), Action::Allow, Action::Notify)
}

/// A call on the caller itself (task number 0) runs.
fn other_task(number: Word) -> Decision {
    ask(number, Test::Is(0), Action::Allow, Action::Notify)
}

fn setsockopt() -> Decision {
    let mut levels: Vec<u32> = OPTIONS.iter().map(|(level, ..)| *level).collect();
    levels.dedup();
    let of_level = |level| {
        let options = OPTIONS.iter().filter(move |(of, ..)| *of == level);
        let options = options.map(|(_, option, errno)| (*option, refuse(*errno)));
        (level, select(Word::Low(2), u32::MAX, options, Action::Allow.into()))
    };
    select(Word::Low(1), u32::MAX, levels.into_iter().map(of_level), Action::Allow.into())
}

/// The table: system call number → decision. Every call that is not in it runs.
fn calls(walls: Walls) -> Vec<(u32, Decision)> {
    let allow = || Decision::from(Action::Allow);
    let notify = || Decision::from(Action::Notify);
    let messages = |flags| {
        let trapped = walls.looks_at_messages();
        message(flags, if trapped { Action::Notify } else { Action::Allow })
    };
    let receives = |flags| if walls.names { receive(flags) } else { allow() };
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
    // Kept for programs: a process that is not dumpable could not be looked at by an unprivileged supervisor,
    // so every network call of it would fail. Saying yes without doing it costs a program nothing it can
    // observe from inside.
    let dumpable = ask(Word::Low(1), Test::Is(0), Action::Refuse(0), allow());
    let listener = ask(Word::Low(1), Test::AnyOf(NEW_LISTENER), Action::Refuse(libc::EBUSY), allow());
    // Typing into the user's terminal; packets by a link that waits for whoever takes it, which needs no
    // right where it has no owner; streams to this machine as if from a virtual one; memory that holds up who
    // reads it, as userfaultfd(2); and owners, as `owner`.
    let requests =
        [TIOCSTI, TIOCLINUX, TUNSETIFF, VHOST_VSOCK_SET_GUEST_CID, USERFAULTFD_IOC_NEW, FIOSETOWN, SIOCSPGRP];
    let mut calls = vec![
        (libc::SYS_connect, connect(walls)),
        (libc::SYS_sendto, sendto(walls)),
        (libc::SYS_sendmsg, messages(2)),
        (libc::SYS_sendmmsg, messages(3)),
        (libc::SYS_recvfrom, recvfrom(walls)),
        (libc::SYS_recvmsg, receives(2)),
        (libc::SYS_recvmmsg, receives(3)),
        // Without inspection there is no socket that could be bound but those of TCP, which Landlock holds,
        // of netlink, and pairs of unix sockets.
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
        (libc::SYS_ioctl, ask_any(Word::Low(1), u32::MAX, &requests, &refuse(libc::EPERM), allow())),
        (libc::SYS_fcntl, owner(walls)),
    ];
    if !walls.scoped {
        signals(&mut calls);
    }
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

/// Whoever owns a descriptor gets the signals that its events make. A group has members outside, the host
/// among them, and Landlock before Linux 6.12.101, 6.18.40 and 7.1.5 takes the whole group for the caller when
/// that stands first in it: it is never an owner, by no call where the owner lies behind a pointer. Where
/// Landlock has no scope, none is set.
fn owner(walls: Walls) -> Decision {
    let set = if walls.scoped {
        ask(Word::Low(2), Test::AnyOf(NEGATIVE), Action::Refuse(libc::EPERM), Action::Allow)
    } else {
        refuse(libc::EPERM)
    };
    let cases = [(F_SETOWN, set), (F_SETOWN_EX, refuse(libc::EPERM))];
    select(Word::Low(1), u32::MAX, cases, Action::Allow.into())
}

/// Signals are kept inside by the supervisor, where Landlock can not (calls/signal.rs).
fn signals(calls: &mut Vec<(libc::c_long, Decision)>) {
    for number in [
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_tgkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_pidfd_send_signal,
    ] {
        calls.push((number, Action::Notify.into()));
    }
}

/// The filter for a policy with these protocols.
pub fn program(walls: Walls) -> Vec<Instruction> {
    let mut runs = runs(&calls(walls), &Action::Allow.into());
    if cfg!(target_arch = "x86_64") {
        runs.push((X32, refuse(libc::ENOSYS)));
    }
    let native = search(Word::Number, &runs, NUMBERS);
    assemble(&ask(Word::Arch, Test::Is(ARCH), native, Action::Kill))
}

#[cfg(test)]
mod tests;
