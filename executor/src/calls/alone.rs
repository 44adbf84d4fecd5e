//! Which trapped calls the caller's own kernel may make: messages on connection-oriented sockets. On those of
//! unix they carry the sender's process id (SO_PASSCRED, SCM_CREDENTIALS), which only the sender itself can
//! give, and no destination: the kernel refuses or ignores a name in them (net/unix/af_unix.c,
//! unix_stream_sendmsg and unix_seqpacket_sendmsg).
//!
//! Why that can not be raced. Between our look and the kernel's, everything that lies in memory may change,
//! but nothing of that matters for such a socket. What must not change is the socket behind the number. The
//! caller stands still in its call; a table changes only by tasks that use it; and those are the threads of
//! one process, unless somebody cloned a process with CLONE_FILES. Such a clone comes here before it is made,
//! and from then on no message is let through in the whole sandbox. A process with one thread can make no
//! second while that one stands still, so what its number means is asked once it is known to have one. One
//! with more is made to stand still (`freezer.rs`), which costs 0.1 ms and some 10 µs a thread: that is done
//! only for what can not be made on behalf.

use crate::receiver::{Outcome, Receiver};
use crate::sockaddr::Kind;
use crate::sys::seccomp::Notification;
use crate::sys::{Errno, Result};
use crate::task::{self, Status};
use crate::vault::NOT_HELD;

/// clone(2) of a process that keeps the descriptor table in common; the filter sends no other. Nothing but
/// registers decides, so it may run.
pub fn clone(receiver: &mut Receiver) -> Outcome {
    receiver.freezer.share_tables();
    Outcome::LetRun
}

/// Whether a message of that caller on that kind of socket may be left to its kernel. To be asked before the
/// notification is found to be still waiting.
///
/// The socket is looked at anew once the caller is found to be alone: before, a second thread may have put
/// another one at its number, and ended.
pub(super) fn may_run(receiver: &mut Receiver, notification: &Notification, kind: Kind) -> bool {
    let is_connection = |kind| matches!(kind, Kind::Unix { datagram: false, .. });
    is_connection(kind)
        && has_own_table(receiver, notification)
        && receiver
            .descriptor(notification)
            .and_then(|socket| receiver.kinds.of(&socket))
            .is_ok_and(is_connection)
}

fn has_own_table(receiver: &Receiver, notification: &Notification) -> bool {
    !receiver.freezer.tables_are_shared() && task::is_alone(notification.tid)
}

/// A message that failed on behalf. What we may not say on a connection (credentials), its sender may: EPERM there.
pub(super) fn by_its_sender(
    receiver: &Receiver,
    notification: &Notification,
    kind: Kind,
    error: Errno,
) -> Result<Outcome> {
    match kind {
        Kind::Unix { datagram: false, .. } if error == Errno(libc::EPERM) => {
            let_run_frozen(receiver, notification)
        }
        _ => Err(error),
    }
}

/// Leaves a call to the caller's kernel while its process stands still. EPERM: that can not be had.
fn let_run_frozen(receiver: &Receiver, notification: &Notification) -> Result<Outcome> {
    let group = Status::read(notification.tid)?.group;
    receiver.still_waiting(notification)?;
    receiver.freezer.hand_over(notification, group).map(|()| Outcome::Pending)
}

/// A message on a socket that the vault does not hold. None of those honours a name: datagram sockets are
/// held as long as they can send (`vault/`), unless the policy lets programs outside be reached, who could
/// hand one in. Under observation nothing is refused.
pub(super) fn on_connection(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let reaches_outside = receiver.table.unix_rules().next().is_some();
    let is_still_there = |receiver: &mut Receiver| {
        // Anew, as in `may_run`.
        has_own_table(receiver, notification) && receiver.descriptor(notification).err() == Some(NOT_HELD)
    };
    if receiver.observes() || !reaches_outside && is_still_there(receiver) {
        return receiver.still_waiting(notification).map(|()| Outcome::LetRun);
    }
    let result =
        if reaches_outside { Err(Errno(libc::EPERM)) } else { let_run_frozen(receiver, notification) };
    if result == Err(Errno(libc::EPERM)) {
        receiver.tell_opaque(notification);
    }
    result
}
