//! The front in the host process: confines itself, starts the supervisor and ends the tree if the supervisor
//! dies. In Node, and in whatever else loads the library, it is one thread for each sandbox, and in the
//! launcher (`Front::alone`) it is the launcher.
//!
//! It enters a Landlock domain that may signal only what is inside it; the supervisor and the command inherit
//! the domain. So: nothing in the sandbox can signal the host; kill(-1) of the front or of the supervisor
//! reaches exactly the sandbox. Where the launcher is inside as well, the supervisor's own domain keeps its
//! signals from it, and a process reaches itself by kill(-1) in no case.
//!
//! Who ends whom: the host dies → the control pipe ends → the supervisor ends the tree. The supervisor dies →
//! the thread sees its pidfd, the launcher has SIGCHLD → it ends the tree (where no domain keeps signals inside
//! only the launcher can, to whom the orphans come). The reader of the records goes away (a worker thread that
//! was terminated) → the thread asks the supervisor to end the tree.
//!
//! Must not: change anything of a host process (dispositions, dumpable, limits, directory), wait for
//! children that are not ours, kill anything that a proven domain or its own reaping does not make certain.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};

use crate::event::{Kind, RECORD_BYTES, Record, Stage};
use crate::events::Events;
use crate::locks::lock;
use crate::records::Records;
use crate::request::{Request, TERMINAL};
use crate::spawn::Failure;
use crate::supervisor::{self, CONTROL, EVENTS, NAME, Origin, PROOF as PROOF_WRITE, REQUEST, TABLE};
use crate::sys::child::{self, Vector};
use crate::sys::landlock::Abi;
use crate::sys::signal::Mask;
use crate::sys::{Errno, Result, entry, fd, landlock, process, signal};
use crate::tree::{self, Proven, Reaper};

/// Descriptors handed to the supervisor are first moved here, out of the way of the numbers they get there.
const OUT_OF_THE_WAY: i32 = 16;
/// The thread blocks in poll(2) and calls little.
const STACK_BYTES: usize = 128 * 1024;

/// What the memory file of a table is called in /proc.
pub const TABLE_NAME: &CStr = c"sandlock-table";

/// What is told of a supervisor that has died.
fn died() -> Record {
    Record::failed(Stage::Supervisor, Errno(libc::EOWNERDEAD))
}

/// A running sandbox, as the host holds it.
#[derive(Debug)]
pub struct Front {
    control: OwnedFd,
    /// Until it is given away.
    events: Mutex<Option<Records>>,
    is_terminal: bool,
    /// Stops of the command that this process has mirrored, as the last byte of their number.
    stops: AtomicU8,
    /// The supervisor, if no thread waits for its end; 0: one does, or its end was told.
    supervisor: AtomicI32,
}

/// What the supervisor is given, above the numbers where it wants it.
struct Plan {
    table: OwnedFd,
    /// As `Request::received` reads it.
    request: Vec<u8>,
    /// The command's standard input, output and error.
    stdio: [OwnedFd; 3],
    events: OwnedFd,
    control: OwnedFd,
    /// Where the supervisor says that the domain is proven, and where that is read.
    proof_write: OwnedFd,
    proof: OwnedFd,
}

impl Plan {
    /// Closes what the supervisor has now, so that pipes end when it ends. Returns where it says that the
    /// domain is proven.
    fn close(self) -> OwnedFd {
        self.proof
    }
}

/// Of the launcher's supervisor: where it says that the domain is proven.
static PROOF: OnceLock<OwnedFd> = OnceLock::new();
/// Where no domain keeps signals inside, and its orphans come to the launcher.
static REAPER: OnceLock<Reaper> = OnceLock::new();
/// Its process id.
static SUPERVISOR: AtomicI32 = AtomicI32::new(0);

