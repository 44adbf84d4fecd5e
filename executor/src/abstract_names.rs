//! Which abstract unix names are those of sockets of this sandbox, where the kernel does not keep such names
//! inside (before Landlock ABI 6, Linux 6.12).
//!
//! The supervisor makes every bind(2), so it knows which socket got which name. That says nothing about
//! later: the socket may be closed, and the name be bound outside. So before a call is made to a name, its
//! socket is **anchored**: a duplicate is taken from a task of the sandbox that has it open, or from the
//! vault. It is known by its cookie, a number that no other socket has. A unix socket never changes its name,
//! and as long as our duplicate is open the name is no other's.
//!
//! A name is one of a network namespace and of a type of socket: Linux looks for a stream socket among stream
//! sockets only. Somebody outside may have the same name in another, so both are asked of the socket that
//! calls, and the name is looked for among those of the same.
//!
//! Not known are names that Linux gives by itself to a socket that sends or connects (`SO_PASSCRED`), and
//! sockets that were bound elsewhere and handed in.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use crate::open_sockets::{self, Place};
use crate::sys::{Errno, Result, fd, socket};
use crate::task::Tasks;

/// Most names remembered; those of closed sockets are forgotten first.
const MOST: usize = 4096;

/// The names that were bound inside.
#[derive(Debug)]
pub struct AbstractNames {
    bound: HashMap<Key, Bound>,
    /// Every socket is of one network, since the command can make no other.
    is_one_network: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    network: u64,
    kind: i32,
    name: Vec<u8>,
}

#[derive(Debug)]
struct Bound {
    cookie: u64,
    inode: u64,
    /// Where it was open last.
    place: Place,
}

/// A socket that is held open, so that its name is no other's.
#[derive(Debug)]
pub struct Anchor {
    /// Our duplicate.
    pub socket: OwnedFd,
    inode: u64,
}

impl Anchor {
    /// Whether nobody else has it open any more: who waits for it would wait for ever.
    pub fn is_last(&self) -> bool {
        open_sockets::place_of(self.inode).is_none()
    }
}

/// The abstract name in the address of a unix socket, without the NUL in front; none: it has a path, or no name.
pub fn name_in(address: &[u8]) -> Option<&[u8]> {
    address.get(2..)?.strip_prefix(b"\0")
}

impl AbstractNames {
    /// None yet. `allows_networks`: the command may make network namespaces.
    pub fn new(allows_networks: bool) -> Self {
        Self { bound: HashMap::new(), is_one_network: !allows_networks }
    }

    /// EACCES: which network it is can not be told (before Linux 5.14), and there may be several.
    fn key(&self, socket: &OwnedFd, name: &[u8]) -> Result<Key> {
        let network = match socket::network(socket) {
            Err(Errno(libc::ENOPROTOOPT)) if self.is_one_network => 0,
            network => network.map_err(|_| Errno(libc::EACCES))?,
        };
        let kind = socket::option(socket, libc::SOL_SOCKET, libc::SO_TYPE)?;
        Ok(Key { network, kind, name: name.to_vec() })
    }

    /// Remembers the name that this socket, which had none, has just got; at `place` it is open. A name that
    /// can not be remembered can not be connected to.
    pub fn remember(&mut self, socket: &OwnedFd, place: Place) -> Result<()> {
        let address = socket::local_name(socket)?;
        let Some(name) = name_in(address.as_bytes()) else { return Ok(()) };
        let key = self.key(socket, name)?;
        if self.bound.len() >= MOST {
            self.forget_closed()?;
        }
        if self.bound.len() >= MOST {
            return Err(Errno(libc::ENOSPC));
        }
        let (cookie, inode) = (socket::cookie(socket)?, fd::identity(socket)?.inode);
        self.bound.insert(key, Bound { cookie, inode, place });
        Ok(())
    }

    fn forget_closed(&mut self) -> Result<()> {
        let open = open_sockets::all()?;
        self.bound.retain(|_, bound| open.contains(&bound.inode));
        Ok(())
    }

    /// Anchors the socket of the sandbox that a call of `caller` to this name would reach. None: there is none.
    pub fn anchor(&mut self, tasks: &mut Tasks, caller: &OwnedFd, name: &[u8]) -> Option<Anchor> {
        let key = self.key(caller, name).ok()?;
        let bound = self.bound.get_mut(&key)?;
        let is_it = |socket: &OwnedFd| socket::cookie(socket) == Ok(bound.cookie);
        let socket = if let Some(vault) = tasks.vault() {
            // What only the vault has open is closed.
            vault.collect();
            vault.held(bound.inode).filter(is_it)
        } else {
            tasks.taken(bound.place).filter(is_it).or_else(|| {
                bound.place = open_sockets::place_of(bound.inode)?;
                tasks.taken(bound.place).filter(is_it)
            })
        };
        let inode = bound.inode;
        if socket.is_none() {
            self.bound.remove(&key);
        }
        socket.map(|socket| Anchor { socket, inode })
    }
}
