//! Sending a copied message: steps 3 to 5 of `receiver/`. First every send is tried without waiting; when
//! it would wait and the program wants that, a thread of its own goes on from there.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::destination::{Destination, control, destination};
use super::message::{MOST_IP_BYTES, Message};
use crate::caller::interrupted;
use crate::cmsg::Control;
use crate::msghdr::{MOST_TOTAL, places};
use crate::pending::Work;
use crate::receiver::{Copied, Outcome, Receiver, waits};
use crate::sockaddr::Kind;
use crate::sys::memory;
use crate::sys::seccomp::{Listener, Notification};
use crate::sys::socket::{self, Name};
use crate::sys::{Errno, Result, process};
use crate::task;

/// Largest message on other sockets, and largest piece of a stream. Linux bounds a unix datagram by
/// SO_SNDBUF, which is below.
const MOST_BYTES: usize = 1 << 20;
/// Piece of a stream while it waits for room, and where much waits already: thousands may wait at once, and
/// each holds one.
const WAITING_BYTES: usize = 1 << 16;
const LEAST_WAITING_BYTES: usize = 1 << 12;

/// Flags that are passed on. Others have no meaning for a send (they are for receiving, or internal), or must
/// not come from a program: MSG_FASTOPEN connects, MSG_ZEROCOPY would queue pages of ours.
const FLAGS: i32 = libc::MSG_OOB
    | libc::MSG_DONTROUTE
    | libc::MSG_DONTWAIT
    | libc::MSG_EOR
    | libc::MSG_CONFIRM
    | libc::MSG_NOSIGNAL
    | libc::MSG_MORE;

/// A message ready to be sent.
struct Outgoing {
    tid: u32,
    id: u64,
    socket: OwnedFd,
    kind: Kind,
    name: Option<Name>,
    /// What `name` leads to.
    _target: Option<OwnedFd>,
    control: Control,
    total: u64,
    flags: i32,
    count_at: Option<u64>,
    is_copied: bool,
    /// Largest piece while it waits.
    piece: usize,
}

/// Steps 3 to 5 for one message.
pub(super) fn send(
    receiver: &mut Receiver,
    notification: &Notification,
    kind: Kind,
    socket: OwnedFd,
    message: &Message,
) -> Result<Outcome> {
    let Destination { name, target, is_outside } =
        destination(receiver, notification, kind, &socket, message)?;
    let control = control(receiver, notification, kind, message)?;
    let bound = match kind {
        Kind::Udp { .. } | Kind::Icmp { .. } => MOST_IP_BYTES,
        Kind::Tcp { .. } | Kind::Unix { stream: true, .. } => MOST_TOTAL,
        Kind::Unix { .. } | Kind::Netlink => MOST_BYTES as u64,
    };
    if message.total > bound {
        return Err(Errno(libc::EMSGSIZE));
    }
    let may_wait = message.flags & libc::MSG_DONTWAIT == 0;
    let outgoing = Outgoing {
        tid: notification.tid,
        id: notification.id,
        socket,
        kind,
        name,
        _target: target,
        control,
        total: message.total,
        flags: message.flags & FLAGS,
        count_at: message.count_at,
        is_copied: message.is_copied,
        piece: MOST_BYTES,
    };
    if is_outside {
        let copy = receiver.copy.parts_only();
        let work = outgoing.kept(receiver, copy, Progress::default(), may_wait)?;
        return receiver.outside(notification, work);
    }
    transmit(receiver, notification, outgoing, may_wait)
}

fn transmit(
    receiver: &mut Receiver,
    notification: &Notification,
    outgoing: Outgoing,
    may_wait: bool,
) -> Result<Outcome> {
    let progress = outgoing.advance(&receiver.listener, &mut receiver.copy, Progress::default(), false);
    match progress {
        Advance::Finished(result) => outgoing.finish(&receiver.listener, result).map(Outcome::Done),
        Advance::WouldWait(progress) if may_wait && waits(&outgoing.socket)? => {
            // A whole message is kept as it was decided on; of a stream the next piece is copied when there is room.
            let is_whole = !outgoing.kind.is_stream();
            let copy = if is_whole { receiver.copy.data_only() } else { receiver.copy.parts_only() };
            let work = outgoing.kept(receiver, copy, progress, true)?;
            receiver.pending.hand_over(notification, work).map(|()| Outcome::Pending)
        }
        Advance::WouldWait(progress) => {
            let result = progress.result(Errno(libc::EAGAIN));
            outgoing.finish(&receiver.listener, result).map(Outcome::Done)
        }
    }
}

/// How far a stream has got.
#[derive(Clone, Copy, Default)]
struct Progress {
    sent: u64,
}

impl Progress {
    /// A call that has sent something succeeds with that; otherwise it fails.
    fn result(self, error: Errno) -> Result<i64> {
        if self.sent > 0 { Ok(self.sent.cast_signed()) } else { Err(error) }
    }
}

enum Advance {
    Finished(Result<i64>),
    WouldWait(Progress),
}