impl Front {
    /// Starts a sandbox whose supervisor is the program at that path, for a large host with threads of its
    /// own: `table` are the table's bytes, `request` as docs/native.md has it. Returns once the supervisor
    /// runs; how the command fares is told by records.
    pub fn start(program: CString, table: &[u8], request: &[u8]) -> Result<Self> {
        let (front, plan) = Self::prepare(&fd::sealed(TABLE_NAME, table)?, request)?;
        let control = fd::duplicate_from(&front.control, OUT_OF_THE_WAY)?;
        let (report, started) = mpsc::channel();
        // Signals are for the host's own threads: the mask is inherited by the new thread.
        let before: Mask = signal::block_all();
        let spawned = std::thread::Builder::new()
            .name("sl-front".into())
            .stack_size(STACK_BYTES)
            .spawn(move || serve(&program, plan, control, &report));
        signal::set_mask(before);
        spawned?;
        started.recv().unwrap_or(Err(Errno(libc::ECHILD)))?;
        Ok(front)
    }

    /// The same for a process that does nothing else and has no other thread: it enters the domain itself,
    /// and the supervisor is a copy of it. That has nothing the supervisor must not see, and takes 0.1 ms less
    /// than a thread and another program. `table` is a sealed memory file.
    pub fn alone(table: &OwnedFd, request: &[u8]) -> std::result::Result<Self, Failure> {
        let at = Failure::at(Stage::Front);
        let (front, plan) = Self::prepare(table, request).map_err(&at)?;
        if !confine()?
            && let Some(reaper) = Reaper::claim()
        {
            let _ = REAPER.set(reaper);
        }
        let before = signal::block_all();
        signal::when_a_child_changes(end_if_lost).map_err(&at)?;
        let pid = copy_as_supervisor(&plan).map_err(&at)?;
        front.supervisor.store(pid, Ordering::Relaxed);
        SUPERVISOR.store(pid, Ordering::Relaxed);
        // Nobody had one before: this is called once.
        let _ = PROOF.set(plan.close());
        signal::set_mask(signal::without(before, libc::SIGCHLD));
        Ok(front)
    }

    fn prepare(table: &OwnedFd, request: &[u8]) -> Result<(Self, Plan)> {
        let mask = signal::mask();
        let Request { options, stdio, .. } = Request::parse(request, mask)?;
        let [input, output, error] = stdio.map(|number| fd::duplicate_from(&number, OUT_OF_THE_WAY));
        let is_terminal = options & TERMINAL != 0;
        let (events_read, events_write) = fd::pipe()?;
        let (control_read, control_write) = fd::pipe()?;
        let (proof, proof_write) = fd::pipe()?;
        let plan = Plan {
            stdio: [input?, output?, error?],
            table: moved(table)?,
            request: Request::hand_over(mask, request),
            events: moved(&events_write)?,
            control: moved(&control_read)?,
            proof_write: moved(&proof_write)?,
            proof,
        };
        if is_terminal {
            signal::take_over(&control_write)?;
        }
        let front = Self {
            control: control_write,
            events: Mutex::new(Some(Records::new(events_read))),
            is_terminal,
            stops: AtomicU8::new(0),
            supervisor: AtomicI32::new(0),
        };
        Ok((front, plan))
    }

    /// Waits for the next record, at most `timeout_ms`; < 0: for ever. `None`: there are no more. EAGAIN: the
    /// time is over; EBADF: the records are read by their descriptor. On a terminal a stop of the command
    /// stops this process too, and its continuing continues the command from that stop. A shell that
    /// continues the whole group has done so already, and the user may have stopped the command again.
    pub fn next(&self, timeout_ms: i32) -> Result<Option<[u8; RECORD_BYTES]>> {
        let mut events = lock(&self.events);
        let events = events.as_mut().ok_or(Errno(libc::EBADF))?;
        loop {
            let Some(record) = events.next(timeout_ms)? else { return Ok(self.last_words()) };
            match Kind::of(&record) {
                Some(Kind::Stopped) if self.is_terminal => {
                    let stops = self.stops.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
                    // Without a terminal there is no shell to continue us. Stopped we would tell nothing of what
                    // the rest of the tree does, for as long as the command likes, nor that it went on and ended.
                    if !fd::has_terminal() {
                        continue;
                    }
                    signal::stop_self();
                    // EPIPE: the tree has gone meanwhile; the records say so.
                    let _ = self.command([b'C', stops]);
                }
                Some(Kind::Exited) if self.is_terminal => {
                    signal::command_ended();
                    return Ok(Some(record));
                }
                _ => return Ok(Some(record)),
            }
        }
    }

