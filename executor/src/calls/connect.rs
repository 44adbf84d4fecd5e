//! connect(2) on behalf.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::probe;
use super::unix::{self, Reach};
use crate::event::Call;
use crate::pending::interrupted;
use crate::receiver::{Outcome, Receiver, address, kind, waits};
use crate::sockaddr::{Inet, Kind, Target, connect_target};
use crate::sys::seccomp::{Listener, Notification};
use crate::sys::socket::Name;
use crate::sys::uring::Attempt;
use crate::sys::{Errno, Result, socket};
use crate::table::{Mode, Protocol};
use crate::vault::NOT_HELD;
use crate::watch::Teller;

/// connect(fd, address, length)
pub fn connect(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, address_at, length, ..] = notification.args;
    let socket = match receiver.descriptor(notification) {
        Err(NOT_HELD) => return again(receiver, notification),
        socket => socket?,
    };
    let kind = kind(&socket);
    if kind == Err(Errno(libc::EBADF)) {
        return kind.map(|_| Outcome::Done(0)); // an O_PATH descriptor is none for a call on sockets
    }
    // Linux looks at the address first here, and only then whether there is a socket.
    let name = address(notification, address_at, length)?;
    let kind = kind?;
    let target = connect_target(kind, name.as_bytes())?;
    receiver.still_waiting(notification)?;
    match target {
        Target::Disconnect => {
            receiver.disconnects(&socket);
            at_once(&socket, &Name::new(&[0; 16]))
        }
        Target::Inet(inet) => to_inet(receiver, notification, kind, socket, inet),
        Target::Path(path) => {
            let file = unix::open_allowed(receiver, notification, Call::Connect, &path)?;
            let name = unix::pinned(&file);
            to_unix(receiver, notification, kind, socket, name, Held { _file: Some(file), tell: None })
        }
        Target::Abstract(name) => match unix::abstract_reach(receiver, notification, Call::Connect, &name)? {
            Reach::Inside => {
                let bytes = name.as_bytes().get(3..).unwrap_or_default();
                let tell = Some(receiver.scope_teller(notification.tid, Call::Connect, bytes));
                to_unix(receiver, notification, kind, socket, name, Held { _file: None, tell })
            }
            Reach::Named => {
                let work = move || socket::connect(&socket, &name).map(|()| 0);
                receiver.outside(notification, Box::new(work))
            }
        },
        Target::Kernel => at_once(&socket, &unix::netlink_kernel()),
        Target::NoName => Err(Errno(libc::EINVAL)),
    }
}

/// A connect on a socket that the vault let go, since it is connected: Linux says so, but after a connect that was put off or interrupted it first says, once, that it succeeded. One
/// that is to dissolve the association is refused: there is no duplicate to do it with.
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
    if receiver.is_question(kind, &inet) {
        return to_names(receiver, notification, kind, socket, inet);
    }
    let decided = receiver.decide(kind, &socket, inet);
    match receiver.judged(notification, Call::Connect, kind, &socket, inet, decided) {
        Ok(inet) => {
            receiver.explain_suspects(notification, kind, &inet);
            let name = inet.name();
            // Datagram sockets only note the peer. A socket that does not wait connects or fails at once.
            if !matches!(kind, Kind::Tcp { .. }) || !waits(&socket)? {
                return at_once(&socket, &name);
            }
            let attempt = receiver.ring.as_mut().map(|ring| ring.connect(&socket, &name));
            match attempt {
                Some(Attempt::Over(result)) => result.map(|()| Outcome::Done(0)),
                begun => {
                    wait_for(receiver, notification, socket, name, begun == Some(Attempt::Begun), NOTHING)
                }
            }
        }
        Err(_) if probe::is_one(receiver, kind, &inet) => {
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
    let result = socket::connect(&socket, &name);
    if matches!(result, Ok(()) | Err(Errno(libc::EINPROGRESS))) {
        names.note(&socket, notification.tid);
    }
    match result {
        Err(Errno(libc::EINTR)) => wait_for(receiver, notification, socket, name, true, NOTHING),
        result => result.map(|()| Outcome::Done(0)),
    }
}

/// What a refused connect was for, to be told: where only ICMP has rules, a UDP connect is ping(8) asking for its source.
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

const NOTHING: Held = Held { _file: None, tell: None };

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
    wait_for(receiver, notification, socket, name, false, held)
}

fn at_once(fd: &OwnedFd, name: &Name) -> Result<Outcome> {
    socket::connect(fd, name).map(|()| Outcome::Done(0))
}

/// Connects in a thread of its own. `is_begun`: this very call has begun to connect already.
fn wait_for(
    receiver: &Receiver,
    notification: &Notification,
    socket: OwnedFd,
    name: Name,
    is_begun: bool,
    held: Held,
) -> Result<Outcome> {
    let listener = Arc::clone(&receiver.listener);
    let (id, caller) = (notification.id, notification.tid);
    let touched = receiver.tasks.touched();
    let work = move || {
        let result = until_connected(&listener, id, caller, &socket, &name);
        touched.settle(result.is_ok());
        match held.end(result) {
            // A time limit (SO_SNDTIMEO) ran out on the connection that this call began: to the kernel ours was the second attempt.
            Err(Errno(libc::EALREADY)) if is_begun => Err(Errno(libc::EINPROGRESS)),
            result => result,
        }
    };
    receiver.pending.hand_over(notification, Box::new(work)).map(|()| Outcome::Pending)
}

fn until_connected(listener: &Listener, id: u64, caller: u32, socket: &OwnedFd, name: &Name) -> Result<i64> {
    let mut is_second = false;
    loop {
        match socket::connect(socket, name) {
            Ok(()) => return Ok(0),
            // Our own earlier attempt went on in the kernel and succeeded.
            Err(Errno(libc::EISCONN)) if is_second => return Ok(0),
            Err(Errno(libc::EINTR)) => match interrupted(listener, id, caller, socket, libc::SO_SNDTIMEO) {
                Some(error) => return Err(error),
                None => is_second = true,
            },
            Err(error) => return Err(error),
        }
    }
}
