//! The warden: the supervisor's first thread from the command's start to the end of the last task.
//!
//! It has trapped calls received by a thread of their own (`reception.rs`) and does what must not keep that one
//! from receiving: obeys the control pipe, takes state changes of the command, reaps orphans, ends connects
//! whose handshake is over (`handshakes.rs`), looks whether callers that wait are still there (`pending.rs`),
//! and ends the tree when its time is over.
//!
//! Should: outlive every task of the sandbox; the listener says when none is left.
//! Must not: know what a call may reach.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::abstract_names::AbstractNames;
use crate::bound::Bound;
use crate::calls::link::Links;
use crate::calls::probe::Closed;
use crate::counts::Counts;
use crate::event::{Kind, Record};
use crate::events::{Events, SURELY_MS};
use crate::freezer::Freezer;
use crate::handshakes::{self, Keeper};
use crate::inside::Inside;
use crate::kinds::Kinds;
use crate::named::Named;
use crate::names::redirect::Redirect;
use crate::outside::Outside;
use crate::pending::Pending;
use crate::receiver::{Copied, Receiver};
use crate::reception::Reception;
use crate::spawn::Command;
use crate::supervisor::CONTROL;
use crate::sys::mapping::Mapping;
use crate::sys::seccomp::Listener;
use crate::sys::{Result, fd, process, seccomp, signal, tick};
use crate::table::Table;
use crate::task::{Callers, Tasks};
use crate::tree::{self, Means};
use crate::vault::Vault;
use crate::walls::Walls;
use crate::watch::{Suspects, Watch};

/// How long tasks that make no calls any more may take to end.
const LAST_END: Duration = Duration::from_secs(1);
/// How long the warden sleeps when nothing happens; the deadline is looked at then.
const IDLE: Duration = Duration::from_secs(1);
/// Looking at one caller that waits costs about 10 µs; so often they are looked at, in all, that it stays
/// below a tenth of a processor.
const LOOK_MS: usize = 10;
const LOOKS_PER_MS: usize = 10;
/// Ended tasks taken in one go. On a machine with many processors a program may make orphans faster than one
/// thread takes them, which must not keep it from the rest.
const MOST_REAPED: usize = 256;

/// What may be reached, and how.
pub struct Reach {
    pub table: Arc<Table<Mapping>>,
    pub walls: Walls,
    pub named: Vec<Named>,
    pub links: Links,
    pub names: Option<Redirect>,
    pub outside: Option<Outside>,
    pub watch: Option<Watch>,
    pub vault: Option<Vault>,
}

/// Watches the tree: control commands, state changes of the command, the end.
pub struct Warden {
    events: Arc<Events>,
    /// The calls that wait, in our domain and outside of it.
    pending: [Pending; 2],
    keeper: Keeper,
    /// When the callers that wait were looked at last.
    looked: Instant,
    pid: i32,
    /// Of the command, for signals: a number could be reused.
    pidfd: OwnedFd,
    is_running: bool,
    /// Stops of it that were told, as the last byte of their number.
    stops: u8,
    /// In which of them it stands still; none: it goes on.
    stands_in: Option<u8>,
    changes: OwnedFd,
    listener: Arc<Listener>,
    reception: Reception,
    /// No task is left.
    is_drained: bool,
    /// Becomes readable when calls begin to wait, or records.
    waiting: OwnedFd,
    /// How long processes may outlive the command; none: for ever.
    linger: Option<Duration>,
    /// When that is over.
    deadline: Option<Instant>,
    counts: Arc<Counts>,
    /// Refused connects are told, since all are looked at.
    tells_connects: bool,
}