    /// What there is to say when the supervisor is gone and no thread has seen to it: it died. Its tree was
    /// ended when that was told by SIGCHLD.
    fn last_words(&self) -> Option<[u8; RECORD_BYTES]> {
        let pid = self.supervisor.swap(0, Ordering::Relaxed);
        if pid == 0 {
            return None;
        }
        let is_lost = process::has_ended_well(pid, 0) != Some(true);
        process::take_ending(pid);
        is_lost.then(|| died().encode(0))
    }

    /// The descriptor to read the records from instead of `next`. The caller owns it alone: when it is
    /// closed, also because a thread of the host was terminated, the tree is ended. EBADF: it was taken
    /// already, or `next` has read from it.
    pub fn events(&self) -> Result<OwnedFd> {
        let taken = lock(&self.events).take();
        taken.and_then(Records::into_pipe).ok_or(Errno(libc::EBADF))
    }

    /// Sends a signal to the command.
    pub fn signal(&self, signal: u8) -> Result<()> {
        self.command([b'S', signal])
    }

    /// Ends the tree.
    pub fn kill(&self) -> Result<()> {
        self.command([b'K', 0])
    }

    fn command(&self, word: [u8; 2]) -> Result<()> {
        fd::write_all(&self.control, &word)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // EPIPE: the tree is gone already.
        let _ = self.kill();
        if self.is_terminal {
            signal::give_back();
        }
        let pid = self.supervisor.swap(0, Ordering::Relaxed);
        if pid != 0 {
            // The first process of a container, which would inherit it, need not take what it did not start: the
            // dead supervisors of all our runs would stay there.
            process::take_ending(pid);
        }
    }
}

fn moved(fd: &OwnedFd) -> Result<OwnedFd> {
    fd::duplicate_from(fd, OUT_OF_THE_WAY)
}

/// The thread. A start that fails is told by a record, so that every failure reaches the host by one road;
/// `report` only says that the supervisor was tried.
fn serve(program: &CString, plan: Plan, control: OwnedFd, report: &mpsc::Sender<Result<()>>) {
    let say = |result: Result<()>| {
        // Nobody waits any more: the host has given up the start.
        let _ = report.send(result);
    };
    let events = match plan.events.try_clone().map_err(Errno::from).and_then(Events::new) {
        Ok(events) => events,
        Err(error) => return say(Err(error)),
    };
    let started = confine().and_then(|is_scoped| {
        let started = execute_supervisor(program, &plan).map_err(Failure::at(Stage::Front))?;
        Ok((started, is_scoped))
    });
    let proof = plan.close();
    say(Ok(()));
    let ((pid, pidfd), is_scoped) = match started {
        Ok(started) => started,
        Err(Failure { stage, error }) => return events.tell_surely(&[], &Record::failed(stage, error), 0),
    };
    watch(&events, &pidfd, control);
    if process::wait_for(pid) != Ok(0) {
        if is_scoped {
            end_tree(&proof, Proven::by_probe(process::parent()));
        }
        events.tell_surely(&[], &died(), 0);
    }
}

/// Waits for the supervisor to end; when nobody reads the records any more, asks it to end the tree.
fn watch(events: &Events, pidfd: &OwnedFd, control: OwnedFd) {
    // The host's own write end alone must keep the supervisor's control pipe open: this one is used only for
    // the last word.
    let mut control = Some(control);
    loop {
        let mut abandoned = events.abandonment();
        if control.is_none() {
            abandoned.fd = -1;
        }
        let mut polls = [fd::readable(pidfd), abandoned];
        if fd::poll(&mut polls, -1).is_err() {
            return;
        }
        let [ended, abandoned] = polls.map(|poll| poll.revents != 0);
        if ended {
            return;
        }
        if abandoned && let Some(control) = control.take() {
            let _ = fd::write_all(&control, b"K\0");
        }
    }
}

