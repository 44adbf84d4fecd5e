//! recvfrom(2), recvmsg(2) and recvmmsg(2). They reach nobody and run in the caller, as if they had not been trapped; but on a socket that was turned to our resolver they are made
//! here, so that what comes from it comes from the server that was asked: resolvers compare (musl the address, c-ares too, on a connected socket even).
//!
//! Control messages of such a socket are left out, and recvmmsg takes one message a call. read(2) and recv(2), which tell no source, are not trapped.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::msghdr::{HEADER_BYTES, Header, PART_BYTES, parts_of, places};
use crate::names::redirect::Origins;
use crate::pending::interrupted;
use crate::receiver::{Outcome, Receiver, waits};
use crate::sys::memory::{self, Remote};
use crate::sys::seccomp::{Listener, Notification};
use crate::sys::socket::{self, Name};
use crate::sys::{Errno, Result};

/// Largest datagram of IP.
const MOST_BYTES: u64 = 65_535;
/// Flags that are passed on.
const FLAGS: i32 = libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_DONTWAIT;
/// With these the kernel's own answer is wanted: errors that were queued, urgent data.
const OTHERS: i32 = libc::MSG_ERRQUEUE | libc::MSG_OOB;

/// Where the source of a message is written.
#[derive(Clone, Copy)]
enum Place {
    /// recvfrom: the address, and its length, which holds the room there is.
    Arguments { name: u64, length: u64 },
    /// recvmsg: a header at that address.
    Header { at: u64, name: u64, room: usize },
    /// recvmmsg: the same, and a count behind it.
    Counted { at: u64, name: u64, room: usize },
}

/// A receive that was copied.
struct Incoming {
    tid: u32,
    id: u64,
    socket: OwnedFd,
    parts: Vec<Remote>,
    flags: i32,
    place: Place,
    origins: Origins,
}

/// recvfrom(fd, buffer, length, flags, address, address length)
pub fn recvfrom(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, base, length, flags, name, name_length] = notification.args;
    let Some((socket, origins)) = ours(receiver, notification, flags) else { return Ok(Outcome::LetRun) };
    let parts = vec![Remote { base, length: length.min(MOST_BYTES) }];
    let place = Place::Arguments { name, length: name_length };
    receive(receiver, notification, socket, parts, flags, place, origins)
}

/// recvmsg(fd, header, flags)
pub fn recvmsg(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, at, flags, ..] = notification.args;
    let Some((socket, origins)) = ours(receiver, notification, flags) else { return Ok(Outcome::LetRun) };
    let (name, room, parts) = header_at(notification.tid, at, flags)?;
    receive(receiver, notification, socket, parts, flags, Place::Header { at, name, room }, origins)
}

/// recvmmsg(fd, headers, count, flags, timeout)
pub fn recvmmsg(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, at, count, flags, ..] = notification.args;
    let Some((socket, origins)) = ours(receiver, notification, flags) else { return Ok(Outcome::LetRun) };
    if low(count) == 0 {
        return Ok(Outcome::LetRun);
    }
    let (name, room, parts) = header_at(notification.tid, at, flags)?;
    receive(receiver, notification, socket, parts, flags, Place::Counted { at, name, room }, origins)
}

/// The socket, if what it receives comes from our resolver. Any other, or none, is the kernel's to judge.
fn ours(receiver: &mut Receiver, notification: &Notification, flags: u64) -> Option<(OwnedFd, Origins)> {
    let [number, ..] = notification.args;
    let names = receiver.names.as_ref().filter(|names| names.has_any())?;
    let socket = receiver.tasks.descriptor(notification.tid, number).ok()?;
    (low(flags) & OTHERS == 0 && names.has(&socket)).then(|| (socket, names.origins()))
}

fn low(flags: u64) -> i32 {
    u32::try_from(flags & 0xffff_ffff).unwrap_or(0).cast_signed()
}

/// Copies a header: place and room of the name, and the parts.
fn header_at(tid: u32, at: u64, flags: u64) -> Result<(u64, usize, Vec<Remote>)> {
    let mut bytes = [0u8; HEADER_BYTES];
    memory::read_exact(tid, at, &mut bytes)?;
    let header = Header::read(&bytes, low(flags))?;
    let count = header.part_count.ok_or(Errno(libc::EMSGSIZE))?;
    let mut array = vec![0; count * PART_BYTES];
    memory::read_exact(tid, header.parts, &mut array)?;
    let mut parts = Vec::new();
    parts_of(&array, &mut parts)?;
    Ok((header.name, header.name_bytes, parts))
}