impl Warden {
    /// Makes all that it takes to watch over a command, down to descriptors and threads, before there is one: where
    /// something lacks, nothing is to run. What is returned makes the warden of the command. `linger`: how long
    /// processes may outlive it; none: for ever.
    pub fn prepare(
        events: Arc<Events>,
        reach: Reach,
        linger: Option<Duration>,
    ) -> Result<impl FnOnce(Command) -> Result<Self>> {
        let listener = Arc::new(Listener::reserved()?);
        let (waiting, began) = fd::pipe()?;
        fd::set_status_flags(&began, libc::O_NONBLOCK)?;
        let pending = Pending::new(Arc::clone(&listener), began.try_clone()?);
        let pending_outside = Pending::new(Arc::clone(&listener), began.try_clone()?);
        events.attend(began.try_clone()?);
        let (handshakes, keeper) = handshakes::pair(Arc::clone(&listener), pending.clone(), began)?;
        let (_, hard) = process::open_file_limit()?;
        let counts = Arc::new(Counts::default());
        let tells_connects = reach.walls.looks_at_connects();
        let allows_networks = reach.table.allows_user_namespaces();
        let waits_are_killable = seccomp::has_killable_waits();
        let freezer =
            Freezer::new(Arc::clone(&listener), Arc::clone(&events), reach.vault.clone(), waits_are_killable);
        let receiver = Receiver {
            listener: Arc::clone(&listener),
            counts: Arc::clone(&counts),
            table: reach.table,
            events: Arc::clone(&events),
            pending: pending.clone(),
            handshakes,
            wary_until: None,
            tasks: match reach.vault {
                Some(vault) => Tasks::with_vault(vault),
                // Half of the descriptors for duplicates in use, a quarter for pidfds.
                None => Tasks::new(usize::try_from(hard / 4).unwrap_or(1).min(4096)),
            },
            inside: Inside::new(hard),
            bound: Bound::default(),
            links: reach.links,
            abstract_names: (!reach.walls.scoped).then(|| AbstractNames::new(allows_networks)),
            callers: Callers::default(),
            freezer,
            opaque: HashSet::new(),
            named: reach.named,
            names: reach.names,
            closed: Closed::default(),
            outside: reach.outside.map(|outside| (outside, pending_outside.clone())),
            walls: reach.walls,
            waits_are_killable,
            ring: OnceCell::new(),
            watch: reach.watch,
            refusal: None,
            suspects: Suspects::default(),
            copy: Copied::default(),
            kinds: Kinds::default(),
        };
        let mut reception = Reception::prepare(receiver)?;
        let changes = signal::child_changes()?;
        let null = fd::null()?;
        // Its number will be that of the command's pidfd.
        let spare = null.try_clone()?;
        Ok(move |command: Command| {
            let Command { pid, listener: calls } = command;
            listener.take_over(calls)?;
            let _ = listener.wake_synchronously(); // slower without it
            drop(spare);
            let pidfd = process::pidfd_open(pid.cast_unsigned(), 0)?;
            let mut started = Record::new(Kind::Started);
            started.pid = pid.cast_unsigned();
            events.tell_soon(&started);
            reception.start();
            process::new_session()?;
            fd::close_stdio(&null)?;
            Ok(Self {
                events,
                pending: [pending, pending_outside],
                keeper,
                looked: Instant::now(),
                pid,
                pidfd,
                is_running: true,
                stops: 0,
                stands_in: None,
                changes,
                listener,
                reception,
                is_drained: false,
                waiting,
                linger,
                deadline: None,
                counts,
                tells_connects,
            })
        })
    }

    /// Returns when the command's status has been taken and no task of the sandbox is left, or had to be.
    pub fn watch(&mut self, means: &Means) {
        // Without one the keeper lets threads connect.
        let _ = tick::begin();
        let mut is_behind = self.reap(); // it may have ended already
        let mut ended = 0;
        while self.is_running || !self.is_drained {
            if !self.wait(is_behind) {
                ended = tree::end(means);
                break;
            }
            is_behind = self.reap();
            self.keeper.advance();
            self.look();
            self.events.advance();
        }
        self.reception.finish();
        self.take_the_last();
        let mut record = Record::new(Kind::Ended);
        record.code = ended;
        record.address = Some(self.counts.encode());
        record.protocol = u8::from(!self.tells_connects);
        self.events.tell_surely(&[], &record, SURELY_MS);
        self.wait_for_host();
    }

    /// Who has left the filter need not have ended yet (Linux 6.11). What we did not take would be left to the first
    /// process of a container, which need not take it either.
    fn take_the_last(&self) {
        let end = Instant::now() + LAST_END;
        // ECHILD: there is none any more.
        while let Ok(change) = process::wait_any(libc::WEXITED) {
            let left = end.saturating_duration_since(Instant::now());
            if change.is_none() && !left.is_zero() {
                let ms = i32::try_from(left.as_millis()).unwrap_or(0) + 1;
                let _ = fd::poll(&mut [fd::readable(&self.changes)], ms);
                let _ = fd::read(&self.changes, &mut [0; 1024]);
            } else if change.is_none() {
                break;
            }
        }
    }

    /// Stays until the host has taken all that was told, is gone, or gives the sandbox up. One that is stopped, or
    /// waits for room on a terminal, would otherwise never learn how the command ended, and take us for dead.
    fn wait_for_host(&self) {
        let control = fd::borrow(CONTROL);
        while !self.events.flush(SURELY_MS) {
            let mut word = [0; 2];
            let is_told = fd::poll(&mut [fd::readable(&control)], 0) == Ok(1);
            // Signals are for nobody any more.
            if is_told && (fd::read(&control, &mut word) != Ok(2) || word[0] == b'K') {
                return;
            }
        }
    }

    /// When the callers that wait are to be looked at; none: none waits.
    fn next_look(&self) -> Option<Instant> {
        let calls = self.pending.iter().map(Pending::count).sum::<usize>() + self.keeper.count();
        let ms = u64::try_from((calls / LOOKS_PER_MS).max(LOOK_MS)).unwrap_or(u64::MAX);
        (calls > 0).then(|| self.looked + Duration::from_millis(ms))
    }

