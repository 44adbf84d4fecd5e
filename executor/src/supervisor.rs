//! The supervisor process: prepares itself, creates the command, lets one thread receive its trapped calls, and itself watches over the
//! tree until the last task is gone.
//!
//! It is a program of its own, executed by the front with five descriptors and an empty environment, or a copy of the launcher with the same:
//!
//! | number | is |
//! |---|---|
//! | 0–2 | the command's stdio; /dev/null once it runs |
//! | 3 | the table, sealed |
//! | 4 | records, write end |
//! | 5 | control, read end: `S` n (signal n to the command), `C` (continue it), `K` (end the tree); end of file: the front is gone |
//! | 6 | the request, sealed |
//! | 7 | write end: one byte once it is proven that we can signal nothing outside |
//!
//! Should: have no capabilities, not be dumpable, be in a session of its own, be subreaper (orphans come to it), outlive the command until the listener
//! says that no task is left. A panic ends it, and so the tree (the front sees to that).
//! Must not: end while a task of the sandbox lives; touch stdio of the caller after the command has started.

use std::cell::{LazyCell, OnceCell};
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::abstract_names::AbstractNames;
use crate::calls::probe::Closed;
use crate::counts::Counts;
use crate::event::{Events, Kind, Record, Stage};
use crate::filter;
use crate::freezer::Freezer;
use crate::handshakes::{self, Keeper};
use crate::inside::Inside;
use crate::named::Named;
use crate::names::hosts;
use crate::names::listed::Listed;
use crate::names::redirect::Redirect;
use crate::names::telling::Telling;
use crate::outside::Outside;
use crate::pending::{INTERRUPT, Pending};
use crate::probe;
use crate::receiver::{self, Copied, Kinds, Receiver};
use crate::request::{FOREVER, OBSERVE, Request, SUPERVISE, TELL_ALLOWED, WITHOUT_SETTINGS};
use crate::settings;
use crate::sockaddr::Kind as SocketKind;
use crate::spawn::{self, Command, Confinement, Failure};
use crate::sys::landlock::Abi;
use crate::sys::mapping::Mapping;
use crate::sys::seccomp::Listener;
use crate::sys::{Errno, Result, fd, landlock, mounts, process, seccomp, signal, socket, tick};
use crate::table::{Table, UnixRule};
use crate::task::{Callers, Tasks};
use crate::tree::{self, Proven};
use crate::vault::Vault;
use crate::walls::Walls;
use crate::watch::{Suspects, Watch};
use crate::yama;

/// The host's names for addresses, which programs read before they ask anyone.
const HOSTS: &str = "/etc/hosts";

/// The name under which the program is the supervisor.
pub const NAME: &std::ffi::CStr = c"sandlock-supervisor";
/// Descriptor of the table.
pub const TABLE: i32 = 3;
/// Descriptor of the records.
pub const EVENTS: i32 = 4;
/// Descriptor of the control pipe.
pub const CONTROL: i32 = 5;
/// Descriptor of the request.
pub const REQUEST: i32 = 6;
/// Descriptor on which the front learns that our domain is proven.
pub const PROOF: i32 = 7;
/// How many descriptors we are given, stdio included.
const GIVEN: u32 = 8;

/// How long a record that must not be lost waits for a slow reader.
const SURELY_MS: i32 = 1000;
/// How long the receiver may take to notice that nobody is left. Before Linux 6.11 it never does.
const LAST_CALL_MS: i32 = 20;
/// How long the warden sleeps when nothing happens; the deadline is looked at then.
const IDLE: Duration = Duration::from_secs(1);
/// Looking at one caller that waits costs about 10 µs; so often they are looked at, in all, that it stays below a tenth of a processor.
const LOOK_MS: usize = 10;
const LOOKS_PER_MS: usize = 10;

