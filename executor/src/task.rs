//! The calling task: its descriptors, its directory, its name. Everything taken from it here is checked
//! afterwards by the notification's id (`Listener::is_waiting`), which tells that the task was still the
//! caller; until then it is only a copy of something.
//!
//! A descriptor becomes ours in one of two ways: it is taken from the task (`pidfd_getfd(2)`), or, where that
//! is forbidden, we made the socket and still hold it (`vault/`). Which way it was, the calls do not know.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{Read as _, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::event::padded;
use crate::open_sockets::Place;
use crate::sys::process::{PIDFD_THREAD, own_pid, pidfd_getfd, pidfd_open, share_files};
use crate::sys::{Errno, Result, fd};
use crate::vault::{Found, NOT_HELD, Vault};

/// pidfds by thread, so that a call costs no `pidfd_open`. One of a dead thread answers ESRCH, so a reused
/// number is noticed.
#[derive(Debug)]
pub struct Tasks {
    pidfds: HashMap<u32, OwnedFd>,
    most: usize,
    vault: Option<Vault>,
    /// The socket that was last asked of the vault.
    last: Option<u64>,
}

/// A socket of the vault that a call is made on; none without one.
#[derive(Debug, Default)]
pub struct Touched(Option<(Vault, u64)>);

impl Touched {
    /// The call is over: the vault may let go of the socket. `is_done`: a connect was answered with success.
    pub fn settle(&self, is_done: bool) {
        if let Some((vault, inode)) = &self.0 {
            vault.settle(*inode, is_done);
        }
    }

    /// Whether it has connected since the last connect on it failed or was put off; true once.
    pub fn has_connected(&self) -> bool {
        self.0.as_ref().is_some_and(|(vault, inode)| vault.has_connected(*inode))
    }

    /// Whether it is a socket that the vault let go because it listens.
    pub fn listened(&self) -> bool {
        self.0.as_ref().is_some_and(|(vault, inode)| vault.listened(*inode))
    }
}

impl Tasks {
    /// Takes descriptors from tasks; keeps at most `most` pidfds.
    pub fn new(most: usize) -> Self {
        Self { pidfds: HashMap::new(), most, vault: None, last: None }
    }

    /// Takes none: the sockets are those of the vault.
    pub fn with_vault(vault: Vault) -> Self {
        Self { vault: Some(vault), ..Self::new(0) }
    }

    /// Where the sockets are that we made; none: programs make their own.
    pub fn vault(&self) -> Option<&Vault> {
        self.vault.as_ref()
    }

    /// The socket that the last `descriptor` found.
    pub fn touched(&self) -> Touched {
        Touched(self.vault.clone().zip(self.last))
    }

    /// A descriptor that the caller sends to another task. EPERM: it can not be ours, since it is none of a
    /// socket that we hold.
    pub fn passed(&mut self, tid: u32, number: i32) -> Result<OwnedFd> {
        let Some(vault) = &self.vault else { return self.descriptor(tid, u64::from(number.cast_unsigned())) };
        match vault.find(tid, number).map_err(exhausted)? {
            Found::Held(socket, _) => Ok(socket),
            Found::NotHeld(_) | Found::NoSocket => Err(Errno(libc::EPERM)),
        }
    }

    /// The socket that is open at that place; none: there is no such place any more, or we may not look.
    pub fn taken(&mut self, (tid, number): Place) -> Option<OwnedFd> {
        self.descriptor(tid, u64::from(number.cast_unsigned())).ok()
    }

    fn held(&mut self, vault: &Vault, tid: u32, number: i32) -> Result<OwnedFd> {
        self.last = None;
        match vault.find(tid, number)? {
            Found::Held(socket, inode) => {
                self.last = Some(inode);
                Ok(socket)
            }
            Found::NotHeld(inode) => {
                self.last = Some(inode);
                Err(NOT_HELD)
            }
            // As good as what it is: it answers like every file that is no socket.
            Found::NoSocket => Ok(File::open("/dev/null")?.into()),
        }
    }

    /// Our duplicate of descriptor `number` of that very thread (threads may have tables of their own).
    /// EBADF: it has none; EPERM: the task is not dumpable, so we may not look; ESRCH: it is gone; ENOBUFS:
    /// we are out of descriptors. With a vault also `NOT_HELD`, and some file for what is no socket.
    pub fn descriptor(&mut self, tid: u32, number: u64) -> Result<OwnedFd> {
        // The kernel takes a descriptor argument from the low 32 bits.
        let number = u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX).cast_signed();
        if number < 0 {
            return Err(Errno(libc::EBADF));
        }
        if let Some(vault) = self.vault.clone() {
            return self.held(&vault, tid, number).map_err(exhausted);
        }
        if let Some(pidfd) = self.pidfds.get(&tid) {
            match pidfd_getfd(pidfd, number) {
                Err(Errno(libc::ESRCH)) => drop(self.pidfds.remove(&tid)),
                result => return result.map_err(exhausted),
            }
        }
        let pidfd = open_thread(tid)?;
        let result = pidfd_getfd(&pidfd, number).map_err(exhausted);
        if self.pidfds.len() >= self.most {
            self.pidfds.clear();
        }
        self.pidfds.insert(tid, pidfd);
        result
    }
}

