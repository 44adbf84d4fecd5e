//! bind(2) and listen(2) on behalf. Choosing a source (port 0) is a client's right where its protocol has
//! rules; a port of one's own, and listening, need a rule for binding. Unix sockets are bound and listen as
//! programs like, and their files are remembered as ours.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use super::{link, unix};
use crate::event::Call;
use crate::kinds::kind;
use crate::open_sockets;
use crate::receiver::{Outcome, Receiver, address};
use crate::sockaddr::{self, Inet, Kind, Target, connect_target};
use crate::sys::seccomp::Notification;
use crate::sys::socket::Name;
use crate::sys::{Errno, Result, fd, socket};
use crate::table::{Mode, Protocol, Verdict};
use crate::task::Status;
use crate::vault::NOT_HELD;

/// bind(fd, address, length)
pub fn bind(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, pointer, length, ..] = notification.args;
    let socket = match receiver.descriptor(notification) {
        // It is connected or listens.
        Err(NOT_HELD) => return Err(Errno(libc::EINVAL)),
        socket => socket?,
    };
    let kind = kind(&socket)?;
    let name = address(notification, pointer, length)?;
    let bytes = name.as_bytes();
    match kind {
        Kind::Unix { .. } => bind_unix(receiver, notification, &socket, bytes),
        Kind::Netlink => {
            // Port id and groups are the program's own affair: groups of the routing family are news of the kernel.
            receiver.still_waiting(notification)?;
            bound(receiver, &socket, &Name::new(bytes.get(..12).ok_or(Errno(libc::EINVAL))?))
        }
        kind => bind_inet(receiver, notification, &socket, kind, bytes),
    }
}

fn bind_inet(
    receiver: &mut Receiver,
    notification: &Notification,
    socket: &OwnedFd,
    kind: Kind,
    bytes: &[u8],
) -> Result<Outcome> {
    let inet = source(kind, bytes)?;
    receiver.links.names(inet.ip);
    if link::is_of_a_link(inet.ip) && receiver.links.meets(socket, inet.ip)? {
        return Err(Errno(libc::EINVAL)); // as for a socket that connects
    }
    receiver.still_waiting(notification)?;
    let may_send = |protocol| receiver.table.plan(protocol) != Mode::Closed;
    let may_bind = |protocol| receiver.table.lookup(protocol, inet.ip, inet.port) == Verdict::Allow;
    let is_allowed = match kind {
        Kind::Tcp { .. } => may_bind(Protocol::TcpBind) || inet.port == 0 && may_send(Protocol::Tcp),
        Kind::Udp { .. } => {
            may_bind(Protocol::UdpBind)
                || inet.port == 0 && (may_send(Protocol::Udp) || receiver.names.is_some())
        }
        // The "port" of an echo socket is the identifier of its own requests.
        _ => may_send(Protocol::Icmp),
    };
    let decided = if is_allowed { Ok(inet) } else { Err(Errno(libc::EACCES)) };
    if let Err(error) = receiver.judged(notification, Call::Bind, kind, socket, inet, decided) {
        receiver.tell_denied(notification, Call::Bind, kind, &inet, error);
        return Err(error);
    }
    receiver.explain_suspects(notification, Call::Bind, kind, &inet);
    // Not what was judged: to bind an unspecified address means every address, not loopback.
    let outcome = bound(receiver, socket, &inet.name())?;
    if matches!(kind, Kind::Tcp { .. }) {
        // One that can not be remembered listens as little as what was never bound.
        let _ = receiver.bound.remember(socket, (inet.ip, inet.port), open_sockets::all);
    }
    Ok(outcome)
}

/// The address of a bind on an IP socket. Linux takes AF_UNSPEC for AF_INET when the address is 0.0.0.0 (inet_bind).
fn source(kind: Kind, bytes: &[u8]) -> Result<Inet> {
    let v4_any = [0u8; 4];
    let unspecified = bytes.len() >= 16 && bytes.get(..2) == Some(&[0, 0]);
    let is_v4 = matches!(kind, Kind::Tcp { v6: false } | Kind::Udp { v6: false } | Kind::Icmp { v6: false });
    if is_v4 && unspecified {
        if bytes.get(4..8) != Some(&v4_any) {
            return Err(Errno(libc::EAFNOSUPPORT));
        }
        let mut bytes = bytes.to_vec();
        if let Some(family) = bytes.get_mut(..2) {
            family.copy_from_slice(&2u16.to_ne_bytes());
        }
        return source(kind, &bytes);
    }
    match connect_target(kind, bytes) {
        Ok(Target::Inet(inet)) => Ok(inet),
        Ok(_) => Err(Errno(libc::EAFNOSUPPORT)),
        Err(error) => Err(error),
    }
}