/// The program.
pub fn main() -> ! {
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    signal::block_all();
    process::share_heap();
    process::name_thread(c"sl-supervisor");
    let Ok(events) = Events::new(fd::own(EVENTS)) else { process::exit_now(125) };
    let events = Arc::new(events);
    match run(&events) {
        Ok(()) => {}
        Err(failure) => events.tell_surely(&Record::failed(failure.stage, failure.error), SURELY_MS),
    }
    process::exit_now(0)
}

fn run(events: &Arc<Events>) -> std::result::Result<(), Failure> {
    let own = Failure::at(Stage::Prepare);
    fd::close_from(GIVEN).map_err(Failure::at(Stage::Close))?;
    // While there may be a capability that can; the command inherits our mounts.
    let may_mount = settings::seal();
    let table = Mapping::sealed(&fd::borrow(TABLE)).map_err(Failure::at(Stage::Table))?;
    let table =
        Table::open(table).map_err(|_| Failure { stage: Stage::Table, error: Errno(libc::EINVAL) })?;
    let table = Arc::new(table);
    let listed = Listed::of(&table);
    let hosts_text = LazyCell::new(|| std::fs::read_to_string(HOSTS).unwrap_or_default());
    if may_mount && !listed.is_empty() {
        show_names(&listed, &hosts_text);
    }
    harden().map_err(&own)?;
    let abi = Abi::of_kernel();
    let proven = Proven::by_probe(process::parent());
    if abi.has_scopes() && proven.is_none() {
        return Err(Failure { stage: Stage::Domain, error: Errno(libc::EPERM) });
    }
    if proven.is_some() {
        fd::write_all(&fd::borrow(PROOF), b"P").map_err(&own)?;
    }
    let request = Mapping::sealed(&fd::borrow(REQUEST)).map_err(&own)?;
    let request = Request::received(request.as_ref()).map_err(&own)?;
    let linger = (request.linger != FOREVER).then(|| Duration::from_secs(request.linger.into()));
    if table.has_unpinned_names() {
        return Err(Failure { stage: Stage::Table, error: Errno(libc::ENODATA) });
    }
    let observes = request.options & OBSERVE != 0;
    let watch = (request.options & (TELL_ALLOWED | OBSERVE) != 0).then(|| Watch::new(observes));
    let is_forced = request.options & (SUPERVISE | TELL_ALLOWED | OBSERVE) != 0;
    let has_names = observes || !listed.is_empty();
    let mut walls = Walls::of(&table, abi, is_forced, observes, has_names);
    if yama::keeps_out(yama::SCOPE) {
        if walls.needs_inspection() {
            return Err(Failure { stage: Stage::Inspection, error: Errno(libc::EACCES) });
        }
        walls.inspected = false;
    }
    if request.options & WITHOUT_SETTINGS == 0 && !settings::are_sealed() {
        return Err(Failure { stage: Stage::Settings, error: Errno(libc::EPERM) });
    }
    match probe_inspection() {
        Ok(()) => {}
        Err(_) if !walls.needs_inspection() => walls.inspected = false,
        Err(error) => {
            probe_vault().map_err(|other| match other {
                Errno(libc::EBUSY) => Failure { stage: Stage::Nested, error: other },
                _ => Failure { stage: Stage::Inspection, error },
            })?;
            walls.holds_sockets = true;
        }
    }
    check_stdio().map_err(Failure::at(Stage::Stdio))?;
    let confinement = Confinement {
        domain: spawn::domain(abi, walls, &table).map_err(Failure::at(Stage::Landlock))?,
        filter: filter::program(walls),
    };
    let named = Named::of(table.unix_rules());
    let outside = enter_domain(&table, abi, observes).map_err(Failure::at(Stage::Domain))?;
    let telling = Telling { answers: watch.is_some(), everything: observes };
    let start_names =
        || Redirect::start(&table, events, listed, &hosts_text, telling).map_err(Failure::at(Stage::Names));
    let names = walls.names.then(start_names).transpose()?;
    let command = spawn::spawn(request, &confinement)?;
    let vault = if walls.holds_sockets { Some(start_vault(!abi.has_scopes()).map_err(&own)?) } else { None };
    let reach = Reach { table, walls, named, names, outside, watch, vault };
    let mut warden = Warden::new(command, Arc::clone(events), reach, proven, linger).map_err(|error| {
        tree::end(proven);
        own(error)
    })?;
    warden.tells_connects = walls.looks_at_connects();
    warden.watch();
    Ok(())
}

