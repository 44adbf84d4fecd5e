//! What the kernel, and whatever confines this process already, let a sandbox do: found by doing it, not by
//! version numbers. `sandlock doctor` asks.
//!
//! The host executes this ELF under the name `sandlock-probe`, with a pipe at descriptor 3. Each probe runs
//! in a child of that process, so what one takes away is missing neither to the next nor to the host. A probe
//! that hangs is ended by SIGALRM.
//!
//! Decides nothing: what sandlock does about an answer is src/doctor's to say. Must not: change anything
//! outside its own processes.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::AsRawFd;

use crate::bpf::{self, Action, Test, Word};
use crate::sys::child::{self, Vector};
use crate::sys::landlock::{self, Abi};
use crate::sys::mapping::Mapping;
use crate::sys::seccomp::{self, Instruction, Listener};
use crate::sys::socket::{self, Name};
use crate::sys::uring::Ring;
use crate::sys::{Errno, Result, fd, memory, mounts, process, signal};
use crate::{settings, socket_diag, supervisor, vault};

/// The name under which this ELF is executed to probe.
pub const NAME: &CStr = c"sandlock-probe";
/// Descriptor of the answers, write end.
const ANSWERS: i32 = 3;
/// An answer: name, NUL padded, and value i32 (0 or more: it works; -errno).
const NAME_BYTES: usize = 20;
const ANSWER_BYTES: usize = NAME_BYTES + 4;
/// How long one probe may take, in seconds.
const LIMIT: u32 = 3;
/// What `wait_for` says of one that took longer.
const HUNG: i32 = -libc::SIGALRM;
/// A call was made although the wall that was just built should have refused it.
const INEFFECTIVE: Errno = Errno(libc::EPROTO);

type Probe = fn() -> Result<()>;

/// In the order in which they are told.
const PROBES: [(&str, Probe); 20] = [
    ("landlock-tcp", holds_tcp),
    ("landlock-scopes", holds_signals),
    ("seccomp-listener", || install(false).map(drop)),
    ("wait-killable", waits_killably),
    ("sync-wake-up", || install(false)?.wake_synchronously()),
    ("pidfd-open", || own_pidfd().map(drop)),
    ("pidfd-thread", || process::pidfd_open(process::own_tid(), process::PIDFD_THREAD).map(drop)),
    ("pidfd-getfd", takes_descriptors),
    ("read-memory", || read_flag(process::own_pid())),
    ("inspect-child", inspects_child),
    ("hold-sockets", holds_sockets),
    ("kcmp", || process::share_files(process::own_tid(), process::own_tid()).map(drop)),
    ("close-range", || child::unshare_and_close(64)),
    ("prepare", supervisor::harden),
    ("memory-file", || Mapping::sealed(&fd::sealed(c"sandlock-probe", b"x")?).map(drop)),
    ("io-uring", || Ring::new().map(drop)),
    ("sock-diag", socket_diag::unix::can_ask),
    ("kernel-settings", keeps_settings),
    ("other-processes", keeps_processes),
    ("user-namespaces", makes_namespaces),
];

/// The program that probes.
pub fn main() -> ! {
    signal::set_mask(0);
    // The version is a number, and asking changes nothing.
    let version = i32::try_from(Abi::of_kernel().0).unwrap_or(0);
    let mut answers = answer("landlock-abi", version);
    for (name, probe) in PROBES {
        answers.extend(answer(name, run(probe)));
    }
    let _ = fd::write_all(&fd::borrow(ANSWERS), &answers);
    process::exit_now(0)
}

fn answer(name: &str, value: i32) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(NAME_BYTES, 0);
    bytes.extend(value.to_le_bytes());
    bytes
}

/// Runs this in a child. Error numbers fit an exit status.
pub fn forked(body: impl FnOnce() -> Result<()>) -> Result<()> {
    match child::fork(|| body().map_or_else(|Errno(error)| error, |()| 0)).and_then(process::wait_for)? {
        0 => Ok(()),
        error => Err(Errno(error)),
    }
}

/// Runs a probe in a child: 0, or -errno. Error numbers fit an exit status.
fn run(probe: Probe) -> i32 {
    let parent = process::own_pid();
    let body = move || {
        process::alarm(LIMIT);
        let result = child::die_with_parent(parent).and_then(|()| probe());
        result.map_or_else(|Errno(error)| error, |()| 0)
    };
    match child::fork(body).and_then(process::wait_for) {
        Ok(HUNG) => -libc::ETIMEDOUT,
        Ok(error @ 0..) | Err(Errno(error)) => -error,
        Ok(_) => -libc::ECHILD,
    }
}

