//! The records that tell the front what happened (docs/native.md, "Records"): 64 bytes each, written whole to a pipe or not at all.
//! Telling can slow nothing down: when nobody reads, records are dropped and counted.

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::sys::{Errno, fd};

/// Bytes of a record; less than `PIPE_BUF`, so a pipe takes it whole.
pub const RECORD_BYTES: usize = 64;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The command runs.
    Started = 1,
    /// A call was refused.
    Denied = 2,
    /// The command was stopped by a signal.
    Stopped = 3,
    /// The command ended.
    Exited = 4,
    /// The start did not succeed, or the supervisor died.
    Failed = 5,
    /// The tree is gone.
    Ended = 6,
    /// A process that may not be looked at, so that every trapped call of it fails.
    Opaque = 7,
    /// A call was allowed; told only when the request asks for it.
    Allowed = 8,
    /// A name was looked up, and this is one of its addresses.
    Name = 9,
    /// Text that belongs to the record that follows.
    Text = 10,
}

impl Kind {
    /// The kind of a record that was read.
    pub fn of(record: &[u8; RECORD_BYTES]) -> Option<Self> {
        [
            Self::Started,
            Self::Denied,
            Self::Stopped,
            Self::Exited,
            Self::Failed,
            Self::Ended,
            Self::Opaque,
            Self::Allowed,
            Self::Name,
            Self::Text,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == record[0])
    }
}

/// Where a start can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Starting the supervisor process.
    Front,
    /// Confining the front thread to a Landlock domain.
    Domain,
    /// Closing what the supervisor must not have (Linux 5.9).
    Close,
    /// The rest of the supervisor's own preparation.
    Prepare,
    /// The supervisor died.
    Supervisor,
    /// Taking duplicates of another process's descriptors, or reading its memory.
    Inspection,
    /// Mapping and checking the table.
    Table,
    /// Starting the resolver.
    Names,
    /// A descriptor 0, 1 or 2 that could reach past the policy.
    Stdio,
    /// Creating the command's process.
    Spawn,
    /// The command's working directory.
    Directory,
    /// Keeping a command that runs as root from the kernel's settings.
    Settings,
    /// Entering the command's Landlock domain.
    Landlock,
    /// Installing the filter.
    Seccomp,
    /// Installing the filter inside another sandbox that has a listener already.
    Nested,
    /// Executing the command.
    Exec,
}

impl Stage {
    /// The name in a record.
    pub fn name(self) -> &'static [u8] {
        match self {
            Self::Front => b"front",
            Self::Domain => b"domain",
            Self::Close => b"close-range",
            Self::Prepare => b"prepare",
            Self::Supervisor => b"supervisor",
            Self::Inspection => b"inspection",
            Self::Table => b"table",
            Self::Names => b"names",
            Self::Stdio => b"stdio",
            Self::Spawn => b"spawn",
            Self::Directory => b"cwd",
            Self::Settings => b"settings",
            Self::Landlock => b"landlock",
            Self::Seccomp => b"seccomp",
            Self::Nested => b"nested",
            Self::Exec => b"exec",
        }
    }
}

/// The trapped calls by their number in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Call {
    /// connect(2)
    Connect = 1,
    /// sendto(2)
    Sendto = 2,
    /// sendmsg(2)
    Sendmsg = 3,
    /// sendmmsg(2)
    Sendmmsg = 4,
    /// bind(2)
    Bind = 5,
    /// listen(2)
    Listen = 6,
    /// socket(2) or socketpair(2)
    Socket = 7,
}

/// A record before it is laid out. Fields that a kind does not use are zero.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// What it says.
    pub kind: Kind,
    /// 0 tcp, 1 udp, 2 icmp, 3 unix, 255 other.
    pub protocol: u8,
    /// Destination port.
    pub port: u16,
    /// Process.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// errno, signal or wait status.
    pub code: i32,
    /// Destination address.
    pub address: Option<IpAddr>,
    /// Program or stage, cut at 16 bytes.
    pub name: [u8; 16],
    /// A `Call`, or 0.
    pub call: u32,
}

impl Record {
    /// A record of that kind with everything else zero.
    pub fn new(kind: Kind) -> Self {
        Self { kind, protocol: 0, port: 0, pid: 0, tid: 0, code: 0, address: None, name: [0; 16], call: 0 }
    }

    /// A failed start.
    pub fn failed(stage: Stage, error: Errno) -> Self {
        Self { code: error.0, name: padded(stage.name()), ..Self::new(Kind::Failed) }
    }

    pub(crate) fn encode(&self, dropped: u32) -> [u8; RECORD_BYTES] {
        let address = match self.address {
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
            Some(IpAddr::V6(address)) => address.octets(),
            None => Ipv6Addr::UNSPECIFIED.octets(),
        };
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let fields: [&[u8]; 11] = [
            &[self.kind as u8, self.protocol],
            &self.port.to_le_bytes(),
            &self.pid.to_le_bytes(),
            &self.tid.to_le_bytes(),
            &self.code.to_le_bytes(),
            &address,
            &self.name,
            &u64::try_from(time).unwrap_or(0).to_le_bytes(),
            &self.call.to_le_bytes(),
            &dropped.to_le_bytes(),
            &[],
        ];
        let mut record = [0; RECORD_BYTES];
        for (to, from) in record.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        record
    }
}