/// Shows the pinned names in the hosts file, where that costs nothing: in a mount namespace that is ours. Elsewhere, and for programs that do not read it, the resolver says the same. The names
/// of the machine are not shown; those of an image are, since they are its author's.
fn show_names(listed: &Listed, own: &str) {
    let text = hosts::text(if is_image() { own } else { "" }, listed.pinned());
    // ENOENT: there is no such file, so nobody reads it.
    let _ = mounts::cover(c"/etc/hosts", text.as_bytes());
}

/// Whether our root is another than that of the first process: chroot(2) was here. Told by what is mounted there, its device and the directory of it (proc_pid_mountinfo(5)).
fn is_image() -> bool {
    let root = |process: &str| {
        let text = std::fs::read_to_string(format!("/proc/{process}/mountinfo")).ok()?;
        let line = text.lines().rfind(|line| line.split(' ').nth(4) == Some("/"))?;
        Some(line.split(' ').skip(2).take(2).map(str::to_owned).collect::<Vec<_>>())
    };
    root("1").is_some_and(|system| root("self") != Some(system))
}

/// Tries on ourselves what every trapped call needs. A container's filter may forbid it (EPERM; Docker's default profile without `CAP_SYS_PTRACE` does), an old
/// kernel not have it (ENOSYS; Linux 5.6).
fn probe_inspection() -> Result<()> {
    let own = process::own_pid().cast_unsigned();
    drop(process::pidfd_getfd(&process::pidfd_open(own, 0)?, CONTROL)?);
    probe::reads_memory()
}

/// The same for where sockets are made and held instead. It takes a filter to try, so a process of its own does.
fn probe_vault() -> Result<()> {
    let own = process::own_pid();
    probe::forked(|| process::child::die_with_parent(own).and_then(|()| probe::holds_sockets()))
}

/// Enters the domain that keeps us, and whatever thread we make from now on, from outside abstract unix sockets: it is the kernel that knows which are outside. If
/// the policy names some, threads that are not in it are made first.
fn enter_domain(table: &Table<Mapping>, abi: Abi, observes: bool) -> Result<Option<Outside>> {
    let names_any = observes || table.unix_rules().any(|rule| matches!(rule, UnixRule::Abstract(_)));
    let outside = if names_any { Some(Outside::start()?) } else { None };
    if abi.has_scopes() {
        landlock::enter(&landlock::abstract_names()?)?;
    }
    Ok(outside)
}

/// The command keeps 0, 1 and 2. As a socket each may only be a connection: that reaches whom the caller chose and can not be turned elsewhere without
/// us. EPERM for any other socket.
fn check_stdio() -> Result<()> {
    for number in 0..3 {
        let stdio = fd::borrow(number);
        let kind = match receiver::kind(&stdio) {
            Err(Errno(libc::ENOTSOCK | libc::EBADF)) => continue,
            kind => kind.map_err(|_| Errno(libc::EPERM))?,
        };
        let is_connection = matches!(kind, SocketKind::Tcp { .. } | SocketKind::Unix { datagram: false, .. });
        if !is_connection || socket::peer_name(&stdio).is_err() {
            return Err(Errno(libc::EPERM));
        }
    }
    Ok(())
}

/// What the supervisor makes of itself before anything else.
pub fn harden() -> Result<()> {
    process::prctl(libc::PR_SET_CHILD_SUBREAPER, 1)?;
    process::prctl(libc::PR_SET_DUMPABLE, 0)?;
    process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    process::drop_capabilities()?;
    let (_, hard) = process::open_file_limit()?;
    process::set_limit(libc::RLIMIT_NOFILE, hard, hard)?;
    signal::install_interrupt(INTERRUPT)
}

