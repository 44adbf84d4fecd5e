//! Calls that only the caller can make and that are sound as long as the number in them means the same
//! socket: they are let run while the caller's process stands still (`frozen.rs`). Decides when that is done,
//! and what such a call is answered with where it can not be. Which calls those are is decided by
//! `calls/alone.rs`.
//!
//! Theory of operation
//!
//! What is traced belongs to one thread, and can be traced once; so the calls of a process all go to one
//! thread of ours, which is made when the first one comes. It freezes the process, and then, for each of its
//! calls that wait: looks at the socket behind the number, sees that the call still waits, lets it run, and
//! waits until its thread has stopped again, at the end of the call. Nobody but that thread ran meanwhile. A
//! call that would sleep for room does not, since a stop is waiting for its thread: it ends, is made again by
//! the program's own kernel and comes here anew; then it is put off for a while.
//!
//! What can not be frozen now (threads that wait for a disk, or are created all the time) runs on and is
//! tried again later, for some seconds. Other processes do not wait for it, nor does the thread that
//! receives.
//!
//! A kernel whose calls do not wait killably for us (before Linux 5.19) would end other waiting calls of the
//! process by the stop, and they would be made twice: there nothing is frozen.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::event::{Kind as RecordKind, Record, padded};
use crate::events::Events;
use crate::frozen::Frozen;
use crate::kinds::kind;
use crate::locks::lock;
use crate::sockaddr::Kind;
use crate::sys::process::{self, pidfd_getfd};
use crate::sys::seccomp::{Listener, Notification};
use crate::sys::{Errno, Result, ptrace, thread};
use crate::task::{Status, open_thread};
use crate::vault::{Found, Vault};

/// How long one attempt may take. So long at most a process stands still for nothing.
const ATTEMPT: Duration = Duration::from_millis(50);
/// How long it is tried.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a process runs between two attempts.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a call that found no room is put off, at first and at most.
const FIRST_DELAY: Duration = Duration::from_micros(500);
const MOST_DELAY: Duration = Duration::from_millis(16);
/// Threads of a process of which it is remembered.
const MOST_DELAYS: usize = 1024;
/// How long a thread of ours waits for the next call of its process.
const LINGER: Duration = Duration::from_secs(1);
/// How late a pause may end.
const TIMER_SLACK_NS: u64 = 1000;
/// Processes that are looked after at once. Each costs a thread with a stack of 64 KiB.
const MOST_PROCESSES: usize = 512;
const STACK_BYTES: usize = 64 * 1024;

/// A call that waits for its process to stand still.
#[derive(Clone, Copy)]
struct Job {
    notification: Notification,
    /// When it is to be tried.
    due: Instant,
    /// When it came.
    came: Instant,
}

/// Where such calls are handed to.
#[derive(Clone)]
pub struct Freezer(Arc<Shared>);

struct Shared {
    listener: Arc<Listener>,
    events: Arc<Events>,
    /// Where the sockets are that we made; none: descriptors are taken from programs.
    vault: Option<Vault>,
    /// Processes may have shared their descriptor tables with others; for good.
    has_common_tables: AtomicBool,
    is_able: bool,
    processes: Mutex<HashMap<u32, Sender<Job>>>,
}

impl Freezer {
    /// Answers go to `listener`, and to `events` which processes may not be traced. `waits_are_killable`: of
    /// those that wait for us (Linux 5.19); else nothing is frozen.
    pub fn new(
        listener: Arc<Listener>,
        events: Arc<Events>,
        vault: Option<Vault>,
        waits_are_killable: bool,
    ) -> Self {
        Self(Arc::new(Shared {
            listener,
            events,
            vault,
            has_common_tables: AtomicBool::new(false),
            is_able: waits_are_killable,
            processes: Mutex::default(),
        }))
    }

    /// A process is about to be made that shares its descriptor table with another: from now on a table may
    /// change though its process stands still.
    pub fn share_tables(&self) {
        self.0.has_common_tables.store(true, Ordering::SeqCst);
    }

    /// Whether that may be.
    pub fn tables_are_shared(&self) -> bool {
        self.0.has_common_tables.load(Ordering::SeqCst)
    }

