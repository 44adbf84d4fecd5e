//! What is promised of a supervised call: no allocation and no lock; and that a refusal is told only if
//! somebody was refused. Tried with real notifications: a thread that is filtered makes the calls, this one
//! receives them, counts what it allocates, and holds the one lock that it could want.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::bound::Bound;
use crate::bpf;
use crate::calls::link::Links;
use crate::calls::probe::Closed;
use crate::counts::Counts;
use crate::event::RECORD_BYTES;
use crate::events::Events;
use crate::freezer::Freezer;
use crate::handshakes::{self, Keeper};
use crate::inside::Inside;
use crate::kinds::Kinds;
use crate::pending::Pending;
use crate::receiver::{Copied, Outcome, Receiver};
use crate::sys::landlock::Abi;
use crate::sys::mapping::Mapping;
use crate::sys::seccomp::{self, Instruction, Listener};
use crate::sys::socket::{self, Name};
use crate::sys::{Errno, allocations, fd, process, signal, tick};
use crate::table::{Protocol, Table, Verdict};
use crate::task::{Callers, Tasks};
use crate::walls::Walls;
use crate::watch::Suspects;

/// Rounds before anything is counted: buffers grow to what is sent, tables of threads and sockets get their
/// first entries.
const WARM: usize = 3;
const ROUNDS: usize = 50;

/// Traps the calls of the round, and nothing else.
fn filter() -> Vec<Instruction> {
    let instruction =
        |code: u32, jt: u8, jf: u8, k: u32| Instruction { code: u16::try_from(code).unwrap(), jt, jf, k };
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let calls = [libc::SYS_connect, libc::SYS_sendto, libc::SYS_sendmsg].map(|nr| u32::try_from(nr).unwrap());
    let [connect, sendto, sendmsg] = calls;
    let answer = |action: bpf::Action| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, action.code());
    vec![
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(equal, 2, 0, connect),
        instruction(equal, 1, 0, sendto),
        instruction(equal, 0, 1, sendmsg),
        answer(bpf::Action::Notify),
        answer(bpf::Action::Allow),
    ]
}

fn name(address: SocketAddr) -> Name {
    let SocketAddr::V4(address) = address else { panic!("not IPv4") };
    let mut bytes = [0u8; 16];
    bytes[..2].copy_from_slice(&2u16.to_ne_bytes());
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    bytes[4..8].copy_from_slice(&address.ip().octets());
    Name::new(&bytes)
}

/// A committed table (test/vectors) that lets that protocol reach every port of the loopback: a large one for TCP.
fn table(protocol: Protocol) -> Arc<Table<Mapping>> {
    let file = if protocol == Protocol::Tcp { "random.bin" } else { "kernel.bin" };
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/vectors").join(file);
    let bytes = fd::sealed(c"table", &std::fs::read(path).unwrap()).unwrap();
    let table = Table::open(Mapping::sealed(&bytes).unwrap()).unwrap();
    for port in [1024, 32768, 65535] {
        assert_eq!(table.lookup(protocol, Ipv4Addr::LOCALHOST.into(), port), Verdict::Allow);
    }
    Arc::new(table)
}

fn receiver(listener: Listener) -> (Receiver, Keeper, [OwnedFd; 2]) {
    let listener = Arc::new(listener);
    let (events, records) = fd::pipe().unwrap();
    let (waiting, began) = fd::pipe().unwrap();
    let pending = Pending::new(Arc::clone(&listener), began.try_clone().unwrap());
    let (handshakes, keeper) = handshakes::pair(Arc::clone(&listener), pending.clone(), began).unwrap();
    let teller = Arc::new(Events::new(records).unwrap());
    let receiver = Receiver {
        freezer: Freezer::new(Arc::clone(&listener), Arc::clone(&teller), None, true),
        listener,
        counts: Arc::new(Counts::default()),
        table: table(Protocol::Tcp),
        names: None,
        closed: Closed::default(),
        events: teller,
        pending,
        handshakes,
        wary_until: None,
        tasks: Tasks::new(64),
        inside: Inside::new(1024),
        bound: Bound::default(),
        links: Links::new(false),
        callers: Callers::default(),
        opaque: HashSet::new(),
        named: Vec::new(),
        outside: None,
        abstract_names: None,
        walls: Walls::of(&table(Protocol::Tcp), Abi(7), false, false, false),
        waits_are_killable: true,
        ring: OnceCell::new(),
        watch: None,
        refusal: None,
        suspects: Suspects::default(),
        copy: Copied::default(),
        kinds: Kinds::default(),
    };
    (receiver, keeper, [events, waiting])
}

