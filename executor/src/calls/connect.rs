//! connect(2) on behalf.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::link;
use super::probe;
use super::unix::{self, Reach};
use crate::abstract_names::Anchor;
use crate::caller::interrupted;
use crate::event::Call;
use crate::handshakes::{Progress, until_connected};
use crate::receiver::{Outcome, Receiver, address, waits};
use crate::sockaddr::{Inet, Kind, Target, connect_target};
use crate::sys::seccomp::Notification;
use crate::sys::socket::Name;
use crate::sys::uring::Attempt;
use crate::sys::{Errno, Result, socket, tick};
use crate::table::{Mode, Protocol};
use crate::vault::NOT_HELD;
use crate::watch::Teller;

/// How long connects within the machine are made by the ring after one has waited. A millisecond of all
/// others' time is then a hundredth, whatever a program does.
const WARY: Duration = Duration::from_millis(100);

/// Between two waits for a listener that is anchored.
const BETWEEN: Duration = Duration::from_millis(10);

/// connect(fd, address, length)
pub fn connect(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, address_at, length, ..] = notification.args;
    let socket = match receiver.descriptor(notification) {
        Err(NOT_HELD) => return again(receiver, notification),
        socket => socket?,
    };
    let kind = receiver.kinds.of_connecting(&socket);
    if kind == Err(Errno(libc::EBADF)) {
        return kind.map(|_| Outcome::Done(0)); // an O_PATH descriptor is none for a call on sockets
    }
    // Linux looks at the address first here, and only then whether there is a socket.
    let name = address(notification, address_at, length)?;
    let kind = kind?;
    let target = connect_target(kind, name.as_bytes())?;
    if let Target::Inet(inet) = target {
        return to_inet(receiver, notification, kind, socket, inet);
    }
    receiver.still_waiting(notification)?;
    match target {
        Target::Disconnect => {
            receiver.disconnects(&socket);
            receiver.handshakes.dissolves(&socket);
            at_once(&socket, &Name::new(&[0; 16]))
        }
        Target::Path(path) => {
            let file = unix::open_allowed(receiver, notification, Call::Connect, &path)?;
            let name = unix::pinned(&file);
            to_unix(receiver, notification, kind, socket, name, Held { _file: Some(file), tell: None })
        }
        Target::Abstract(name) => {
            match unix::abstract_reach(receiver, notification, Call::Connect, &socket, &name)? {
                Reach::Own(anchor) => to_own(receiver, notification, kind, socket, name, anchor),
                Reach::Inside => {
                    let bytes = name.as_bytes().get(3..).unwrap_or_default();
                    let tell = Some(receiver.scope_teller(notification.tid, Call::Connect, bytes));
                    to_unix(receiver, notification, kind, socket, name, Held { _file: None, tell })
                }
                Reach::Named => {
                    let listener = Arc::clone(&receiver.listener);
                    let (id, caller) = (notification.id, notification.tid);
                    let work = move || until_connected(&listener, id, caller, &socket, &name);
                    receiver.outside(notification, Box::new(work))
                }
            }
        }
        Target::Kernel => at_once(&socket, &unix::netlink_kernel()),
        Target::Inet(_) | Target::NoName => Err(Errno(libc::EINVAL)),
    }
}

/// A connect on a socket that the vault let go, since it is connected: Linux says so, but after a connect
/// that was put off or interrupted it first says, once, that it succeeded. One that is to dissolve the
/// association is refused: there is no duplicate to do it with.
fn again(receiver: &Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, address_at, length, ..] = notification.args;
    let name = address(notification, address_at, length)?;
    let is_disconnect = name.as_bytes().get(..2) == Some(&[0, 0]);
    if !is_disconnect && receiver.tasks.touched().has_connected() {
        return Ok(Outcome::Done(0));
    }
    Err(NOT_HELD)
}

