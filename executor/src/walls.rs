//! What of a policy decides which calls are looked at (docs/enforcement.md §6). The filter and the Landlock
//! domain are built from it. Knows which sockets may exist and by what each protocol is held; nothing of
//! system call numbers or rules.

use crate::names::redirect;
use crate::sys::landlock::Abi;
use crate::table::{Mode, Protocol, Table, families};

/// What the policy says as far as the filter must know it, and what the host can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the policy of its own")]
pub struct Walls {
    /// Sockets that may exist: bits of `table::families`.
    pub families: u32,
    /// By what destinations of TCP are held.
    pub tcp: Mode,
    /// TCP has destinations, whatever holds them.
    pub tcp_opens: bool,
    /// The same of UDP.
    pub udp: Mode,
    /// The same of ICMP.
    pub icmp: Mode,
    /// TCP has rules for binding.
    pub tcp_bind: bool,
    /// UDP has rules for binding.
    pub udp_bind: bool,
    /// Questions for names are answered inside: UDP sockets exist for them if there are names, and what they
    /// receive has its source put right.
    pub names: bool,
    /// Unix sockets outside may be reached.
    pub outside_unix: bool,
    /// Programs may make namespaces.
    pub namespaces: bool,
    /// The command lives in a Landlock domain, which keeps ptrace and its kin inside (ABI 1).
    pub confined: bool,
    /// Landlock keeps signals and abstract unix sockets inside (ABI 6); without that, the supervisor does.
    pub scoped: bool,
    /// Nothing is refused that a policy could allow, and more is seen: sends to the peer, and sockets of
    /// families that are not there by default.
    pub observed: bool,
    /// The supervisor may take descriptors and read memory of the command.
    pub inspected: bool,
    /// It may not take descriptors: it makes the sockets itself and holds them (`vault/`).
    pub holds_sockets: bool,
}

impl Walls {
    /// What a table says. `is_forced`: everything is looked at, whatever could be left to the kernel.
    /// `observes`: nothing is refused by the table, so every protocol has sockets. `names`: there are some;
    /// questions for them, and what live names open, are in no plan, so everything is looked at as well.
    pub fn of<B: AsRef<[u8]>>(
        table: &Table<B>,
        abi: Abi,
        is_forced: bool,
        observes: bool,
        names: bool,
    ) -> Self {
        let is_forced = is_forced || names;
        let mode = |protocol| match table.plan(protocol) {
            _ if observes => Mode::Supervised,
            Mode::Kernel | Mode::Open if is_forced => Mode::Supervised,
            mode => mode,
        };
        // Without Landlock nothing holds a connect that is not looked at, where TCP is closed neither.
        let tcp = if is_forced || !abi.has_tcp() { Mode::Supervised } else { mode(Protocol::Tcp) };
        let walls = Self {
            families: table.families(),
            tcp,
            tcp_opens: observes || table.plan(Protocol::Tcp) != Mode::Closed,
            udp: mode(Protocol::Udp),
            icmp: mode(Protocol::Icmp),
            tcp_bind: table.plan(Protocol::TcpBind) != Mode::Closed,
            udp_bind: table.plan(Protocol::UdpBind) != Mode::Closed,
            names,
            outside_unix: observes || table.unix_rules().next().is_some(),
            namespaces: table.allows_user_namespaces(),
            confined: abi.has_domains(),
            scoped: abi.has_scopes(),
            observed: observes,
            inspected: true,
            holds_sockets: false,
        };
        Self { names: names || walls.has_useless_questions(table), ..walls }
    }

    /// There are no names, but UDP may leave, and nowhere to a name server. Programs are told then that no
    /// name exists: of a question that is refused some (musl) would wait for the answer. Without rules of UDP
    /// they can not even bind the socket for it, and know at once.
    fn has_useless_questions<B: AsRef<[u8]>>(self, table: &Table<B>) -> bool {
        let has_datagrams = self.has(families::INET_DGRAM | families::INET6_DGRAM);
        has_datagrams && self.udp != Mode::Closed && !table.opens_port(redirect::PORT, Protocol::Udp)
    }

    /// Whether some of these families may exist.
    pub fn has(self, family: u32) -> bool {
        self.families & family != 0
    }

    /// There are UDP sockets: programs that ping, and servers, have one whether UDP may leave or not.
    pub fn has_udp_sockets(self) -> bool {
        self.udp != Mode::Closed || self.icmp != Mode::Closed || self.udp_bind || self.names
    }

    /// UDP is closed, and programs that may connect or serve by TCP have UDP sockets all the same: they ask one
    /// for the source that a destination would be reached from (RFC 6724), which addresses to bind are sorted
    /// by as well, or whether there is IPv6. Such a socket is mute: the supervisor makes it and shuts it for
    /// sending before anybody has it. So messages need no look for it.
    pub fn has_mute_udp_sockets(self) -> bool {
        let has_datagrams = self.has(families::INET_DGRAM | families::INET6_DGRAM);
        // It could be bound, and then hear, where nobody looks at that.
        has_datagrams && !self.has_udp_sockets() && (self.tcp_opens || self.tcp_bind) && self.inspected
    }

