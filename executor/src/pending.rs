//! Calls that may wait: each has a thread of its own for as long as it waits, so that it delays no other call. Threads are made when none is idle and
//! kept for the next one. A call whose caller has gone is interrupted by a signal to its thread.
//!
//! Must not: hold a lock while a job runs, or leave a notification without an answer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::sys::seccomp::Listener;
use crate::sys::{Errno, Result, process, signal};

/// What a job does: the call itself. Its result is the answer.
pub type Work = Box<dyn FnOnce() -> Result<i64> + Send>;

/// Sent to a job's thread when its caller is gone; its handler does nothing, the blocking call returns EINTR.
pub const INTERRUPT: i32 = libc::SIGUSR1;

/// Most calls that can wait at once. Each costs a thread with a stack of 64 KiB, of which one page is touched.
const MOST_THREADS: usize = 2048;
const STACK_BYTES: usize = 64 * 1024;
/// Idle threads kept; more end themselves.
const MOST_IDLE: usize = 8;

struct Job {
    id: u64,
    work: Work,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    idle: usize,
    threads: usize,
    /// (notification, thread) of every job that runs.
    running: Vec<(u64, u32)>,
}

struct Shared {
    listener: Arc<Listener>,
    state: Mutex<State>,
    work: Condvar,
}

/// The threads of the calls that wait.
#[derive(Clone)]
pub struct Pending(Arc<Shared>);

impl Pending {
    /// Answers go to `listener`.
    pub fn new(listener: Arc<Listener>) -> Self {
        Self(Arc::new(Shared { listener, state: Mutex::default(), work: Condvar::new() }))
    }

    /// Runs `work` for the notification `id` and answers it with the result. EAGAIN: too many calls wait already; nothing was taken over.
    pub fn hand_over(&self, id: u64, work: Work) -> Result<()> {
        let mut state = self.0.lock();
        if state.idle <= state.queue.len() {
            if state.threads >= MOST_THREADS {
                return Err(Errno(libc::EAGAIN));
            }
            let shared = Arc::clone(&self.0);
            let builder = std::thread::Builder::new().name("sl-call".into()).stack_size(STACK_BYTES);
            builder.spawn(move || shared.serve()).map_err(|_| Errno(libc::EAGAIN))?;
            state.threads += 1;
        }
        state.queue.push_back(Job { id, work });
        drop(state);
        self.0.work.notify_one();
        Ok(())
    }

    /// Whether any call waits.
    pub fn is_busy(&self) -> bool {
        let state = self.0.lock();
        !state.running.is_empty() || !state.queue.is_empty()
    }

    /// Interrupts the jobs whose caller has gone. To be called again and again while jobs run: a signal can come just before the call
    /// it should interrupt.
    pub fn interrupt_abandoned(&self) {
        let state = self.0.lock();
        for (id, tid) in &state.running {
            if !self.0.listener.is_waiting(*id) {
                // ESRCH: the thread has ended meanwhile.
                let _ = process::signal_own_thread(*tid, INTERRUPT);
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic ends the process (supervisor.rs), so the state behind a poisoned lock is never used.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        signal::set_mask(signal::all_but(INTERRUPT));
        let tid = process::own_tid();
        loop {
            let Some(job) = self.next() else { return };
            self.lock().running.push((job.id, tid));
            let result = (job.work)();
            self.listener.answer(job.id, result);
            self.lock().running.retain(|(_, running)| *running != tid);
        }
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
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}
