//! Creating the command: from the supervisor, without copying page tables, through the stages that take away
//! what it must not have.
//!
//! The child runs on our memory while we are suspended (`clone_vfork`), so it makes plain system calls only,
//! and shares our descriptor table, so the listener it installs appears in ours. Its stages, in order, and
//! what each must have before it:
//!
//! 1. the one signal that the supervisor handles to default, as the front has left all others: before it
//!    could run the parent's handler;
//! 2. die with the parent: before it could be left alone;
//! 3. limit of open files, working directory: as the caller had them;
//! 4. `no_new_privs`: before Landlock and seccomp, which demand it;
//! 5. Landlock domain: before the filter, while it is certain that its calls run;
//! 6. capabilities: before the filter; nothing after needs them;
//! 7. filter with listener: from here on every call of the child is filtered, and a trapped one would wait
//!    for us for ever: we are suspended;
//! 8. own descriptor table, everything above 2 closed: after the listener was taken into ours;
//! 9. stdio kept over exec, signal mask, exec.
//!
//! Must not: continue after a failed stage. The command never runs less confined than asked.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use crate::event::Stage;
use crate::pending::INTERRUPT;
use crate::request::Request;
use crate::sys::child::{self, Vector};
use crate::sys::landlock::Ports;
use crate::sys::seccomp::{self, Instruction, Listener};
use crate::sys::{Errno, Result, landlock, process, signal};
use crate::table::{Mode, Protocol, Table};
use crate::walls::Walls;

/// What the command is confined by.
pub struct Confinement {
    /// The Landlock ruleset of its domain; none where the kernel has no Landlock, or an old one that is not needed.
    pub domain: Option<OwnedFd>,
    /// The seccomp filter.
    pub filter: Vec<Instruction>,
}

/// The running command.
#[derive(Debug)]
pub struct Command {
    /// Process id.
    pub pid: i32,
    /// Where its trapped calls come out.
    pub listener: Listener,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The stage that failed.
    pub stage: Stage,
    /// Its error.
    pub error: Errno,
}

impl Failure {
    /// `stage` failed with `error`.
    pub fn at(stage: Stage) -> impl Fn(Errno) -> Self {
        move |error| Self { stage, error }
    }
}

/// Where the child leaves word for us, in the memory we share.
struct Report {
    listener: Option<i32>,
    failure: Option<Failure>,
}

/// Creates the command. All signals must be blocked in the calling thread.
pub fn spawn(request: Request, confinement: &Confinement) -> std::result::Result<Command, Failure> {
    let candidates = request.candidates();
    let (_, hard) = process::open_file_limit().map_err(Failure::at(Stage::Spawn))?;
    let soft = match request.open_files {
        0 => hard.min(1024),
        wanted => u64::from(wanted).min(hard),
    };
    let arguments = Vector::new(request.arguments);
    let environment = Vector::new(request.environment);
    let parent = process::own_pid();
    let mut report = Report { listener: None, failure: None };

    let prepare = |report: &mut Report| -> std::result::Result<(), Failure> {
        signal::default(INTERRUPT);
        child::die_with_parent(parent).map_err(Failure::at(Stage::Spawn))?;
        process::set_limit(libc::RLIMIT_NOFILE, soft, hard).map_err(Failure::at(Stage::Spawn))?;
        if !request.directory.is_empty() {
            child::change_directory(&request.directory).map_err(Failure::at(Stage::Directory))?;
        }
        process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map_err(Failure::at(Stage::Spawn))?;
        if let Some(domain) = &confinement.domain {
            landlock::enter(domain).map_err(Failure::at(Stage::Landlock))?;
        }
        process::drop_capabilities().map_err(Failure::at(Stage::Spawn))?;
        let listener = seccomp::install(&confinement.filter).map_err(|error| match error {
            Errno(libc::EBUSY) => Failure { stage: Stage::Nested, error },
            error => Failure { stage: Stage::Seccomp, error },
        })?;
        report.listener = Some(listener);
        child::unshare_and_close(3).map_err(Failure::at(Stage::Spawn))?;
        for number in 0..3 {
            child::keep(number).map_err(Failure::at(Stage::Spawn))?;
        }
        signal::set_mask(request.mask);
        Ok(())
    };
    let mut body = || {
        report.failure = Some(match prepare(&mut report) {
            Err(failure) => failure,
            Ok(()) => Failure { stage: Stage::Exec, error: execute(&candidates, &arguments, &environment) },
        });
        process::exit_now(127)
    };
    // exec does not return, so a report without a failure is one of a running command.
    let pid = child::clone_vfork(true, &mut body).map_err(Failure::at(Stage::Spawn))?;
    let listener = report.listener.map(Listener::adopt);
    match (report.failure, listener) {
        (None, Some(listener)) => Ok(Command { pid, listener }),
        (failure, _) => {
            let _ = process::wait_for(pid);
            Err(failure.unwrap_or(Failure { stage: Stage::Spawn, error: Errno(libc::ECHILD) }))
        }
    }
}

/// Executes the first candidate that can be; EACCES of one is remembered over ENOENT of the others, as execvp(3) does.
fn execute(candidates: &[CString], arguments: &Vector, environment: &Vector) -> Errno {
    let mut error = Errno(libc::ENOENT);
    for candidate in candidates {
        match child::execute(candidate, arguments, environment) {
            Errno(libc::ENOENT | libc::ENOTDIR) => {}
            Errno(libc::EACCES) => error = Errno(libc::EACCES),
            other => return other,
        }
    }
    error
}

/// The ruleset of the command's domain, if it has one. It holds what is not looked at: connects, and binds
/// where the command can not be inspected. Where Landlock has no TCP it is for what other processes have alone,
/// memory and descriptors.
pub fn domain<B: AsRef<[u8]>>(abi: landlock::Abi, walls: Walls, table: &Table<B>) -> Result<Option<OwnedFd>> {
    if !walls.confined {
        return Ok(None);
    }
    if !abi.has_tcp() {
        return landlock::processes(abi).map(Some);
    }
    let mut ports = Ports { binds_any: !walls.inspected && walls.tcp != Mode::Closed, ..Ports::default() };
    if !walls.looks_at_connects() {
        ports.connects_anywhere = walls.tcp == Mode::Open;
        if walls.tcp == Mode::Kernel {
            let ranges = table.ports_of_all(Protocol::Tcp).unwrap_or_default();
            ports.connect = ranges.into_iter().flat_map(|(low, high)| low..=high).collect();
        }
    }
    landlock::inner(abi, &ports).map(Some)
}
