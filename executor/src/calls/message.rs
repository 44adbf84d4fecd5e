//! sendto(2), sendmsg(2) and sendmmsg(2) on behalf: the messages a program passed, copied. A message is
//! copied whole before it is decided on: header, parts, name, control messages, payload; only the payload of
//! a byte stream, which nothing is decided on, is copied piece by piece.
//!
//! Where a message may go is found out in `destination.rs`; how it is sent, and waited for, in `outgoing.rs`.

use super::alone;
use super::outgoing::send;
use crate::event::Call;
use crate::msghdr::{HEADER_BYTES, Header, MOST_TOTAL, PART_BYTES, parts_of};
use crate::receiver::{Address, Copied, Outcome, Receiver};
use crate::sys::memory::{self, Remote};
use crate::sys::seccomp::Notification;
use crate::sys::{Errno, Result};
use crate::vault::NOT_HELD;

/// Largest datagram of IP; more is EMSGSIZE in Linux too.
pub(super) const MOST_IP_BYTES: u64 = 65_535;
/// `UIO_MAXIOV`, which bounds sendmmsg as well.
const MOST_MESSAGES: u64 = 1024;

/// A message of the caller, its header copied.
pub(super) struct Message {
    pub(super) name: Option<Address>,
    /// Bytes of the payload; where they lie is in the receiver's copy.
    pub(super) total: u64,
    pub(super) control: (u64, u64),
    pub(super) flags: i32,
    pub(super) call: Call,
    /// Where to write the count sent (sendmmsg).
    pub(super) count_at: Option<u64>,
    /// The payload is in the receiver's copy already.
    pub(super) is_copied: bool,
}

/// sendto(fd, buffer, length, flags, address, length)
pub fn sendto(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, base, length, flags, name, name_length] = notification.args;
    let socket = match receiver.descriptor(notification) {
        Err(NOT_HELD) => return alone::on_connection(receiver, notification),
        socket => socket?,
    };
    let kind = receiver.kinds.of(&socket)?;
    let total = length.min(MOST_TOTAL);
    // Usually a datagram: then its payload comes with its name, in one read.
    let at_once = if total <= MOST_IP_BYTES { usize::try_from(total).unwrap_or(0) } else { 0 };
    let copy = &mut receiver.copy;
    copy.data.resize(at_once, 0);
    let mut bytes = Address::of_length(name_length)?;
    let count = memory::read_both(notification.tid, name, bytes.as_mut_bytes(), base, &mut copy.data)?;
    copy.data.truncate(count);
    copy.parts.clear();
    copy.parts.push(Remote { base, length: total });
    let message = Message {
        // The filter lets a null pointer pass; it is checked for here as well.
        name: (name != 0).then_some(bytes),
        total,
        control: (0, 0),
        flags: low(flags),
        call: Call::Sendto,
        count_at: None,
        is_copied: copy.data.len() as u64 == total,
    };
    send(receiver, notification, kind, socket, &message)
}

/// sendmsg(fd, message, flags)
pub fn sendmsg(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, header, flags, ..] = notification.args;
    let socket = match receiver.descriptor(notification) {
        Err(NOT_HELD) => return alone::on_connection(receiver, notification),
        socket => socket?,
    };
    let kind = receiver.kinds.of(&socket)?;
    if alone::may_run(receiver, notification, kind) {
        return receiver.still_waiting(notification).map(|()| Outcome::LetRun);
    }
    let message = header_at(&mut receiver.copy, notification.tid, header, low(flags), Call::Sendmsg)?;
    let result = send(receiver, notification, kind, socket, &message);
    result.or_else(|error| alone::by_its_sender(receiver, notification, kind, error))
}

/// sendmmsg(fd, messages, count, flags): the number of messages sent before the first that failed; its errno
/// if that was the first.
pub fn sendmmsg(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    const MMSGHDR: u64 = 64;
    let [_, base, count, flags, ..] = notification.args;
    let socket = match receiver.descriptor(notification) {
        Err(NOT_HELD) => return alone::on_connection(receiver, notification),
        socket => socket?,
    };
    let kind = receiver.kinds.of(&socket)?;
    if alone::may_run(receiver, notification, kind) {
        return receiver.still_waiting(notification).map(|()| Outcome::LetRun);
    }
    let mut sent = 0i64;
    for index in 0..(count & 0xffff_ffff).min(MOST_MESSAGES) {
        let header = base.wrapping_add(index * MMSGHDR);
        let result = socket.try_clone().map_err(Errno::from).and_then(|socket| {
            let mut message =
                header_at(&mut receiver.copy, notification.tid, header, low(flags), Call::Sendmmsg)?;
            message.count_at = Some(header.wrapping_add(56));
            if sent > 0 {
                // What was sent is reported before anything waits.
                message.flags |= libc::MSG_DONTWAIT;
            }
            send(receiver, notification, kind, socket, &message)
        });
        match result {
            Ok(Outcome::Done(_)) => sent += 1,
            Ok(outcome) => return Ok(outcome),
            Err(error) if sent == 0 => return alone::by_its_sender(receiver, notification, kind, error),
            Err(_) => break,
        }
    }
    Ok(Outcome::Done(sent))
}

fn low(flags: u64) -> i32 {
    u32::try_from(flags & 0xffff_ffff).unwrap_or(0).cast_signed()
}

/// Copies a `struct msghdr` with its name and its array of parts.
fn header_at(copy: &mut Copied, tid: u32, pointer: u64, flags: i32, call: Call) -> Result<Message> {
    let mut bytes = [0u8; HEADER_BYTES];
    memory::read_exact(tid, pointer, &mut bytes)?;
    let header = Header::read(&bytes, flags)?;
    let mut name = Address::of_length(header.name_bytes as u64)?;
    copy.array.resize(header.part_count.unwrap_or(0) * PART_BYTES, 0);
    let read = memory::read_both(tid, header.name, name.as_mut_bytes(), header.parts, &mut copy.array)?;
    if header.part_count.is_none() {
        return Err(Errno(libc::EMSGSIZE));
    }
    if read < copy.array.len() {
        return Err(Errno(libc::EFAULT));
    }
    let total = parts_of(&copy.array, &mut copy.parts)?;
    let name = (header.name_bytes > 0).then_some(name);
    let control = (header.control, header.control_bytes);
    Ok(Message { name, total, control, flags, call, count_at: None, is_copied: false })
}
