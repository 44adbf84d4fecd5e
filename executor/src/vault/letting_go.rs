//! Which of the sockets that are held are let go: those that have connected or listen, after a call on them,
//! and those that no task has open any longer, which are searched. Must not: close a socket, or search
//! `/proc`, with the lock held.

use std::collections::HashSet;
use std::os::fd::OwnedFd;

use super::{Held, Vault};
use crate::abstract_names::name_in;
use crate::open_sockets;
use crate::sockaddr::Kind;
use crate::sys::{Result, socket, tick};

/// Sockets of which it is remembered how they were let go, of each kind.
const MOST_REMEMBERED: usize = 1024;
/// States of TCP (net/tcp_states.h).
const SYN_SENT: u8 = 2;
const CLOSE: u8 = 7;

impl Held {
    /// Has it send nothing any more, if it honours a name. To be done before it is no longer held: from then
    /// on messages on it are let run.
    fn shut_down(&self) {
        if matches!(self.kind, Kind::Udp { .. } | Kind::Icmp { .. } | Kind::Unix { datagram: true, .. }) {
            socket::shut_down(&self.socket);
        }
    }
}

impl Vault {
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

    /// Lets go of every socket that no task has open any longer.
    pub fn collect(&self) {
        let mut state = self.lock();
        let mut closed = HashSet::with_capacity(state.held.len());
        for (inode, held) in state.held.iter_mut().filter(|(_, held)| held.is_given) {
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