fn receive(
    receiver: &mut Receiver,
    notification: &Notification,
    socket: OwnedFd,
    parts: Vec<Remote>,
    flags: u64,
    place: Place,
    origins: Origins,
) -> Result<Outcome> {
    receiver.still_waiting(notification)?;
    let total = parts.iter().map(|part| part.length).sum::<u64>().min(MOST_BYTES);
    let flags = low(flags) & FLAGS;
    let incoming =
        Incoming { tid: notification.tid, id: notification.id, socket, parts, flags, place, origins };
    let mut data = vec![0; usize::try_from(total).unwrap_or(0)];
    match socket::receive_from(&incoming.socket, &mut data, flags | libc::MSG_DONTWAIT) {
        Err(Errno(libc::EAGAIN)) if flags & libc::MSG_DONTWAIT == 0 && waits(&incoming.socket)? => {
            let listener = Arc::clone(&receiver.listener);
            let work = move || incoming.wait(&listener, &mut data);
            receiver.pending.hand_over(notification, Box::new(work)).map(|()| Outcome::Pending)
        }
        result => result.and_then(|message| incoming.deliver(&data, message)).map(Outcome::Done),
    }
}

impl Incoming {
    /// Waits for a message in a thread of its own.
    fn wait(&self, listener: &Listener, data: &mut [u8]) -> Result<i64> {
        loop {
            match socket::receive_from(&self.socket, data, self.flags) {
                Err(Errno(libc::EINTR)) => {
                    let timeout = libc::SO_RCVTIMEO;
                    if let Some(error) = interrupted(listener, self.id, self.tid, &self.socket, timeout) {
                        return Err(error);
                    }
                }
                result => {
                    let message = result?;
                    // Whoever has the caller's number now is somebody else.
                    if !listener.is_waiting(self.id) {
                        return Err(Errno(libc::ESRCH));
                    }
                    return self.deliver(data, message);
                }
            }
        }
    }

    /// Writes payload, source and flags to the caller.
    fn deliver(&self, data: &[u8], (count, source, flags): (usize, Name, i32)) -> Result<i64> {
        // With MSG_TRUNC the result counts what was cut as well.
        let payload = data.get(..count.min(data.len())).unwrap_or_default();
        memory::write_many(self.tid, &places(&self.parts, 0, payload.len() as u64), payload)?;
        let source = self.origins.of(&source).map_or(source, |server| server.name());
        let result = i64::try_from(count).unwrap_or(0);
        match self.place {
            Place::Arguments { name, length } => {
                let mut room = [0; 4];
                memory::read_exact(self.tid, length, &mut room)?;
                let room = usize::try_from(i32::from_ne_bytes(room)).map_err(|_| Errno(libc::EINVAL))?;
                self.write_name(name, room, &source)?;
                memory::write_exact(self.tid, length, &name_length(&source))?;
                Ok(result)
            }
            Place::Header { at, name, room } => {
                self.write_header(at, name, room, &source, flags)?;
                Ok(result)
            }
            Place::Counted { at, name, room } => {
                self.write_header(at, name, room, &source, flags)?;
                let count = u32::try_from(count).unwrap_or(0);
                memory::write_exact(self.tid, at.wrapping_add(HEADER_BYTES as u64), &count.to_ne_bytes())?;
                Ok(1)
            }
        }
    }

    /// As much of the name as there is room for.
    fn write_name(&self, at: u64, room: usize, name: &Name) -> Result<()> {
        let bytes = name.as_bytes();
        match bytes.get(..room.min(bytes.len())) {
            Some(cut) if !cut.is_empty() => memory::write_exact(self.tid, at, cut),
            _ => Ok(()),
        }
    }

    /// Name, its length, no control messages, flags: bytes 8, 40 and 48 of the header.
    fn write_header(&self, at: u64, name: u64, room: usize, source: &Name, flags: i32) -> Result<()> {
        if name != 0 {
            self.write_name(name, room, source)?;
            memory::write_exact(self.tid, at.wrapping_add(8), &name_length(source))?;
        }
        memory::write_exact(self.tid, at.wrapping_add(40), &0u64.to_ne_bytes())?;
        memory::write_exact(self.tid, at.wrapping_add(48), &flags.to_ne_bytes())
    }
}

fn name_length(name: &Name) -> [u8; 4] {
    u32::try_from(name.as_bytes().len()).unwrap_or(0).to_ne_bytes()
}
