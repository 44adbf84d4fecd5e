//! Control messages of a sendmsg(2) made on behalf: an allowlist. They run with the supervisor's (empty)
//! privileges and its descriptors, so only those pass whose meaning is known and harmless, and descriptors
//! are exchanged for our duplicates. Layout: cmsg(3), 64-bit.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::sockaddr::Kind;
use crate::sys::{Errno, Result};

const HEADER: usize = 16; // cmsg_len u64, cmsg_level i32, cmsg_type i32
/// `SCM_MAX_FD` (include/net/scm.h)
const MOST_RIGHTS: usize = 253;

/// On IP sockets: (level, type) that may pass unchanged.
const HARMLESS: [(i32, i32); 6] = [
    (17, 103), // UDP_SEGMENT
    (0, 1),    // IP_TOS
    (0, 2),    // IP_TTL
    (41, 67),  // IPV6_TCLASS
    (41, 52),  // IPV6_HOPLIMIT
    (1, 61),   // SCM_TXTIME
];
const IP_PKTINFO: (i32, i32) = (0, 8);
const IPV6_PKTINFO: (i32, i32) = (41, 50);
const SCM_RIGHTS: (i32, i32) = (1, 1);

/// What is passed on: the control buffer of our own making and the descriptors it names, which must live
/// until the message is sent.
#[derive(Debug, Default)]
pub struct Control {
    /// Ready for `msg_control`.
    pub bytes: Vec<u8>,
    /// Owners of the numbers in `bytes`.
    pub rights: Vec<OwnedFd>,
}

