//! The supervisor's hot path: receive a trapped call, take what it means, decide, make it on behalf of the
//! caller, answer.
//!
//! Theory of operation
//!
//! A notification stops one thread of the sandbox inside a system call. Its arguments are registers and so
//! can not change; whatever they point to can, at any time, by another thread. Therefore, for every call:
//!
//! 1. the descriptor is duplicated out of the calling thread's own table (`task.rs`); the number is never
//!    looked at again;
//! 2. memory is copied once; decision and call use the copy;
//! 3. what kind of socket it is, is asked of the duplicate;
//! 4. after these reads, and before anything is done, the notification's id is checked: the task was still
//!    the caller all the while, so what we read was its own and not that of a task that got its number. A
//!    refusal does nothing; its answer makes the same check, and it is told afterwards;
//! 5. the call is made on the duplicate with an address of our own making (`sockaddr.rs`), or refused with an errno.
//!
//! No call that could carry a destination is let through (`SECCOMP_USER_NOTIF_FLAG_CONTINUE`): the kernel
//! would read the arguments again. Two kinds of calls that could not are (`calls/alone.rs`), and receives
//! (`calls/receive.rs`). Whatever goes wrong ends in an errno: there is no path that leaves a notification
//! unanswered or answers it with success for something not done.
//!
//! Nothing is waited for here. Sends are made with MSG_DONTWAIT first; those that must wait go to threads of
//! their own (`pending.rs`), connects to the warden (`handshakes.rs`). So one receiving thread is enough, and
//! is best: several would all be woken by each notification. Connects within the machine are made in line
//! under a tick that cuts them (`sys/tick.rs`): every system call here must bear EINTR.

mod copies;
mod decision;
mod telling;

use std::cell::OnceCell;
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

pub(crate) use self::copies::{Address, Copied, address};
use crate::abstract_names::AbstractNames;
use crate::bound::Bound;
use crate::calls;
use crate::calls::link::Links;
use crate::calls::probe::Closed;
use crate::counts::Counts;
use crate::event::Record;
use crate::events::Events;
use crate::freezer::Freezer;
use crate::handshakes::Handshakes;
use crate::inside::Inside;
use crate::kinds::Kinds;
use crate::named::Named;
use crate::names::redirect::Redirect;
use crate::outside::Outside;
use crate::pending::{Pending, Work};
use crate::sys::mapping::Mapping;
use crate::sys::seccomp::{Listener, Notification};
use crate::sys::uring::Ring;
use crate::sys::{Errno, Result, fd, tick};
use crate::table::Table;
use crate::task::{Callers, Tasks};
use crate::walls::Walls;
use crate::watch::{Suspects, Watch};

/// What a call has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done; this is its result.
    Done(i64),
    /// It is finished and answered elsewhere: by a thread of its own, or the warden.
    Pending,
    /// It was answered with a descriptor.
    Answered,
    /// The caller's kernel makes it: it can not carry a destination, whatever is changed meanwhile.
    LetRun,
}

/// Everything the calls need. One thread owns it.
pub struct Receiver {
    pub(crate) listener: Arc<Listener>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) table: Arc<Table<Mapping>>,
    /// Where questions for names go; none: port 53 is a port like any other (`Walls::names`).
    pub(crate) names: Option<Redirect>,
    /// Ports at which nobody receives, for connects that only ask.
    pub(crate) closed: Closed,
    pub(crate) events: Arc<Events>,
    pub(crate) pending: Pending,
    /// Where connects wait whose handshake goes on.
    pub(crate) handshakes: Handshakes,
    /// A connect within the machine has waited: until then they are not made in line.
    pub(crate) wary_until: Option<Instant>,
    pub(crate) tasks: Tasks,
    pub(crate) inside: Inside,
    pub(crate) bound: Bound,
    pub(crate) links: Links,
    /// Abstract names of the sandbox; none: Landlock keeps them inside (ABI 6).
    pub(crate) abstract_names: Option<AbstractNames>,
    pub(crate) callers: Callers,
    /// Lets calls run while their process stands still.
    pub(crate) freezer: Freezer,
    /// Threads of which it was told that they can not be looked at.
    pub(crate) opaque: HashSet<u32>,
    /// Paths of outside sockets that may be reached.
    pub(crate) named: Vec<Named>,
    /// Makes calls to the outside abstract sockets that the policy names, and holds those that wait; none: it
    /// names none.
    pub(crate) outside: Option<(Outside, Pending)>,
    /// What the filter was made of.
    pub(crate) walls: Walls,
    /// A caller that waits for us is interrupted by fatal signals alone (Linux 5.19).
    pub(crate) waits_are_killable: bool,
    /// Connects without waiting, once a call has asked for it (`ring`); none where the kernel forbids rings.
    pub(crate) ring: OnceCell<Option<Ring>>,
    /// What is told beyond refusals; none: nothing.
    pub(crate) watch: Option<Watch>,
    /// What is to be told of the call at hand when it is answered.
    pub(crate) refusal: Option<Record>,
    /// Refused calls that may have been probes.
    pub(crate) suspects: Suspects,
    /// What is copied of the message being sent.
    pub(crate) copy: Copied,
    /// What sockets are.
    pub(crate) kinds: Kinds,
}