/// In the host: has the probes run and copies the answers; returns their number. EMSGSIZE: `answers` is too small.
pub fn ask(program: &CString, answers: &mut [u8]) -> Result<i32> {
    let (from, to) = fd::pipe()?;
    let arguments = Vector::new(vec![NAME.to_owned()]);
    let environment = Vector::new(Vec::new());
    let mut failure = None;
    let before = signal::block_all();
    let mut body = || {
        signal::default_all();
        failure = Some(match child::place(to.as_raw_fd(), ANSWERS) {
            Ok(()) => child::execute(program, &arguments, &environment),
            Err(error) => error,
        });
        process::exit_now(127)
    };
    let started = child::clone_vfork(false, &mut body);
    signal::set_mask(before);
    let pid = started?;
    drop(to);
    let mut told = Vec::new();
    let mut part = [0; 4096];
    let read = loop {
        match fd::read(&from, &mut part) {
            Ok(0) => break Ok(()),
            Ok(count) => told.extend(part.iter().take(count)),
            Err(Errno(libc::EINTR)) => {}
            Err(error) => break Err(error),
        }
    };
    let _ = process::wait_for(pid);
    read?;
    if let Some(error) = failure {
        return Err(error);
    }
    answers.get_mut(..told.len()).ok_or(Errno(libc::EMSGSIZE))?.copy_from_slice(&told);
    let count = told.len() / ANSWER_BYTES;
    if count == 0 {
        Err(Errno(libc::ECHILD))
    } else {
        i32::try_from(count).map_err(|_| Errno(libc::EMSGSIZE))
    }
}

fn holds_tcp() -> Result<()> {
    process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    landlock::enter(&landlock::inner(Abi::of_kernel(), &landlock::Ports::default())?)?;
    let socket = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    // Nobody has to listen: Landlock answers before the network does.
    let [first, second] = u16::try_from(libc::AF_INET).unwrap_or(0).to_ne_bytes();
    let port_1_of_loopback = [first, second, 0, 1, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    match socket::connect(&socket, &Name::new(&port_1_of_loopback)) {
        Err(Errno(libc::EACCES)) => Ok(()),
        _ => Err(INEFFECTIVE),
    }
}

fn holds_signals() -> Result<()> {
    process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    landlock::enter(&landlock::signals()?)?;
    match process::may_signal(process::parent()) {
        Err(Errno(libc::EPERM)) => Ok(()),
        _ => Err(INEFFECTIVE),
    }
}

/// A filter that traps one call which nothing here makes by itself.
fn trap() -> Vec<Instruction> {
    let number = u32::try_from(libc::SYS_getpgid).unwrap_or(u32::MAX);
    bpf::assemble(&bpf::ask(Word::Number, Test::Is(number), Action::Notify, Action::Allow))
}

fn install(killable: bool) -> Result<Listener> {
    process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    seccomp::install_exactly(&trap(), killable).map(Listener::adopt)
}

/// A call that was received waits on although a handled signal came. EINTR: the flag is taken and does nothing.
fn waits_killably() -> Result<()> {
    const ANSWER: i32 = 4711;
    let listener = install(true)?;
    let parent = process::own_pid();
    signal::install_interrupt(libc::SIGUSR1)?;
    let caller = child::fork(move || {
        let call = child::die_with_parent(parent).and_then(|()| process::group_of_self());
        i32::from(call != Ok(ANSWER))
    })?;
    let call = listener.receive()?;
    process::kill(caller, libc::SIGUSR1)?;
    let mut still = true;
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_millis(1));
        still &= listener.is_waiting(call.id);
    }
    listener.answer(call.id, Ok(ANSWER.into()));
    if still && process::wait_for(caller) == Ok(0) { Ok(()) } else { Err(Errno(libc::EINTR)) }
}