    /// Lets a call of that process (a thread group) run while it stands still, if the socket in it carries no
    /// destination. Whatever comes of it, it will be answered. EPERM: tables are shared, or the kernel is too
    /// old; EAGAIN: too many processes are looked after already.
    pub fn hand_over(&self, notification: &Notification, group: u32) -> Result<()> {
        if self.tables_are_shared() || !self.0.is_able {
            return Err(Errno(libc::EPERM));
        }
        let now = Instant::now();
        let job = Job { notification: *notification, due: now, came: now };
        let mut processes = self.0.lock();
        let job = match processes.get(&group).map(|sender| sender.send(job)) {
            Some(Ok(())) => return Ok(()),
            // Its thread could not be made anew.
            Some(Err(unsent)) => unsent.0,
            None => job,
        };
        if processes.len() >= MOST_PROCESSES {
            return Err(Errno(libc::EAGAIN));
        }
        let (sender, incoming) = channel();
        sender.send(job).map_err(|_| Errno(libc::EAGAIN))?;
        let worker = Worker {
            shared: Arc::clone(&self.0),
            group,
            incoming,
            queue: VecDeque::new(),
            delays: HashMap::new(),
            is_told: false,
        };
        worker.start().map_err(|_| Errno(libc::EAGAIN))?;
        processes.insert(group, sender);
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Sender<Job>>> {
        lock(&self.processes)
    }

    /// Whether a message on the socket behind that number goes to the socket's peer, whoever it names:
    /// streams and sequenced packets of unix sockets, and whatever is not held where all that honours a name
    /// is (vault/).
    fn is_connection(&self, thread: u32, number: u64) -> Result<bool> {
        let number = u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX).cast_signed();
        let socket = match &self.vault {
            None => pidfd_getfd(&open_thread(thread)?, number)?,
            Some(vault) => match vault.find(thread, number)? {
                Found::NotHeld(_) => return Ok(true),
                Found::NoSocket => return Ok(false),
                Found::Held(socket, _) => socket,
            },
        };
        Ok(matches!(kind(&socket)?, Kind::Unix { datagram: false, .. }))
    }
}

/// The thread that looks after one process.
struct Worker {
    shared: Arc<Shared>,
    group: u32,
    incoming: Receiver<Job>,
    queue: VecDeque<Job>,
    /// By how much the next call of a thread is put off whose last one found no room.
    delays: HashMap<u32, Duration>,
    /// It was told that the process can not be looked at.
    is_told: bool,
}

impl Worker {
    /// Goes on in a thread of its own. Where none can be made it comes back: callers wait for its answers.
    fn start(self) -> std::result::Result<(), Self> {
        let taken = |slot: &Mutex<Option<Self>>| lock(slot).take();
        let slot = Arc::new(Mutex::new(Some(self)));
        let theirs = Arc::clone(&slot);
        let made = thread::start(c"sl-freezer", STACK_BYTES, move || taken(&theirs).map_or((), Self::serve));
        if made.is_ok() { Ok(()) } else { taken(&slot).map_or(Ok(()), Err) }
    }

