//! The DNS messages that are needed: a question of the command is read and answered, a question of ours is written and its answer read. Pure. The wire
//! format is `domain`'s; here is what we ask of it. Hostile bytes come from both sides: records are taken one by one, never by a count that a message
//! claims, and only those of the type asked for have to be good.

use std::net::IpAddr;

use domain::base::iana::{Class, Opcode};
pub use domain::base::iana::{Rcode, Rtype};
use domain::base::message_builder::{AdditionalBuilder, StaticCompressor};
use domain::base::name::{ParsedName, ToLabelIter};
use domain::base::opt::OptRecord;
use domain::base::{Message, MessageBuilder, Name, ParsedRecord, Ttl};
use domain::rdata::{A, Aaaa, Cname, Soa};

/// Header and the fixed parts of a question and of an OPT record without options (RFC 1035 §4.1, RFC 6891 §6.1.2).
const HEADER_BYTES: usize = 12;
const TYPE_AND_CLASS_BYTES: usize = 4;
const OPT_BYTES: usize = 11;
/// Largest UDP answer without EDNS (RFC 1035 §2.3.4), and the largest we give with it: fits every path (RFC 9715 §3).
const PLAIN_BYTES: u16 = 512;
const EDNS_BYTES: u16 = 1232;

/// A host name: lower case, labels of letters, digits, `-` and `_` joined by dots, without final dot.
pub type HostName = Box<str>;

/// A message of the command.
#[derive(Debug)]
pub enum Heard<'a> {
    /// One question.
    Question(Question<'a>),
    /// Something else that is to be told so, by this answer.
    Strange(Vec<u8>),
    /// An answer, or too short to be answered.
    Nothing,
}

/// One question.
#[derive(Debug)]
pub struct Question<'a> {
    message: Message<&'a [u8]>,
    asked: domain::base::Question<ParsedName<&'a [u8]>>,
    /// The name, if it is a host name at all.
    pub name: Option<HostName>,
    /// Record type.
    pub kind: Rtype,
    /// Whether the class is the internet's, or any.
    pub is_internet: bool,
    /// Largest UDP answer that the client takes; none: it knows no EDNS.
    edns: Option<u16>,
}

/// The name as text, if all of its labels are such as host names have (and `_service` labels).
fn host_name(name: &impl ToLabelIter) -> Option<HostName> {
    let mut text = String::with_capacity(name.compose_len().into());
    for label in name.iter_labels().filter(|label| !label.is_root()) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !label.iter().all(is_plain) {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&std::str::from_utf8(label.as_slice()).ok()?.to_ascii_lowercase());
    }
    (!text.is_empty()).then(|| text.into_boxed_str())
}

/// Reads a message of the command.
pub fn read(message: &[u8]) -> Heard<'_> {
    let Ok(message) = Message::from_octets(message) else { return Heard::Nothing };
    let header = message.header();
    if header.qr() {
        return Heard::Nothing;
    }
    if header.opcode() != Opcode::QUERY {
        return Heard::Strange(strange(message, Rcode::NOTIMP));
    }
    question(message).map_or_else(|| Heard::Strange(strange(message, Rcode::FORMERR)), Heard::Question)
}

fn question(message: Message<&[u8]>) -> Option<Question<'_>> {
    let asked = message.sole_question().ok()?;
    let mut section = message.question();
    section.next();
    // Its bytes are given back as they came, so they stand there themselves and not in what a pointer leads to.
    let is_plain =
        section.pos() == HEADER_BYTES + usize::from(asked.qname().compose_len()) + TYPE_AND_CLASS_BYTES;
    let mut edns = None;
    for record in &message {
        let (record, _) = record.ok()?;
        if let Some(opt) = record.into_record().ok()? {
            edns = Some(OptRecord::from(opt).udp_payload_size());
        }
    }
    is_plain.then(|| Question {
        message,
        asked,
        name: host_name(asked.qname()),
        kind: asked.qtype(),
        is_internet: matches!(asked.qclass(), Class::IN | Class::ANY),
        edns,
    })
}

fn builder() -> MessageBuilder<StaticCompressor<Vec<u8>>> {
    let target = StaticCompressor::new(Vec::with_capacity(PLAIN_BYTES.into()));
    let Ok(builder) = MessageBuilder::from_target(target);
    builder
}

/// The answer to something that is no question.
fn strange(message: Message<&[u8]>, code: Rcode) -> Vec<u8> {
    let (mut reply, asked) = (builder(), message.header());
    let header = reply.header_mut();
    header.set_id(asked.id());
    header.set_qr(true);
    header.set_opcode(asked.opcode());
    header.set_rd(asked.rd());
    header.set_ra(true);
    header.set_rcode(code);
    reply.finish().into_target()
}

