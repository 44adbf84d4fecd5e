//! The supervisor process: prepares itself, step by step, creates the command, and becomes its warden
//! (`warden.rs`). Decides in which order that is done, and when a sandbox is refused because of where it
//! would run.
//!
//! It is a program of its own, executed by the front with these descriptors and an empty environment, or a
//! copy of the launcher with them:
//!
//! | number | is |
//! |---|---|
//! | 0–2 | the command's stdio; /dev/null once it runs |
//! | 3 | the table, sealed |
//! | 4 | records, write end |
//! | 5 | control, read end: `S` n (signal n to the command), `C` n (continue it from its nth stop, if it stands there still), `K` (end the tree); end of file: the front is gone |
//! | 6 | write end: one byte once it is proven that we can signal nothing outside |
//! | 7 | the request, sealed; a copy of the launcher has it in memory instead |
//!
//! Should: have no capabilities, not be dumpable, be in a session of its own, be subreaper (orphans come to
//! it). A panic ends it, and so the tree (the front sees to that). Must not: end while a task of the sandbox
//! lives; touch stdio of the caller after the command has started.

use std::cell::LazyCell;
use std::sync::Arc;
use std::time::Duration;

use crate::calls::link::Links;
use crate::event::{Record, Stage};
use crate::events::{Events, SURELY_MS};
use crate::filter;
use crate::kinds;
use crate::named::Named;
use crate::names::hosts;
use crate::names::listed::Listed;
use crate::names::redirect::Redirect;
use crate::names::telling::Telling;
use crate::outside::Outside;
use crate::pending::INTERRUPT;
use crate::probe;
use crate::request::{
    FOREVER, OBSERVE, Request, SUPERVISE, TELL_ALLOWED, WITHOUT_PROCESSES, WITHOUT_SETTINGS,
};
use crate::settings;
use crate::sockaddr::Kind as SocketKind;
use crate::spawn::{self, Confinement, Failure};
use crate::sys::landlock::Abi;
use crate::sys::mapping::Mapping;
use crate::sys::{Errno, Result, child, fd, landlock, mounts, process, signal, socket};
use crate::table::{Table, UnixRule};
use crate::tree::{self, Children, Means, Proven};
use crate::vault::Vault;
use crate::walls::Walls;
use crate::warden::{Reach, Warden};
use crate::watch::Watch;
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
/// Descriptor on which the front learns that our domain is proven.
pub const PROOF: i32 = 6;
/// Descriptor of the request, if we are given one.
pub const REQUEST: i32 = 7;

/// How the supervisor has come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// It was executed, by a thread in the front's domain; the rest of its host is outside.
    Executed,
    /// It is a copy of the launcher, which is in the front's domain itself, with the request.
    Copied(&'a [u8]),
}

/// The program.
pub fn main(origin: Origin<'_>) -> ! {
    signal::block_all();
    process::share_heap();
    process::name_thread(c"sl-supervisor");
    let Ok(events) = Events::new(fd::own(EVENTS)) else { process::exit_now(125) };
    let events = Arc::new(events);
    let teller = Arc::clone(&events);
    std::panic::set_hook(Box::new(move |_| {
        teller.last_words();
        std::process::abort()
    }));
    match run(origin, &events) {
        Ok(()) => {}
        Err(failure) => events.tell_surely(&[], &Record::failed(failure.stage, failure.error), SURELY_MS),
    }
    process::exit_now(0)
}

fn run(origin: Origin<'_>, events: &Arc<Events>) -> std::result::Result<(), Failure> {
    let own = Failure::at(Stage::Prepare);
    let last = if origin == Origin::Executed { REQUEST } else { PROOF };
    fd::close_from(last.cast_unsigned() + 1).map_err(Failure::at(Stage::Close))?;
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
    if origin != Origin::Executed && abi.has_scopes() {
        // The launcher shares the front's domain, so this one is ours: it is to be out of our reach.
        landlock::signals()
            .and_then(|domain| landlock::enter(&domain))
            .map_err(Failure::at(Stage::Domain))?;
    }
    let proven = Proven::by_probe(process::parent());
    if abi.has_scopes() && proven.is_none() {
        return Err(Failure { stage: Stage::Domain, error: Errno(libc::EPERM) });
    }
    if proven.is_some() {
        fd::write_all(&fd::borrow(PROOF), b"P").map_err(&own)?;
    }
    let means = match proven {
        Some(proven) => Means::Domain(proven),
        None => Means::Walk(Children::of_this_thread().ok()),
    };
    let request = match origin {
        Origin::Copied(request) => Request::received(request),
        Origin::Executed => {
            Mapping::sealed(&fd::borrow(REQUEST)).and_then(|request| Request::received(request.as_ref()))
        }
    };
    let request = request.map_err(&own)?;
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
    let gives_up_processes = request.options & WITHOUT_PROCESSES != 0;
    if !gives_up_processes && !abi.has_domains() {
        return Err(Failure { stage: Stage::Processes, error: Errno(libc::EPERM) });
    }
    // A domain without TCP can do less with files than a program expects: it is for other processes alone.
    walls.confined = abi.has_tcp() || abi.has_domains() && !gives_up_processes;
    // Whatever is inspected, the warden signals the command by a pidfd: without them nothing is to run.
    process::pidfd_open(process::own_pid().cast_unsigned(), 0).map_err(Failure::at(Stage::Inspection))?;
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
    let is_given_sockets = check_stdio().map_err(Failure::at(Stage::Stdio))?;
    let links = Links::new(is_given_sockets || walls.may_be_handed_sockets());
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
    let vault = if walls.holds_sockets { Some(start_vault(!abi.has_scopes()).map_err(&own)?) } else { None };
    let reach = Reach { table, walls, named, links, names, outside, watch, vault };
    let watch_over = Warden::prepare(Arc::clone(events), reach, linger).map_err(&own)?;
    let command = spawn::spawn(request, &confinement)?;
    let mut warden = watch_over(command).map_err(|error| {
        tree::end(&means);
        own(error)
    })?;
    warden.watch(&means);
    // What there was to tell is told. All that we hold goes with us, at once.
    process::exit_now(0)
}