#[test]
fn a_supervised_call_allocates_nothing_and_takes_no_lock() {
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (to_tcp, to_udp) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
    let (sender, numbers) = mpsc::channel();
    let caller = std::thread::spawn(move || {
        process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).unwrap();
        sender.send(seccomp::install_exactly(&filter(), true).unwrap()).unwrap();
        let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for _ in 0..ROUNDS {
            for kind in [libc::SOCK_STREAM, libc::SOCK_STREAM | libc::SOCK_NONBLOCK] {
                let socket = socket::new(libc::AF_INET, kind, 0).unwrap();
                let connected = socket::connect(&socket, &name(to_tcp));
                assert!(matches!(connected, Ok(()) | Err(Errno(libc::EINPROGRESS))), "{connected:?}");
            }
            assert_eq!(from.send_to(&[7; 64], to_udp).unwrap(), 64);
            assert_eq!(socket::send_message(&from, &name(to_udp), &[7; 1400]), Ok(1400));
        }
    });
    let (mut receiver, _keeper, _pipes) = receiver(Listener::adopt(numbers.recv().unwrap()));
    tick::begin().unwrap();
    let has_ring = receiver.ring().is_some();
    let tables = [table(Protocol::Tcp), table(Protocol::Udp)];
    let pending = receiver.pending.clone();
    // Who wants the lock now waits for ever, and the alarm ends the test.
    process::alarm(60);
    let held = pending.hold();
    let mut while_warming = 0;
    for index in 0..4 * ROUNDS {
        let notification = loop {
            match receiver.listener.receive() {
                Err(Errno(libc::EINTR)) => {}
                notification => break notification.unwrap(),
            }
        };
        // In line in one round, by the ring in the next.
        receiver.wary_until =
            (has_ring && index / 4 % 2 == 1).then(|| Instant::now() + Duration::from_secs(60));
        receiver.table = Arc::clone(&tables[index % 4 / 2]);
        let before = allocations::count();
        let outcome = receiver.call(&notification);
        let allocated = allocations::count() - before;
        assert!(match outcome {
            Ok(Outcome::Done(value)) => receiver.listener.answer(notification.id, Ok(value)),
            Err(error) => receiver.listener.answer(notification.id, Err(error)),
            other => panic!("{other:?}"),
        });
        if index < 4 * WARM {
            while_warming += allocated;
            continue;
        }
        assert!(allocated == 0, "call {} allocated {allocated} times", notification.nr);
    }
    drop(held);
    process::alarm(0);
    caller.join().unwrap();
    assert!(while_warming > 0, "nothing is counted at all");
}

#[test]
fn a_refusal_is_told_once_it_is_answered_and_only_to_a_caller_that_waits_for_it() {
    let (sender, numbers) = mpsc::channel();
    let (over, is_over) = mpsc::channel::<()>();
    signal::install_interrupt(libc::SIGUSR1).unwrap();
    let denied = |address: &Ipv4Addr| {
        table(Protocol::Tcp).lookup(Protocol::Tcp, (*address).into(), 443) == Verdict::Deny
    };
    let refused = (1u32..200).map(|first| Ipv4Addr::from(first << 24 | 1)).find(denied).unwrap();
    let caller = std::thread::spawn(move || {
        process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).unwrap();
        // A signal ends the call, also once it was received.
        let listener = seccomp::install_exactly(&filter(), false).unwrap();
        sender.send((process::own_tid(), listener)).unwrap();
        let socket = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        let refused = name(SocketAddr::from((refused, 443)));
        let results = [(), ()].map(|()| socket::connect(&socket, &refused));
        // It is there to be looked at, and waits for nothing.
        is_over.recv().unwrap();
        results
    });
    let (tid, number) = numbers.recv().unwrap();
    let (mut receiver, _keeper, [events, _waiting]) = receiver(Listener::adopt(number));
    let is_told = || fd::poll(&mut [fd::readable(&events)], 0) == Ok(1);
    let first = receiver.listener.receive().unwrap();
    receiver.serve_one(&first);
    assert!(is_told());
    let mut record = [0; RECORD_BYTES];
    fd::read(&events, &mut record).unwrap();
    let second = receiver.listener.receive().unwrap();
    while receiver.listener.is_waiting(second.id) {
        process::signal_own_thread(tid, libc::SIGUSR1).unwrap();
    }
    receiver.serve_one(&second);
    assert!(!is_told());
    over.send(()).unwrap();
    assert_eq!(caller.join().unwrap(), [Err(Errno(libc::ECONNREFUSED)), Err(Errno(libc::EINTR))]);
}
