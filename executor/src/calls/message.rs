//! sendto(2), sendmsg(2) and sendmmsg(2) on behalf. A message is copied whole before it is decided on: header, parts, name, control
//! messages, payload; only the payload of a byte stream, which nothing is decided on, is copied piece by piece.
//!
//! First every send is tried without waiting; when it would wait and the program wants that, a thread of its own goes on from there.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::unix::{self, Reach};
use crate::cmsg::{self, Control};
use crate::event::Call;
use crate::pending::interrupted;
use crate::receiver::{Address, Outcome, Receiver, kind, waits};
use crate::sockaddr::{Kind, Target, send_target};
use crate::sys::memory::{self, Remote};
use crate::sys::seccomp::{Listener, Notification};
use crate::sys::socket::{self, NAME_BYTES, Name};
use crate::sys::{Errno, Result};
use crate::task;

/// Largest datagram of IP; more is EMSGSIZE in Linux too.
const MOST_IP_BYTES: u64 = 65_535;
/// Largest message on other sockets, and largest piece of a stream. Linux bounds a unix datagram by SO_SNDBUF, which is below.
const MOST_BYTES: usize = 1 << 20;
/// `UIO_MAXIOV`
const MOST_PARTS: u64 = 1024;
/// `MAX_RW_COUNT`: longer totals are cut.
const MOST_TOTAL: u64 = 0x7fff_f000;
/// Bound on control messages, as net.core.optmem_max of current kernels.
const MOST_CONTROL: u64 = 128 * 1024;

/// Flags that are passed on. Others have no meaning for a send (they are for receiving, or internal), or must not come from a program:
/// MSG_FASTOPEN connects, MSG_ZEROCOPY would queue pages of ours.
const FLAGS: i32 = libc::MSG_OOB
    | libc::MSG_DONTROUTE
    | libc::MSG_DONTWAIT
    | libc::MSG_EOR
    | libc::MSG_CONFIRM
    | libc::MSG_NOSIGNAL
    | libc::MSG_MORE;
const MSG_CMSG_COMPAT: u32 = 0x8000_0000;

/// A message of the caller, its header copied.
struct Message {
    name: Option<Address>,
    parts: Vec<Remote>,
    total: u64,
    control: (u64, u64),
    flags: i32,
    call: Call,
    /// Where to write the count sent (sendmmsg).
    count_at: Option<u64>,
    /// The payload is in the receiver's buffer already.
    is_copied: bool,
}

/// A message ready to be sent.
struct Outgoing {
    tid: u32,
    id: u64,
    socket: OwnedFd,
    kind: Kind,
    name: Option<Name>,
    /// The file that `name` leads through.
    _file: Option<OwnedFd>,
    control: Control,
    parts: Vec<Remote>,
    total: u64,
    flags: i32,
    count_at: Option<u64>,
    is_copied: bool,
}

/// sendto(fd, buffer, length, flags, address, length)
pub fn sendto(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, base, length, flags, name, name_length] = notification.args;
    let socket = receiver.descriptor(notification)?;
    let total = length.min(MOST_TOTAL);
    // Usually a datagram: then its payload comes with its name, in one read.
    let at_once = if total <= MOST_IP_BYTES { usize::try_from(total).unwrap_or(0) } else { 0 };
    receiver.data.resize(at_once, 0);
    let mut bytes = Address::of_length(name_length)?;
    let count = memory::read_both(notification.tid, name, bytes.as_mut_bytes(), base, &mut receiver.data)?;
    receiver.data.truncate(count);
    let message = Message {
        // The filter lets a null pointer pass; it is checked for here as well.
        name: (name != 0).then_some(bytes),
        parts: vec![Remote { base, length: total }],
        total,
        control: (0, 0),
        flags: low(flags),
        call: Call::Sendto,
        count_at: None,
        is_copied: receiver.data.len() as u64 == total,
    };
    send(receiver, notification, socket, message)
}

/// sendmsg(fd, message, flags)
pub fn sendmsg(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, header, flags, ..] = notification.args;
    let socket = receiver.descriptor(notification)?;
    let message = header_at(notification.tid, header, low(flags), Call::Sendmsg)?;
    send(receiver, notification, socket, message)
}

