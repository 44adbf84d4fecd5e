//! The sockets that we made for the command, where its own can not be taken (`pidfd_getfd(2)` forbidden, as
//! by Docker's default profile). socket(2) is trapped: we make the socket, give the command a descriptor of
//! it and keep a duplicate. Which one a later call means is told by its inode (`/proc/TID/fd/N` is a link to
//! `socket:[INODE]`); the call is made on our duplicate. Knows sockets and inodes; nothing of rules.
//!
//! **Why that can not be raced.** The number is looked at once. Whatever is put in its place meanwhile, the
//! call is made on a socket of ours, to a destination that was decided on for that socket. An inode that we
//! hold is no other's.
//!
//! **What we do not hold.** A duplicate keeps a socket open after the command has closed it, so one is held
//! no longer than needed: a connection would else never end for its peer, a listener keep its port. So a
//! socket that has connected, or listens, is let go: no call with a destination is left to it. What comes
//! from accept(2) and socketpair(2) was never held. (Where abstract names are told apart by us, a listener
//! with one is held until it is closed.) All of those are connections, or listen; a message names nobody on
//! them (`calls/alone.rs` has who may send one).
//!
//! **Datagram sockets** honour a name in every message, so none may exist that we do not hold: when no task
//! of the sandbox has one any longer (`/proc/*/fd` is searched), it is shut down before it is let go. If one
//! was hidden after all, in a message under way, whoever takes it out can send nothing by it.
//!
//! Must not: close a socket, or search `/proc`, with the lock held; hold a socket that has connected.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::abstract_names::name_in;
use crate::locks::lock;
use crate::open_sockets::{self, inode_of};
use crate::sockaddr::Kind;
use crate::sys::epoll::Epoll;
use crate::sys::{Errno, Result, fd, process, socket, tick};

/// What a call is told that means a socket we do not hold. It is connected, so that is what Linux would say
/// to most of them.
pub const NOT_HELD: Errno = Errno(libc::EISCONN);

/// So many sockets are held before it is first searched which of them are closed; then twice as many as were
/// found open.
const FEW: usize = 256;
/// Sockets of which it is remembered how they were let go, of each kind.
const MOST_REMEMBERED: usize = 1024;
/// How long after a socket was made it is first searched whether it is closed, and how seldom at last.
const SOON_MS: i32 = 1000;
const SELDOM_MS: i32 = 64_000;
/// The key of the pipe that wakes the keeper; no inode has it.
const WAKE: u64 = u64::MAX;

/// States of TCP (net/tcp_states.h).
const SYN_SENT: u8 = 2;
const CLOSE: u8 = 7;

/// The sockets that are held.
#[derive(Clone, Debug)]
pub struct Vault(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Tells of sockets that were connecting.
    connecting: Epoll,
    /// Wakes the keeper.
    wake: OwnedFd,
    most: usize,
    /// Listeners with an abstract name are held on (`abstract_names.rs`).
    keeps_names: bool,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<u64, Held>,
    /// Let go because they listen. What is remembered decides nothing but the answer to one more listen; an
    /// inode may be another's meanwhile.
    listeners: HashSet<u64>,
    /// Let go because they have connected, and the program was not told yet. The same holds for one more connect.
    untold: HashSet<u64>,
    /// When so many are held, the closed ones are searched.
    enough: usize,
    /// The keeper sleeps longer than it should when there is something new.
    is_asleep: bool,
}

#[derive(Debug)]
struct Held {
    socket: OwnedFd,
    kind: Kind,
    /// It was used since the search began.
    is_used: bool,
}

impl Held {
    /// Has it send nothing any more, if it honours a name. To be done before it is no longer held: from then
    /// on messages on it are let run.
    fn shut_down(&self) {
        if matches!(self.kind, Kind::Udp { .. } | Kind::Icmp { .. } | Kind::Unix { datagram: true, .. }) {
            socket::shut_down(&self.socket);
        }
    }
}

/// What a descriptor of a task is.
#[derive(Debug)]
pub enum Found {
    /// A socket that we hold: our duplicate of it, and its inode.
    Held(OwnedFd, u64),
    /// A socket that we do not hold, by its inode.
    NotHeld(u64),
    /// Something else.
    NoSocket,
}