/// A path is bound as the caller would have: its directory, its umask, the bytes it gave (getsockname(2) shows them).
fn bind_unix(
    receiver: &mut Receiver,
    notification: &Notification,
    socket: &OwnedFd,
    bytes: &[u8],
) -> Result<Outcome> {
    let autobind = bytes.len() == 2 && bytes == (1u16).to_ne_bytes();
    let path = match connect_target(Kind::Unix { datagram: true, stream: false }, bytes) {
        _ if autobind => None,
        Ok(Target::Path(path)) => Some(path),
        Ok(Target::Abstract(_)) => None,
        Ok(_) => return Err(Errno(libc::EINVAL)),
        Err(error) => return Err(error),
    };
    let Some(path) = path else {
        receiver.still_waiting(notification)?;
        if receiver.observes() && !autobind {
            let name = [b"@", bytes.get(3..).unwrap_or_default()].concat();
            receiver.judged_unix(notification, Call::Bind, &name, true)?;
        }
        let was_nameless = socket::local_name(socket)?.as_bytes().len() == 2;
        let outcome = bound(receiver, socket, &Name::new(bytes))?;
        if was_nameless && let Some(names) = &mut receiver.abstract_names {
            let [number, ..] = notification.args;
            let number = u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX).cast_signed();
            // What can not be remembered can not be connected to: that is all that follows from an error here.
            let _ = names.remember(socket, (notification.tid, number));
        }
        return Ok(outcome);
    };
    let umask = Status::read(notification.tid)?.umask;
    unix::enter_directory(notification)?;
    receiver.still_waiting(notification)?;
    receiver.inside.note(socket)?;
    let ours = fd::set_umask(umask);
    let begun = SystemTime::now();
    let result = socket::bind(socket, &Name::new(bytes)).map(|()| Outcome::Done(0));
    fd::set_umask(ours);
    if result.is_ok() {
        // A file that can not be remembered can not be connected to: that is all that follows from an error here.
        let path = CString::new(path.as_bytes()).map_err(|_| Errno(libc::EINVAL))?;
        let _ = fd::open_path(&path).and_then(|file| receiver.inside.remember(socket, file, begun));
    }
    result
}

/// A name that is in use may be so by a socket which only the vault still has open.
fn bound(receiver: &Receiver, fd: &OwnedFd, name: &Name) -> Result<Outcome> {
    let result = match (socket::bind(fd, name), receiver.tasks.vault()) {
        (Err(Errno(libc::EADDRINUSE)), Some(vault)) => {
            vault.collect();
            socket::bind(fd, name)
        }
        (result, _) => result,
    };
    result.map(|()| Outcome::Done(0))
}

/// listen(fd, backlog)
pub fn listen(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, backlog, ..] = notification.args;
    let socket = match receiver.descriptor(notification) {
        // Servers with several processes listen in each, on the same socket; only the length of its queue is
        // no longer changed.
        Err(NOT_HELD) if receiver.tasks.touched().listened() => return Ok(Outcome::Done(0)),
        Err(NOT_HELD) => return Err(Errno(libc::EINVAL)),
        socket => socket?,
    };
    let kind = kind(&socket)?;
    receiver.links.listens(kind);
    receiver.still_waiting(notification)?;
    let backlog = u32::try_from(backlog & 0xffff_ffff).unwrap_or(0).cast_signed();
    match kind {
        Kind::Unix { .. } => socket::listen(&socket, backlog).map(|()| Outcome::Done(0)),
        Kind::Tcp { .. } => listen_inet(receiver, notification, &socket, kind, backlog),
        Kind::Udp { .. } | Kind::Icmp { .. } | Kind::Netlink => Err(Errno(libc::EOPNOTSUPP)),
    }
}

/// `TCP_LISTEN` of net/tcp_states.h.
const LISTENS: u8 = 10;

/// What the socket shows as its name may have been taken from it already, or be a moment later, by calls that
/// nobody looks at (shutdown, in some plans connect) or by its peer. So it is judged by what it was bound to
/// (`bound.rs`): without a bind, by every address and all ports that Linux could choose. One that listens was
/// judged so before, and keeps what it had then.
fn listen_inet(
    receiver: &mut Receiver,
    notification: &Notification,
    socket: &OwnedFd,
    kind: Kind,
    backlog: i32,
) -> Result<Outcome> {
    let error = Errno(libc::EACCES);
    let (ip, port) = sockaddr::from_kernel(&socket::local_name(socket)?).ok_or(error)?;
    let inet = Inet { ip, port, scope: 0, form: sockaddr::Form::V6 };
    let is_allowed = socket::tcp_state(socket)? == LISTENS || {
        let (ip, ports) =
            receiver.bound.listens(socket::cookie(socket)?, matches!(kind, Kind::Tcp { v6: true }));
        receiver.table.lookup_all(Protocol::TcpBind, ip, ports) == Verdict::Allow
    };
    let decided = if is_allowed { Ok(inet) } else { Err(error) };
    if receiver.judged(notification, Call::Listen, kind, socket, inet, decided).is_ok() {
        return socket::listen(socket, backlog).map(|()| Outcome::Done(0));
    }
    receiver.tell_denied(notification, Call::Listen, kind, &inet, error);
    Err(error)
}
