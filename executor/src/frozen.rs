//! A process whose threads all stand still (ptrace(2)), so that a call of one of them finds the descriptor
//! table as we saw it. Refuses to know what the call is.
//!
//! **Why nothing runs.** Every thread that is found is seized and interrupted: from then on it does not
//! return to its program. It *stands* once it has stopped, or sleeps in a call that can neither close nor
//! replace a descriptor (those that wait for our answer do not stop, `WAIT_KILLABLE_RECV`). Threads come from
//! threads: a thread that stands has none under way (clone(2) ends before its caller stops, or is made anew
//! later), so when all that are known stand and the kernel counts no others, there are no others, and none
//! can come.
//!
//! A thread that stands goes on when we let it go, when it is killed (with its whole process), and when our
//! own thread ends, which is how those are let go of that sleep in a call.

use std::collections::HashMap;
use std::ffi::CString;
use std::time::{Duration, Instant};

use crate::sys::{Errno, Result, fd, ptrace};

/// Calls in which a thread counts as standing: they wait for our answer, and when they run they open
/// descriptors at most, at numbers that are free.
const HARMLESS: [libc::c_long; 7] = [
    libc::SYS_connect,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
];

/// Threads that are taken at most; a process with more is not frozen. Each costs about 10 µs.
const MOST_THREADS: usize = 4096;

/// Where a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On its way to a stop.
    Running,
    /// In a call that is harmless.
    InCall,
    Stopped,
}

/// A process of which threads are traced by the calling thread. To be let go of (`let_go`), whatever became
/// of `freeze`.
#[derive(Debug)]
pub struct Frozen {
    group: u32,
    threads: HashMap<u32, Place>,
    /// Some ended while they were traced. Until they are collected they are ours.
    has_dead: bool,
}

impl Frozen {
    /// A process, by the id of its thread group, of which nothing is traced yet.
    pub fn new(group: u32) -> Self {
        Self { group, threads: HashMap::new(), has_dead: false }
    }

    /// Freezes it. EPERM: it may not be traced, or another traces it; ETIMEDOUT: a thread did not stop until
    /// then, or new ones came all the time; EBUSY: a thread of ours that ends has not let go of it yet;
    /// ESRCH: it is gone; ENOBUFS: it has too many threads.
    pub fn freeze(&mut self, until: Instant) -> Result<()> {
        loop {
            let mut refused = Ok(());
            for thread in self.listed()? {
                refused = refused.and(self.take(thread));
            }
            if self.threads.len() > MOST_THREADS {
                return Err(Errno(libc::ENOBUFS));
            }
            self.await_places(until)?;
            // A leader that has ended stays until the last thread has, and is counted.
            let dead = usize::from(!self.threads.contains_key(&self.group) && has_ended(self.group));
            if self.count()? == self.threads.len() + dead {
                return Ok(());
            }
            // A thread that ends may not be traced either, for a moment before it is seen to have ended: it
            // is looked for again.
            if Instant::now() >= until {
                return refused.and(Err(Errno(libc::ETIMEDOUT)));
            }
            std::thread::sleep(SHORT);
        }
    }

    /// Waits until a thread that stood in a call has made it and stopped, however long that takes. ESRCH: it is gone.
    pub fn await_stop(&mut self, thread: u32) -> Result<()> {
        let mut looks = Looks::default();
        while ptrace::stop(thread).is_err() {
            if looks.are_slow() && has_ended(thread) {
                self.lose(thread);
                return Err(Errno(libc::ESRCH));
            }
            looks.pause();
        }
        self.threads.insert(thread, Place::Stopped);
        Ok(())
    }

    /// Whether that thread stands in a call.
    pub fn is_in_call(&self, thread: u32) -> bool {
        self.threads.get(&thread) == Some(&Place::InCall)
    }

    /// Lets go of all that have stopped. `false`: there are others, which are let go of when the calling thread ends.
    pub fn let_go(self) -> bool {
        let mut is_all = !self.has_dead;
        for (thread, place) in self.threads {
            match ptrace::stop(thread) {
                // ESRCH: it was killed just now.
                Ok(stop) => drop(ptrace::detach(thread, stop)),
                Err(_) => is_all &= place == Place::Stopped,
            }
        }
        is_all
    }

    fn listed(&self) -> Result<Vec<u32>> {
        let entries =
            std::fs::read_dir(format!("/proc/{}/task", self.group)).map_err(|_| Errno(libc::ESRCH))?;
        let threads = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Ok(threads.take(MOST_THREADS + 1).collect())
    }

    /// How many threads the kernel counts: the links of their directory but two (fs/proc/base.c,
    /// `proc_task_getattr`). The list may lack some while threads end, the count does not.
    fn count(&self) -> Result<usize> {
        let path = CString::new(format!("/proc/{}/task", self.group)).map_err(|_| Errno(libc::EINVAL))?;
        let links = fd::links(&path).map_err(|_| Errno(libc::ESRCH))?;
        Ok(usize::try_from(links.saturating_sub(2)).unwrap_or(usize::MAX))
    }

