//! DNS messages of both sides. The first byte says which: a question of the command, or an answer of an
//! upstream server to a question of ours.
//!
//! Demanded: an answer repeats the question's bytes, holds what it says it does and is never longer than the
//! client takes, nor marked as cut; what is taken of an upstream answer is bounded, of the type asked for,
//! and only if the answer is to that very question.

#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use sandlock::fuzz::dns::answer::{self, Answer, MOST_ADDRESSES};
use sandlock::fuzz::dns::question::{self, Heard};
use sandlock::fuzz::dns::{Rcode, Rtype};

fuzz_target!(|input: &[u8]| {
    let Some((side, message)) = input.split_first() else { return };
    if side & 1 == 0 { command(message) } else { upstream(message, *side) }
});

fn command(message: &[u8]) {
    match question::read(message) {
        Heard::Nothing => assert!(message.len() < 12 || message[2] & 0x80 != 0),
        Heard::Strange(reply) => {
            assert_eq!((reply.len(), &reply[..2]), (12, &message[..2]));
            assert_ne!(reply[2] & 0x80, 0);
        }
        Heard::Question(question) => {
            let most = question.most_udp_bytes();
            assert!((512..=1232).contains(&most));
            let addresses: Vec<IpAddr> =
                (0..=255).flat_map(|i| [IpAddr::from([192, 0, 2, i]), IpAddr::from([i.into(); 8])]).collect();
            let reply = question.reply(Rcode::NOERROR, &addresses, 0, most);
            assert!(reply.len() <= most, "longer than the client takes");
            assert_eq!(reply[2] & 2, 0, "marked as cut");
            assert_eq!(&reply[..2], &message[..2]);
            let raw = &reply[12..];
            let length = raw.iter().zip(&message[12..]).take_while(|(a, b)| a == b).count();
            assert!(length >= 5, "the question was not repeated");
            if let Some(name) = &question.name {
                assert!(!name.is_empty() && name.len() <= 253 && **name == *name.to_ascii_lowercase());
            }
        }
    }
}

fn upstream(message: &[u8], side: u8) {
    let kind = if side & 2 == 0 { Rtype::A } else { Rtype::AAAA };
    // Half of the inputs begin as the answer to our question does, or nothing would get further.
    let mut whole = answer::ask(0x1234, "a.example", kind, true).expect("a name");
    whole.truncate(whole.len() - 11);
    whole[2..4].copy_from_slice(&[0x81, 0x80]);
    let whole = if side & 4 == 0 {
        let Some((counts, rest)) = message.split_first_chunk::<6>() else { return };
        whole[6..12].copy_from_slice(counts);
        whole.extend(rest);
        whole
    } else {
        message.to_vec()
    };
    let Some(answer) = answer::read(&whole, 0x1234, "a.example", kind) else { return };
    assert_eq!(&whole[..2], &[0x12, 0x34]);
    if let Answer::Addresses(addresses, _) = answer {
        assert!(!addresses.is_empty() && addresses.len() <= MOST_ADDRESSES);
        assert!(addresses.iter().all(|address| address.is_ipv4() == (kind == Rtype::A)));
    }
}
