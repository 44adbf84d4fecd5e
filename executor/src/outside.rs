//! Calls to abstract unix sockets outside that the policy names. The supervisor's own domain keeps it from
//! every outside one, so these few are made by threads that were never in it. They decide nothing: the name
//! has been compared with the policy's.

use std::sync::mpsc::{Sender, channel};

use crate::pending::{Pending, Work};
use crate::sys::seccomp::Notification;
use crate::sys::{Errno, Result, thread};

const STACK_BYTES: usize = 64 * 1024;

struct Job {
    pending: Pending,
    notification: Notification,
    work: Work,
}

/// Where such calls are handed to.
#[derive(Clone)]
pub struct Outside(Sender<Job>);

impl Outside {
    /// Starts the thread that makes the others, one a call that waits: a daemon that does not accept holds up
    /// nobody else. To be called before this thread enters the domain.
    pub fn start() -> Result<Self> {
        let (sender, jobs) = channel::<Job>();
        thread::start(c"sl-outside", STACK_BYTES, move || {
            for Job { pending, notification, work } in jobs {
                if let Err(error) = pending.hand_over(&notification, work) {
                    pending.refuse(&notification, error);
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// Makes the call there and answers the notification with its result. `pending` is for such calls alone:
    /// its threads are all made outside the domain.
    pub fn hand_over(&self, pending: &Pending, notification: &Notification, work: Work) -> Result<()> {
        let job = Job { pending: pending.clone(), notification: *notification, work };
        self.0.send(job).map_err(|_| Errno(libc::EACCES))
    }
}