impl Outgoing {
    /// What sends the rest in another thread, with the room for all that it holds until then. ENOBUFS: too
    /// much is held already.
    fn kept(
        mut self,
        receiver: &Receiver,
        mut copy: Copied,
        progress: Progress,
        may_wait: bool,
    ) -> Result<Work> {
        let pending = &receiver.pending;
        if self.kind.is_stream() {
            self.piece = if pending.is_tight() { LEAST_WAITING_BYTES } else { WAITING_BYTES };
        }
        let data = usize::try_from(self.total).unwrap_or(self.piece).min(self.piece);
        let apart = receiver.links.sends(self.kind, &self.socket, self.name.as_ref())?;
        let room = pending.room(self.control.bytes.len() + size_of_val(&*copy.parts) + data)?;
        let listener = Arc::clone(&receiver.listener);
        Ok(Box::new(move || {
            let (_room, _apart) = (room, apart);
            let result = self.complete(&listener, &mut copy, progress, may_wait);
            result.map(|count| if self.count_at.is_some() { 1 } else { count })
        }))
    }

    /// Sends as much as goes; with `wait` until all is sent or the caller is gone.
    fn advance(&self, listener: &Listener, copy: &mut Copied, mut progress: Progress, wait: bool) -> Advance {
        let flags = if wait { self.flags & !libc::MSG_DONTWAIT } else { self.flags | libc::MSG_DONTWAIT };
        loop {
            let left = self.total - progress.sent;
            let wanted = usize::try_from(left).unwrap_or(self.piece).min(self.piece);
            // A whole message is copied once: what was decided on and what is sent are the same, also after waiting.
            let is_copied = !self.kind.is_stream() && (wait || self.is_copied) && copy.data.len() == wanted;
            if !is_copied && let Err(error) = self.copy(copy, progress.sent, wanted) {
                return Advance::Finished(progress.result(error));
            }
            if !listener.is_waiting(self.id) {
                return Advance::Finished(Err(Errno(libc::ESRCH)));
            }
            let first = progress.sent == 0;
            let control: &[u8] = if first { &self.control.bytes } else { &[] };
            let data = &copy.data;
            match socket::send(&self.socket, self.name.as_ref(), data, control, flags) {
                Ok(count) => {
                    progress.sent += count as u64;
                    if progress.sent >= self.total || !self.kind.is_stream() || data.len() < wanted {
                        return Advance::Finished(Ok(progress.sent.cast_signed()));
                    }
                    if !wait && count < data.len() {
                        return Advance::WouldWait(progress);
                    }
                }
                Err(Errno(libc::EINTR)) => {
                    if let Some(error) =
                        interrupted(listener, self.id, self.tid, &self.socket, libc::SO_SNDTIMEO)
                    {
                        return Advance::Finished(progress.result(error));
                    }
                }
                Err(Errno(libc::EAGAIN)) if !wait => return Advance::WouldWait(progress),
                Err(error) => return Advance::Finished(progress.result(error)),
            }
        }
    }

    /// Copies `wanted` bytes of the payload from `offset` on. A stream takes what can be read; a message is
    /// whole or EFAULT.
    fn copy(&self, Copied { data, parts, .. }: &mut Copied, offset: u64, wanted: usize) -> Result<()> {
        data.resize(wanted, 0);
        if wanted == 0 {
            return Ok(());
        }
        let is_whole = offset == 0 && wanted as u64 == self.total;
        let count = if is_whole {
            memory::read_many(self.tid, parts, data)?
        } else {
            memory::read_many(self.tid, &places(parts, offset, wanted as u64), data)?
        };
        if count < wanted && !(self.kind.is_stream() && count > 0) {
            return Err(Errno(libc::EFAULT));
        }
        data.truncate(count);
        Ok(())
    }

    /// Sends what is left, waiting for room or not, and finishes.
    fn complete(
        &self,
        listener: &Listener,
        copy: &mut Copied,
        progress: Progress,
        wait: bool,
    ) -> Result<i64> {
        let result = match self.advance(listener, copy, progress, wait) {
            Advance::Finished(result) => result,
            Advance::WouldWait(progress) => progress.result(Errno(libc::EAGAIN)),
        };
        self.finish(listener, result)
    }

    /// What remains to be done in the caller once the call is over: its SIGPIPE, its count. Whoever has the
    /// caller's number by now gets neither.
    fn finish(&self, listener: &Listener, result: Result<i64>) -> Result<i64> {
        if result == Err(Errno(libc::EPIPE)) && self.kind.is_stream() && self.flags & libc::MSG_NOSIGNAL == 0
        {
            // ESRCH: the caller is gone.
            let pidfd = task::open_thread(self.tid).ok().filter(|_| listener.is_waiting(self.id));
            let _ = pidfd.map(|pidfd| process::pidfd_send_signal(&pidfd, libc::SIGPIPE));
        }
        let count = result?;
        if let Some(pointer) = self.count_at.filter(|_| listener.is_waiting(self.id)) {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            memory::write_exact(self.tid, pointer, &count.to_ne_bytes())?;
        }
        Ok(count)
    }
}
