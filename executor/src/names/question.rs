//! A question of the command: read, and answered in its own letters. Decides what of a message is a question
//! at all; not what is answered.

use std::net::IpAddr;

use domain::base::iana::{Class, Opcode};
use domain::base::message_builder::StaticCompressor;
use domain::base::name::{ToLabelIter, ToName};
use domain::base::opt::OptRecord;
use domain::base::{Header, Message, MessageBuilder, Name, Ttl};
use domain::rdata::{A, Aaaa};

use super::wire::{
    EDNS_BYTES, HostName, OPT_BYTES, PLAIN_BYTES, Rcode, Rtype, builder, finished, host_name, kind_of,
};

/// Header and the fixed part of a question (RFC 1035 §4.1).
const HEADER_BYTES: usize = 12;
const TYPE_AND_CLASS_BYTES: usize = 4;

/// A message of the command.
#[derive(Debug)]
pub enum Heard {
    /// One question.
    Question(Question),
    /// Something else that is to be told so, by this answer.
    Strange(Vec<u8>),
    /// An answer, or too short to be answered.
    Nothing,
}

/// One question. Of its message nothing else is kept: many may wait for an answer, and each may have come in
/// 64 KiB.
#[derive(Debug)]
pub struct Question {
    header: Header,
    /// The name in its own letters.
    asked: Name<Vec<u8>>,
    class: Class,
    /// The name, if it is a host name at all.
    pub name: Option<HostName>,
    /// Record type.
    pub kind: Rtype,
    /// Largest UDP answer that the client takes; none: it knows no EDNS.
    edns: Option<u16>,
}

impl Question {
    /// Whether the class is the internet's, or any.
    pub fn is_internet(&self) -> bool {
        matches!(self.class, Class::IN | Class::ANY)
    }

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
        let mut reply = answering(self.header, code).question();
        reply.header_mut().set_cd(self.header.cd());
        // It fails where the section is full, and this is its only one.
        let _ = reply.push((&self.asked, self.kind, self.class));
        let mut reply = reply.answer();
        let opt_bytes = if self.edns.is_some() { OPT_BYTES } else { 0 };
        reply.set_push_limit(most_bytes - opt_bytes + 1); // the first size that is too large
        let (name, class, ttl) = (&self.asked, Class::IN, Ttl::from_secs(ttl));
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

/// Reads a message of the command.
pub fn read(message: &[u8]) -> Heard {
    let Ok(message) = Message::from_octets(message) else { return Heard::Nothing };
    let header = message.header();
    if header.qr() {
        return Heard::Nothing;
    }
    if header.opcode() != Opcode::QUERY {
        return Heard::Strange(strange(header, Rcode::NOTIMP));
    }
    question(message).map_or_else(|| Heard::Strange(strange(header, Rcode::FORMERR)), Heard::Question)
}

fn question(message: Message<&[u8]>) -> Option<Question> {
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
        header: message.header(),
        asked: asked.qname().to_vec(),
        class: asked.qclass(),
        name: host_name(asked.qname()),
        kind: asked.qtype(),
        edns,
    })
}

/// The answer to something that is no question.
fn strange(asked: Header, code: Rcode) -> Vec<u8> {
    answering(asked, code).finish().into_target()
}

/// The begin of an answer.
fn answering(asked: Header, code: Rcode) -> MessageBuilder<StaticCompressor<Vec<u8>>> {
    let mut reply = builder();
    let header = reply.header_mut();
    header.set_id(asked.id());
    header.set_qr(true);
    header.set_opcode(asked.opcode());
    header.set_rd(asked.rd());
    header.set_ra(true);
    header.set_rcode(code);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::answer::ask;

    fn asked(id: u16, name: &str, kind: Rtype) -> Vec<u8> {
        ask(id, name, kind, true).unwrap()
    }

    fn question(message: &[u8]) -> Question {
        let Heard::Question(question) = read(message) else { panic!("no question") };
        question
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
}
