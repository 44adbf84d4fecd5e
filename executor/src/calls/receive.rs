//! recvfrom(2), recvmsg(2) and recvmmsg(2). They reach nobody and run in the caller, as if they had not been
//! trapped; but on a socket that was turned to our resolver they are made here, so that what comes from it
//! comes from the server that was asked: resolvers compare (musl the address, c-ares too, on a connected
//! socket even).
//!
//! recvmmsg takes, after the first message, those that are there. read(2) and recv(2), which tell no source,
//! are not trapped.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::caller::interrupted;
use crate::msghdr::{HEADER_BYTES, Header, PART_BYTES, parts_of, places};
use crate::names::redirect::Origins;
use crate::receiver::{Outcome, Receiver, waits};
use crate::sys::memory::{self, Remote};
use crate::sys::seccomp::{Listener, Notification};
use crate::sys::socket::{self, Name, Received};
use crate::sys::{Errno, Result};

/// Largest datagram of IP.
const MOST_BYTES: u64 = 65_535;
/// Control messages of one datagram: what IP has to tell of it takes some 300 bytes.
const MOST_CONTROL: u64 = 4096;
/// `UIO_MAXIOV`, which bounds recvmmsg.
const MOST_MESSAGES: u64 = 1024;
/// Bytes of a `struct mmsghdr`.
const COUNTED_BYTES: u64 = 64;
/// Flags that are passed on.
const FLAGS: i32 = libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_DONTWAIT;
/// With these the kernel's own answer is wanted: errors that were queued, urgent data.
const OTHERS: i32 = libc::MSG_ERRQUEUE | libc::MSG_OOB;

/// Where the source of a message is written.
enum Place {
    /// recvfrom: the address, and its length, which holds the room there is.
    Arguments { name: u64, length: u64 },
    /// recvmsg.
    Header(Head),
    /// recvmmsg: a count behind each, and how many there are.
    Counted(Head, u64),
}

/// A header in the caller's memory.
#[derive(Clone, Copy)]
struct Head {
    at: u64,
    name: u64,
    room: usize,
    control: u64,
    control_room: u64,
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

/// Room for a message.
struct Room {
    data: Vec<u8>,
    control: Vec<u8>,
}

impl Room {
    fn of(parts: &[Remote], control: u64) -> Self {
        let total = parts.iter().map(|part| part.length).sum::<u64>().min(MOST_BYTES);
        let bytes = |count: u64| vec![0; usize::try_from(count).unwrap_or(0)];
        Self { data: bytes(total), control: bytes(control.min(MOST_CONTROL)) }
    }