/// sendmmsg(fd, messages, count, flags): the number of messages sent before the first that failed; its errno if that was the first.
pub fn sendmmsg(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    const MMSGHDR: u64 = 64;
    let [_, base, count, flags, ..] = notification.args;
    let socket = receiver.descriptor(notification)?;
    let mut sent = 0i64;
    for index in 0..(count & 0xffff_ffff).min(MOST_PARTS) {
        let header = base.wrapping_add(index * MMSGHDR);
        let result = socket.try_clone().map_err(Errno::from).and_then(|socket| {
            let mut message = header_at(notification.tid, header, low(flags), Call::Sendmmsg)?;
            message.count_at = Some(header.wrapping_add(56));
            if sent > 0 {
                // What was sent is reported before anything waits.
                message.flags |= libc::MSG_DONTWAIT;
            }
            send(receiver, notification, socket, message)
        });
        match result {
            Ok(Outcome::Done(_)) => sent += 1,
            Ok(Outcome::Pending) => return Ok(Outcome::Pending),
            Err(error) if sent == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(Outcome::Done(sent))
}

fn low(flags: u64) -> i32 {
    u32::try_from(flags & 0xffff_ffff).unwrap_or(0).cast_signed()
}

/// Copies a `struct msghdr` (64-bit layout) with its name and its array of parts.
fn header_at(tid: u32, pointer: u64, flags: i32, call: Call) -> Result<Message> {
    if flags.cast_unsigned() & MSG_CMSG_COMPAT != 0 {
        return Err(Errno(libc::EINVAL));
    }
    let mut header = [0u8; 56];
    memory::read_exact(tid, pointer, &mut header)?;
    let field = |offset: usize| {
        let bytes = header.get(offset..offset + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_ne_bytes)
    };
    let (name, name_length) = (field(0), low(field(8)));
    let (parts, part_count, control) = (field(16), field(24), (field(32), field(40)));
    // Longer names are cut here, and length 0 is no name at all, unlike in sendto.
    let Ok(name_length) = u64::try_from(name_length) else { return Err(Errno(libc::EINVAL)) };
    let name_length = if name == 0 { 0 } else { name_length.min(NAME_BYTES as u64) };
    let mut bytes = Address::of_length(name_length)?;
    let mut array = vec![0; usize::try_from(part_count.min(MOST_PARTS)).unwrap_or(0) * 16];
    let read = memory::read_both(tid, name, bytes.as_mut_bytes(), parts, &mut array)?;
    if part_count > MOST_PARTS {
        return Err(Errno(libc::EMSGSIZE));
    }
    if read < array.len() {
        return Err(Errno(libc::EFAULT));
    }
    let (parts, total) = parts_of(&array)?;
    let name = (name_length > 0).then_some(bytes);
    Ok(Message { name, parts, total, control, flags, call, count_at: None, is_copied: false })
}

/// Reads an array of `struct iovec`: the parts and their total. EINVAL: a length is negative.
fn parts_of(bytes: &[u8]) -> Result<(Vec<Remote>, u64)> {
    let mut parts = Vec::with_capacity(bytes.len() / 16);
    let mut total = 0u64;
    for pair in bytes.chunks_exact(16) {
        let cell = |bytes: Option<&[u8]>| bytes.and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes);
        let (base, length) = (cell(pair.get(..8)), cell(pair.get(8..)));
        if i64::try_from(length).is_err() {
            return Err(Errno(libc::EINVAL));
        }
        let length = length.min(MOST_TOTAL - total);
        total += length;
        parts.push(Remote { base, length });
    }
    Ok((parts, total))
}

/// Steps 3 to 5 for one message.
fn send(
    receiver: &mut Receiver,
    notification: &Notification,
    socket: OwnedFd,
    message: Message,
) -> Result<Outcome> {
    let kind = kind(&socket)?;
    let Destination { name, file, is_outside } =
        destination(receiver, notification, kind, &socket, &message)?;
    let control = control(receiver, notification, kind, &message)?;
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
        _file: file,
        control,
        parts: message.parts,
        total: message.total,
        flags: message.flags & FLAGS,
        count_at: message.count_at,
        is_copied: message.is_copied,
    };
    if is_outside {
        let listener = Arc::clone(&receiver.listener);
        let is_one_of_many = outgoing.count_at.is_some();
        let work = move || {
            let result = outgoing.complete(&listener, &mut Vec::new(), Progress::default(), may_wait);
            result.map(|count| if is_one_of_many { 1 } else { count })
        };
        return receiver.outside(notification, Box::new(work));
    }
    let mut data = std::mem::take(&mut receiver.data);
    let result = transmit(receiver, notification, outgoing, &mut data, may_wait);
    receiver.data = data;
    result
}