/// What is needed where descriptors can not be taken, and sockets are made and held instead (`vault/`): to
/// see them by their links, to read memory, and a listener that gives descriptors (no call waits for one
/// here, so ENOENT; EINVAL: before Linux 5.14). Leaves the process with a filter.
pub fn holds_sockets() -> Result<()> {
    vault::probe()?;
    reads_memory()?;
    match install(false)?.answer_with(0, &fd::pipe()?.0, true) {
        Err(Errno(libc::ENOENT)) => Ok(()),
        result => result.and(Err(INEFFECTIVE)),
    }
}

fn own_pidfd() -> Result<std::os::fd::OwnedFd> {
    process::pidfd_open(process::own_pid().cast_unsigned(), 0)
}

fn takes_descriptors() -> Result<()> {
    process::pidfd_getfd(&own_pidfd()?, ANSWERS).map(drop)
}

/// What another process's memory is read for; at the same address in a copy of this one.
static FLAG: u8 = 1;

fn read_flag(pid: i32) -> Result<()> {
    memory::read_exact(pid.cast_unsigned(), (&raw const FLAG) as u64, &mut [0])
}

/// That memory of the command can be read, by call or by file. A process that is not dumpable, as the
/// supervisor, is kept from its own file, so a child that is tries it.
pub fn reads_memory() -> Result<()> {
    let own = process::own_pid();
    let by_file = || {
        child::die_with_parent(own)?;
        process::prctl(libc::PR_SET_DUMPABLE, 1)?;
        read_flag(process::own_pid())
    };
    read_flag(own).or_else(|_| forked(by_file))
}

/// As the supervisor looks into the command: without capabilities, at a child. Yama (ptrace_scope 2 and 3)
/// forbids that where looking at oneself works.
fn inspects_child() -> Result<()> {
    process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    process::drop_capabilities()?;
    let parent = process::own_pid();
    let other = child::fork(move || {
        if child::die_with_parent(parent).is_ok() {
            process::pause();
        }
        0
    })?;
    let pidfd = process::pidfd_open(other.cast_unsigned(), 0)?;
    // Whoever may not take its own does not take a child's: it sees them by their links.
    match process::pidfd_getfd(&pidfd, ANSWERS) {
        Err(_) if takes_descriptors().is_err() => vault::sees(other.cast_unsigned(), ANSWERS)?,
        result => drop(result?),
    }
    read_flag(other)
}

/// As root: whether the settings of the kernel can be kept from a command. For anybody else they are out of reach.
fn keeps_settings() -> Result<()> {
    settings::seal();
    process::drop_capabilities()?;
    if settings::are_sealed() { Ok(()) } else { Err(Errno(libc::EPERM)) }
}

/// Whether a command is kept from the memory and the descriptors of another process of its user, which has no
/// more capabilities than it. Tried on a pipe, by which that process could be told what to do: Yama keeps the
/// memory of others alone.
fn keeps_processes() -> Result<()> {
    process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    process::drop_capabilities()?;
    process::prctl(libc::PR_SET_DUMPABLE, 1)?;
    let (pipe, _write) = fd::pipe()?;
    let parent = process::own_pid();
    let other = child::fork(move || {
        if child::die_with_parent(parent).is_ok() {
            process::pause();
        }
        0
    })?;
    // A brother of it: parents may more.
    forked(|| {
        let abi = Abi::of_kernel();
        if abi.has_domains() {
            landlock::enter(&landlock::processes(abi)?)?;
        }
        let link = format!("/proc/{other}/fd/{}", pipe.as_raw_fd());
        let file = File::options().read(true).write(true).open(link);
        file.map_or(Ok(()), |_| Err(INEFFECTIVE))
    })
}

/// A user namespace, and inside it the rights that make one useful: AppArmor may give the first without the
/// second, and so does the domain that a command has where Landlock has no TCP: nobody mounts in it.
fn makes_namespaces() -> Result<()> {
    let abi = Abi::of_kernel();
    if abi.has_domains() && !abi.has_tcp() {
        process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
        landlock::enter(&landlock::processes(abi)?)?;
    }
    process::unshare(libc::CLONE_NEWUSER)?;
    mounts::own_namespace().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_name_and_a_number() {
        let bytes = answer("io-uring", -libc::EPERM);
        assert_eq!(bytes.len(), ANSWER_BYTES);
        assert_eq!(bytes.get(..9), Some(&b"io-uring\0"[..]));
        assert_eq!(bytes.get(20..), Some(&[255, 255, 255, 255][..]));
        assert!(PROBES.iter().all(|(name, _)| name.len() <= NAME_BYTES));
    }
}
