//! The DNS wire format as far as it is needed (RFC 1035 §4, RFC 6891): a question of the command is read and answered, a question of ours is written and
//! its answer read. Pure. Reads hostile bytes from both sides: every read is bounds-checked, nothing is reserved by a count that a message claims, and
//! compression pointers lead backwards only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Record types (RFC 1035 §3.2.2, RFC 3596).
pub const A: u16 = 1;
/// A canonical name.
const CNAME: u16 = 5;
/// Start of authority: says how long a denial holds.
const SOA: u16 = 6;
/// IPv6 address.
pub const AAAA: u16 = 28;
/// Extension (RFC 6891).
const OPT: u16 = 41;
/// Everything.
pub const ANY: u16 = 255;
/// The class of the internet.
const IN: u16 = 1;

/// Answers to `Question::reply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Also "exists, but has no record of that type".
    NoError = 0,
    /// The question was not understood.
    FormatError = 1,
    /// The upstream server could not be asked.
    ServerFailure = 2,
    /// There is no such name.
    NoSuchName = 3,
    /// Only questions are answered.
    NotImplemented = 4,
    /// Another class than the internet's.
    Refused = 5,
}

const HEADER: usize = 12;
/// Largest UDP answer without EDNS (RFC 1035 §2.3.4), and the largest we give with it: fits every path (RFC 9715 §3).
const PLAIN_BYTES: usize = 512;
const EDNS_BYTES: u16 = 1232;
/// Longest name in wire form, the root's octet included (RFC 1035 §2.3.4).
const NAME_BYTES: usize = 255;

/// A host name: lower case, labels of letters, digits, `-` and `_` joined by dots, without final dot.
pub type HostName = Box<str>;

/// A message of the command.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// One question.
    Question(Question<'a>),
    /// Something else that is to be told so.
    Strange {
        /// Of the message.
        id: [u8; 2],
        /// Its operation, in the place of the second 16 bits of a header.
        flags: u8,
        /// What is wrong.
        code: Code,
    },
    /// An answer, or too short to be answered.
    Nothing,
}

/// One question, with the bytes that its answer repeats.
#[derive(Debug, PartialEq, Eq)]
pub struct Question<'a> {
    id: [u8; 2],
    /// Recursion desired, checking disabled: repeated.
    flags: [u8; 2],
    /// Name, type and class as they came: some clients compare the letters' case (0x20).
    raw: &'a [u8],
    /// The name, if it is a host name at all.
    pub name: Option<HostName>,
    /// Record type.
    pub kind: u16,
    /// Whether the class is the internet's, or any.
    pub is_internet: bool,
    /// Largest UDP answer that the client takes; none: it knows no EDNS.
    edns: Option<u16>,
}

/// Where a name ended, and its labels in lower case.
struct ReadName {
    /// The wire form without the root's octet, lower case.
    labels: Vec<u8>,
    /// Offset of the first byte after it, in the place where it began.
    end: usize,
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset.checked_add(2)?)?.try_into().ok().map(u16::from_be_bytes)
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

/// Reads the name at `offset`. With `pointers` it may be compressed.
fn read_name(message: &[u8], offset: usize, pointers: bool) -> Option<ReadName> {
    let mut labels = Vec::new();
    let (mut at, mut end, mut lowest) = (offset, None, offset);
    loop {
        let length = usize::from(*message.get(at)?);
        if length == 0 {
            return Some(ReadName { labels, end: end.unwrap_or(at + 1) });
        }
        if length & 0xc0 == 0xc0 && pointers {
            let target = usize::from(half(message, at)? & 0x3fff);
            end.get_or_insert(at + 2);
            if target >= lowest {
                return None; // RFC 1035 §4.1.4: to a prior occurrence
            }
            (at, lowest) = (target, target);
            continue;
        }
        let label = message.get(at + 1..at + 1 + length)?;
        if length > 63 || labels.len() + 1 + length >= NAME_BYTES {
            return None;
        }
        labels.push(message.get(at).copied()?);
        labels.extend(label.iter().map(u8::to_ascii_lowercase));
        at += 1 + length;
    }
}

/// The labels as text, if all of them are such as host names have (and `_service` labels).
fn host_name(mut labels: &[u8]) -> Option<HostName> {
    let mut name = String::with_capacity(labels.len());
    while let Some((length, rest)) = labels.split_first() {
        let (label, after) = rest.split_at_checked(usize::from(*length))?;
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !label.iter().all(is_plain) {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(std::str::from_utf8(label).ok()?);
        labels = after;
    }
    (!name.is_empty()).then(|| name.into_boxed_str())
}

/// A record of an answer.
struct Record<'a> {
    owner: Vec<u8>,
    kind: u16,
    class: u16,
    ttl: u32,
    data: &'a [u8],
    /// Offset of the data in the message.
    data_at: usize,
    end: usize,
}