/// Text behind the first two bytes of a `Text` record.
const TEXT_BYTES: usize = RECORD_BYTES - 2;
/// Most text of one record: a name of DNS has 253 bytes, the address of a unix socket 108.
const MOST_TEXT: usize = 5 * TEXT_BYTES;

/// `Text` records for `text` and behind them `record`, to be written at once.
fn with_text(text: &[u8], record: [u8; RECORD_BYTES]) -> Vec<u8> {
    let text = text.get(..text.len().min(MOST_TEXT)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(6 * RECORD_BYTES);
    for piece in text.chunks(TEXT_BYTES) {
        bytes.extend([Kind::Text as u8, u8::try_from(piece.len()).unwrap_or(0)]);
        bytes.extend(piece);
        bytes.resize(bytes.len().next_multiple_of(RECORD_BYTES), 0);
    }
    bytes.extend(record);
    bytes
}

/// `text` cut or padded with NUL to 16 bytes.
pub fn padded(text: &[u8]) -> [u8; 16] {
    let mut name = [0; 16];
    for (to, from) in name.iter_mut().zip(text) {
        *to = *from;
    }
    name
}

/// The writing end of the record pipe. Shared by all threads of the supervisor.
#[derive(Debug)]
pub struct Events {
    pipe: OwnedFd,
    dropped: AtomicU32,
}

impl Events {
    /// Takes the pipe over and makes it non-blocking.
    pub fn new(pipe: OwnedFd) -> crate::sys::Result<Self> {
        let flags = fd::status_flags(&pipe)?;
        fd::set_status_flags(&pipe, flags | libc::O_NONBLOCK)?;
        Ok(Self { pipe, dropped: AtomicU32::new(0) })
    }

    /// Writes the record, or counts it as dropped when the pipe is full or closed.
    pub fn tell(&self, record: &Record) {
        let bytes = record.encode(self.dropped.load(Ordering::Relaxed));
        if fd::write(&self.pipe, &bytes).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes the record and the text it needs, or nothing of both. At most `PIPE_BUF` bytes, so no other record comes between.
    pub fn tell_with(&self, text: &[u8], record: &Record) {
        let bytes = with_text(text, record.encode(self.dropped.load(Ordering::Relaxed)));
        if fd::write(&self.pipe, &bytes).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits up to `timeout_ms` for room in the pipe.
    pub fn wait_for_room(&self, timeout_ms: i32) {
        let mut room = fd::readable(&self.pipe);
        room.events = libc::POLLOUT;
        let _ = fd::poll(&mut [room], timeout_ms);
    }

    /// Writes the record, waiting up to `timeout_ms` for room: for the few records that must not be lost.
    pub fn tell_surely(&self, record: &Record, timeout_ms: i32) {
        let bytes = record.encode(self.dropped.load(Ordering::Relaxed));
        if fd::write(&self.pipe, &bytes).is_err() {
            self.wait_for_room(timeout_ms);
            self.tell(record);
        }
    }

    /// What to wait for to learn that nobody reads any more.
    pub fn abandonment(&self) -> fd::Poll {
        let mut pipe = fd::readable(&self.pipe);
        pipe.events = 0;
        pipe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_laid_out_as_documented() {
        let mut record = Record::new(Kind::Denied);
        record.protocol = 1;
        record.port = 0x1234;
        record.pid = 7;
        record.tid = 9;
        record.code = 13;
        record.address = Some("1.2.3.4".parse().unwrap());
        record.name = padded(b"a-rather-long-program-name");
        record.call = 3;
        let bytes = record.encode(5);
        assert_eq!(&bytes[..16], &[2, 1, 0x34, 0x12, 7, 0, 0, 0, 9, 0, 0, 0, 13, 0, 0, 0]);
        assert_eq!(&bytes[16..32], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4]);
        assert_eq!(&bytes[32..48], b"a-rather-long-pr");
        assert_eq!(&bytes[56..], &[3, 0, 0, 0, 5, 0, 0, 0]);
        assert_eq!(Kind::of(&bytes), Some(Kind::Denied));
    }

    #[test]
    fn text_comes_in_pieces_before_its_record_and_in_one_write() {
        let (read, write) = fd::pipe().unwrap();
        let events = Events::new(write).unwrap();
        let path: Vec<u8> = (0..70).collect();
        events.tell_with(&path, &Record::new(Kind::Denied));
        let mut bytes = [0; 256];
        assert_eq!(fd::read(&read, &mut bytes), Ok(192));
        assert_eq!((&bytes[..2], &bytes[2..64]), (&[10, 62][..], &path[..62]));
        assert_eq!((&bytes[64..66], &bytes[66..74]), (&[10, 8][..], &path[62..]));
        assert_eq!(bytes[128], 2);
    }

    #[test]
    fn a_full_pipe_drops_and_counts_instead_of_waiting() {
        let (read, write) = fd::pipe().unwrap();
        let events = Events::new(write).unwrap();
        for _ in 0..2000 {
            events.tell(&Record::new(Kind::Denied));
        }
        assert_eq!(events.dropped.load(Ordering::Relaxed), 2000 - 1024);
        drop(read);
        let mut polls = [events.abandonment()];
        assert_eq!(fd::poll(&mut polls, 0), Ok(1));
    }
}