fn to_inet(
    receiver: &mut Receiver,
    notification: &Notification,
    kind: Kind,
    socket: OwnedFd,
    inet: Inet,
) -> Result<Outcome> {
    link::leads_to(receiver, notification, Call::Connect, kind, &socket, &inet)?;
    if receiver.is_question(kind, &inet) {
        receiver.still_waiting(notification)?;
        return to_names(receiver, notification, kind, socket, inet);
    }
    let decided = receiver.decide(kind, &socket, inet);
    // To refuse is to do nothing: whether anybody waits, the answer finds out.
    if decided.is_ok() || receiver.watch.is_some() {
        receiver.still_waiting(notification)?;
    }
    match receiver.judged(notification, Call::Connect, kind, &socket, inet, decided) {
        Ok(inet) => {
            receiver.explain_suspects(notification, Call::Connect, kind, &inet);
            let name = inet.name();
            if !matches!(kind, Kind::Tcp { .. }) {
                return at_once(&socket, &name); // only notes the peer
            }
            if inet.canonical().is_loopback() && !receiver.is_wary() {
                return within(receiver, notification, socket, name);
            }
            if !waits(&socket)? {
                return at_once(&socket, &name);
            }
            let attempt = receiver.ring().map(|ring| ring.connect(&socket, &name));
            match attempt {
                Some(Attempt::Over(result)) => result.map(|()| Outcome::Done(0)),
                Some(attempt) => {
                    let is_begun = Some(attempt == Attempt::Begun);
                    receiver.goes_on(notification, socket, name, is_begun)
                }
                None => begin_apart(receiver, notification, socket, name),
            }
        }
        Err(_) if probe::is_one(receiver, kind, &inet) => {
            receiver.still_waiting(notification)?;
            probe::answer(receiver, &socket, kind, &inet).map(|()| Outcome::Done(0))
        }
        Err(error) => {
            let (kind, inet) = meant(receiver, kind, inet);
            if matches!(kind, Kind::Udp { .. }) {
                receiver.suspect(notification, inet.port);
            }
            receiver.tell_denied(notification, Call::Connect, kind, &inet, error);
            Err(error)
        }
    }
}

/// Connects a TCP socket within the machine, whether the program wants to wait or not: there the handshake is
/// made, or refused, inside the call, but for a listener whose queue is full or a packet filter. Then the
/// call is cut.
fn within(
    receiver: &mut Receiver,
    notification: &Notification,
    socket: OwnedFd,
    name: Name,
) -> Result<Outcome> {
    let mut result = tick::cut(|| socket::connect(&socket, &name));
    if result == Err(Errno(libc::EINTR)) && Progress::of(&socket) != Progress::Undecided {
        // The tick fell into a call that did not wait.
        result = tick::cut(|| socket::connect(&socket, &name));
    }
    match result {
        Err(Errno(libc::EINTR)) => {
            receiver.wary_until = Some(Instant::now() + WARY);
            receiver.goes_on(notification, socket, name, None)
        }
        result => result.map(|()| Outcome::Done(0)),
    }
}

/// Connects in a thread of its own as long as a tick takes: where there is no ring.
fn begin_apart(
    receiver: &Receiver,
    notification: &Notification,
    socket: OwnedFd,
    name: Name,
) -> Result<Outcome> {
    let (listener, handshakes) = (Arc::clone(&receiver.listener), receiver.handshakes.clone());
    let (notification, touched) = (*notification, receiver.tasks.touched());
    let apart = receiver.links.connects(&socket, &name)?;
    let step = move || {
        let result = if tick::is_there() || tick::begin().is_ok() {
            tick::cut(|| socket::connect(&socket, &name)).map(|()| 0)
        } else {
            until_connected(&listener, notification.id, notification.tid, &socket, &name)
        };
        if result == Err(Errno(libc::EINTR)) && tick::is_there() {
            return handshakes.hand_over(&notification, socket, touched, name, None, apart).err().map(Err);
        }
        touched.settle(result.is_ok());
        Some(result)
    };
    receiver.pending.hand_over_step(&notification, Box::new(step)).map(|()| Outcome::Pending)
}

/// Connects to our own resolver in place of a name server. There is room in its queue, so nothing waits long.
fn to_names(
    receiver: &mut Receiver,
    notification: &Notification,
    kind: Kind,
    socket: OwnedFd,
    inet: Inet,
) -> Result<Outcome> {
    let names = receiver.names.as_mut().ok_or(Errno(libc::EACCES))?;
    let name = names.instead(kind, inet)?.name();
    let result = if tick::is_there() {
        tick::cut(|| socket::connect(&socket, &name))
    } else {
        socket::connect(&socket, &name)
    };
    if matches!(result, Ok(()) | Err(Errno(libc::EINPROGRESS | libc::EINTR))) {
        names.note(kind, &socket, notification.tid);
    }
    match result {
        Err(Errno(libc::EINTR)) => receiver.goes_on(notification, socket, name, None),
        result => result.map(|()| Outcome::Done(0)),
    }
}