/// Translates the control messages a program passed. `fetch` gives our duplicate of one of its descriptors.
/// EINVAL: malformed; EPERM: not on the list.
pub fn translate(
    kind: Kind,
    mut bytes: &[u8],
    mut fetch: impl FnMut(i32) -> Result<OwnedFd>,
) -> Result<Control> {
    let mut control = Control::default();
    while bytes.len() >= HEADER {
        let length = word(bytes, 0).map(u64::from).zip(word(bytes, 4)).ok_or(Errno(libc::EINVAL))?;
        let length =
            usize::try_from(length.0 | u64::from(length.1) << 32).map_err(|_| Errno(libc::EINVAL))?;
        if length < HEADER || length > bytes.len() {
            return Err(Errno(libc::EINVAL));
        }
        let level = word(bytes, 8).unwrap_or(0).cast_signed();
        let kind_of_message = word(bytes, 12).unwrap_or(0).cast_signed();
        let payload = bytes.get(HEADER..length).unwrap_or_default();
        one(kind, (level, kind_of_message), payload, &mut fetch, &mut control)?;
        bytes = bytes.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(control)
}

fn one(
    kind: Kind,
    message: (i32, i32),
    payload: &[u8],
    fetch: &mut impl FnMut(i32) -> Result<OwnedFd>,
    control: &mut Control,
) -> Result<()> {
    if let Kind::Unix { .. } = kind {
        if message.0 != libc::SOL_SOCKET {
            return Ok(()); // skipped by the kernel as well (net/core/scm.c)
        }
        if message != SCM_RIGHTS {
            // Credentials would have to be the supervisor's own.
            return Err(Errno(libc::EPERM));
        }
        let mut numbers = Vec::with_capacity(payload.len());
        for number in payload.chunks_exact(4) {
            if control.rights.len() >= MOST_RIGHTS {
                return Err(Errno(libc::EINVAL));
            }
            let ours = fetch(word(number, 0).unwrap_or(u32::MAX).cast_signed())?;
            numbers.extend_from_slice(&ours.as_raw_fd().to_ne_bytes());
            control.rights.push(ours);
        }
        append(&mut control.bytes, message, &numbers);
        return Ok(());
    }
    if HARMLESS.contains(&message) {
        append(&mut control.bytes, message, payload);
        return Ok(());
    }
    // The source address may be chosen among our own; the interface may not: the same address on another link
    // is another host.
    let interface = match message {
        IP_PKTINFO if payload.len() == 12 => 0..4,
        IPV6_PKTINFO if payload.len() == 20 => 16..20,
        IP_PKTINFO | IPV6_PKTINFO => return Err(Errno(libc::EINVAL)),
        _ => return Err(Errno(libc::EPERM)),
    };
    let mut payload = payload.to_vec();
    payload.get_mut(interface).unwrap_or_default().fill(0);
    append(&mut control.bytes, message, &payload);
    Ok(())
}

fn append(bytes: &mut Vec<u8>, message: (i32, i32), payload: &[u8]) {
    bytes.extend_from_slice(&((HEADER + payload.len()) as u64).to_ne_bytes());
    bytes.extend_from_slice(&message.0.to_ne_bytes());
    bytes.extend_from_slice(&message.1.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd;

    const UDP: Kind = Kind::Udp { v6: false };
    const UNIX: Kind = Kind::Unix { datagram: false, stream: true };

    fn message(level: i32, kind: i32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        append(&mut bytes, (level, kind), payload);
        bytes
    }

    fn none(_: i32) -> Result<OwnedFd> {
        panic!("no descriptor is asked for")
    }

    #[test]
    fn harmless_messages_pass_unchanged_and_all_others_are_refused() {
        for level in [0, 1, 6, 17, 41, 58, 255] {
            for kind in 0..128 {
                let bytes = message(level, kind, &[7; 12]);
                let result = translate(UDP, &bytes, none);
                if HARMLESS.contains(&(level, kind)) {
                    assert_eq!(result.unwrap().bytes, bytes);
                } else if (level, kind) != IP_PKTINFO && (level, kind) != IPV6_PKTINFO {
                    assert_eq!(result.err(), Some(Errno(libc::EPERM)), "{level}/{kind}");
                }
            }
        }
    }

    #[test]
    fn the_interface_of_packet_information_is_taken_out() {
        let v4 = translate(UDP, &message(0, 8, &[9; 12]), none).unwrap().bytes;
        assert_eq!(v4[16..28], [0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9]);
        let v6 = translate(UDP, &message(41, 50, &[9; 20]), none).unwrap().bytes;
        assert_eq!(v6[16..32], [9; 16]);
        assert_eq!(v6[32..36], [0; 4]);
        assert_eq!(translate(UDP, &message(0, 8, &[9; 11]), none).err(), Some(Errno(libc::EINVAL)));
    }

    #[test]
    fn lengths_that_lie_are_invalid() {
        for length in [0u64, 15, 29, u64::MAX] {
            let mut bytes = message(0, 1, &[1; 8]);
            bytes.resize(28, 0);
            bytes[..8].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(translate(UDP, &bytes, none).err(), Some(Errno(libc::EINVAL)), "{length}");
        }
        assert_eq!(translate(UDP, &[1; 15], none).unwrap().bytes, []);
    }

    #[test]
    fn rights_become_our_own_descriptors_and_credentials_are_refused() {
        let (read, write) = fd::pipe().unwrap();
        let mut asked = Vec::new();
        let payload = [5i32.to_ne_bytes(), 6i32.to_ne_bytes()].concat();
        let control = translate(UNIX, &message(1, 1, &payload), |number| {
            asked.push(number);
            fd::duplicate_from(if number == 5 { &read } else { &write }, 100)
        })
        .unwrap();
        assert_eq!(asked, [5, 6]);
        let numbers: Vec<u8> = control.rights.iter().flat_map(|fd| fd.as_raw_fd().to_ne_bytes()).collect();
        assert_eq!(control.bytes[16..24], numbers);
        assert_eq!(translate(UNIX, &message(1, 2, &[0; 12]), none).err(), Some(Errno(libc::EPERM)));
        let many = vec![0u8; 4 * 254];
        let result = translate(UNIX, &message(1, 1, &many), |_| fd::duplicate_from(&read, 100));
        assert_eq!(result.err(), Some(Errno(libc::EINVAL)));
    }
}