/// Enters the outer domain with this thread alone. `false`: the kernel has no signal scope, and the
/// supervisor keeps signals inside (`calls/signal.rs`).
fn confine() -> std::result::Result<bool, Failure> {
    if !Abi::of_kernel().has_scopes() {
        return Ok(false);
    }
    let domain = process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).and_then(|()| landlock::signals());
    domain.and_then(|domain| landlock::enter(&domain)).map_err(Failure::at(Stage::Domain))?;
    Ok(true)
}

/// For the launcher, when a child of it has changed: if the supervisor has died, ends the tree. This runs as
/// soon as the kernel knows, also while the launcher waits for room to write; it may do what a handler of
/// signals may.
fn end_if_lost() {
    let pid = SUPERVISOR.load(Ordering::Relaxed);
    if process::has_ended_well(pid, libc::WNOHANG) != Some(false) {
        return;
    }
    if let Some(reaper) = REAPER.get() {
        reaper.end_all();
    } else if let Some(proof) = PROOF.get() {
        end_tree(proof, None);
    }
}

/// The supervisor is dead: nothing of the sandbox may outlive it. Its orphans went to another reaper, so
/// their end can not be waited for; kill(-1) is atomic towards fork, further rounds find what was being
/// created.
fn end_tree(proof: &OwnedFd, proven: Option<Proven>) {
    let mut word = [0];
    let count = fd::read(proof, &mut word).unwrap_or(0); // end of file when the supervisor never got that far
    let proven = proven.or_else(|| Proven::by_supervisor(word.first().copied().filter(|_| count == 1)));
    let Some(proven) = proven else { return };
    for _ in 0..20 {
        tree::kill_domain(proven);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Puts the descriptors at their numbers, which are below theirs; the supervisor closes what it was not given.
fn place(plan: &Plan) -> Result<()> {
    let [input, output, error] = &plan.stdio;
    [
        (&plan.table, TABLE),
        (&plan.events, EVENTS),
        (&plan.control, CONTROL),
        (&plan.proof_write, PROOF_WRITE),
        (input, 0),
        (output, 1),
        (error, 2),
    ]
    .into_iter()
    .try_for_each(|(from, to)| child::place(from.as_raw_fd(), to))
}

fn copy_as_supervisor(plan: &Plan) -> Result<i32> {
    child::fork(|| {
        signal::default_all();
        entry::show_as(NAME);
        match place(plan) {
            Ok(()) => supervisor::main(Origin::Copied(&plan.request)),
            Err(_) => process::exit_now(127),
        }
    })
}

/// Returns its pid and a pidfd.
fn execute_supervisor(program: &CString, plan: &Plan) -> Result<(i32, OwnedFd)> {
    let arguments = Vector::new(vec![NAME.to_owned()]);
    let environment = Vector::new(Vec::new());
    let request = moved(&fd::sealed(c"sandlock-request", &plan.request)?)?;
    let mut failure = None;
    let mut body = || {
        signal::default_all();
        failure = Some(match place(plan).and_then(|()| child::place(request.as_raw_fd(), REQUEST)) {
            Ok(()) => child::execute(program, &arguments, &environment),
            Err(error) => error,
        });
        process::exit_now(127)
    };
    let pid = child::clone_vfork(false, &mut body)?;
    if let Some(error) = failure {
        let _ = process::wait_for(pid);
        return Err(error);
    }
    process::pidfd_open(pid.cast_unsigned(), 0).map(|pidfd| (pid, pidfd)).inspect_err(|_| {
        // It runs already, but has not been told to: it ends, and with it whatever it may have begun.
        let _ = process::kill(pid, libc::SIGKILL);
        let _ = process::wait_for(pid);
    })
}
