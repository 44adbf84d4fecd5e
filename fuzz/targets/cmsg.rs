//! Control messages of a sendmsg(2): arbitrary bytes through `translate`, for every kind of socket.
//!
//! The harness walks the input by cmsg(3) with a list of its own and demands that what comes out is exactly
//! the messages that may pass, in order, with nothing but descriptors and the interface changed. What may
//! pass is written here once more on purpose.

#![no_main]

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sandlock::fuzz::{Control, Errno, Kind, translate};

/// `SCM_MAX_FD`
const MOST_RIGHTS: usize = 253;

const IP: [Kind; 3] = [Kind::Udp { v6: true }, Kind::Tcp { v6: false }, Kind::Icmp { v6: false }];
const UNIX: [Kind; 2] =
    [Kind::Unix { datagram: true, stream: false }, Kind::Unix { datagram: false, stream: true }];

static NULL: LazyLock<OwnedFd> = LazyLock::new(|| File::open("/dev/null").expect("/dev/null opens").into());

fuzz_target!(|input: &[u8]| {
    let whole = messages(input);
    for kind in IP {
        let control = translate(kind, input, |_| unreachable!("an IP socket passes no descriptors"));
        check(control, ip(&whole), &[]);
    }
    for kind in UNIX {
        let mut asked = Vec::new();
        let control = translate(kind, input, |number| {
            asked.push(number);
            if number < 0 { Err(Errno(libc::EBADF)) } else { Ok(NULL.try_clone()?) }
        });
        assert!(asked.len() <= MOST_RIGHTS, "{} descriptors were fetched", asked.len());
        check(control, unix(&whole), &asked);
    }
});

/// A message: level, type, payload.
type Message = ((i32, i32), Vec<u8>);

/// The messages of a control buffer, and whether it ended as it should.
fn messages(mut bytes: &[u8]) -> (Vec<Message>, bool) {
    let mut messages = Vec::new();
    while let Some((header, _)) = bytes.split_first_chunk::<16>() {
        let length = u64::from_ne_bytes(header[..8].try_into().expect("8 bytes"));
        let level = i32::from_ne_bytes(header[8..12].try_into().expect("4 bytes"));
        let kind = i32::from_ne_bytes(header[12..].try_into().expect("4 bytes"));
        if length < 16 || length > bytes.len() as u64 {
            return (messages, false);
        }
        messages.push(((level, kind), bytes[16..length as usize].to_vec()));
        bytes = &bytes[bytes.len().min((length as usize).next_multiple_of(8))..];
    }
    (messages, true)
}

type Expected = Result<Vec<Message>, i32>;

/// What may leave an IP socket.
fn ip((messages, whole): &(Vec<Message>, bool)) -> Expected {
    let mut expected = messages.clone();
    for (message, payload) in &mut expected {
        let interface = match (*message, payload.len()) {
            ((17, 103) | (0, 1 | 2) | (41, 67 | 52) | (1, 61), _) => 0..0,
            ((0, 8), 12) => 0..4,
            ((41, 50), 20) => 16..20,
            ((0, 8) | (41, 50), _) => return Err(libc::EINVAL),
            _ => return Err(libc::EPERM),
        };
        payload[interface].fill(0);
    }
    if *whole { Ok(expected) } else { Err(libc::EINVAL) }
}

/// What may leave a unix socket; descriptors still have the sender's numbers.
fn unix((messages, whole): &(Vec<Message>, bool)) -> Expected {
    let mut expected = Vec::new();
    let mut count = 0;
    for (message, payload) in messages {
        match *message {
            (1, 1) => {}
            (1, _) => return Err(libc::EPERM),
            _ => continue,
        }
        for number in numbers(payload) {
            count += 1;
            if count > MOST_RIGHTS {
                return Err(libc::EINVAL);
            }
            if number < 0 {
                return Err(libc::EBADF);
            }
        }
        expected.push((*message, payload[..payload.len() / 4 * 4].to_vec()));
    }
    if *whole { Ok(expected) } else { Err(libc::EINVAL) }
}

fn numbers(payload: &[u8]) -> Vec<i32> {
    payload.as_chunks().0.iter().map(|&number| i32::from_ne_bytes(number)).collect()
}

fn check(found: sandlock::fuzz::Result<Control>, expected: Expected, asked: &[i32]) {
    let control = match (found, expected) {
        (Ok(control), Ok(expected)) => (control, expected),
        (Err(Errno(found)), Err(expected)) => return assert_eq!(found, expected, "another errno"),
        (found, expected) => panic!("found {found:?}, expected {expected:?}"),
    };
    let (Control { bytes, rights }, expected) = control;
    assert_eq!(bytes.len() % 8, 0);
    let (passed, whole) = messages(&bytes);
    assert!(whole, "what is passed on is no control buffer");
    let ours: Vec<i32> = rights.iter().map(AsRawFd::as_raw_fd).collect();
    let mut given = Vec::new();
    let mut taken = Vec::new();
    assert_eq!(passed.len(), expected.len());
    for ((message, payload), (wanted, original)) in passed.iter().zip(&expected) {
        assert_eq!(message, wanted);
        if *message == (1, 1) {
            given.extend(numbers(payload));
            taken.extend(numbers(original));
            assert_eq!(payload.len(), original.len());
        } else {
            assert_eq!(payload, original);
        }
    }
    assert_eq!(given, ours, "the numbers are not those of the descriptors");
    assert_eq!(taken, asked, "other descriptors were fetched than were named");
}
