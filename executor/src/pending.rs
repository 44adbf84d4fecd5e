//! Calls that may wait: each has a thread of its own for as long as it waits, so that it delays no other
//! call. Threads are made when none is idle and kept for the next one.
//!
//! Its caller is looked at now and then (`caller.rs`), and the waiting call interrupted, by a signal to its
//! thread, when the caller is gone or has something else to do. TCP connects that have begun wait without a
//! thread (`handshakes.rs`).
//!
//! Must not: hold a lock while a job runs, or leave a notification without an answer.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::caller::{Caller, State as CallerState, Stopped};
use crate::locks::{lock, unpoisoned};
use crate::sys::seccomp::{Listener, Notification};
use crate::sys::{Errno, Result, fd, process, signal, thread, tick};

/// What a job does: the call itself. Its result is the answer.
pub type Work = Box<dyn FnOnce() -> Result<i64> + Send>;

/// The same for a call that may go on elsewhere; none: it is answered there.
pub type Step = Box<dyn FnOnce() -> Option<Result<i64>> + Send>;

/// Sent to a job's thread when its call is to end; its handler does nothing, the blocking call returns EINTR.
pub const INTERRUPT: i32 = libc::SIGUSR1;

/// Most calls that can wait at once. Each costs a thread with a stack of 64 KiB, of which one page is touched.
const MOST_THREADS: usize = 2048;
const STACK_BYTES: usize = 64 * 1024;
/// Bytes that the calls which wait hold at once: of messages, and for those to come. Linux lets a unix
/// datagram have 200 KB, so the threads alone are no bound.
const MOST_BYTES: usize = 16 << 20;
/// Idle threads kept; more end themselves.
const MOST_IDLE: usize = 8;

struct Job {
    notification: Notification,
    step: Step,
}

/// A call that waits.
struct Running {
    caller: Caller,
    thread: u32,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    idle: usize,
    threads: usize,
    running: Vec<Running>,
}

struct Shared {
    listener: Arc<Listener>,
    began: OwnedFd,
    /// That they hold.
    bytes: AtomicUsize,
    state: Mutex<State>,
    work: Condvar,
}

/// Room that a waiting call takes, until it is dropped.
pub struct Room {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shared.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The threads of the calls that wait.
#[derive(Clone)]
pub struct Pending(Arc<Shared>);

impl Pending {
    /// Answers go to `listener`. A byte goes to the pipe `began` when the first call begins to wait.
    pub fn new(listener: Arc<Listener>, began: OwnedFd) -> Self {
        let (bytes, state, work) = (AtomicUsize::new(0), Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { listener, began, bytes, state, work }))
    }

    /// Whether half of the room is taken: what can do with less should.
    pub fn is_tight(&self) -> bool {
        self.0.bytes.load(Ordering::Relaxed) > MOST_BYTES / 2
    }

    /// Room for what a call holds while it waits. ENOBUFS: too much is held already.
    pub fn room(&self, bytes: usize) -> Result<Room> {
        let before = self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { shared: Arc::clone(&self.0), bytes };
        if before.saturating_add(bytes) > MOST_BYTES { Err(Errno(libc::ENOBUFS)) } else { Ok(room) }
    }

    /// Holds the lock, so that a test sees who takes it.
    #[cfg(test)]
    pub fn hold(&self) -> impl Drop + '_ {
        struct Held<'a>(#[expect(dead_code, reason = "it is held")] MutexGuard<'a, State>);
        impl Drop for Held<'_> {
            fn drop(&mut self) {}
        }
        Held(self.0.lock())
    }

    /// Runs `work` for the notification and answers it with the result. EAGAIN: too many calls wait already;
    /// nothing was taken over.
    pub fn hand_over(&self, notification: &Notification, work: Work) -> Result<()> {
        self.hand_over_step(notification, Box::new(move || Some(work())))
    }

    /// The same for a call of which only a part is made here.
    pub fn hand_over_step(&self, notification: &Notification, step: Step) -> Result<()> {
        let mut state = self.0.lock();
        if state.idle <= state.queue.len() {
            if state.threads >= MOST_THREADS {
                return Err(Errno(libc::EAGAIN));
            }
            let shared = Arc::clone(&self.0);
            thread::start(c"sl-call", STACK_BYTES, move || shared.serve())
                .map_err(|_| Errno(libc::EAGAIN))?;
            state.threads += 1;
        }
        let is_first = state.running.is_empty() && state.queue.is_empty();
        state.queue.push_back(Job { notification: *notification, step });
        drop(state);
        self.0.work.notify_one();
        if is_first {
            // A full pipe has woken its reader already.
            let _ = fd::write(&self.0.began, b"b");
        }
        Ok(())
    }

    /// Answers a call that could not be handed over.
    pub fn refuse(&self, notification: &Notification, error: Errno) {
        self.0.listener.answer(notification.id, Err(error));
    }

    /// How many calls wait.
    pub fn count(&self) -> usize {
        let state = self.0.lock();
        state.running.len() + state.queue.len()
    }

    /// Interrupts the calls whose caller is gone or has something else to do.
    pub fn interrupt(&self) {
        let mut state = self.0.lock();
        let mut stopped = Stopped::default();
        for running in &mut state.running {
            if running.caller.look(&self.0.listener, &mut stopped) != CallerState::Waiting {
                // ESRCH: the thread has ended meanwhile.
                let _ = process::signal_own_thread(running.thread, INTERRUPT);
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn serve(&self) {
        signal::set_mask(signal::all_but(INTERRUPT));
        let thread = process::own_tid();
        while let Some(Job { notification, step }) = self.next() {
            self.lock().running.push(Running { caller: Caller::of(&notification), thread });
            if let Some(result) = step() {
                self.listener.answer(notification.id, result);
            }
            self.lock().running.retain(|running| running.thread != thread);
        }
        tick::end();
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            if state.idle >= MOST_IDLE {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            state = unpoisoned(self.work.wait(state));
            state.idle -= 1;
        }
    }
}