fn read_record(message: &[u8], offset: usize) -> Option<Record<'_>> {
    let name = read_name(message, offset, true)?;
    let data_at = name.end.checked_add(10)?;
    let length = usize::from(half(message, name.end + 8)?);
    let end = data_at.checked_add(length)?;
    Some(Record {
        owner: name.labels,
        kind: half(message, name.end)?,
        class: half(message, name.end + 2)?,
        ttl: word(message, name.end + 4)?,
        data: message.get(data_at..end)?,
        data_at,
        end,
    })
}

/// Reads a message of the command.
pub fn read(message: &[u8]) -> Message<'_> {
    let Some((&[a, b, flags, flags2, q1, q0, n1, n0, m1, m0, r1, r0], _)) =
        message.split_first_chunk::<HEADER>()
    else {
        return Message::Nothing;
    };
    if flags & 0x80 != 0 {
        return Message::Nothing;
    }
    let strange = |code| Message::Strange { id: [a, b], flags: flags & 0x79, code };
    if flags & 0x78 != 0 {
        return strange(Code::NotImplemented);
    }
    if [q1, q0] != [0, 1] {
        return strange(Code::FormatError);
    }
    let question = || {
        let name = read_name(message, HEADER, false)?;
        let (kind, class) = (half(message, name.end)?, half(message, name.end + 2)?);
        let raw = message.get(HEADER..name.end + 4)?;
        let mut edns = None;
        let mut at = name.end + 4;
        let records = [[n1, n0], [m1, m0], [r1, r0]].map(|count| usize::from(u16::from_be_bytes(count)));
        for _ in 0..records.iter().sum() {
            let record = read_record(message, at)?;
            if record.kind == OPT && record.owner.is_empty() {
                edns = Some(record.class); // the class of an OPT is the size
            }
            at = record.end;
        }
        Some(Question {
            id: [a, b],
            flags: [flags & 0x01, flags2 & 0x10],
            raw,
            name: host_name(&name.labels),
            kind,
            is_internet: matches!(class, IN | 255),
            edns,
        })
    };
    question().map_or_else(|| strange(Code::FormatError), Message::Question)
}

/// The answer to something that is no question.
pub fn reply_strange(id: [u8; 2], flags: u8, code: Code) -> Vec<u8> {
    let mut reply = vec![0; HEADER];
    if let Some(head) = reply.first_chunk_mut::<4>() {
        *head = [id[0], id[1], 0x80 | flags, 0x80 | code as u8];
    }
    reply
}

impl Question<'_> {
    /// Most bytes of an answer over UDP. Nothing is ever marked as cut (TC): some resolvers can not ask again over TCP.
    pub fn most_udp_bytes(&self) -> usize {
        self.edns.map_or(PLAIN_BYTES, |size| usize::from(size.clamp(512, EDNS_BYTES)))
    }

    /// The answer: `addresses` of the type asked for, as many as fit into `most_bytes`.
    pub fn reply(&self, code: Code, addresses: &[IpAddr], ttl: u32, most_bytes: usize) -> Vec<u8> {
        let mut reply = Vec::with_capacity(PLAIN_BYTES);
        reply.extend(self.id);
        let [flags, flags2] = self.flags;
        reply.extend([0x80 | flags, 0x80 | flags2 | code as u8]); // answer; recursion available
        reply.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())]);
        reply.extend(self.raw);
        let opt: &[u8] = match self.edns {
            Some(_) => {
                &[0, 0, 41, EDNS_BYTES.to_be_bytes()[0], EDNS_BYTES.to_be_bytes()[1], 0, 0, 0, 0, 0, 0]
            }
            None => &[],
        };
        let mut count = 0u16;
        for address in addresses {
            let (kind, octets) = match address {
                IpAddr::V4(address) => (A, address.octets().to_vec()),
                IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
            };
            if !self.wants(kind) {
                continue;
            }
            if reply.len() + 12 + octets.len() + opt.len() > most_bytes {
                break;
            }
            reply.extend([0xc0, 0x0c]); // the name of the question
            reply.extend(kind.to_be_bytes());
            reply.extend(IN.to_be_bytes());
            reply.extend(ttl.to_be_bytes());
            reply.extend([0, u8::try_from(octets.len()).unwrap_or(0)]);
            reply.extend(octets);
            count += 1;
        }
        reply.extend(opt);
        if let Some(place) = reply.get_mut(6..8) {
            place.copy_from_slice(&count.to_be_bytes());
        }
        reply
    }

    /// Whether records of the type are asked for.
    pub fn wants(&self, kind: u16) -> bool {
        self.kind == kind || self.kind == ANY
    }
}

