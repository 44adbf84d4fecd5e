//! The records that tell the front what happened, laid out (docs/native.md, "Records"): 64 bytes each. How
//! they get there is for `events.rs`.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::sys::Errno;

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
    /// Keeping the command from the memory of its user's other processes.
    Processes,
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
            Self::Processes => b"processes",
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
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped(),
            Some(IpAddr::V6(address)) => address,
            None => Ipv6Addr::UNSPECIFIED,
        };
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let [address_low, address_high] = halves(address.octets());
        let [name_low, name_high] = halves(self.name);
        let words = [
            pair(
                u32::from_le_bytes([self.kind as u8, self.protocol, 0, 0]) | u32::from(self.port) << 16,
                self.pid,
            ),
            pair(self.tid, self.code.cast_unsigned()),
            address_low,
            address_high,
            name_low,
            name_high,
            u64::try_from(time).unwrap_or(0),
            pair(self.call, dropped),
        ];
        let mut record = [0; RECORD_BYTES];
        for (to, word) in record.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        record
    }
}

/// 16 bytes as the two words that hold them.
fn halves(bytes: [u8; 16]) -> [u64; 2] {
    let whole = u128::from_le_bytes(bytes);
    [whole, whole >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0))
}

/// Text behind the first two bytes of a `Text` record.
const TEXT_BYTES: usize = RECORD_BYTES - 2;
/// Most text of one record: a name of DNS has 253 bytes, the address of a unix socket 108.
const MOST_TEXT: usize = 5 * TEXT_BYTES;

/// `Text` records for `text` and behind them `record`: at most six, to be written at once.
pub(crate) fn with_text(text: &[u8], record: [u8; RECORD_BYTES]) -> Vec<u8> {
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
}