fn transmit(
    receiver: &mut Receiver,
    notification: &Notification,
    outgoing: Outgoing,
    data: &mut Vec<u8>,
    may_wait: bool,
) -> Result<Outcome> {
    let progress = outgoing.advance(&receiver.listener, data, Progress::default(), false);
    match progress {
        Advance::Finished(result) => outgoing.finish(result).map(Outcome::Done),
        Advance::WouldWait(progress) if may_wait && waits(&outgoing.socket)? => {
            let listener = Arc::clone(&receiver.listener);
            let mut data = data.clone();
            let work = move || {
                let is_one_of_many = outgoing.count_at.is_some();
                let result = outgoing.complete(&listener, &mut data, progress, true);
                result.map(|count| if is_one_of_many { 1 } else { count })
            };
            receiver.pending.hand_over(notification, Box::new(work)).map(|()| Outcome::Pending)
        }
        Advance::WouldWait(progress) => {
            outgoing.finish(progress.result(Errno(libc::EAGAIN))).map(Outcome::Done)
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
    /// Sends as much as goes; with `wait` until all is sent or the caller is gone.
    fn advance(
        &self,
        listener: &Listener,
        data: &mut Vec<u8>,
        mut progress: Progress,
        wait: bool,
    ) -> Advance {
        let flags = if wait { self.flags & !libc::MSG_DONTWAIT } else { self.flags | libc::MSG_DONTWAIT };
        loop {
            let left = self.total - progress.sent;
            let wanted = usize::try_from(left).unwrap_or(MOST_BYTES).min(MOST_BYTES);
            // A whole message is copied once: what was decided on and what is sent are the same, also after waiting.
            let is_copied = !self.kind.is_stream() && (wait || self.is_copied) && data.len() == wanted;
            if !is_copied && let Err(error) = self.copy(data, progress.sent, wanted) {
                return Advance::Finished(progress.result(error));
            }
            if !listener.is_waiting(self.id) {
                return Advance::Finished(Err(Errno(libc::ESRCH)));
            }
            let first = progress.sent == 0;
            let control: &[u8] = if first { &self.control.bytes } else { &[] };
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
                    if let Some(error) = interrupted(listener, self.id, self.tid, &self.socket) {
                        return Advance::Finished(progress.result(error));
                    }
                }
                Err(Errno(libc::EAGAIN)) if !wait => return Advance::WouldWait(progress),
                Err(error) => return Advance::Finished(progress.result(error)),
            }
        }
    }

    /// Copies `wanted` bytes of the payload from `offset` on. A stream takes what can be read; a message is whole or EFAULT.
    fn copy(&self, data: &mut Vec<u8>, offset: u64, wanted: usize) -> Result<()> {
        data.resize(wanted, 0);
        if wanted == 0 {
            return Ok(());
        }
        let (mut skip, mut rest) = (offset, wanted as u64);
        let mut pieces = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let skipped = skip.min(part.length);
            skip -= skipped;
            let length = (part.length - skipped).min(rest);
            rest -= length;
            if length > 0 {
                pieces.push(Remote { base: part.base.wrapping_add(skipped), length });
            }
        }
        let count = memory::read_many(self.tid, &pieces, data)?;
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
        data: &mut Vec<u8>,
        progress: Progress,
        wait: bool,
    ) -> Result<i64> {
        self.finish(match self.advance(listener, data, progress, wait) {
            Advance::Finished(result) => result,
            Advance::WouldWait(progress) => progress.result(Errno(libc::EAGAIN)),
        })
    }

    /// What remains to be done in the caller once the call is over: its SIGPIPE, its count.
    fn finish(&self, result: Result<i64>) -> Result<i64> {
        if result == Err(Errno(libc::EPIPE)) && self.kind.is_stream() && self.flags & libc::MSG_NOSIGNAL == 0
        {
            // ESRCH: the caller is gone.
            let _ = task::open_thread(self.tid)
                .and_then(|pidfd| crate::sys::process::pidfd_send_signal(&pidfd, libc::SIGPIPE));
        }
        let count = result?;
        if let Some(pointer) = self.count_at {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            memory::write_exact(self.tid, pointer, &count.to_ne_bytes())?;
        }
        Ok(count)
    }
}

/// Where a message goes.
struct Destination {
    /// A name of our own making, decided on; none: to the peer that connect(2) was allowed.
    name: Option<Name>,
    /// The file that `name` leads through.
    file: Option<OwnedFd>,
    /// An abstract name outside, which only `outside.rs` can reach.
    is_outside: bool,
}

const PEER: Destination = Destination { name: None, file: None, is_outside: false };

/// Finds out where the message goes and whether it may.
fn destination(
    receiver: &mut Receiver,
    notification: &Notification,
    kind: Kind,
    socket: &OwnedFd,
    message: &Message,
) -> Result<Destination> {
    let Some(bytes) = &message.name else { return Ok(PEER) };
    if let Kind::Unix { datagram: false, stream } = kind {
        // A connected socket takes no other peer; what exactly it answers is the kernel's to say. SEQPACKET ignores the name.
        return Ok(Destination { name: stream.then(|| Name::new(&(1u16).to_ne_bytes())), ..PEER });
    }
    let target = send_target(kind, bytes.as_bytes())?;
    match target {
        Target::NoName => Ok(PEER),
        Target::Inet(inet) => match receiver.decide(kind, socket, inet) {
            Ok(inet) => Ok(Destination { name: Some(inet.name()), ..PEER }),
            Err(error) => {
                receiver.still_waiting(notification)?;
                receiver.tell_denied(notification, message.call, kind, &inet, error);
                Err(error)
            }
        },
        Target::Path(path) => {
            let file = unix::open_allowed(receiver, notification, &path)?;
            Ok(Destination { name: Some(unix::pinned(&file)), file: Some(file), ..PEER })
        }
        Target::Abstract(name) => {
            let is_outside = unix::abstract_reach(receiver, &name)? == Reach::Named;
            Ok(Destination { name: Some(name), is_outside, ..PEER })
        }
        Target::Kernel => Ok(Destination { name: Some(unix::netlink_kernel()), ..PEER }),
        Target::Disconnect => Err(Errno(libc::EINVAL)),
    }
}

fn control(
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
    cmsg::translate(kind, &bytes, |number| receiver.tasks.descriptor(tid, u64::from(number.cast_unsigned())))
}
