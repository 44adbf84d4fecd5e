//! A caller whose call waits in our place. Signals other than fatal ones do not reach it
//! (`WAIT_KILLABLE_RECV`; without it a call would be replayed after it was made), so it is looked at now and
//! then. Decides whether its call is to end, and with what; how it is ended is for whoever holds the call.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use crate::sys::seccomp::{Listener, Notification};
use crate::sys::{Errno, socket};
use crate::task::Status;

/// Threads of a group among which a stopped one is looked for.
const MOST_THREADS_LOOKED_AT: usize = 64;

/// The caller of a waiting call.
#[derive(Debug)]
pub struct Caller {
    notification: u64,
    thread: u32,
    /// A signal waited for the caller's group already the last time.
    was_signalled: bool,
}

/// What became of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits.
    Waiting,
    /// It is gone: the call is nobody's any more.
    Gone,
    /// A signal waits for it, or its group has been stopped: the call ends as the kernel's own interrupted
    /// calls do. The caller runs its handler or stops, then makes the call again or gets EINTR, as its
    /// handler was installed.
    Wanted,
}

/// Of which groups it is known whether they are being stopped: for one round of looks.
#[derive(Debug, Default)]
pub struct Stopped(HashMap<u32, bool>);

impl Stopped {
    /// Whether any thread of the group has been stopped: then all are to be, and those that wait here could not.
    fn holds(&mut self, group: u32) -> bool {
        *self.0.entry(group).or_insert_with(|| {
            let Ok(threads) = std::fs::read_dir(format!("/proc/{group}/task")) else { return false };
            threads
                .flatten()
                .filter_map(|thread| thread.file_name().to_str()?.parse().ok())
                .take(MOST_THREADS_LOOKED_AT)
                .any(|thread| Status::read(thread).is_ok_and(|status| status.state == b'T'))
        })
    }
}

impl Caller {
    /// The caller of that call.
    pub fn of(notification: &Notification) -> Self {
        Self { notification: notification.id, thread: notification.tid, was_signalled: false }
    }

    /// Looks at it. A signal for its group may be another thread's to handle; when it still waits the next
    /// time, it is this one's.
    pub fn look(&mut self, listener: &Listener, stopped: &mut Stopped) -> State {
        if !listener.is_waiting(self.notification) {
            return State::Gone;
        }
        let Ok(status) = Status::read(self.thread) else { return State::Waiting };
        let is_signalled = status.shared_signals != 0;
        let is_ours = is_signalled && (status.threads == 1 || self.was_signalled);
        self.was_signalled = is_signalled;
        let is_wanted =
            status.own_signals != 0 || is_ours || status.threads > 1 && stopped.holds(status.group);
        if is_wanted { State::Wanted } else { State::Waiting }
    }
}

/// What a call ends with whose caller is wanted. `timeout` is the option of the socket's time limit for such
/// calls: with one the kernel does not restart, since it would begin anew (net/sock.h, sock_intr_errno).
pub fn interruption(socket: &OwnedFd, timeout: i32) -> Errno {
    if socket::time_limit(socket, timeout).is_some() { Errno(libc::EINTR) } else { Errno::RESTART }
}

/// Whether an interrupted call should end rather than be taken up again; with what.
pub fn interrupted(
    listener: &Listener,
    notification: u64,
    caller: u32,
    socket: &OwnedFd,
    timeout: i32,
) -> Option<Errno> {
    if !listener.is_waiting(notification) {
        return Some(Errno(libc::EINTR));
    }
    let status = Status::read(caller).ok()?;
    let is_signalled = status.own_signals | status.shared_signals != 0;
    let is_wanted = is_signalled || status.threads > 1 && Stopped::default().holds(status.group);
    is_wanted.then(|| interruption(socket, timeout))
}
