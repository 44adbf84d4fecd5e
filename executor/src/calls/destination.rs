//! Where a copied message goes and what it carries beside its payload: the name, decided on, and the control
//! messages, translated.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use super::link;
use super::message::Message;
use super::unix::{self, Reach};
use crate::cmsg::{self, Control};
use crate::receiver::Receiver;
use crate::sockaddr::{Form, Inet, Kind, Target, from_kernel, send_target};
use crate::sys::memory;
use crate::sys::seccomp::Notification;
use crate::sys::socket::Name;
use crate::sys::{Errno, Result, socket as sockets};

/// Bound on control messages, as net.core.optmem_max of current kernels.
const MOST_CONTROL: u64 = 128 * 1024;

/// Where a message goes.
pub(super) struct Destination {
    /// A name of our own making, decided on; none: to the peer that connect(2) was allowed.
    pub(super) name: Option<Name>,
    /// What `name` leads to, file or socket: held open, so that it does until the message is sent.
    pub(super) target: Option<OwnedFd>,
    /// An abstract name outside, which only `outside.rs` can reach.
    pub(super) is_outside: bool,
}

const PEER: Destination = Destination { name: None, target: None, is_outside: false };

/// Finds out where the message goes and whether it may.
pub(super) fn destination(
    receiver: &mut Receiver,
    notification: &Notification,
    kind: Kind,
    socket: &OwnedFd,
    message: &Message,
) -> Result<Destination> {
    let Some(bytes) = &message.name else {
        receiver.sent_to_peer(message.call, kind, socket);
        return Ok(PEER);
    };
    if let Kind::Unix { datagram: false, stream } = kind {
        // A connected socket takes no other peer; what exactly it answers is the kernel's to say. SEQPACKET
        // ignores the name.
        return Ok(Destination { name: stream.then(|| Name::new(&(1u16).to_ne_bytes())), ..PEER });
    }
    let target = send_target(kind, bytes.as_bytes())?;
    if let Target::Inet(inet) = &target {
        link::leads_to(receiver, notification, message.call, kind, socket, inet)?;
    }
    match target {
        Target::NoName => {
            receiver.sent_to_peer(message.call, kind, socket);
            Ok(PEER)
        }
        Target::Inet(inet) if receiver.is_question(kind, &inet) => {
            receiver.still_waiting(notification)?;
            to_names(receiver, notification, kind, socket, inet)
        }
        Target::Inet(inet) => {
            let decided = receiver.decide(kind, socket, inet);
            match receiver.judged(notification, message.call, kind, socket, inet, decided) {
                Ok(inet) => Ok(Destination { name: Some(inet.name()), ..PEER }),
                Err(error) => {
                    receiver.tell_denied(notification, message.call, kind, &inet, error);
                    Err(error)
                }
            }
        }
        Target::Path(path) => {
            let file = unix::open_allowed(receiver, notification, message.call, &path)?;
            Ok(Destination { name: Some(unix::pinned(&file)), target: Some(file), ..PEER })
        }
        Target::Abstract(name) => {
            let reach = unix::abstract_reach(receiver, notification, message.call, socket, &name)?;
            let is_outside = matches!(reach, Reach::Named);
            let target = if let Reach::Own(anchor) = reach { Some(anchor.socket) } else { None };
            Ok(Destination { name: Some(name), target, is_outside })
        }
        Target::Kernel => Ok(Destination { name: Some(unix::netlink_kernel()), ..PEER }),
        Target::Disconnect => Err(Errno(libc::EINVAL)),
    }
}

/// Sends to our own resolver in place of a name server. The socket gets its port now, as the send would give
/// it one: by that it is known to the resolver.
fn to_names(
    receiver: &mut Receiver,
    notification: &Notification,
    kind: Kind,
    socket: &OwnedFd,
    inet: Inet,
) -> Result<Destination> {
    let names = receiver.names.as_mut().ok_or(Errno(libc::EACCES))?;
    let instead = names.instead(kind, inet)?;
    let port = from_kernel(&sockets::local_name(socket)?).map_or(0, |(_, port)| port);
    if port == 0 {
        let v6 = matches!(kind, Kind::Udp { v6: true });
        let form = if v6 { Form::V6 } else { Form::V4 };
        let ip = if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        sockets::bind(socket, &Inet { ip, port: 0, scope: 0, form }.name())?;
    }
    names.note(kind, socket, notification.tid);
    Ok(Destination { name: Some(instead.name()), ..PEER })
}

pub(super) fn control(
    receiver: &mut Receiver,
    notification: &Notification,
    kind: Kind,
    message: &Message,
) -> Result<Control> {
    let (pointer, length) = message.control;
    if length == 0 {
        return Ok(Control::default());
    }
    if length > MOST_CONTROL {
        return Err(Errno(libc::ENOBUFS));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    memory::read_exact(notification.tid, pointer, &mut bytes)?;
    let tid = notification.tid;
    cmsg::translate(kind, &bytes, |number| receiver.tasks.passed(tid, number))
}