fn exhausted(error: Errno) -> Errno {
    if matches!(error.0, libc::EMFILE | libc::ENFILE) { Errno(libc::ENOBUFS) } else { error }
}

/// A pidfd of the thread. Before Linux 6.9 only a group's leader can have one; it stands for the thread when
/// both share one descriptor table.
pub fn open_thread(tid: u32) -> Result<OwnedFd> {
    match pidfd_open(tid, PIDFD_THREAD) {
        Err(Errno(libc::EINVAL)) => {}
        result => return result.map_err(exhausted),
    }
    let group = Status::read(tid)?.group;
    if group != tid && !share_files(tid, group)? {
        return Err(Errno(libc::EPERM));
    }
    pidfd_open(group, 0).map_err(exhausted)
}

/// Whether the thread is the only one of its process: the directory of its threads has two links and one for
/// each (fs/proc/base.c, `proc_task_getattr`). A thread that has ended and was not yet collected counts. What
/// can not be asked is not alone.
pub fn is_alone(tid: u32) -> bool {
    let mut path = [0u8; 32];
    let written = write!(path.get_mut(..31).unwrap_or_default(), "/proc/{tid}/task");
    let links = CStr::from_bytes_until_nul(&path).map(fd::links);
    written.is_ok() && links == Ok(Ok(3))
}

/// How far up a family tree is looked, and how often anew when a parent ended meanwhile.
const MOST_ANCESTORS: usize = 4096;
const MOST_LOOKS: usize = 8;

/// Whether that task is one of the sandbox: all of those descend from this process, which is their subreaper.
/// EPERM: it is not; ESRCH: it is gone.
pub fn inside(task: u32) -> Result<()> {
    for _ in 0..MOST_LOOKS {
        match ancestry(task, own_pid().cast_unsigned()) {
            // A parent that has ended: its children are another's now.
            Err(Errno(libc::ESRCH)) if Status::read(task).is_ok() => {}
            result => return result,
        }
    }
    Err(Errno(libc::EPERM))
}

/// Whether `ancestor` is found above the task.
fn ancestry(task: u32, ancestor: u32) -> Result<()> {
    let mut task = task;
    for _ in 0..MOST_ANCESTORS {
        match Status::read(task)?.parent {
            parent if parent == ancestor => return Ok(()),
            0 | 1 => break,
            parent => task = parent,
        }
    }
    Err(Errno(libc::EPERM))
}

/// Whether the task's process ids are those of another PID namespace than ours.
pub fn is_in_other_pids(tid: u32) -> Result<bool> {
    let name = |task: &str| std::fs::read_link(format!("/proc/{task}/ns/pid")).map_err(Errno::from);
    Ok(name(&tid.to_string())? != name("self")?)
}

/// The caller's working directory, as an `O_PATH` descriptor.
pub fn directory(tid: u32) -> Result<OwnedFd> {
    let path = CString::new(format!("/proc/{tid}/cwd")).map_err(|_| Errno(libc::EINVAL))?;
    fd::open_path(&path)
}

/// The caller's root directory, as an `O_PATH` descriptor.
pub fn root(tid: u32) -> Result<OwnedFd> {
    let path = CString::new(format!("/proc/{tid}/root")).map_err(|_| Errno(libc::EINVAL))?;
    fd::open_path(&path)
}

/// The mount namespace of a task (a number or `self`), as `/proc` names it: `mnt:[…]`.
pub fn mounts(task: &str) -> Result<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{task}/ns/mnt")).map_err(Errno::from)
}

/// The network namespace of a task (a number or `self`), as `/proc` names it: `net:[…]`.
pub fn network(task: &str) -> Result<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{task}/ns/net")).map_err(Errno::from)
}

/// Who the refused callers are, for records. Reading it costs far more than the refusal, and a program may be
/// refused thousands of times a second.
#[derive(Debug, Default)]
pub struct Callers(HashMap<u32, (Instant, u32, [u8; 16])>);

/// How long an answer is taken for true. A program that calls itself something else meanwhile is told by its old name.
const FRESH: Duration = Duration::from_millis(200);
const MOST_CALLERS: usize = 1024;