/// A question of ours: recursion desired, with EDNS.
pub fn ask(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1]);
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap_or(0));
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend(IN.to_be_bytes());
    message.extend([0, 0, 41, EDNS_BYTES.to_be_bytes()[0], EDNS_BYTES.to_be_bytes()[1], 0, 0, 0, 0, 0, 0]);
    message
}

/// What an upstream server says about a question of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The addresses of that type, flat, with the smallest time to live on the way, in seconds.
    Addresses(Vec<IpAddr>, u32),
    /// The name is another one, and the answer ends there: it has to be asked for.
    Elsewhere(HostName),
    /// It exists without such records; seconds that this holds.
    None(u32),
    /// There is no such name; seconds that this holds.
    NoSuchName(u32),
    /// It was cut: to be asked again over TCP.
    Truncated,
    /// The server could not or would not answer.
    Failed,
}

/// Most names of a chain.
const MOST_CHAIN: usize = 16;
/// Most addresses that are taken of one answer.
pub const MOST_ADDRESSES: usize = 128;
/// Seconds that a denial holds which does not say so.
const DENIAL_SECONDS: u32 = 5;

/// Reads the answer to `ask(id, name, kind)`. `None`: it is not that, so whoever sent it, it is not listened to.
pub fn answer(message: &[u8], id: u16, name: &str, kind: u16) -> Option<Answer> {
    let (&[a, b, flags, flags2, q1, q0, n1, n0, s1, s0, ..], _) = message.split_first_chunk::<HEADER>()?;
    let asked = read_name(message, HEADER, false)?;
    let is_ours = u16::from_be_bytes([a, b]) == id
        && flags & 0xf8 == 0x80
        && [q1, q0] == [0, 1]
        && host_name(&asked.labels).as_deref() == Some(name)
        && half(message, asked.end) == Some(kind)
        && half(message, asked.end + 2) == Some(IN);
    if !is_ours {
        return None;
    }
    if flags & 0x02 != 0 {
        return Some(Answer::Truncated);
    }
    let mut records = Vec::new();
    let mut at = asked.end + 4;
    for _ in 0..u16::from_be_bytes([n1, n0]) {
        let Some(record) = read_record(message, at) else { return Some(Answer::Failed) };
        at = record.end;
        records.push(record);
    }
    let (mut denial, mut is_denied) = (DENIAL_SECONDS, false);
    for _ in 0..u16::from_be_bytes([s1, s0]) {
        let Some(record) = read_record(message, at) else { break };
        at = record.end;
        // RFC 2308 §5: the smaller of the record's own time and its last field.
        if record.kind == SOA {
            let minimum = record.data.last_chunk::<4>().map_or(0, |last| u32::from_be_bytes(*last));
            (denial, is_denied) = (record.ttl.min(minimum), true);
        }
    }
    match flags2 & 0x0f {
        0 => {}
        3 => return Some(Answer::NoSuchName(denial)),
        _ => return Some(Answer::Failed),
    }
    Some(match follow(message, asked.labels, kind, &records, denial) {
        // The end of the chain was found to have no such record.
        Answer::Elsewhere(_) if is_denied => Answer::None(denial),
        answer => answer,
    })
}