impl Vault {
    /// Holds at most `most` sockets, and with `keeps_names` listeners with an abstract name until they are
    /// closed. Starts the thread that lets go of those that have connected or were closed.
    pub fn start(most: usize, keeps_names: bool) -> Result<Self> {
        let connecting = Epoll::new()?;
        let (woken, wake) = fd::pipe()?;
        fd::set_status_flags(&wake, libc::O_NONBLOCK)?;
        connecting.watch_input(&woken, WAKE)?;
        let state = Mutex::new(State { enough: FEW, ..State::default() });
        let vault = Self(Arc::new(Shared { state, connecting, wake, most, keeps_names }));
        let keeper = vault.clone();
        std::thread::Builder::new().name("sl-vault".into()).spawn(move || keeper.watch(&woken))?;
        Ok(vault)
    }

    /// What descriptor `number` of that very thread is. EBADF: it has none; EPERM: the task is not dumpable,
    /// so we may not look; ENOBUFS: we are out of descriptors.
    pub fn find(&self, tid: u32, number: i32) -> Result<Found> {
        let Some(inode) = inode_of(tid, number)? else { return Ok(Found::NoSocket) };
        let mut state = self.lock();
        let Some(held) = state.held.get_mut(&inode) else { return Ok(Found::NotHeld(inode)) };
        held.is_used = true;
        Ok(Found::Held(held.socket.try_clone().map_err(Errno::from)?, inode))
    }

    /// Makes room for `more`. ENFILE: so many are open that no more can be held.
    pub fn make_room(&self, more: usize) -> Result<()> {
        let state = self.lock();
        let (count, enough) = (state.held.len() + more, state.enough.min(self.0.most));
        drop(state);
        if count <= enough {
            return Ok(());
        }
        self.collect();
        let mut state = self.lock();
        state.enough = (2 * state.held.len()).max(FEW);
        if state.held.len() + more <= self.0.most { Ok(()) } else { Err(Errno(libc::ENFILE)) }
    }

    /// Whether a socket with that inode is held. Inodes of sockets are numbers of 32 bits that the kernel
    /// counts up: two can have the same.
    pub fn has(&self, inode: u64) -> bool {
        self.lock().held.contains_key(&inode)
    }

    /// Our duplicate of the socket with that inode.
    pub fn held(&self, inode: u64) -> Option<OwnedFd> {
        self.lock().held.get(&inode)?.socket.try_clone().ok()
    }

    /// Holds a socket that the command is about to be given.
    pub fn hold(&self, socket: OwnedFd, inode: u64, kind: Kind) {
        let mut state = self.lock();
        state.listeners.remove(&inode);
        state.untold.remove(&inode);
        state.held.insert(inode, Held { socket, kind, is_used: true });
        if std::mem::take(&mut state.is_asleep) {
            // A full pipe has woken its reader already.
            let _ = fd::write(&self.0.wake, b"w");
        }
    }

    /// Lets go of a socket that could not be given to the command.
    pub fn forget(&self, inode: u64) {
        let held = self.lock().held.remove(&inode);
        if let Some(held) = &held {
            held.shut_down();
        }
        self.let_go(held);
    }

