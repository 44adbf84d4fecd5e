//! socket(2) on behalf, where the caller's descriptors can not be taken and sockets are held in the vault (`vault.rs`). The filter has decided by the three
//! registers, which can not change, that such a socket may exist; that is what is made here. The caller gets a descriptor of it as its own.

use std::os::fd::OwnedFd;

use crate::receiver::{Outcome, Receiver, kind};
use crate::sys::seccomp::Notification;
use crate::sys::{Errno, Result, socket};
use crate::task;
use crate::vault::Vault;

/// How often a socket is made anew because its inode is one of a socket that is held.
const ATTEMPTS: usize = 4;

/// socket(domain, type, protocol)
pub fn socket(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [domain, kind_and_flags, protocol, ..] = notification.args.map(low);
    let is_alg = domain == libc::AF_ALG;
    let is_datagram = matches!(kind_and_flags & 0xf, libc::SOCK_DGRAM | libc::SOCK_RAW);
    if is_alg || receiver.observes() && domain == libc::AF_UNIX && is_datagram {
        let outcome = receiver.opened(notification)?;
        if is_alg {
            return Ok(outcome);
        }
    }
    match task::network(&notification.tid.to_string()) {
        Ok(network) if network == task::network("self")? => {}
        // It would be a socket of another network than the caller's.
        Ok(_) => return Err(Errno(libc::EACCES)),
        // Whom we may not look at we could not serve later.
        Err(error) => {
            receiver.tell_opaque(notification);
            return Err(if error == Errno(libc::EACCES) { Errno(libc::EPERM) } else { error });
        }
    }
    let Some(vault) = receiver.tasks.vault().cloned() else { return Err(Errno(libc::EAFNOSUPPORT)) };
    vault.make_room()?;
    let made = make(&vault, domain, kind_and_flags, protocol)?;
    let kind = kind(&made)?;
    let closes_on_exec = kind_and_flags & libc::SOCK_CLOEXEC != 0;
    receiver.listener.answer_with(notification.id, &made, closes_on_exec)?;
    // The caller can use it from now on, but its next call comes to this thread.
    if vault.hold(made, kind).is_err() {
        std::process::abort();
    }
    Ok(Outcome::Answered)
}

/// A socket whose inode no other has that is held. Those that will not do are kept meanwhile, or the next would get the same.
fn make(vault: &Vault, domain: i32, kind: i32, protocol: i32) -> Result<OwnedFd> {
    let mut others = Vec::new();
    for _ in 0..ATTEMPTS {
        let made = socket::new(domain, kind, protocol)?;
        if !vault.has(&made)? {
            return Ok(made);
        }
        others.push(made);
    }
    Err(Errno(libc::ENFILE))
}

fn low(register: u64) -> i32 {
    u32::try_from(register & 0xffff_ffff).unwrap_or(0).cast_signed()
}
