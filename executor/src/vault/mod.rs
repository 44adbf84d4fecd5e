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

mod keeper;
mod letting_go;

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard};

use self::keeper::WAKE;
use crate::locks::lock;
use crate::open_sockets::inode_of;
use crate::sockaddr::Kind;
use crate::sys::epoll::Epoll;
use crate::sys::{Errno, Result, fd, process, socket, thread};

/// What a call is told that means a socket we do not hold. It is connected, so that is what Linux would say
/// to most of them.
pub const NOT_HELD: Errno = Errno(libc::EISCONN);

/// So many sockets are held before it is first searched which of them are closed; then twice as many as were
/// found open.
const FEW: usize = 256;

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
    /// The command has it; until then no search finds it with a task.
    is_given: bool,
    /// It was used since the search began.
    is_used: bool,
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
        thread::start(c"sl-vault", thread::USUAL_STACK_BYTES, move || keeper.keep(&woken))?;
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

    /// Holds a socket that the command is about to be given; `given` has to follow, or `forget`.
    pub fn hold(&self, socket: OwnedFd, inode: u64, kind: Kind) {
        let mut state = self.lock();
        state.listeners.remove(&inode);
        state.untold.remove(&inode);
        state.held.insert(inode, Held { socket, kind, is_given: false, is_used: true });
        if std::mem::take(&mut state.is_asleep) {
            // A full pipe has woken its reader already.
            let _ = fd::write(&self.0.wake, b"w");
        }
    }

    /// The command has been given the socket.
    pub fn given(&self, inode: u64) {
        if let Some(held) = self.lock().held.get_mut(&inode) {
            held.is_given = true;
        }
    }

    /// Whether the socket with that inode was let go before the program knew that it has connected; true once.
    pub fn has_connected(&self, inode: u64) -> bool {
        self.lock().untold.remove(&inode)
    }

    /// Whether the socket with that inode listened when it was let go.
    pub fn listened(&self, inode: u64) -> bool {
        self.lock().listeners.contains(&inode)
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

#[cfg(test)]
mod tests;