    /// After a call on it: lets go of the socket if it has connected or listens; one that is connecting is
    /// watched until it has. `is_told`: the program knows how its call ended.
    pub fn settle(&self, inode: u64, is_told: bool) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let Some(Held { socket, kind, .. }) = state.held.get(&inode) else {
            // The keeper was quicker than who made the call.
            if is_told {
                state.untold.remove(&inode);
            }
            return;
        };
        let is_done = match kind {
            Kind::Tcp { .. } => match socket::tcp_state(socket) {
                Ok(SYN_SENT) => {
                    let _ = self.0.connecting.watch_once(socket, inode);
                    false
                }
                Ok(state) => state != CLOSE,
                Err(_) => false,
            },
            Kind::Unix { datagram: false, .. } if listens(socket) => {
                let name = socket::local_name(socket);
                !self.0.keeps_names || !name.is_ok_and(|name| name_in(name.as_bytes()).is_some())
            }
            Kind::Unix { datagram: false, .. } => socket::peer_name(socket).is_ok(),
            Kind::Unix { .. } | Kind::Udp { .. } | Kind::Icmp { .. } | Kind::Netlink => false,
        };
        if !is_done {
            return;
        }
        if listens(socket) {
            remember(&mut state.listeners, inode);
        } else if !is_told {
            remember(&mut state.untold, inode);
        }
        let held = state.held.remove(&inode);
        drop(guard);
        self.let_go(held);
    }

    /// Whether the socket with that inode was let go before the program knew that it has connected; true once.
    pub fn has_connected(&self, inode: u64) -> bool {
        self.lock().untold.remove(&inode)
    }

    /// Whether the socket with that inode listened when it was let go.
    pub fn listened(&self, inode: u64) -> bool {
        self.lock().listeners.contains(&inode)
    }

    /// Lets go of every socket that no task has open any longer.
    pub fn collect(&self) {
        let mut state = self.lock();
        let mut closed = HashSet::with_capacity(state.held.len());
        for (inode, held) in &mut state.held {
            held.is_used = false;
            closed.insert(*inode);
        }
        drop(state);
        // Twice: a descriptor that is on its way from one task to another may be missed once.
        for _ in 0..2 {
            if closed.is_empty() || remove_open(&mut closed).is_err() {
                return;
            }
        }
        let mut gone = Vec::new();
        let mut state = self.lock();
        for inode in closed {
            if let Some(held) = state.held.get(&inode).filter(|held| !held.is_used) {
                held.shut_down();
                gone.push(state.held.remove(&inode));
            }
        }
        drop(state);
        for held in gone {
            self.let_go(held);
        }
    }

    /// Ends what we have of a socket.
    fn let_go(&self, held: Option<Held>) {
        if let Some(held) = held {
            self.0.connecting.forget(&held.socket);
            tick::close(held);
        }
    }

    /// The keeper's thread.
    fn watch(&self, woken: &OwnedFd) {
        let mut pause = SOON_MS;
        // Without one a program that has its sockets linger delays how others are let go.
        let _ = tick::begin();
        loop {
            // A search begins when nothing came.
            tick::stop();
            let keys = self.0.connecting.wait(pause).unwrap_or_default();
            for key in &keys {
                if *key == WAKE {
                    let _ = fd::read(woken, &mut [0; 64]);
                    pause = SOON_MS;
                } else {
                    self.settle(*key, false);
                }
            }
            if keys.is_empty() {
                self.collect();
                pause = (2 * pause).min(SELDOM_MS);
                self.lock().is_asleep = true;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

/// Tries on ourselves whether a socket can be told by its link.
pub fn probe() -> Result<()> {
    use std::os::fd::AsRawFd;
    let socket = socket::new(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    let inode = inode_of(process::own_pid().cast_unsigned(), socket.as_raw_fd())?;
    if inode == Some(fd::identity(&socket)?.inode) { Ok(()) } else { Err(Errno(libc::ENOENT)) }
}

/// Whether we may see what that descriptor of a task is.
pub fn sees(tid: u32, number: i32) -> Result<()> {
    inode_of(tid, number).map(drop)
}

fn remember(inodes: &mut HashSet<u64>, inode: u64) {
    if inodes.len() >= MOST_REMEMBERED {
        inodes.clear();
    }
    inodes.insert(inode);
}

/// Whether the socket listens.
fn listens(fd: &OwnedFd) -> bool {
    socket::option(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN) == Ok(1)
}

/// Takes those inodes out that a task of the sandbox has open.
fn remove_open(inodes: &mut HashSet<u64>) -> Result<()> {
    open_sockets::each(|inode, _| {
        inodes.remove(&inode);
        inodes.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::child;
    use std::net::{Ipv4Addr, TcpListener, UdpSocket};
    use std::os::fd::AsRawFd;

    const TCP: Kind = Kind::Tcp { v6: false };
    const UDP: Kind = Kind::Udp { v6: false };

    /// A vault that holds one more duplicate of the socket.
    fn holding(socket: &OwnedFd, kind: Kind) -> (Vault, u64) {
        let vault = Vault::start(8, false).unwrap();
        let inode = fd::identity(socket).unwrap().inode;
        vault.hold(socket.try_clone().unwrap(), inode, kind);
        (vault, inode)
    }

    fn find(vault: &Vault, socket: &impl AsRawFd) -> Result<Found> {
        vault.find(process::own_tid(), socket.as_raw_fd())
    }

    fn is_held(vault: &Vault, socket: &impl AsRawFd) -> bool {
        matches!(find(vault, socket), Ok(Found::Held(..)))
    }

    #[test]
    fn a_socket_is_found_by_whatever_number_it_has_and_nothing_else_is() {
        let socket = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        let (vault, inode) = holding(&socket, TCP);
        let moved = fd::duplicate_from(&socket, 700).unwrap();
        for ours in [&socket, &moved] {
            let Found::Held(found, its) = find(&vault, ours).unwrap() else { panic!("not held") };
            assert_eq!((its, socket::cookie(&found)), (inode, socket::cookie(&socket)));
        }
        let other = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        assert!(matches!(find(&vault, &other), Ok(Found::NotHeld(_))));
        let (pipe, _) = fd::pipe().unwrap();
        assert!(matches!(find(&vault, &pipe), Ok(Found::NoSocket)));
        let path = fd::open_path(c"/").unwrap();
        assert_eq!(find(&vault, &path).err(), Some(Errno(libc::EBADF)));
        assert_eq!(vault.find(process::own_tid(), 999_999).err(), Some(Errno(libc::EBADF)));
    }

    #[test]
    fn what_has_connected_or_listens_is_let_go_and_its_end_is_seen() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let name = socket::local_name(&listener).unwrap();
        let socket = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        let (vault, inode) = holding(&socket, TCP);
        vault.settle(inode, true);
        assert!(is_held(&vault, &socket));
        socket::connect(&socket, &name).unwrap();
        vault.settle(inode, true);
        assert!(!is_held(&vault, &socket) && !vault.has_connected(inode));
        let (mut peer, _) = listener.accept().unwrap();
        drop(socket);
        assert_eq!(std::io::Read::read(&mut peer, &mut [0]).unwrap(), 0);

        let bound = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        let (vault, inode) = holding(&bound, TCP);
        socket::listen(&bound, 1).unwrap();
        vault.settle(inode, true);
        assert!(!is_held(&vault, &bound) && vault.listened(inode));
    }

    #[test]
    fn a_connect_that_goes_on_is_watched_until_it_is_over() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let name = socket::local_name(&listener).unwrap();
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
        let socket = socket::new(libc::AF_INET, kind, 0).unwrap();
        let (vault, inode) = holding(&socket, TCP);
        assert_eq!(socket::connect(&socket, &name), Err(Errno(libc::EINPROGRESS)));
        vault.settle(inode, false);
        // By the keeper's thread, or just now: the loopback is fast.
        while is_held(&vault, &socket) {
            std::thread::yield_now();
        }
        assert!(vault.has_connected(inode) && !vault.has_connected(inode));
    }

    #[test]
    fn a_datagram_socket_is_let_go_when_no_task_has_it_and_sends_nothing_any_more() {
        // This process is not searched: a duplicate here is as well hidden as one in a message under way.
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let name = socket::local_name(&peer).unwrap();
        let hidden = socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap();
        let (vault, _) = holding(&hidden, UDP);
        let other = child::fork(|| {
            process::pause();
            0
        })
        .unwrap();
        vault.collect();
        assert!(is_held(&vault, &hidden), "a task has it open");
        assert_eq!(socket::send(&hidden, Some(&name), b"x", &[], 0), Ok(1));
        process::kill(other, libc::SIGKILL).unwrap();
        process::wait_for(other).unwrap();
        // Other tests fork as well.
        while is_held(&vault, &hidden) {
            vault.collect();
        }
        assert_eq!(socket::send(&hidden, Some(&name), b"x", &[], 0), Err(Errno(libc::EPIPE)));
        assert_eq!(socket::connect(&hidden, &name), Ok(()));
        assert_eq!(socket::send(&hidden, None, b"x", &[], 0), Err(Errno(libc::EPIPE)));
    }

    #[test]
    fn no_kind_of_datagram_socket_sends_once_it_was_shut_down() {
        let path = format!("/tmp/sandlock-vault-{}", process::own_pid());
        let _unix = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        let unix = [&1u16.to_ne_bytes(), path.as_bytes(), b"\0"].concat();
        let v4 = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let v6 = UdpSocket::bind((std::net::Ipv6Addr::LOCALHOST, 0)).unwrap();
        // ICMP's own check is the same one; a ping socket is not for everybody to make.
        for (domain, name) in [
            (libc::AF_INET, socket::local_name(&v4).unwrap()),
            (libc::AF_INET6, socket::local_name(&v6).unwrap()),
            (libc::AF_UNIX, socket::Name::new(&unix)),
        ] {
            let socket = socket::new(domain, libc::SOCK_DGRAM, 0).unwrap();
            assert_eq!(socket::send(&socket, Some(&name), b"x", &[], 0), Ok(1));
            socket::shut_down(&socket);
            assert_eq!(socket::send(&socket, Some(&name), b"x", &[], 0), Err(Errno(libc::EPIPE)));
            let nobody = socket::Name::new(&[0; 16]);
            let _ = socket::connect(&socket, &nobody);
            assert_eq!(socket::send(&socket, Some(&name), b"x", &[], 0), Err(Errno(libc::EPIPE)));
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn there_is_room_for_so_many_and_closed_ones_make_room() {
        let vault = Vault::start(2, false).unwrap();
        let open = [0; 2].map(|_| socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap());
        for socket in &open {
            vault.make_room(1).unwrap();
            let inode = fd::identity(socket).unwrap().inode;
            vault.hold(socket.try_clone().unwrap(), inode, UDP);
        }
        // Held open by nobody but this process, which does not count.
        while vault.make_room(1).is_err() {}
        assert!(!vault.has(fd::identity(&open[0]).unwrap().inode));
    }
}