/// Follows the chain of names from the one asked for.
fn follow(message: &[u8], asked: Vec<u8>, kind: u16, records: &[Record<'_>], denial: u32) -> Answer {
    let mut owner = asked;
    let mut ttl = u32::MAX;
    for step in 0..=MOST_CHAIN {
        let own = || records.iter().filter(|record| record.owner == owner && record.class == IN);
        let mut addresses: Vec<IpAddr> =
            own().filter(|record| record.kind == kind).filter_map(address).take(MOST_ADDRESSES).collect();
        if !addresses.is_empty() {
            let least = own().filter(|record| record.kind == kind).map(|record| record.ttl).min();
            addresses.sort_unstable();
            addresses.dedup();
            return Answer::Addresses(addresses, ttl.min(least.unwrap_or(0)));
        }
        let alias = own().find(|record| record.kind == CNAME);
        match alias.and_then(|record| Some((record.ttl, read_name(message, record.data_at, true)?))) {
            Some((seconds, target)) => {
                ttl = ttl.min(seconds);
                owner = target.labels;
            }
            None if step == 0 => return Answer::None(denial),
            None => return host_name(&owner).map_or(Answer::Failed, Answer::Elsewhere),
        }
    }
    Answer::Failed
}

fn address(record: &Record<'_>) -> Option<IpAddr> {
    match record.kind {
        A => <[u8; 4]>::try_from(record.data).ok().map(|octets| IpAddr::V4(Ipv4Addr::from(octets))),
        AAAA => <[u8; 16]>::try_from(record.data).ok().map(|octets| IpAddr::V6(Ipv6Addr::from(octets))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(message: &[u8]) -> Question<'_> {
        let Message::Question(question) = read(message) else { panic!("no question") };
        question
    }

    #[test]
    fn a_question_is_answered_in_its_own_letters() {
        let mut message = ask(0x1234, "Api.Example.com", A);
        message.truncate(message.len() - 11);
        message[11] = 0;
        let asked = question(&message);
        assert_eq!(asked.name.as_deref(), Some("api.example.com"));
        assert_eq!(asked.most_udp_bytes(), 512);
        let reply =
            asked.reply(Code::NoError, &["192.0.2.1".parse().unwrap(), "::1".parse().unwrap()], 0, 512);
        assert_eq!(&reply[..12], &[0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(&reply[12..33], &message[12..33]);
        assert_eq!(&reply[33..], &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1]);
    }

    #[test]
    fn an_answer_is_never_longer_than_the_client_takes() {
        let addresses: Vec<IpAddr> = (0..200).map(|i| IpAddr::from([10, 0, 0, i])).collect();
        let message = ask(1, "a.b", A);
        let asked = question(&message);
        assert_eq!(asked.most_udp_bytes(), 1232);
        let reply = asked.reply(Code::NoError, &addresses, 0, 512);
        assert!(reply.len() <= 512 && reply.len() > 480, "{}", reply.len());
        assert_eq!(reply[2] & 2, 0, "never cut");
        assert_eq!(asked.reply(Code::NoError, &addresses, 0, 65535).len(), message.len() + 200 * 16);
    }

    #[test]
    fn what_is_no_question_is_told_so_or_left() {
        assert_eq!(read(b"short"), Message::Nothing);
        let mut message = ask(7, "a.b", A);
        message[2] |= 0x80;
        assert_eq!(read(&message), Message::Nothing);
        message[2] = 0x29;
        let strange = |code| Message::Strange { id: [0, 7], flags: 0x29 & 0x79, code };
        assert_eq!(read(&message), strange(Code::NotImplemented));
        message[2] = 1;
        message[5] = 2;
        assert_eq!(read(&message), Message::Strange { id: [0, 7], flags: 1, code: Code::FormatError });
    }

    /// An answer to `ask(9, name, kind)` with records of (owner, type, ttl, data).
    fn made(name: &str, kind: u16, records: &[(&str, u16, u32, Vec<u8>)]) -> Vec<u8> {
        let mut message = ask(9, name, kind);
        message.truncate(message.len() - 11);
        message[2..12].copy_from_slice(&[
            0x81,
            0x80,
            0,
            1,
            0,
            u8::try_from(records.len()).unwrap(),
            0,
            0,
            0,
            0,
        ]);
        for (owner, kind, ttl, data) in records {
            let owned = ask(0, owner, 0);
            message.extend(&owned[12..owned.len() - 15]);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1]);
            message.extend(ttl.to_be_bytes());
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(data);
        }
        message
    }

    fn wire(name: &str) -> Vec<u8> {
        let owned = ask(0, name, 0);
        owned[12..owned.len() - 15].to_vec()
    }

    #[test]
    fn a_chain_of_names_is_followed_and_its_shortest_time_taken() {
        let records = [
            ("b.example", CNAME, 30, wire("c.example")),
            ("a.example", CNAME, 300, wire("b.example")),
            ("c.example", A, 60, vec![192, 0, 2, 1]),
            ("c.example", A, 60, vec![192, 0, 2, 1]),
            ("d.example", A, 1, vec![192, 0, 2, 9]),
        ];
        let message = made("a.example", A, &records);
        let expected = Answer::Addresses(vec!["192.0.2.1".parse().unwrap()], 30);
        assert_eq!(answer(&message, 9, "a.example", A), Some(expected));
        assert_eq!(answer(&message, 8, "a.example", A), None);
        assert_eq!(answer(&message, 9, "b.example", A), None);
        assert_eq!(answer(&message, 9, "a.example", AAAA), None);
        let elsewhere = made("a.example", A, &records[..2]);
        let expected = Answer::Elsewhere("c.example".into());
        assert_eq!(answer(&elsewhere, 9, "a.example", A), Some(expected));
    }

    #[test]
    fn a_loop_of_names_fails_and_a_loop_of_pointers_is_no_name() {
        let records =
            [("a.example", CNAME, 1, wire("b.example")), ("b.example", CNAME, 1, wire("a.example"))];
        assert_eq!(answer(&made("a.example", A, &records), 9, "a.example", A), Some(Answer::Failed));
        let mut message = made("a.b", A, &[]);
        message[7] = 1;
        let at = u8::try_from(message.len()).unwrap();
        message.extend([0xc0, at, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(answer(&message, 9, "a.b", A), Some(Answer::Failed));
    }
}