impl Receiver {
    /// Whether a connect within the machine may wait: there is no tick to cut it, or one had to be cut not long ago.
    fn is_wary(&mut self) -> bool {
        if self.wary_until.is_some_and(|until| until <= Instant::now()) {
            self.wary_until = None;
        }
        self.wary_until.is_some() || !tick::is_there()
    }

    /// A connect whose handshake goes on waits for it elsewhere.
    fn goes_on(
        &self,
        notification: &Notification,
        socket: OwnedFd,
        name: Name,
        is_begun: Option<bool>,
    ) -> Result<Outcome> {
        let touched = self.tasks.touched();
        let apart = self.links.connects(&socket, &name)?;
        let handed = self.handshakes.hand_over(notification, socket, touched, name, is_begun, apart);
        handed.map(|()| Outcome::Pending)
    }
}

/// What a refused connect was for, to be told: where only ICMP has rules, a UDP connect is ping(8) asking for
/// its source.
fn meant(receiver: &Receiver, kind: Kind, inet: Inet) -> (Kind, Inet) {
    let is_open = |protocol| receiver.table.plan(protocol) != Mode::Closed;
    match kind {
        Kind::Udp { v6 } if !is_open(Protocol::Udp) && is_open(Protocol::Icmp) => {
            (Kind::Icmp { v6 }, Inet { port: 0, ..inet })
        }
        _ => (kind, inet),
    }
}

/// What a connect to a unix socket needs until it is over.
struct Held {
    /// The file that the name leads through.
    _file: Option<OwnedFd>,
    /// To tell a refusal of the kernel's.
    tell: Option<Teller>,
}

impl Held {
    fn end<T>(self, result: Result<T>) -> Result<T> {
        if let (Err(error), Some(tell)) = (&result, &self.tell) {
            tell(*error);
        }
        result
    }
}

fn to_unix(
    receiver: &mut Receiver,
    notification: &Notification,
    kind: Kind,
    socket: OwnedFd,
    name: Name,
    held: Held,
) -> Result<Outcome> {
    if matches!(kind, Kind::Unix { datagram: true, .. }) || !waits(&socket)? {
        return held.end(at_once(&socket, &name));
    }
    wait_for(receiver, notification, socket, name, held)
}

/// Connects to an abstract name whose socket is anchored. While we hold that open, a listener does not close
/// for who waits for room in its queue, so it is looked at between short waits.
fn to_own(
    receiver: &Receiver,
    notification: &Notification,
    kind: Kind,
    socket: OwnedFd,
    name: Name,
    anchor: Anchor,
) -> Result<Outcome> {
    if matches!(kind, Kind::Unix { datagram: true, .. }) || !waits(&socket)? {
        return at_once(&socket, &name);
    }
    let listener = Arc::clone(&receiver.listener);
    let (id, caller, touched) = (notification.id, notification.tid, receiver.tasks.touched());
    let deadline = socket::time_limit(&socket, libc::SO_SNDTIMEO).map(|limit| Instant::now() + limit);
    let work = move || {
        if !tick::is_there() {
            tick::begin()?;
        }
        let result = loop {
            match tick::cut(|| socket::connect(&socket, &name)) {
                Err(Errno(libc::EINTR)) => {}
                result => break result,
            }
            if let Some(error) = interrupted(&listener, id, caller, &socket, libc::SO_SNDTIMEO) {
                break Err(error);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break Err(Errno(libc::EAGAIN));
            }
            if anchor.is_last() {
                break Err(Errno(libc::ECONNREFUSED));
            }
            std::thread::sleep(BETWEEN);
        };
        touched.settle(result.is_ok());
        result.map(|()| 0)
    };
    receiver.pending.hand_over(notification, Box::new(work)).map(|()| Outcome::Pending)
}

fn at_once(fd: &OwnedFd, name: &Name) -> Result<Outcome> {
    socket::connect(fd, name).map(|()| Outcome::Done(0))
}

/// Connects in a thread of its own.
fn wait_for(
    receiver: &Receiver,
    notification: &Notification,
    socket: OwnedFd,
    name: Name,
    held: Held,
) -> Result<Outcome> {
    let listener = Arc::clone(&receiver.listener);
    let (id, caller) = (notification.id, notification.tid);
    let touched = receiver.tasks.touched();
    let work = move || {
        let result = until_connected(&listener, id, caller, &socket, &name);
        touched.settle(result.is_ok());
        held.end(result)
    };
    receiver.pending.hand_over(notification, Box::new(work)).map(|()| Outcome::Pending)
}