    fn serve(mut self) {
        // Its pauses are meant to be short. Without it they are 50 µs longer.
        let _ = process::prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK_NS);
        while self.take_in() {
            let now = Instant::now();
            let is_due = |job: &Job| job.due <= now;
            let due: Vec<Job> = self.queue.iter().filter(|job| is_due(job)).copied().collect();
            self.queue.retain(|job| !is_due(job));
            if !due.is_empty() && !self.make(due) {
                // What stands in a call is let go of when this thread ends; another goes on, as soon as there
                // may be one more.
                while let Err(worker) = self.start() {
                    self = worker;
                    std::thread::sleep(PAUSE);
                }
                return;
            }
        }
    }

    /// Waits until a call is due. `false`: there is none, and the next one will find another thread.
    fn take_in(&mut self) -> bool {
        loop {
            while let Ok(job) = self.incoming.try_recv() {
                self.put_in(job);
            }
            let now = Instant::now();
            let wait = match self.queue.iter().map(|job| job.due).min() {
                Some(due) if due <= now => return true,
                Some(due) => due - now,
                None => LINGER,
            };
            if let Ok(job) = self.incoming.recv_timeout(wait) {
                self.put_in(job);
            } else if self.queue.is_empty() && self.leave() {
                return false;
            }
        }
    }

    /// Takes the process off the list, unless one more call came. The list is locked before it is looked
    /// whether one did.
    fn leave(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut processes = shared.lock();
        if let Ok(job) = self.incoming.try_recv() {
            self.put_in(job);
            return false;
        }
        processes.remove(&self.group);
        true
    }

    fn put_in(&mut self, mut job: Job) {
        job.due += self.delays.get(&job.notification.tid).copied().unwrap_or_default();
        self.queue.push_back(job);
    }

    /// Makes calls of the process. `false`: something of it is traced still.
    fn make(&mut self, jobs: Vec<Job>) -> bool {
        let mut frozen = Frozen::new(self.group);
        let outcome = frozen.freeze(Instant::now() + ATTEMPT);
        if outcome == Err(Errno(libc::EPERM)) && self.shared.vault.is_some() {
            self.tell_opaque();
        }
        for job in jobs {
            match outcome {
                Ok(()) => self.let_run(&mut frozen, &job),
                Err(Errno(libc::ETIMEDOUT | libc::EBUSY)) if job.came.elapsed() < PATIENCE => {
                    self.queue.push_back(Job { due: Instant::now() + PAUSE, ..job });
                }
                Err(Errno(libc::ENOBUFS)) => self.answer(&job, Errno(libc::ENOBUFS)),
                Err(_) => self.answer(&job, Errno(libc::EPERM)),
            }
        }
        frozen.let_go()
    }

    /// One call, while everything stands still.
    fn let_run(&mut self, frozen: &mut Frozen, job: &Job) {
        let Notification { id, tid, args: [number, ..], .. } = job.notification;
        let listener = &self.shared.listener;
        // Of processes that share a table each was noted before it was made, and what makes one does not stand.
        if self.shared.has_common_tables.load(Ordering::SeqCst) {
            return self.answer(job, Errno(libc::EPERM));
        }
        match self.shared.is_connection(tid, number) {
            Ok(true) => {}
            // Another socket by now: the call is made again, and decided anew.
            Ok(false) => {
                self.answer(job, Errno::RESTART);
                // It must find that it was interrupted.
                let _ = frozen.await_stop(tid);
                return;
            }
            Err(error) => return self.answer(job, error),
        }
        if !frozen.is_in_call(tid) {
            return self.answer(job, Errno(libc::EPERM));
        }
        if !listener.is_waiting(id) {
            return;
        }
        listener.let_run(id);
        if frozen.await_stop(tid).is_err() {
            return;
        }
        let next = job.notification.instruction_pointer;
        if ptrace::is_repeating(tid, next) == Ok(true) {
            let delay = self.delays.get(&tid).map_or(FIRST_DELAY, |delay| (*delay * 2).min(MOST_DELAY));
            if self.delays.len() >= MOST_DELAYS {
                self.delays.clear();
            }
            self.delays.insert(tid, delay);
        } else {
            self.delays.remove(&tid);
        }
    }

    /// Where every message on a connection depends on it, it is told, once.
    fn tell_opaque(&mut self) {
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        let (pid, tid) = (self.group, self.group);
        let name = Status::read(tid).map_or([0; 16], |status| padded(&status.name));
        self.shared.events.tell(&Record { pid, tid, name, ..Record::new(RecordKind::Opaque) });
    }

    fn answer(&self, job: &Job, error: Errno) {
        self.shared.listener.answer(job.notification.id, Err(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd;
    use std::os::fd::IntoRawFd;

    #[test]
    fn nothing_is_handed_over_where_tables_are_shared_or_a_stop_would_repeat_calls() {
        let listener = || {
            let file = std::fs::File::open("/dev/null").unwrap();
            Arc::new(Listener::adopt(file.into_raw_fd()))
        };
        let (_records, write) = fd::pipe().unwrap();
        let events = Arc::new(Events::new(write).unwrap());
        let call = Notification::default();
        let old = Freezer::new(listener(), Arc::clone(&events), None, false);
        assert_eq!(old.hand_over(&call, u32::MAX), Err(Errno(libc::EPERM)));
        let able = Freezer::new(listener(), events, None, true);
        // Nobody is frozen for a process that is not there.
        assert_eq!(able.hand_over(&call, u32::MAX), Ok(()));
        assert!(!able.tables_are_shared());
        able.share_tables();
        assert_eq!(able.hand_over(&call, u32::MAX), Err(Errno(libc::EPERM)));
    }
}