    /// Ends the calls of callers that are gone or have something else to do. A signal can come just before
    /// the call it should interrupt, so this is repeated as long as the reason stands.
    fn look(&mut self) {
        let now = Instant::now();
        if self.next_look().is_some_and(|due| due <= now) {
            self.looked = now;
            self.pending.iter().for_each(Pending::interrupt);
            self.keeper.look();
        }
    }

    /// Waits for something to do, unless there is: `is_behind`. `false`: the tree is to be ended.
    fn wait(&mut self, is_behind: bool) -> bool {
        let receives = self.reception.due();
        let mut polls = [
            fd::readable(&fd::borrow(CONTROL)),
            fd::readable(&self.changes),
            if receives.is_some() { fd::readable(&*self.listener) } else { fd::hangup(&*self.listener) },
            fd::readable(&self.waiting),
            self.keeper.poll(),
        ];
        if self.is_drained {
            polls[2].fd = -1;
        }
        let now = Instant::now();
        if self.deadline.is_some_and(|end| end <= now) {
            return false;
        }
        let due = [receives, self.deadline, self.next_look(), self.keeper.next(), self.events.due()]
            .into_iter()
            .flatten()
            .min();
        let left = due.map_or(IDLE, |due| due.saturating_duration_since(now).min(IDLE));
        let left = if is_behind { Duration::ZERO } else { left };
        let timeout = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(0);
        if fd::poll(&mut polls, timeout).is_err() {
            return false;
        }
        let has_call = polls[2].revents & libc::POLLIN != 0;
        polls[2].revents &= !libc::POLLIN;
        let [control, changes, drained, waiting, _] = polls.map(|poll| poll.revents != 0);
        if changes {
            let mut sink = [0; 1024];
            let _ = fd::read(&self.changes, &mut sink);
        }
        if waiting {
            let _ = fd::read(&self.waiting, &mut [0; 64]);
        }
        self.is_drained |= drained;
        if has_call || receives.is_some_and(|due| !self.is_drained && due <= Instant::now()) {
            self.reception.begin();
        }
        if !control {
            return true;
        }
        // Whom a signal is for depends on whether the command has ended, which may be known to the kernel only.
        self.reap();
        self.obey()
    }

    /// Takes the state changes there are, the command's first: it is the oldest child. Orphans are only reaped.
    /// Whether more of them may have ended.
    fn reap(&mut self) -> bool {
        let mut is_behind = true;
        for _ in 0..MOST_REAPED {
            let Ok(Some(change)) = process::wait_any(libc::WEXITED) else {
                is_behind = false;
                break;
            };
            // Once it has ended an orphan may have its number.
            if self.is_running && change.pid == self.pid {
                self.is_running = false;
                self.deadline = self.linger.map(|linger| Instant::now() + linger);
                let mut exited = Record::new(Kind::Exited);
                exited.pid = self.pid.cast_unsigned();
                exited.code = match change.code {
                    libc::CLD_EXITED => change.status << 8,
                    _ => change.status,
                };
                // If nobody is left, the end is told at once.
                if self.is_drained {
                    self.events.tell_with_next(&exited);
                } else {
                    self.events.tell_surely(&[], &exited, SURELY_MS);
                }
            }
        }
        while self.is_running
            && let Ok(Some(change)) = process::wait_one(self.pid, libc::WSTOPPED | libc::WCONTINUED)
        {
            self.stands_in = None;
            if change.code == libc::CLD_STOPPED {
                self.stops = self.stops.wrapping_add(1);
                self.stands_in = Some(self.stops);
                let mut stopped = Record::new(Kind::Stopped);
                stopped.pid = self.pid.cast_unsigned();
                stopped.code = change.status;
                self.events.tell_surely(&[], &stopped, SURELY_MS);
            }
        }
        is_behind
    }

    /// Reads one control command. `false`: the tree is to be ended.
    fn obey(&mut self) -> bool {
        let mut word = [0; 2];
        let control = fd::borrow(CONTROL);
        let Ok(2) = fd::read(&control, &mut word) else { return false };
        let signal = match word {
            [b'S', signal] => i32::from(signal),
            // From that stop. SIGCONT would also take back a stop that comes after it.
            [b'C', stop] if self.stands_in == Some(stop) => libc::SIGCONT,
            [b'C', _] => return true,
            _ => return false,
        };
        if !self.is_running {
            // Only orphans are left: whoever wants the command to end means them.
            return !matches!(
                signal,
                libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT | libc::SIGKILL
            );
        }
        // ESRCH: it has just ended.
        let _ = process::pidfd_send_signal(&self.pidfd, signal);
        true
    }
}
