//! Ending the sandbox's process tree: every task of it and nothing else.
//!
//! kill(-1) reaches what the caller may signal. Inside the Landlock domain with signal scope that is exactly
//! the sandbox, whatever sessions, daemons or new processes its tasks have made. Outside such a domain it
//! would be the user's whole session. So the domain is proven first: a process that is certainly outside must
//! be out of reach. Without the proof the tree is walked instead, by the supervisor, and when that has died by
//! whom its orphans come to, if nobody else's can.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use crate::sys::process::{self, kill, may_signal, own_pid};
use crate::sys::{Errno, Result};
use crate::task::Status;

/// The knowledge that this thread lives in a Landlock domain of its own with signal scope. A domain is never
/// left, so what was proven stays so, also for whoever inherited the same domain.
#[derive(Clone, Copy, Debug)]
pub struct Proven(());

impl Proven {
    /// Proves it: `outside`, a process that is certainly outside and of our own user, is out of reach of our
    /// signals. `None`: it is not, or there is no such process to try (another user's is out of reach
    /// anyway).
    pub fn by_probe(outside: i32) -> Option<Self> {
        (is_ours(outside) && may_signal(outside) == Err(Errno(libc::EPERM))).then_some(Self(()))
    }

    /// Takes the word of the supervisor, which inherited the calling thread's domain and probed its parent,
    /// our own process; or, where all of our process is in that domain, entered one more of the same kind
    /// and found us out of its reach.
    pub fn by_supervisor(word: Option<u8>) -> Option<Self> {
        (word == Some(b'P')).then_some(Self(()))
    }
}

/// Whether a process is our user's, so that nothing but a domain keeps our signals from it. Who has no
/// capability is told the limits of such processes alone, which is one call where the status is a file.
fn is_ours(pid: i32) -> bool {
    let by_limits = || process::has_capabilities() == Ok(false) && process::tells_limits(pid);
    let by_status = || {
        let status = u32::try_from(pid).ok().and_then(|pid| Status::read(pid).ok());
        status.is_some_and(|status| status.user == process::effective_user())
    };
    by_limits() || by_status()
}

/// Sends SIGKILL to every task of the sandbox once.
///
/// Should: be called until no task is left; kill(2) returns success also when every target was out of reach.
/// Must not: be called by code that makes a `Proven` in any other way than above.
pub fn kill_domain(_: Proven) {
    let _ = kill(-1, libc::SIGKILL);
}

/// Tells every descendant of this process as it is found by walking `/proc`. For a subreaper: orphans are its
/// children. Not atomic: a tree that forks while it is walked has some that were not found.
pub fn descendants(mut found: impl FnMut(i32)) {
    let mut waiting = vec![own_pid()];
    let mut seen = HashSet::new();
    while let Some(pid) = waiting.pop() {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_ascii_whitespace().filter_map(|child| child.parse::<i32>().ok()) {
                if seen.insert(child) {
                    found(child);
                    waiting.push(child);
                }
            }
        }
    }
}

/// Sends SIGKILL to every descendant of this process. A tree that forks faster than it is walked needs further rounds.
pub fn kill_descendants() {
    // Each at once, before it makes more.
    descendants(|pid| {
        let _ = kill(pid, libc::SIGKILL);
    });
}

/// The list of this thread's children, held so that it can be read when there is no descriptor left.
#[derive(Debug)]
pub struct Children(File);

impl Children {
    /// Of the calling thread: the first of its process, to which orphans come. ENOENT: the kernel has no such
    /// lists, or there is no /proc.
    pub fn of_this_thread() -> Result<Self> {
        Ok(Self(File::open("/proc/thread-self/children")?))
    }

    /// Sends SIGKILL to each. A child keeps its number until we reap it, and what is no child of ours (the list
    /// may be of another PID namespace's /proc) is left alone. Allocates nothing: a handler of signals may call it.
    fn kill_each(&self) {
        let mut text = [0; 4096];
        let count = self.0.read_at(&mut text, 0).unwrap_or(0);
        let mut pid = 0_i32;
        for byte in text.iter().take(count) {
            if byte.is_ascii_digit() {
                pid = pid.wrapping_mul(10).wrapping_add(i32::from(byte - b'0'));
            } else {
                if process::wait_one(pid, libc::WEXITED | libc::WNOWAIT).is_ok() {
                    let _ = kill(pid, libc::SIGKILL);
                }
                pid = 0;
            }
        }
    }
}

/// The knowledge that whoever is a child of this process, or will be, is of the sandbox: it had no child before
/// the supervisor, and the orphans of that come to it.
#[derive(Debug)]
pub struct Reaper(Children);

impl Reaper {
    /// For a process with one thread, before it makes the supervisor. `None`: it has children already (of the
    /// program that it was before exec), whose orphans would come to it as well.
    pub fn claim() -> Option<Self> {
        let is_alone = process::wait_any(libc::WEXITED | libc::WNOWAIT) == Err(Errno(libc::ECHILD));
        let children = Children::of_this_thread().ok()?;
        (is_alone && process::prctl(libc::PR_SET_CHILD_SUBREAPER, 1).is_ok()).then_some(Self(children))
    }

    /// Ends every child, and those who come from them, until there is none. A handler of signals may call it.
    pub fn end_all(&self) {
        until_childless(|| self.0.kill_each());
    }
}

/// How the supervisor ends its tree.
#[derive(Debug)]
pub enum Means {
    /// By one call, which reaches the domain.
    Domain(Proven),
    /// By walking, as far as there are descriptors; each child, of which there is a list (none: the kernel makes
    /// none), without.
    Walk(Option<Children>),
}

/// Ends the tree and reaps it, for the supervisor: until it has no child left. Returns how many it reaped.
pub fn end(means: &Means) -> i32 {
    until_childless(|| match means {
        Means::Domain(proven) => kill_domain(*proven),
        Means::Walk(children) => {
            children.iter().for_each(Children::kill_each);
            kill_descendants();
        }
    })
}

fn until_childless(kill: impl Fn()) -> i32 {
    let mut reaped = 0;
    loop {
        kill();
        loop {
            match process::wait_any(libc::WEXITED) {
                Ok(Some(_)) => reaped += 1,
                Ok(None) => break,
                Err(_) => return reaped, // ECHILD
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