/// The type of records that hold such an address.
pub fn kind_of(address: IpAddr) -> Rtype {
    if address.is_ipv4() { Rtype::A } else { Rtype::AAAA }
}

impl Question<'_> {
    /// Most bytes of an answer over UDP. Nothing is ever marked as cut (TC): some resolvers can not ask again over TCP.
    pub fn most_udp_bytes(&self) -> usize {
        self.edns.map_or(PLAIN_BYTES, |size| size.clamp(PLAIN_BYTES, EDNS_BYTES)).into()
    }

    /// Whether records of the type are asked for.
    pub fn wants(&self, kind: Rtype) -> bool {
        self.kind == kind || self.kind == Rtype::ANY
    }

    /// The answer: `addresses` of the type asked for, as many as fit into `most_bytes`.
    pub fn reply(&self, code: Rcode, addresses: &[IpAddr], ttl: u32, most_bytes: usize) -> Vec<u8> {
        let mut reply = builder().start_error(&self.message, code);
        let header = reply.header_mut();
        header.set_ra(true);
        header.set_cd(self.message.header().cd());
        let opt_bytes = if self.edns.is_some() { OPT_BYTES } else { 0 };
        reply.set_push_limit(most_bytes - opt_bytes + 1); // the first size that is too large
        let (name, class, ttl) = (self.asked.qname(), Class::IN, Ttl::from_secs(ttl));
        for address in addresses.iter().filter(|address| self.wants(kind_of(**address))) {
            let pushed = match *address {
                IpAddr::V4(address) => reply.push((name, class, ttl, A::new(address))),
                IpAddr::V6(address) => reply.push((name, class, ttl, Aaaa::new(address))),
            };
            if pushed.is_err() {
                break;
            }
        }
        reply.clear_push_limit();
        finished(reply.additional(), self.edns.is_some())
    }
}

/// The message, with an OPT record that tells our size.
fn finished(mut builder: AdditionalBuilder<StaticCompressor<Vec<u8>>>, has_opt: bool) -> Vec<u8> {
    if has_opt {
        // It fails where the section is full, and this is its first record.
        let _ = builder.opt(|opt| {
            opt.set_udp_payload_size(EDNS_BYTES);
            Ok(())
        });
    }
    builder.finish().into_target()
}

