//! Calls to abstract unix sockets outside that the policy names. The supervisor's own domain keeps it from
//! every outside one, so these few are made by threads that were never in it. They decide nothing: the name
//! has been compared with the policy's.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use crate::pending::Work;
use crate::sys::seccomp::{Listener, Notification};
use crate::sys::{Errno, Result};

const STACK_BYTES: usize = 64 * 1024;

struct Job {
    listener: Arc<Listener>,
    id: u64,
    work: Work,
}

/// Where such calls are handed to.
#[derive(Clone)]
pub struct Outside(Sender<Job>);

impl Outside {
    /// Starts the thread that makes the others, one a call: a daemon that does not accept holds up nobody
    /// else. To be called before this thread enters the domain.
    pub fn start() -> Result<Self> {
        let thread = || std::thread::Builder::new().name("sl-outside".into()).stack_size(STACK_BYTES);
        let (sender, jobs) = channel::<Job>();
        thread().spawn(move || {
            for Job { listener, id, work } in jobs {
                let answers = Arc::clone(&listener);
                if thread().spawn(move || answers.answer(id, work())).is_err() {
                    listener.answer(id, Err(Errno(libc::EAGAIN)));
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// Makes the call there and answers the notification with its result.
    pub fn hand_over(&self, listener: &Arc<Listener>, notification: &Notification, work: Work) -> Result<()> {
        let job = Job { listener: Arc::clone(listener), id: notification.id, work };
        self.0.send(job).map_err(|_| Errno(libc::EACCES))
    }
}