    fn receive(&mut self, socket: &OwnedFd, flags: i32) -> Result<Received> {
        socket::receive_from(socket, &mut self.data, &mut self.control, flags)
    }
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
    let (head, parts) = header_at(notification.tid, at, low(flags))?;
    receive(receiver, notification, socket, parts, flags, Place::Header(head), origins)
}

/// recvmmsg(fd, headers, count, flags, timeout)
pub fn recvmmsg(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [_, at, count, flags, ..] = notification.args;
    let Some((socket, origins)) = ours(receiver, notification, flags) else { return Ok(Outcome::LetRun) };
    let count = (count & 0xffff_ffff).min(MOST_MESSAGES);
    if count == 0 {
        return Ok(Outcome::LetRun);
    }
    let (head, parts) = header_at(notification.tid, at, low(flags))?;
    receive(receiver, notification, socket, parts, flags, Place::Counted(head, count), origins)
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

/// Copies a header and its parts.
fn header_at(tid: u32, at: u64, flags: i32) -> Result<(Head, Vec<Remote>)> {
    let mut bytes = [0u8; HEADER_BYTES];
    memory::read_exact(tid, at, &mut bytes)?;
    let header = Header::read(&bytes, flags)?;
    let count = header.part_count.ok_or(Errno(libc::EMSGSIZE))?;
    let mut array = vec![0; count * PART_BYTES];
    memory::read_exact(tid, header.parts, &mut array)?;
    let mut parts = Vec::new();
    parts_of(&array, &mut parts)?;
    let Header { name, name_bytes: room, control, control_bytes: control_room, .. } = header;
    Ok((Head { at, name, room, control, control_room }, parts))
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
    let flags = low(flags) & FLAGS;
    let incoming =
        Incoming { tid: notification.tid, id: notification.id, socket, parts, flags, place, origins };
    let control = match &incoming.place {
        Place::Arguments { .. } => 0,
        Place::Header(head) | Place::Counted(head, _) => head.control_room,
    };
    let mut room = Room::of(&incoming.parts, control);
    match room.receive(&incoming.socket, flags | libc::MSG_DONTWAIT) {
        Err(Errno(libc::EAGAIN)) if flags & libc::MSG_DONTWAIT == 0 && waits(&incoming.socket)? => {
            let listener = Arc::clone(&receiver.listener);
            let held = room.data.len() + room.control.len() + size_of_val(&*incoming.parts);
            let held = receiver.pending.room(held)?;
            let work = move || {
                let _held = held;
                incoming.wait(&listener, &mut room)
            };
            receiver.pending.hand_over(notification, Box::new(work)).map(|()| Outcome::Pending)
        }
        result => result.and_then(|message| incoming.deliver(&room, &message)).map(Outcome::Done),
    }
}

impl Incoming {
    /// Waits for a message in a thread of its own.
    fn wait(&self, listener: &Listener, room: &mut Room) -> Result<i64> {
        loop {
            match room.receive(&self.socket, self.flags) {
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
                    return self.deliver(room, &message);
                }
            }
        }
    }

    /// Writes payload, source and the rest to the caller.
    fn deliver(&self, room: &Room, message: &Received) -> Result<i64> {
        // With MSG_TRUNC the result counts what was cut as well.
        let result = i64::try_from(message.count).unwrap_or(0);
        match self.place {
            Place::Arguments { name, length } => {
                self.write_payload(&self.parts, room, message)?;
                let source = self.source(message);
                let mut room = [0; 4];
                memory::read_exact(self.tid, length, &mut room)?;
                let room = usize::try_from(i32::from_ne_bytes(room)).map_err(|_| Errno(libc::EINVAL))?;
                self.write_name(name, room, &source)?;
                memory::write_exact(self.tid, length, &name_length(&source))?;
                Ok(result)
            }
            Place::Header(head) => {
                self.write_payload(&self.parts, room, message)?;
                self.write_header(head, room, message)?;
                Ok(result)
            }
            Place::Counted(head, count) => {
                self.write_counted(head, &self.parts, room, message)?;
                let more = (1..count).take_while(|index| self.one_more(head.at, *index).is_ok()).count();
                Ok(1 + i64::try_from(more).unwrap_or(0))
            }
        }
    }

    /// Receives what is there into a further header. Its errors are those of the next call.
    fn one_more(&self, first: u64, index: u64) -> Result<()> {
        let (head, parts) = header_at(self.tid, first.wrapping_add(index * COUNTED_BYTES), 0)?;
        let mut room = Room::of(&parts, head.control_room);
        let message = room.receive(&self.socket, self.flags | libc::MSG_DONTWAIT)?;
        self.write_counted(head, &parts, &room, &message)
    }

    fn write_counted(&self, head: Head, parts: &[Remote], room: &Room, message: &Received) -> Result<()> {
        self.write_payload(parts, room, message)?;
        self.write_header(head, room, message)?;
        let count = u32::try_from(message.count).unwrap_or(0);
        memory::write_exact(self.tid, head.at.wrapping_add(HEADER_BYTES as u64), &count.to_ne_bytes())
    }

    fn write_payload(&self, parts: &[Remote], room: &Room, message: &Received) -> Result<()> {
        let payload = room.data.get(..message.count.min(room.data.len())).unwrap_or_default();
        memory::write_many(self.tid, &places(parts, 0, payload.len() as u64), payload)
    }

    /// From whom the command shall see that it comes.
    fn source(&self, message: &Received) -> Name {
        self.origins.of(&message.source).map_or(message.source, |server| server.name())
    }

    /// As much of the name as there is room for.
    fn write_name(&self, at: u64, room: usize, name: &Name) -> Result<()> {
        let bytes = name.as_bytes();
        match bytes.get(..room.min(bytes.len())) {
            Some(cut) if !cut.is_empty() => memory::write_exact(self.tid, at, cut),
            _ => Ok(()),
        }
    }

    /// Name, its length, control messages, their length, flags: bytes 8, 40 and 48 of the header.
    fn write_header(&self, head: Head, room: &Room, message: &Received) -> Result<()> {
        let Head { at, name, control, .. } = head;
        if name != 0 {
            let source = self.source(message);
            self.write_name(name, head.room, &source)?;
            memory::write_exact(self.tid, at.wrapping_add(8), &name_length(&source))?;
        }
        let told = room.control.get(..message.control).unwrap_or_default();
        if !told.is_empty() {
            memory::write_exact(self.tid, control, told)?;
        }
        memory::write_exact(self.tid, at.wrapping_add(40), &(told.len() as u64).to_ne_bytes())?;
        memory::write_exact(self.tid, at.wrapping_add(48), &message.flags.to_ne_bytes())
    }
}

fn name_length(name: &Name) -> [u8; 4] {
    u32::try_from(name.as_bytes().len()).unwrap_or(0).to_ne_bytes()
}