    /// A message can carry a destination that has to be looked at: then sendmsg, sendmmsg and sendto with an
    /// address are trapped. Otherwise the sandbox has no socket that would honour one (no datagram socket of
    /// unix, none of IP that may not send everywhere, nobody outside who could hand one in), and they run at
    /// full speed, descriptors and credentials included.
    pub fn looks_at_messages(self) -> bool {
        let is_closed = self.udp == Mode::Closed && self.has_udp_sockets();
        let is_supervised = [self.udp, self.icmp].contains(&Mode::Supervised);
        is_supervised || is_closed || self.names || self.outside_unix || self.has(families::UNIX_DGRAM)
    }

    /// A connect has to be looked at. Registers do not tell what socket it is on, so all are, or none: where
    /// TCP is decided by Landlock alone, every datagram socket may send anywhere, and no unix socket exists
    /// that could be connected to a path outside.
    pub fn looks_at_connects(self) -> bool {
        self.tcp == Mode::Supervised
            || self.looks_at_messages()
            || self.has(families::UNIX_STREAM | families::UNIX_SEQPACKET)
    }

    /// Somebody outside can hand a socket in, though nothing of the sandbox listens: he is reached, or he knows
    /// the name of a unix datagram socket, which Linux may have chosen.
    pub fn may_be_handed_sockets(self) -> bool {
        self.outside_unix || self.has(families::UNIX_DGRAM)
    }

    /// A call is trapped that the supervisor could not decide without taking the caller's descriptor or
    /// reading its memory. What else is trapped where it may do neither is refused, or left to Landlock
    /// (`calls`).
    pub fn needs_inspection(self) -> bool {
        self.looks_at_connects() || self.has_udp_sockets() || self.tcp_bind || self.udp_bind
    }
}