impl Callers {
    /// Process id and program name of a thread; of one that is gone, its own number and no name.
    pub fn who(&mut self, tid: u32) -> (u32, [u8; 16]) {
        let now = Instant::now();
        if let Some((then, group, name)) = self.0.get(&tid)
            && now.duration_since(*then) < FRESH
        {
            return (*group, *name);
        }
        let (group, name) =
            Status::read(tid).map_or((tid, [0; 16]), |status| (status.group, padded(&status.name)));
        if self.0.len() >= MOST_CALLERS {
            self.0.clear();
        }
        self.0.insert(tid, (now, group, name));
        (group, name)
    }
}

/// What `/proc/TID/status` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Program name (comm), at most 15 bytes.
    pub name: Vec<u8>,
    /// Thread group, what users know as the process id.
    pub group: u32,
    /// Parent process.
    pub parent: u32,
    /// Real user id.
    pub user: u32,
    /// File mode creation mask.
    pub umask: u32,
    /// State letter of proc_pid_status(5); `T`: stopped.
    pub state: u8,
    /// Threads of the group.
    pub threads: u32,
    /// Signals that wait for this thread and that it does not block, bit n−1 for signal n.
    pub own_signals: u64,
    /// The same for signals that wait for the group.
    pub shared_signals: u64,
}

impl Status {
    /// Reads it. ESRCH: the task is gone.
    pub fn read(tid: u32) -> Result<Self> {
        // The kernel makes the text anew for each part that is read, so it is asked for all of it.
        let mut text = Vec::with_capacity(4096);
        let file = File::open(format!("/proc/{tid}/status"));
        file.and_then(|mut file| file.read_to_end(&mut text)).map_err(|_| Errno(libc::ESRCH))?;
        Self::parse(&text).ok_or(Errno(libc::EIO))
    }

    /// Reads the file's text. `None`: a line that every kernel writes is missing, or holds no number.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let field = |key: &[u8]| {
            let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(key))?;
            line.strip_prefix(b"\t")
        };
        let wide = |key: &[u8], radix| {
            let first = std::str::from_utf8(field(key)?).ok()?.split_ascii_whitespace().next()?;
            u64::from_str_radix(first, radix).ok()
        };
        let number = |key: &[u8], radix| wide(key, radix).and_then(|number| u32::try_from(number).ok());
        let unblocked = !wide(b"SigBlk:", 16)?;
        Some(Self {
            name: field(b"Name:")?.to_vec(),
            group: number(b"Tgid:", 10)?,
            parent: number(b"PPid:", 10)?,
            user: number(b"Uid:", 10)?,
            umask: number(b"Umask:", 8).unwrap_or(0o022),
            state: field(b"State:").and_then(|state| state.first().copied()).unwrap_or(0),
            threads: number(b"Threads:", 10)?,
            own_signals: wide(b"SigPnd:", 16)? & unblocked,
            shared_signals: wide(b"ShdPnd:", 16)? & unblocked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_status_is_read_by_its_keys() {
        let text = "Name:\tcurl\nUmask:\t0027\nState:\tS (sleeping)\nTgid:\t4711\nNgid:\t0\nPid:\t4712\nPPid:\t99\n\
            Uid:\t1000\t0\t0\t0\nThreads:\t3\nSigPnd:\t0000000000000003\nShdPnd:\t0000000000000300\n\
            SigBlk:\t0000000000000102\n";
        let status = Status {
            name: b"curl".to_vec(),
            group: 4711,
            parent: 99,
            user: 1000,
            umask: 0o027,
            state: b'S',
            threads: 3,
            own_signals: 1,
            shared_signals: 0x200,
        };
        assert_eq!(Status::parse(text.as_bytes()), Some(status));
        assert_eq!(Status::parse(b"Name:\tcurl\n"), None);
    }

    #[test]
    fn a_thread_is_alone_only_while_its_process_has_no_other() {
        // The test runner has threads; a child that forked has one.
        let (read, write) = fd::pipe().unwrap();
        assert!(!is_alone(crate::sys::process::own_tid()));
        let mut child = std::process::Command::new("sleep").arg("10").spawn().unwrap();
        assert!(is_alone(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_alone(child.id()));
        drop((read, write));
    }

    #[test]
    fn a_descriptor_of_our_own_thread_is_duplicated_and_a_closed_one_is_not() {
        let (read, write) = fd::pipe().unwrap();
        let tid = crate::sys::process::own_tid();
        let mut tasks = Tasks::new(4);
        let number = u64::try_from(write.as_raw_fd()).unwrap();
        let copy = tasks.descriptor(tid, number | 1 << 32).unwrap();
        fd::write_all(&copy, b"x").unwrap();
        let mut byte = [0];
        assert_eq!(fd::read(&read, &mut byte), Ok(1));
        drop((write, copy));
        assert_eq!(tasks.descriptor(tid, 0xffff_ffff).err(), Some(Errno(libc::EBADF)));
        assert_eq!(tasks.descriptor(tid, 999_999).err(), Some(Errno(libc::EBADF)));
    }
}