impl Receiver {
    /// What connects without waiting, made when it is first asked for: most commands never do, and it takes
    /// some 30 µs. None where the kernel forbids rings: then a connect of a blocking socket to another
    /// machine begins in a thread of its own.
    pub(crate) fn ring(&mut self) -> Option<&mut Ring> {
        self.ring.get_or_init(|| Ring::new().ok());
        self.ring.get_mut()?.as_mut()
    }

    /// Serves until the last task of the sandbox is gone.
    pub fn serve(&mut self) {
        // Without one connects within the machine are made as all others.
        let _ = tick::begin();
        loop {
            match self.listener.receive() {
                Ok(notification) => self.serve_one(&notification),
                // Nobody is left to make a call (before Linux 6.11 the warden sees that, and interrupts), or this
                // caller died just now.
                Err(Errno(libc::ENOENT | libc::EINTR)) if self.listener.is_abandoned() => {
                    self.end_watch();
                    return;
                }
                Err(Errno(libc::ENOENT | libc::EINTR)) => {}
                // Callers would wait for ever for an answer: without us the front ends the tree.
                Err(_) => {
                    self.events.last_words();
                    std::process::abort()
                }
            }
        }
    }

    pub(crate) fn serve_one(&mut self, notification: &Notification) {
        let is_answered = match self.call(notification) {
            Ok(Outcome::Done(value)) => self.listener.answer(notification.id, Ok(value)),
            Err(error) => self.listener.answer(notification.id, Err(error)),
            Ok(Outcome::Pending | Outcome::Answered) => true,
            Ok(Outcome::LetRun) => self.listener.let_run(notification.id),
        };
        if let Some(refusal) = self.refusal.take()
            && is_answered
        {
            self.events.tell(&refusal);
        }
    }

    pub(crate) fn call(&mut self, notification: &Notification) -> Result<Outcome> {
        self.counts.count(notification.nr);
        let outcome = self.made(notification);
        // A call that waits is settled by the thread that makes it.
        if outcome != Ok(Outcome::Pending) {
            self.tasks.touched().settle(outcome.is_ok());
        }
        outcome
    }

    fn made(&mut self, notification: &Notification) -> Result<Outcome> {
        match libc::c_long::from(notification.nr) {
            libc::SYS_connect => calls::connect::connect(self, notification),
            libc::SYS_sendto => calls::message::sendto(self, notification),
            libc::SYS_sendmsg => calls::message::sendmsg(self, notification),
            libc::SYS_sendmmsg => calls::message::sendmmsg(self, notification),
            libc::SYS_recvfrom => calls::receive::recvfrom(self, notification),
            libc::SYS_recvmsg => calls::receive::recvmsg(self, notification),
            libc::SYS_recvmmsg => calls::receive::recvmmsg(self, notification),
            libc::SYS_bind => calls::bind::bind(self, notification),
            libc::SYS_listen => calls::bind::listen(self, notification),
            libc::SYS_clone => Ok(calls::alone::clone(self)),
            libc::SYS_socket => calls::make::socket(self, notification),
            libc::SYS_socketpair if self.tasks.vault().is_some() => calls::make::pair(self, notification),
            libc::SYS_socketpair => self.opened(notification),
            libc::SYS_sched_setaffinity
            | libc::SYS_sched_setscheduler
            | libc::SYS_sched_setparam
            | libc::SYS_sched_setattr => calls::schedule::schedule(self, notification),
            libc::SYS_kill => calls::signal::kill(self, notification),
            libc::SYS_tkill | libc::SYS_tgkill => calls::signal::kill_thread(self, notification),
            libc::SYS_rt_sigqueueinfo => calls::signal::queue(self, notification),
            libc::SYS_rt_tgsigqueueinfo => calls::signal::queue_thread(self, notification),
            libc::SYS_pidfd_send_signal => calls::signal::send_by_pidfd(self, notification),
            libc::SYS_setpriority | libc::SYS_ioprio_set => calls::schedule::prioritise(self, notification),
            _ => Err(Errno(libc::ENOSYS)),
        }
    }

    /// Our duplicate of the descriptor in argument 0. `NOT_HELD` where it had to be one of the vault's and is not.
    pub(crate) fn descriptor(&mut self, notification: &Notification) -> Result<OwnedFd> {
        let [number, ..] = notification.args;
        let descriptor = self.tasks.descriptor(notification.tid, number);
        if descriptor.as_ref().is_err_and(|error| *error == Errno(libc::EPERM)) {
            self.tell_opaque(notification);
        }
        descriptor
    }

    /// Step 4: the task is still the caller. ESRCH is never seen by anyone, since the answer will find nobody.
    pub(crate) fn still_waiting(&self, notification: &Notification) -> Result<()> {
        if self.listener.is_waiting(notification.id) { Ok(()) } else { Err(Errno(libc::ESRCH)) }
    }

    /// Hands a call to an outside abstract socket over.
    pub(crate) fn outside(&self, notification: &Notification, work: Work) -> Result<Outcome> {
        let (outside, pending) = self.outside.as_ref().ok_or(Errno(libc::EACCES))?;
        let touched = self.tasks.touched();
        let work = Box::new(move || {
            let result = work();
            touched.settle(result.is_ok());
            result
        });
        outside.hand_over(pending, notification, work).map(|()| Outcome::Pending)
    }
}

/// Whether the program wants its call on this socket to wait.
pub(crate) fn waits(fd: &OwnedFd) -> Result<bool> {
    Ok(fd::status_flags(fd)? & libc::O_NONBLOCK == 0)
}