/// For every combination of what a policy may say, the assembled filter is asked which sockets it lets exist
/// and which calls it lets run, and the two are held against each other: a call that runs unseen may do no
/// harm on any socket there is. Nothing here asks `Walls` for its own opinion.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpf::{Action, Sample, interpret};
    use crate::filter::{ARCH, program};
    use crate::sys::seccomp::Instruction;

    const MODES: [Mode; 3] = [Mode::Closed, Mode::Supervised, Mode::Open];
    const FAST_OPEN: u64 = 0x2000_0000;

    fn answer(filter: &[Instruction], nr: i64, args: [u64; 6]) -> u32 {
        interpret(filter, &Sample { nr: u32::try_from(nr).unwrap(), arch: ARCH, args }).0
    }

    /// Whether a call runs without being looked at.
    fn runs(filter: &[Instruction], nr: i64, args: [u64; 6]) -> bool {
        answer(filter, nr, args) == Action::Allow.code()
    }

    fn every() -> impl Iterator<Item = Walls> {
        let unix = [
            0,
            families::UNIX_PAIR,
            families::UNIX_STREAM,
            families::UNIX_SEQPACKET,
            families::UNIX_DGRAM,
            families::UNIX_DGRAM | families::UNIX_PAIR,
            families::UNIX_STREAM | families::UNIX_SEQPACKET,
            families::UNIX_STREAM | families::UNIX_DGRAM | families::UNIX_SEQPACKET | families::UNIX_PAIR,
        ];
        let tcp = [
            (Mode::Closed, false),
            (Mode::Supervised, false),
            (Mode::Supervised, true),
            (Mode::Kernel, true),
            (Mode::Open, true),
        ];
        (0..tcp.len() * 9 * unix.len() * 128).map(move |mut index| {
            let mut next = |count| {
                let value = index % count;
                index /= count;
                value
            };
            let internet = families::INET_STREAM
                | families::INET_DGRAM
                | families::INET6_STREAM
                | families::INET6_DGRAM
                | families::NETLINK_ROUTE;
            let (tcp, tcp_opens) = tcp[next(tcp.len())];
            let mut walls = Walls {
                families: internet | unix[next(unix.len())],
                tcp,
                tcp_opens,
                udp: MODES[next(3)],
                icmp: MODES[next(3)],
                tcp_bind: next(2) == 1,
                udp_bind: next(2) == 1,
                names: next(2) == 1,
                outside_unix: next(2) == 1,
                namespaces: false,
                confined: true,
                scoped: true,
                observed: next(2) == 1,
                inspected: true,
                holds_sockets: next(2) == 1,
            };
            if walls.observed {
                // As `Walls::of` has it then.
                let all = Mode::Supervised;
                walls = Walls { tcp: all, udp: all, icmp: all, outside_unix: true, ..walls };
            }
            // As the supervisor decides when it finds that it may look at nothing.
            walls.inspected = next(2) == 1 || walls.needs_inspection();
            walls
        })
    }

    #[test]
    fn what_runs_unseen_can_do_no_harm_on_any_socket_that_may_exist() {
        for walls in every() {
            let filter = program(walls);
            let makes = |domain: u64, kind: u64, protocol: u64| {
                let made = answer(&filter, libc::SYS_socket, [domain, kind, protocol, 0, 0, 0]);
                let by_us = made == Action::Notify.code();
                let is_udp = matches!(domain, 2 | 10) && kind == 2 && matches!(protocol, 0 | 17);
                if is_udp && walls.has_mute_udp_sockets() {
                    // Nothing can be sent by what calls/make.rs gives the caller.
                    assert!(by_us, "{walls:?}");
                    return false;
                }
                by_us && walls.holds_sockets || made == Action::Allow.code()
            };
            let pairs = |kind| {
                let made = answer(&filter, libc::SYS_socketpair, [1, kind, 0, 0, 0, 0]);
                made == Action::Allow.code() || walls.holds_sockets && made == Action::Notify.code()
            };
            let internet = |protocols: [u64; 2]| {
                [2, 10].iter().any(|domain| protocols.iter().any(|protocol| makes(*domain, 2, *protocol)))
            };
            let (udp, ping) = (internet([0, 17]), internet([1, 58]));
            // A path is within reach of what can be connected, and of what honours a name.
            let connectable = [1, 5].iter().any(|kind| makes(1, *kind, 0));
            let honours_paths = [2, 3].iter().any(|kind| makes(1, *kind, 0) || pairs(*kind));
            let may_leave = |mode| mode == Mode::Open;
            let datagrams_are_free = (!udp || may_leave(walls.udp)) && (!ping || may_leave(walls.icmp));
            let names_are_harmless = datagrams_are_free && !honours_paths && !walls.outside_unix;
            for (nr, args) in [
                (libc::SYS_sendmsg, [3, 1, 0, 0, 0, 0]),
                (libc::SYS_sendmmsg, [3, 1, 1, 0, 0, 0]),
                (libc::SYS_sendto, [3, 1, 1, 0, 1, 16]),
                (libc::SYS_sendto, [3, 1, 1, 0, 1 << 32, 16]),
            ] {
                assert!(!runs(&filter, nr, args) || names_are_harmless, "{nr} {walls:?}");
            }
            assert_eq!(runs(&filter, libc::SYS_sendto, [3, 1, 1, 0, 0, 0]), !walls.observed, "{walls:?}");
            for (nr, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
                let mut args = [3, 1, 1, 0, 0, 0];
                args[flags] = FAST_OPEN | 1 << 33;
                assert_eq!(answer(&filter, nr, args), Action::Refuse(libc::EOPNOTSUPP).code(), "{walls:?}");
            }
            for length in [0, 2, 15, 16, 28, 110, 128, u64::from(u32::MAX)] {
                let connects = runs(&filter, libc::SYS_connect, [3, 1, length, 0, 0, 0]);
                let is_held = walls.tcp != Mode::Supervised && names_are_harmless && !connectable;
                assert!(!connects || is_held, "connect {length} {walls:?}");
            }
            // Nobody may look: then there is nothing that a bind could give but what Landlock leaves of TCP.
            if runs(&filter, libc::SYS_bind, [3, 1, 16, 0, 0, 0]) {
                assert!(!udp && !ping && !connectable && !honours_paths && !walls.inspected, "{walls:?}");
                assert!(!walls.has_mute_udp_sockets(), "{walls:?}");
            }
            assert!(!runs(&filter, libc::SYS_listen, [3, 1, 0, 0, 0, 0]), "{walls:?}");
        }
    }

    #[test]
    fn without_landlock_nothing_is_left_to_the_kernel() {
        let bytes =
            std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/kernel.bin")).unwrap();
        let table = Table::open(bytes).unwrap();
        let looks = |abi, is_forced, observes| {
            let walls = Walls::of(&table, Abi(abi), is_forced, observes, false);
            (walls.looks_at_connects(), walls.looks_at_messages(), walls.needs_inspection())
        };
        // All of UDP is open there, so bind has to be looked at.
        assert_eq!(looks(7, false, false), (false, false, true));
        assert_eq!(looks(3, false, false), (true, false, true));
        assert_eq!(looks(7, true, false), (true, true, true));
        assert_eq!(looks(7, true, true), (true, true, true));
    }

    #[test]
    fn where_tcp_is_closed_nobody_has_a_mute_socket_however_it_is_held() {
        let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/empty.bin")).unwrap();
        let table = Table::open(bytes).unwrap();
        for (abi, is_forced) in [(7, false), (7, true), (3, false), (0, false)] {
            let walls = Walls::of(&table, Abi(abi), is_forced, false, false);
            assert!(!walls.has_mute_udp_sockets(), "{walls:?}");
            assert!(walls.looks_at_connects());
        }
    }
}
