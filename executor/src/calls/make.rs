//! socket(2) and socketpair(2) on behalf. The filter has decided by the three registers, which can not
//! change, that such a socket may exist; that is what is made here, for two reasons: the caller's descriptors
//! can not be taken, and sockets are held in the vault (`vault/`); or it is a UDP socket that has to be
//! mute before anybody has it (`Walls::has_mute_udp_sockets`). The caller gets descriptors of it as its own.

use std::os::fd::OwnedFd;

use crate::kinds::kind;
use crate::receiver::{Outcome, Receiver};
use crate::sys::seccomp::Notification;
use crate::sys::{Errno, Result, fd, memory, socket};
use crate::task;
use crate::vault::Vault;

/// How often sockets are made anew because the inode of one is that of a socket which is held.
const ATTEMPTS: usize = 4;

/// socket(domain, type, protocol)
pub fn socket(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [domain, kind_and_flags, protocol, ..] = notification.args.map(low);
    let is_datagram = matches!(kind_and_flags & 0xf, libc::SOCK_DGRAM | libc::SOCK_RAW);
    if domain == libc::AF_ALG || receiver.observes() && domain == libc::AF_UNIX && is_datagram {
        let outcome = receiver.opened(notification)?;
        if domain == libc::AF_ALG || receiver.tasks.vault().is_none() {
            return Ok(outcome);
        }
    }
    same_network(receiver, notification)?;
    let is_mute = receiver.walls.has_mute_udp_sockets()
        && is_datagram
        && matches!(domain, libc::AF_INET | libc::AF_INET6);
    let make_one = || {
        let made = socket::new(domain, kind_and_flags, protocol)?;
        if is_mute {
            socket::mute(&made)?;
        }
        Ok(made)
    };
    let Some(vault) = receiver.tasks.vault().cloned() else {
        let given =
            receiver.listener.answer_with(notification.id, &make_one()?, closes_on_exec(kind_and_flags));
        return match given {
            Err(Errno(libc::EINVAL)) => Err(Errno(libc::EACCES)), // it can not be given before Linux 5.14
            given => given.map(|()| Outcome::Answered),
        };
    };
    vault.make_room(1)?;
    let [(made, inode)] = make(&vault, || make_one().map(|made| [made]))?;
    let kind = kind(&made)?;
    // Before the caller has it: another thread of its process may be sending on that number, and what is not
    // held is let run (`freezer.rs`).
    vault.hold(made.try_clone().map_err(Errno::from)?, inode, kind);
    let given = receiver.listener.answer_with(notification.id, &made, closes_on_exec(kind_and_flags));
    given.inspect(|()| vault.given(inode)).inspect_err(|_| vault.forget(inode))?;
    Ok(Outcome::Answered)
}

/// socketpair(domain, type, protocol, numbers): of datagram sockets. Others are connections, which nobody holds.
pub fn pair(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [domain, kind_and_flags, protocol, ..] = notification.args.map(low);
    let [_, _, _, numbers_at, ..] = notification.args;
    if receiver.observes() {
        receiver.opened(notification)?;
    }
    same_network(receiver, notification)?;
    let vault = receiver.tasks.vault().cloned().ok_or(Errno(libc::EAFNOSUPPORT))?;
    vault.make_room(2)?;
    let made = make(&vault, || socket::pair(domain, kind_and_flags, protocol))?;
    let [(first, _), _] = &made;
    let kind = kind(first)?;
    receiver.still_waiting(notification)?;
    // As Linux: whether there is a place for the numbers comes first, and what is written there when the call
    // fails is nobody's to read.
    memory::write_exact(notification.tid, numbers_at, &[0xff; 8])?;
    let mut numbers = Vec::with_capacity(8);
    for (end, inode) in made {
        // EMFILE for the second leaves the first open: nobody but the caller could close it.
        let number = receiver.listener.give(notification.id, &end, closes_on_exec(kind_and_flags))?;
        numbers.extend(number.to_ne_bytes());
        vault.hold(end, inode, kind);
        vault.given(inode);
    }
    memory::write_exact(notification.tid, numbers_at, &numbers)?;
    Ok(Outcome::Done(0))
}

/// EACCES: it would be a socket of another network than the caller's; EPERM: whom we may not look at we could
/// not serve later.
fn same_network(receiver: &mut Receiver, notification: &Notification) -> Result<()> {
    match task::network(&notification.tid.to_string()) {
        Ok(network) if network == task::network("self")? => Ok(()),
        Ok(_) => Err(Errno(libc::EACCES)),
        Err(Errno(libc::EACCES)) => {
            receiver.tell_opaque(notification);
            Err(Errno(libc::EPERM))
        }
        Err(error) => Err(error),
    }
}

/// Sockets and their inodes, which no other has that is held. Those that will not do are kept meanwhile, or
/// the next would get the same.
fn make<const N: usize>(
    vault: &Vault,
    again: impl Fn() -> Result<[OwnedFd; N]>,
) -> Result<[(OwnedFd, u64); N]> {
    let mut others = Vec::new();
    for _ in 0..ATTEMPTS {
        let made = again()?;
        let mut inodes = Vec::with_capacity(N);
        for socket in &made {
            let inode = fd::identity(socket)?.inode;
            if !vault.has(inode) && !inodes.contains(&inode) {
                inodes.push(inode);
            }
        }
        match <[u64; N]>::try_from(inodes) {
            Ok(inodes) => {
                let mut inodes = inodes.into_iter();
                return Ok(made.map(|socket| (socket, inodes.next().unwrap_or_default())));
            }
            Err(_) => others.push(made),
        }
    }
    Err(Errno(libc::ENFILE))
}

fn closes_on_exec(kind_and_flags: i32) -> bool {
    kind_and_flags & libc::SOCK_CLOEXEC != 0
}

fn low(register: u64) -> i32 {
    u32::try_from(register & 0xffff_ffff).unwrap_or(0).cast_signed()
}