    fn take(&mut self, thread: u32) -> Result<()> {
        if self.threads.contains_key(&thread) {
            return Ok(());
        }
        match ptrace::seize(thread) {
            Ok(()) => {
                self.threads.insert(thread, Place::Running);
                // ESRCH: it has ended.
                let _ = ptrace::interrupt(thread);
                Ok(())
            }
            Err(Errno(libc::ESRCH)) => Ok(()),
            Err(_) if has_ended(thread) => Ok(()),
            Err(_) if is_traced_by_us(thread) => Err(Errno(libc::EBUSY)),
            Err(_) => Err(Errno(libc::EPERM)),
        }
    }

    /// Waits until every thread that was taken stands.
    fn await_places(&mut self, until: Instant) -> Result<()> {
        let mut looks = Looks::default();
        loop {
            let is_running = |(thread, place): (&u32, &Place)| (*place == Place::Running).then_some(*thread);
            let running: Vec<u32> = self.threads.iter().filter_map(is_running).collect();
            for thread in &running {
                if ptrace::stop(*thread).is_ok() {
                    self.threads.insert(*thread, Place::Stopped);
                } else if looks.is_again() && is_in_harmless_call(*thread) {
                    self.threads.insert(*thread, Place::InCall);
                } else if looks.are_slow() && has_ended(*thread) {
                    self.lose(*thread);
                }
            }
            if !self.threads.values().any(|place| *place == Place::Running) {
                return Ok(());
            }
            if looks.are_slow() && Instant::now() >= until {
                return Err(Errno(libc::ETIMEDOUT));
            }
            looks.pause();
        }
    }

    /// A thread has ended. What is left of it is collected by the warden.
    fn lose(&mut self, thread: u32) {
        self.threads.remove(&thread);
        self.has_dead = true;
    }
}

/// Pauses between looks at a thread that is about to stop, which takes it some microseconds if it gets a
/// processor. Its stop can not be waited for: waitid(2) would have to share what it is told with the warden.
#[derive(Default)]
struct Looks(u32);

/// Shortest and longest pause. Yielding would be as quick on a machine that has nothing else to do, and give
/// a whole slice away on one that has.
const SHORT: Duration = Duration::from_micros(10);
const LONG: Duration = Duration::from_millis(1);
/// Doublings from one to the other.
const DOUBLINGS: u32 = 7;

impl Looks {
    /// Most threads have stopped by the second look.
    fn is_again(&self) -> bool {
        self.0 > 0
    }

    fn are_slow(&self) -> bool {
        self.0 > DOUBLINGS
    }

    fn pause(&mut self) {
        std::thread::sleep(SHORT.saturating_mul(1 << self.0.min(DOUBLINGS)).min(LONG));
        self.0 += 1;
    }
}

/// Whether a thread has ended; nobody may have collected it yet.
fn has_ended(thread: u32) -> bool {
    let Ok(text) = std::fs::read(format!("/proc/{thread}/stat")) else { return true };
    let state = text.iter().rposition(|byte| *byte == b')').and_then(|end| text.get(end + 2));
    matches!(state, Some(b'Z' | b'X'))
}

/// Whether a thread sleeps in a harmless call. Of one that runs the kernel tells no number.
fn is_in_harmless_call(thread: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{thread}/syscall")) else { return false };
    let number = text.split(' ').next().and_then(|number| number.parse::<libc::c_long>().ok());
    number.is_some_and(|number| HARMLESS.contains(&number))
}

fn is_traced_by_us(thread: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{thread}/status")) else { return false };
    let tracer = text.lines().find_map(|line| line.strip_prefix("TracerPid:\t"));
    tracer.is_some_and(|tracer| std::fs::exists(format!("/proc/self/task/{tracer}")).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Status;

    #[test]
    fn a_process_stands_still_until_it_is_let_go_of_or_the_thread_that_froze_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("10").spawn().unwrap();
        let state = |wanted: u8| {
            while Status::read(child.id()).unwrap().state != wanted {
                std::thread::yield_now();
            }
        };
        state(b'S');
        let until = Instant::now() + Duration::from_secs(10);
        let mut frozen = Frozen::new(child.id());
        assert_eq!(frozen.freeze(until), Ok(()));
        state(b't');
        assert!(!frozen.is_in_call(child.id()));
        let id = child.id();
        let soon = Instant::now() + Duration::from_millis(20);
        let other = std::thread::spawn(move || Frozen::new(id).freeze(soon));
        assert_eq!(other.join().unwrap(), Err(Errno(libc::EBUSY)));
        assert!(frozen.let_go());
        state(b'S');
        std::thread::spawn(move || Frozen::new(id).freeze(until)).join().unwrap().unwrap();
        state(b'S');
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(Frozen::new(id).freeze(until), Err(Errno(libc::ESRCH)));
    }
}