/// What may be reached, and how.
struct Reach {
    table: Arc<Table<Mapping>>,
    walls: Walls,
    named: Vec<Named>,
    names: Option<Redirect>,
    outside: Option<Outside>,
    watch: Option<Watch>,
    vault: Option<Vault>,
}

/// Half of the descriptors are for sockets that are held.
fn start_vault(keeps_names: bool) -> Result<Vault> {
    let (_, hard) = process::open_file_limit()?;
    Vault::start(usize::try_from(hard / 2).unwrap_or(usize::MAX), keeps_names)
}

/// Watches the tree: control commands, state changes of the command, the end.
struct Warden {
    events: Arc<Events>,
    pending: Pending,
    keeper: Keeper,
    /// When the callers that wait were looked at last.
    looked: Instant,
    pid: i32,
    /// Of the command, for signals: a number could be reused.
    pidfd: OwnedFd,
    is_running: bool,
    changes: OwnedFd,
    listener: Arc<Listener>,
    /// Ends when the receiver has.
    received: OwnedFd,
    /// No task is left.
    is_drained: bool,
    /// Becomes readable when calls begin to wait.
    waiting: OwnedFd,
    proven: Option<Proven>,
    /// How long processes may outlive the command; none: for ever.
    linger: Option<Duration>,
    /// When that is over.
    deadline: Option<Instant>,
    counts: Arc<Counts>,
    /// Refused connects are told, since all are looked at.
    tells_connects: bool,
}

impl Warden {
    fn new(
        command: Command,
        events: Arc<Events>,
        reach: Reach,
        proven: Option<Proven>,
        linger: Option<Duration>,
    ) -> Result<Self> {
        let pidfd = process::pidfd_open(command.pid.cast_unsigned(), 0)?;
        let _ = command.listener.wake_synchronously(); // slower without it
        let listener = Arc::new(command.listener);
        let (waiting, began) = fd::pipe()?;
        fd::set_status_flags(&began, libc::O_NONBLOCK)?;
        let pending = Pending::new(Arc::clone(&listener), began.try_clone()?);
        let (handshakes, keeper) = handshakes::pair(Arc::clone(&listener), pending.clone(), began)?;
        let (received, ended) = fd::pipe()?;
        let (_, hard) = process::open_file_limit()?;
        let counts = Arc::new(Counts::default());
        let allows_networks = reach.table.allows_user_namespaces();
        let waits_are_killable = seccomp::has_killable_waits();
        let freezer =
            Freezer::new(Arc::clone(&listener), Arc::clone(&events), reach.vault.clone(), waits_are_killable);
        let mut receiver = Receiver {
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
            inside: Inside::default(),
            abstract_names: (!reach.walls.scoped).then(|| AbstractNames::new(allows_networks)),
            callers: Callers::default(),
            freezer,
            opaque: HashSet::new(),
            named: reach.named,
            names: reach.names,
            closed: Closed::default(),
            outside: reach.outside,
            walls: reach.walls,
            waits_are_killable,
            ring: OnceCell::new(),
            watch: reach.watch,
            refusal: None,
            suspects: Suspects::default(),
            copy: Copied::default(),
            kinds: Kinds::default(),
        };
        let mut started = Record::new(Kind::Started);
        started.pid = command.pid.cast_unsigned();
        events.tell(&started);
        std::thread::Builder::new().name("sl-receiver".into()).spawn(move || {
            receiver.serve();
            // What it held is given up afterwards, and nobody waits for that.
            drop(ended);
        })?;
        // The command's first calls need not wait for this.
        process::new_session()?;
        fd::close_stdio()?;
        let changes = signal::child_changes()?;
        Ok(Self {
            events,
            pending,
            keeper,
            looked: Instant::now(),
            pid: command.pid,
            pidfd,
            is_running: true,
            changes,
            listener,
            received,
            is_drained: false,
            waiting,
            proven,
            linger,
            deadline: None,
            counts,
            tells_connects: true,
        })
    }