/// A question of ours: recursion desired, with EDNS. None: that is no name of a host.
pub fn ask(id: u16, name: &str, kind: Rtype) -> Option<Vec<u8>> {
    let mut message = builder();
    message.header_mut().set_id(id);
    message.header_mut().set_rd(true);
    let mut message = message.question();
    message.push((Name::vec_from_str(name).ok()?, kind, Class::IN)).ok()?;
    Some(finished(message.additional(), true))
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

type Record<'a> = ParsedRecord<'a, &'a [u8]>;

/// Reads the answer to `ask(id, name, kind)`. `None`: it is not that, so whoever sent it, it is not listened to.
pub fn answer(message: &[u8], id: u16, name: &str, kind: Rtype) -> Option<Answer> {
    let message = Message::from_octets(message).ok()?;
    let (header, asked) = (message.header(), message.sole_question().ok()?);
    let is_ours = header.id() == id
        && header.qr()
        && header.opcode() == Opcode::QUERY
        && host_name(asked.qname()).as_deref() == Some(name)
        && asked.qtype() == kind
        && asked.qclass() == Class::IN;
    if !is_ours {
        return None;
    }
    if header.tc() {
        return Some(Answer::Truncated);
    }
    let records = message.answer().and_then(Iterator::collect::<Result<Vec<Record<'_>>, _>>);
    let Ok(records) = records else { return Some(Answer::Failed) };
    let denial = denial(&message);
    let seconds = denial.unwrap_or(DENIAL_SECONDS);
    match header.rcode() {
        Rcode::NOERROR => {}
        Rcode::NXDOMAIN => return Some(Answer::NoSuchName(seconds)),
        _ => return Some(Answer::Failed),
    }
    Some(match follow(*asked.qname(), kind, &records) {
        // The end of the chain was found to have no such record.
        Some(Answer::Elsewhere(_)) if denial.is_some() => Answer::None(seconds),
        Some(answer) => answer,
        None => Answer::None(seconds),
    })
}

/// How long it holds that there is nothing (RFC 2308 §5): the smaller of the record's own time and its last field.
fn denial(message: &Message<&[u8]>) -> Option<u32> {
    let authority = message.authority().ok()?;
    let start = authority.limit_to::<Soa<ParsedName<&[u8]>>>().find_map(Result::ok)?;
    Some(start.ttl().min(start.data().minimum()).as_secs())
}

/// Follows the chain of names from the one asked for. `None`: it has neither an address nor another name.
fn follow(asked: ParsedName<&[u8]>, kind: Rtype, records: &[Record<'_>]) -> Option<Answer> {
    let mut owner = asked;
    let mut ttl = u32::MAX;
    for step in 0..=MOST_CHAIN {
        let own = |kind| {
            let records = records.iter().filter(move |record| record.rtype() == kind);
            records.filter(|record| record.class() == Class::IN && record.owner() == owner)
        };
        let found = own(kind).filter_map(|record| Some((address(record)?, record.ttl().as_secs())));
        let (mut addresses, times): (Vec<IpAddr>, Vec<u32>) = found.take(MOST_ADDRESSES).unzip();
        if !addresses.is_empty() {
            addresses.sort_unstable();
            addresses.dedup();
            return Some(Answer::Addresses(addresses, times.into_iter().fold(ttl, u32::min)));
        }
        match own(Rtype::CNAME).find_map(|record| record.to_record::<Cname<_>>().ok()?) {
            Some(alias) => {
                ttl = ttl.min(alias.ttl().as_secs());
                owner = alias.into_data().into_cname();
            }
            None if step == 0 => return None,
            None => return Some(host_name(&owner).map_or(Answer::Failed, Answer::Elsewhere)),
        }
    }
    Some(Answer::Failed)
}

fn address(record: &Record<'_>) -> Option<IpAddr> {
    if let Ok(Some(record)) = record.to_record::<A>() {
        return Some(record.data().addr().into());
    }
    record.to_record::<Aaaa>().ok()?.map(|record| record.data().addr().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(id: u16, name: &str, kind: Rtype) -> Vec<u8> {
        ask(id, name, kind).unwrap()
    }

    fn question(message: &[u8]) -> Question<'_> {
        let Heard::Question(question) = read(message) else { panic!("no question") };
        question
    }

    /// The name in wire form.
    fn wire(name: &str) -> Vec<u8> {
        Name::vec_from_str(name).unwrap().into_octets()
    }

    #[test]
    fn a_question_is_answered_in_its_own_letters() {
        let mut message = asked(0x1234, "Api.Example.com", Rtype::A);
        message.truncate(message.len() - OPT_BYTES);
        message[11] = 0;
        let asked = question(&message);
        assert_eq!(asked.name.as_deref(), Some("api.example.com"));
        assert_eq!(asked.most_udp_bytes(), 512);
        let reply =
            asked.reply(Rcode::NOERROR, &["192.0.2.1".parse().unwrap(), "::1".parse().unwrap()], 0, 512);
        assert_eq!(&reply[..12], &[0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(&reply[12..33], &message[12..33]);
        assert_eq!(&reply[33..], &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1]);
    }

    #[test]
    fn an_answer_is_never_longer_than_the_client_takes() {
        let addresses: Vec<IpAddr> = (0..200).map(|i| IpAddr::from([10, 0, 0, i])).collect();
        let mut message = asked(1, "a.b", Rtype::A);
        assert_eq!(question(&message).most_udp_bytes(), 1232);
        for (size, most) in [(0u16, 512), (600, 600), (65535, 1232)] {
            let place = message.len() - OPT_BYTES + 3;
            message[place..place + 2].copy_from_slice(&size.to_be_bytes());
            let asked = question(&message);
            assert_eq!(asked.most_udp_bytes(), most);
            let reply = asked.reply(Rcode::NOERROR, &addresses, 0, most);
            assert!(reply.len() <= most && reply.len() > most - 16, "{}", reply.len());
            assert_eq!(reply[2] & 2, 0, "never cut");
            assert_eq!(reply[reply.len() - OPT_BYTES..], [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
        }
        let whole = question(&message).reply(Rcode::NOERROR, &addresses, 0, 65535);
        assert_eq!(whole.len(), message.len() + 200 * 16);
        // 16 bytes a record fill what is left to the last one.
        let exact = message.len() + 3 * 16;
        assert_eq!(question(&message).reply(Rcode::NOERROR, &addresses, 0, exact).len(), exact);
    }

    #[test]
    fn what_is_no_question_is_told_so_or_left() {
        assert!(matches!(read(b"short"), Heard::Nothing));
        let mut message = asked(7, "a.b", Rtype::A);
        message[2] |= 0x80;
        assert!(matches!(read(&message), Heard::Nothing));
        let told = |message: &[u8]| {
            let Heard::Strange(reply) = read(message) else { panic!("not strange") };
            reply
        };
        message[2] = 0x29;
        assert_eq!(told(&message), [0, 7, 0xa9, 0x84, 0, 0, 0, 0, 0, 0, 0, 0]);
        message[2] = 1;
        message[5] = 2;
        let malformed = [0, 7, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(told(&message), malformed);
        message[5] = 1;
        message[11] = 2; // one record more than there is
        assert_eq!(told(&message), malformed);
        // A name that is read out of the header could not be given back as it came.
        let pointed = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 4, 0, 1, 0, 1];
        assert_eq!(told(&pointed), malformed);
    }

    /// An answer to `ask(9, name, kind)` with records of (owner, type, ttl, data).
    fn made(name: &str, kind: Rtype, records: &[(&str, Rtype, u32, Vec<u8>)]) -> Vec<u8> {
        let mut message = asked(9, name, kind);
        message.truncate(message.len() - OPT_BYTES);
        let count = u8::try_from(records.len()).unwrap();
        message[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0]);
        for (owner, kind, ttl, data) in records {
            message.extend(wire(owner));
            message.extend(kind.to_int().to_be_bytes());
            message.extend([0, 1]);
            message.extend(ttl.to_be_bytes());
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(data);
        }
        message
    }

    #[test]
    fn a_chain_of_names_is_followed_and_its_shortest_time_taken() {
        let records = [
            ("b.example", Rtype::CNAME, 30, wire("c.example")),
            ("A.example", Rtype::CNAME, 300, wire("B.example")),
            ("c.example", Rtype::A, 60, vec![192, 0, 2, 1]),
            ("c.example", Rtype::A, 60, vec![192, 0, 2, 1]),
            ("d.example", Rtype::A, 1, vec![192, 0, 2, 9]),
        ];
        let message = made("a.example", Rtype::A, &records);
        let expected = Answer::Addresses(vec!["192.0.2.1".parse().unwrap()], 30);
        assert_eq!(answer(&message, 9, "a.example", Rtype::A), Some(expected));
        assert_eq!(answer(&message, 8, "a.example", Rtype::A), None);
        assert_eq!(answer(&message, 9, "b.example", Rtype::A), None);
        assert_eq!(answer(&message, 9, "a.example", Rtype::AAAA), None);
        let elsewhere = made("a.example", Rtype::A, &records[..2]);
        let expected = Answer::Elsewhere("c.example".into());
        assert_eq!(answer(&elsewhere, 9, "a.example", Rtype::A), Some(expected));
    }

    #[test]
    fn a_bad_record_of_another_type_spoils_nothing() {
        let records = [
            ("a.example", Rtype::SOA, 60, vec![0xff; 7]),
            ("a.example", Rtype::RRSIG, 60, vec![1]),
            ("a.example", Rtype::A, 50, vec![192, 0, 2, 1, 0]),
            ("a.example", Rtype::A, 60, vec![192, 0, 2, 1]),
        ];
        let message = made("a.example", Rtype::A, &records);
        let expected = Answer::Addresses(vec!["192.0.2.1".parse().unwrap()], 60);
        assert_eq!(answer(&message, 9, "a.example", Rtype::A), Some(expected));
    }

    #[test]
    fn a_denial_holds_for_what_its_record_says() {
        // A start of authority whose own time is 900 and last field 300.
        let start = [wire("ns.example"), wire("x.example"), vec![0; 16], vec![0, 0, 1, 44]].concat();
        let mut message = made("a.example", Rtype::A, &[("example", Rtype::SOA, 900, start)]);
        message.swap(7, 9);
        assert_eq!(answer(&message, 9, "a.example", Rtype::A), Some(Answer::None(300)));
        message[3] |= 3;
        assert_eq!(answer(&message, 9, "a.example", Rtype::A), Some(Answer::NoSuchName(300)));
        let message = made("a.example", Rtype::A, &[]);
        assert_eq!(answer(&message, 9, "a.example", Rtype::A), Some(Answer::None(DENIAL_SECONDS)));
    }

    #[test]
    fn a_loop_of_names_fails_and_a_loop_of_pointers_is_no_name() {
        let records = [
            ("a.example", Rtype::CNAME, 1, wire("b.example")),
            ("b.example", Rtype::CNAME, 1, wire("a.example")),
        ];
        let message = made("a.example", Rtype::A, &records);
        assert_eq!(answer(&message, 9, "a.example", Rtype::A), Some(Answer::Failed));
        let mut message = made("a.b", Rtype::A, &[]);
        message[7] = 1;
        let at = u8::try_from(message.len()).unwrap();
        message.extend([0xc0, at, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(answer(&message, 9, "a.b", Rtype::A), Some(Answer::Failed));
    }
}