/// Shows the pinned names in the hosts file, where that costs nothing: in a mount namespace that is ours.
/// Elsewhere, and for programs that do not read it, the resolver says the same. The names of the machine are
/// not shown; those of an image are, since they are its author's.
fn show_names(listed: &Listed, own: &str) {
    let text = hosts::text(if is_image() { own } else { "" }, listed.pinned());
    // ENOENT: there is no such file, so nobody reads it.
    let _ = mounts::cover(c"/etc/hosts", text.as_bytes());
}

/// Whether our root is another than that of the first process: chroot(2) was here. Told by what is mounted
/// there, its device and the directory of it (proc_pid_mountinfo(5)).
fn is_image() -> bool {
    let root = |process: &str| {
        let text = std::fs::read_to_string(format!("/proc/{process}/mountinfo")).ok()?;
        let line = text.lines().rfind(|line| line.split(' ').nth(4) == Some("/"))?;
        Some(line.split(' ').skip(2).take(2).map(str::to_owned).collect::<Vec<_>>())
    };
    root("1").is_some_and(|system| root("self") != Some(system))
}

/// Tries on ourselves what every trapped call needs. A container's filter may forbid it (EPERM; Docker's
/// default profile without `CAP_SYS_PTRACE` does), an old kernel not have it (ENOSYS; Linux 5.6).
fn probe_inspection() -> Result<()> {
    let own = process::own_pid().cast_unsigned();
    drop(process::pidfd_getfd(&process::pidfd_open(own, 0)?, CONTROL)?);
    probe::reads_memory()
}

/// The same for where sockets are made and held instead. It takes a filter to try, so a process of its own does.
fn probe_vault() -> Result<()> {
    let own = process::own_pid();
    probe::forked(|| child::die_with_parent(own).and_then(|()| probe::holds_sockets()))
}

/// Enters the domain that keeps us, and whatever thread we make from now on, from outside abstract unix
/// sockets: it is the kernel that knows which are outside. If the policy names some, threads that are not in
/// it are made first.
fn enter_domain(table: &Table<Mapping>, abi: Abi, observes: bool) -> Result<Option<Outside>> {
    let names_any = observes || table.unix_rules().any(|rule| matches!(rule, UnixRule::Abstract(_)));
    let outside = if names_any { Some(Outside::start()?) } else { None };
    if abi.has_scopes() {
        landlock::enter(&landlock::abstract_names()?)?;
    }
    Ok(outside)
}

/// The command keeps 0, 1 and 2. As a socket each may only be a connection: that reaches whom the caller
/// chose and can not be turned elsewhere without us. EPERM for any other socket. Whether there is one.
fn check_stdio() -> Result<bool> {
    let mut is_any = false;
    for number in 0..3 {
        let stdio = fd::borrow(number);
        let kind = match kinds::kind(&stdio) {
            Err(Errno(libc::ENOTSOCK | libc::EBADF)) => continue,
            kind => kind.map_err(|_| Errno(libc::EPERM))?,
        };
        let is_connection = matches!(kind, SocketKind::Tcp { .. } | SocketKind::Unix { datagram: false, .. });
        if !is_connection || socket::peer_name(&stdio).is_err() {
            return Err(Errno(libc::EPERM));
        }
        is_any = true;
    }
    Ok(is_any)
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

/// Half of the descriptors are for sockets that are held.
fn start_vault(keeps_names: bool) -> Result<Vault> {
    let (_, hard) = process::open_file_limit()?;
    Vault::start(usize::try_from(hard / 2).unwrap_or(usize::MAX), keeps_names)
}