    /// Returns when the command's status has been taken and no task of the sandbox is left, or had to be.
    fn watch(&mut self) {
        // Without one the keeper lets threads connect.
        let _ = tick::begin();
        self.reap(); // what changed before the signal descriptor existed
        let mut ended = 0;
        while self.is_running || !self.is_drained {
            if !self.wait() {
                ended = tree::end(self.proven);
                break;
            }
            self.reap();
            self.keeper.advance();
            self.look();
        }
        // Its last call was of a task that has died; what there is to be told of it is told before the end.
        let _ = fd::poll(&mut [fd::readable(&self.received)], LAST_CALL_MS);
        let mut record = Record::new(Kind::Ended);
        record.code = ended;
        record.address = Some(self.counts.encode());
        record.protocol = u8::from(!self.tells_connects);
        self.events.tell_surely(&record, SURELY_MS);
    }

    /// When the callers that wait are to be looked at; none: none waits.
    fn next_look(&self) -> Option<Instant> {
        let calls = self.pending.count() + self.keeper.count();
        let ms = u64::try_from((calls / LOOKS_PER_MS).max(LOOK_MS)).unwrap_or(u64::MAX);
        (calls > 0).then(|| self.looked + Duration::from_millis(ms))
    }

    /// Ends the calls of callers that are gone or have something else to do. A signal can come just before the call it should interrupt, so this is repeated as long as the
    /// reason stands.
    fn look(&mut self) {
        let now = Instant::now();
        if self.next_look().is_some_and(|due| due <= now) {
            self.looked = now;
            self.pending.interrupt();
            self.keeper.look();
        }
    }

    /// Waits for something to do. `false`: the tree is to be ended.
    fn wait(&mut self) -> bool {
        let mut polls = [
            fd::readable(&fd::borrow(CONTROL)),
            fd::readable(&self.changes),
            fd::hangup(&*self.listener),
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
        let due = [self.deadline, self.next_look(), self.keeper.next()].into_iter().flatten().min();
        let left = due.map_or(IDLE, |due| due.saturating_duration_since(now).min(IDLE));
        let timeout = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(0);
        if fd::poll(&mut polls, timeout).is_err() {
            return false;
        }
        let [control, changes, drained, waiting, _] = polls.map(|poll| poll.revents != 0);
        if changes {
            let mut sink = [0; 1024];
            let _ = fd::read(&self.changes, &mut sink);
        }
        if waiting {
            let _ = fd::read(&self.waiting, &mut [0; 64]);
        }
        self.is_drained |= drained;
        if !control {
            return true;
        }
        // Whom a signal is for depends on whether the command has ended, which may be known to the kernel only.
        self.reap();
        self.obey()
    }

    /// Takes every state change there is. Orphans are only reaped.
    fn reap(&mut self) {
        while let Ok(Some(change)) = process::wait_any(libc::WEXITED) {
            if change.pid == self.pid {
                self.is_running = false;
                self.deadline = self.linger.map(|linger| Instant::now() + linger);
                let mut exited = Record::new(Kind::Exited);
                exited.pid = self.pid.cast_unsigned();
                exited.code = match change.code {
                    libc::CLD_EXITED => change.status << 8,
                    _ => change.status,
                };
                self.events.tell_surely(&exited, SURELY_MS);
            }
        }
        while self.is_running
            && let Ok(Some(change)) = process::wait_any(libc::WSTOPPED | libc::WCONTINUED)
        {
            if change.pid == self.pid && change.code == libc::CLD_STOPPED {
                let mut stopped = Record::new(Kind::Stopped);
                stopped.pid = self.pid.cast_unsigned();
                stopped.code = change.status;
                self.events.tell_surely(&stopped, SURELY_MS);
            }
        }
    }

    /// Reads one control command. `false`: the tree is to be ended.
    fn obey(&mut self) -> bool {
        let mut word = [0; 2];
        let control = fd::borrow(CONTROL);
        let Ok(2) = fd::read(&control, &mut word) else { return false };
        let signal = match word {
            [b'S', signal] => i32::from(signal),
            [b'C', _] => libc::SIGCONT,
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
