//! The thread that receives trapped calls (`receiver/`): when it begins to. It is there before the command, and
//! begins with the first call, or a little after the start: for a command that is over before, it would only
//! share its processors.
//!
//! Must not: leave a call waiting for longer than it takes to wake a thread.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use crate::pending::INTERRUPT;
use crate::receiver::Receiver;
use crate::sys::{Result, fd, process, signal, thread};

/// When it begins where no call has come: those of a command that has run for so long are not to wait for that.
const AFTER: Duration = Duration::from_millis(2);
/// How long the receiver may take to notice that nobody is left, and to tell what it still has, on a machine that
/// is busy. Before Linux 6.11 it has to be interrupted for that.
const LAST_CALL_MS: i32 = 200;

/// The thread, as the warden has it.
pub struct Reception {
    /// Lets it begin, and by when; none: it has.
    begin: Option<(Sender<()>, Instant)>,
    /// The thread, once it has begun.
    number: Arc<AtomicU32>,
    /// Ends when it has nothing more to tell.
    told: OwnedFd,
}

impl Reception {
    /// Makes the thread.
    pub fn prepare(mut receiver: Receiver) -> Result<Self> {
        let (told, end) = fd::pipe()?;
        let (begin, begun) = channel();
        let number = Arc::new(AtomicU32::new(0));
        let own = Arc::clone(&number);
        thread::start(c"sl-receiver", thread::USUAL_STACK_BYTES, move || {
            // An error: the command could not be watched over.
            if begun.recv().is_err() {
                return;
            }
            signal::set_mask(signal::mask() & signal::all_but(INTERRUPT));
            own.store(process::own_tid(), Ordering::Release);
            receiver.serve();
            drop(end);
            // Whoever made the last call may be ending on this very processor, and its end is waited for: what the
            // thread has goes with the process.
            loop {
                process::pause();
            }
        })?;
        Ok(Self { begin: Some((begin, Instant::now() + AFTER)), number, told })
    }

    /// The command begins now.
    pub fn start(&mut self) {
        if let Some((_, by)) = &mut self.begin {
            *by = Instant::now() + AFTER;
        }
    }

    /// When `begin` is to be called, unless a call comes before; none: it was.
    pub fn due(&self) -> Option<Instant> {
        self.begin.as_ref().map(|(_, by)| *by)
    }

    /// Lets calls be received, from now on.
    pub fn begin(&mut self) {
        if let Some((begin, _)) = self.begin.take() {
            // The thread waits for it: it does nothing else.
            let _ = begin.send(());
        }
    }

    /// The last call was of a task that has died; waits until what there is to be told of it is told. A thread
    /// that has not begun has nothing to tell, and goes with the process.
    pub fn finish(&self) {
        if self.begin.is_some() {
            return;
        }
        for _ in 0..LAST_CALL_MS {
            if fd::poll(&mut [fd::readable(&self.told)], 1) == Ok(1) {
                return;
            }
            // A signal is lost on one that does not wait yet.
            let _ = process::signal_own_thread(self.number.load(Ordering::Acquire), INTERRUPT);
        }
    }
}
