//! A question of ours to an upstream server: written, and its answer read. Decides what such an answer says
//! of a name, and whose answer it is; not what of it is believed.

use std::net::IpAddr;

use domain::base::iana::{Class, Opcode};
use domain::base::name::ParsedName;
use domain::base::{Message, Name, ParsedRecord};
use domain::rdata::{A, Aaaa, Cname, Soa};

use super::wire::{HostName, Rcode, Rtype, builder, finished, host_name};

/// Most names of a chain.
const MOST_CHAIN: usize = 16;
/// Most addresses that are taken of one answer.
pub const MOST_ADDRESSES: usize = 128;
/// Seconds that a denial holds which does not say so.
const DENIAL_SECONDS: u32 = 5;

/// A question of ours: recursion desired, with EDNS or without. None: that is no name of a host.
pub fn ask(id: u16, name: &str, kind: Rtype, has_edns: bool) -> Option<Vec<u8>> {
    let mut message = builder();
    message.header_mut().set_id(id);
    message.header_mut().set_rd(true);
    let mut message = message.question();
    message.push((Name::vec_from_str(name).ok()?, kind, Class::IN)).ok()?;
    Some(finished(message.additional(), has_edns))
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

type Record<'a> = ParsedRecord<'a, &'a [u8]>;

/// Reads the answer to `ask(id, name, kind)`. `None`: it is not that, so whoever sent it, it is not listened to.
pub fn read(message: &[u8], id: u16, name: &str, kind: Rtype) -> Option<Answer> {
    let message = Message::from_octets(message).ok()?;
    let header = message.header();
    if header.id() != id || !header.qr() || header.opcode() != Opcode::QUERY {
        return None;
    }
    if message.header_counts().qdcount() == 0 && header.rcode() != Rcode::NOERROR {
        // So servers answer that could not read the question: they know no EDNS (RFC 6891 §7).
        return Some(Answer::Failed);
    }
    let asked = message.sole_question().ok()?;
    let is_ours = host_name(asked.qname()).as_deref() == Some(name)
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
    use crate::names::wire::OPT_BYTES;

    fn asked(id: u16, name: &str, kind: Rtype) -> Vec<u8> {
        ask(id, name, kind, true).unwrap()
    }

    /// The name in wire form.
    fn wire(name: &str) -> Vec<u8> {
        Name::vec_from_str(name).unwrap().into_octets()
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
        assert_eq!(read(&message, 9, "a.example", Rtype::A), Some(expected));
        assert_eq!(read(&message, 8, "a.example", Rtype::A), None);
        assert_eq!(read(&message, 9, "b.example", Rtype::A), None);
        assert_eq!(read(&message, 9, "a.example", Rtype::AAAA), None);
        let elsewhere = made("a.example", Rtype::A, &records[..2]);
        let expected = Answer::Elsewhere("c.example".into());
        assert_eq!(read(&elsewhere, 9, "a.example", Rtype::A), Some(expected));
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
        assert_eq!(read(&message, 9, "a.example", Rtype::A), Some(expected));
    }

    #[test]
    fn a_denial_holds_for_what_its_record_says() {
        // A start of authority whose own time is 900 and last field 300.
        let start = [wire("ns.example"), wire("x.example"), vec![0; 16], vec![0, 0, 1, 44]].concat();
        let mut message = made("a.example", Rtype::A, &[("example", Rtype::SOA, 900, start)]);
        message.swap(7, 9);
        assert_eq!(read(&message, 9, "a.example", Rtype::A), Some(Answer::None(300)));
        message[3] |= 3;
        assert_eq!(read(&message, 9, "a.example", Rtype::A), Some(Answer::NoSuchName(300)));
        let message = made("a.example", Rtype::A, &[]);
        assert_eq!(read(&message, 9, "a.example", Rtype::A), Some(Answer::None(DENIAL_SECONDS)));
    }

    #[test]
    fn a_loop_of_names_fails_and_a_loop_of_pointers_is_no_name() {
        let records = [
            ("a.example", Rtype::CNAME, 1, wire("b.example")),
            ("b.example", Rtype::CNAME, 1, wire("a.example")),
        ];
        let message = made("a.example", Rtype::A, &records);
        assert_eq!(read(&message, 9, "a.example", Rtype::A), Some(Answer::Failed));
        let mut message = made("a.b", Rtype::A, &[]);
        message[7] = 1;
        let at = u8::try_from(message.len()).unwrap();
        message.extend([0xc0, at, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(read(&message, 9, "a.b", Rtype::A), Some(Answer::Failed));
    }
}
