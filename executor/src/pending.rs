//! Calls that may wait: each has a thread of its own for as long as it waits, so that it delays no other call. Threads are made when none is idle and
//! kept for the next one.
//!
//! A caller that waits here can not be reached by signals other than fatal ones (`WAIT_KILLABLE_RECV`; without it a call would be replayed after it was made).
//! So its state is looked at now and then, and the waiting call interrupted, by a signal to its thread, when
//!
//! - the caller is gone: the call ends with whatever it has come to, for nobody;
//! - a signal waits for the caller, or its group has been stopped: the call ends with `Errno::RESTART`, as it does in the kernel. The caller runs its
//!   handler or stops, then makes the call again or gets EINTR, as its handler was installed.
//!
//! Must not: hold a lock while a job runs, or leave a notification without an answer.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::sys::seccomp::{Listener, Notification};
use crate::sys::{Errno, Result, fd, process, signal, socket};
use crate::task::Status;

/// What a job does: the call itself. Its result is the answer.
pub type Work = Box<dyn FnOnce() -> Result<i64> + Send>;

/// Sent to a job's thread when its call is to end; its handler does nothing, the blocking call returns EINTR.
pub const INTERRUPT: i32 = libc::SIGUSR1;

/// Most calls that can wait at once. Each costs a thread with a stack of 64 KiB, of which one page is touched.
const MOST_THREADS: usize = 2048;
const STACK_BYTES: usize = 64 * 1024;
/// Idle threads kept; more end themselves.
const MOST_IDLE: usize = 8;
/// Looking at one caller costs about 10 µs; so often they are looked at, in all, that it stays below a tenth of a processor.
const LOOK_MS: i32 = 10;
const LOOKS_PER_MS: usize = 10;
/// Threads of a group among which a stopped one is looked for.
const MOST_THREADS_LOOKED_AT: usize = 64;

struct Job {
    notification: u64,
    caller: u32,
    work: Work,
}

/// A call that waits.
struct Running {
    notification: u64,
    caller: u32,
    thread: u32,
    /// A signal waited for the caller's group already the last time.
    was_signalled: bool,
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
    state: Mutex<State>,
    work: Condvar,
}

/// The threads of the calls that wait.
#[derive(Clone)]
pub struct Pending(Arc<Shared>);

impl Pending {
    /// Answers go to `listener`. A byte goes to the pipe `began` when the first call begins to wait.
    pub fn new(listener: Arc<Listener>, began: OwnedFd) -> Self {
        Self(Arc::new(Shared { listener, began, state: Mutex::default(), work: Condvar::new() }))
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

    /// Runs `work` for the notification and answers it with the result. EAGAIN: too many calls wait already; nothing was taken over.
    pub fn hand_over(&self, notification: &Notification, work: Work) -> Result<()> {
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
        let is_first = state.running.is_empty() && state.queue.is_empty();
        state.queue.push_back(Job { notification: notification.id, caller: notification.tid, work });
        drop(state);
        self.0.work.notify_one();
        if is_first {
            // A full pipe has woken its reader already.
            let _ = fd::write(&self.0.began, b"b");
        }
        Ok(())
    }

    /// How soon `interrupt` should be called again, in milliseconds; none: no call waits.
    pub fn look_again_ms(&self) -> Option<i32> {
        let state = self.0.lock();
        let calls = state.running.len() + state.queue.len();
        (calls > 0).then(|| i32::try_from(calls / LOOKS_PER_MS).unwrap_or(i32::MAX).max(LOOK_MS))
    }

    /// Interrupts the calls whose caller is gone or has something else to do. A signal can come just before the call it should interrupt, so this is
    /// repeated as long as the reason stands.
    pub fn interrupt(&self) {
        let mut state = self.0.lock();
        let mut stopped = HashMap::new();
        for running in &mut state.running {
            if !self.0.listener.is_waiting(running.notification) || running.is_wanted(&mut stopped) {
                // ESRCH: the thread has ended meanwhile.
                let _ = process::signal_own_thread(running.thread, INTERRUPT);
            }
        }
    }
}

impl Running {
    /// Whether the caller has a signal to handle or is to stop. A signal for its group may be another thread's to handle; when it still waits the next time, it
    /// is this one's.
    /// `stopped` remembers of which groups it is known whether they are being stopped.
    fn is_wanted(&mut self, stopped: &mut HashMap<u32, bool>) -> bool {
        let Ok(status) = Status::read(self.caller) else { return false };
        let is_signalled = status.shared_signals != 0;
        let is_ours = is_signalled && (status.threads == 1 || self.was_signalled);
        self.was_signalled = is_signalled;
        let mut is_stopped =
            || *stopped.entry(status.group).or_insert_with(|| is_being_stopped(status.group));
        status.own_signals != 0 || is_ours || status.threads > 1 && is_stopped()
    }
}

/// Whether any thread of the group has been stopped: then all are to be, and those that wait here could not.
fn is_being_stopped(group: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{group}/task")) else { return false };
    threads
        .flatten()
        .filter_map(|thread| thread.file_name().to_str()?.parse().ok())
        .take(MOST_THREADS_LOOKED_AT)
        .any(|thread| Status::read(thread).is_ok_and(|status| status.state == b'T'))
}

/// Whether an interrupted call should end (for the reasons above) rather than be taken up again; with what. `timeout` is the option of its time limit.
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
    let is_wanted = is_signalled || status.threads > 1 && is_being_stopped(status.group);
    if !is_wanted {
        return None;
    }
    // With a time limit the kernel does not restart, since it would begin anew (net/sock.h, sock_intr_errno).
    Some(if socket::has_timeout(socket, timeout) { Errno(libc::EINTR) } else { Errno::RESTART })
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic ends the process (supervisor.rs), so the state behind a poisoned lock is never used.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        signal::set_mask(signal::all_but(INTERRUPT));
        let thread = process::own_tid();
        while let Some(Job { notification, caller, work }) = self.next() {
            self.lock().running.push(Running { notification, caller, thread, was_signalled: false });
            let result = work();
            self.listener.answer(notification, result);
            self.lock().running.retain(|running| running.thread != thread);
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
