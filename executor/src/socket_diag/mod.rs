//! What the kernel tells of sockets of our network (`sock_diag(7)`): how it is asked. Of unix sockets it tells
//! files and names (`unix.rs`), of others who has an address (`inet.rs`). Knows neither policy nor sandbox.
//!
//! It answers before the call that asks returns (net/netlink/af_netlink.c, `netlink_unicast_kernel`), so
//! nothing is ever waited for.

pub mod inet;
pub mod unix;

use std::os::fd::OwnedFd;

use crate::sys::socket::{self, Name};
use crate::sys::{Errno, Result};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_DONE: u16 = 3;
/// Bytes of a `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;

/// A socket for questions, one after another. It is of the network namespace in which it was made, as are the
/// sockets of which it is told.
#[derive(Debug)]
pub struct Diag {
    socket: OwnedFd,
    /// Of the last question: an answer has the same. What is left of one that was given up is passed over.
    number: u32,
}

/// One message of an answer.
enum Message<'a> {
    /// What is told of a socket.
    Told(&'a [u8]),
    /// The answer ends here, or in an error.
    End(Result<()>),
}

impl Diag {
    /// Connected to the kernel, so that nobody else can put an answer into its queue, root of the machine included
    /// (net/netlink/af_netlink.c, `netlink_getsockbyportid`).
    pub fn open() -> Result<Self> {
        const NETLINK_SOCK_DIAG: i32 = 4;
        let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK;
        let socket = socket::new(libc::AF_NETLINK, kind, NETLINK_SOCK_DIAG)?;
        let [low, high] = (16u16).to_ne_bytes(); // AF_NETLINK; padding, port id 0, no groups
        socket::connect(&socket, &Name::new(&[low, high, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))?;
        Ok(Self { socket, number: 0 })
    }

    /// Asks for one socket: what is told of it; none: there is no such socket, or the kernel does not answer
    /// such questions (it lacks a module).
    fn one<T>(&mut self, question: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        self.ask(0, question)?;
        let mut buffer = [0; 512];
        loop {
            let length = socket::receive(&self.socket, &mut buffer)?;
            match self.messages(buffer.get(..length).unwrap_or_default()).next() {
                Some(Message::Told(message)) => return Ok(Some(read(message))),
                Some(Message::End(Err(Errno(libc::ENOENT)))) => return Ok(None),
                Some(Message::End(end)) => return end.and(Err(Errno(libc::EIO))),
                None => {}
            }
        }
    }

    /// Asks for all sockets.
    fn each(&mut self, question: &[u8], mut told: impl FnMut(&[u8])) -> Result<()> {
        const NLM_F_DUMP: u16 = 0x300;
        self.ask(NLM_F_DUMP, question)?;
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let length = socket::receive(&self.socket, &mut buffer)?;
            for message in self.messages(buffer.get(..length).unwrap_or_default()) {
                match message {
                    Message::Told(message) => told(message),
                    Message::End(end) => return end,
                }
            }
        }
    }

    /// Sends a question (linux/netlink.h).
    fn ask(&mut self, flags: u16, question: &[u8]) -> Result<()> {
        const NLM_F_REQUEST: u16 = 1;
        self.number = self.number.wrapping_add(1);
        let length = u32::try_from(HEADER_BYTES + question.len()).map_err(|_| Errno(libc::EINVAL))?;
        let message: [&[u8]; 6] = [
            &length.to_ne_bytes(), // nlmsghdr: length, type, flags, sequence, port
            &SOCK_DIAG_BY_FAMILY.to_ne_bytes(),
            &(NLM_F_REQUEST | flags).to_ne_bytes(),
            &self.number.to_ne_bytes(),
            &0u32.to_ne_bytes(),
            question,
        ];
        socket::send(&self.socket, None, &message.concat(), &[], 0).map(drop)
    }

    /// The messages that answer the last question.
    fn messages<'a>(&self, mut bytes: &'a [u8]) -> impl Iterator<Item = Message<'a>> + use<'a> {
        let number = self.number;
        let next = move || {
            let length = usize::try_from(whole(bytes, 0)?).ok()?.max(HEADER_BYTES);
            let message = bytes.get(..length)?;
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
            Some(message)
        };
        std::iter::from_fn(next).filter(move |message| whole(message, 8) == Some(number)).map(|message| {
            match half(message, 4) {
                Some(SOCK_DIAG_BY_FAMILY) => Message::Told(message.get(HEADER_BYTES..).unwrap_or_default()),
                Some(NLMSG_DONE) => Message::End(Ok(())),
                // nlmsgerr: −errno
                _ => Message::End(Err(Errno(
                    whole(message, HEADER_BYTES).map_or(libc::EIO, |code| code.cast_signed().wrapping_neg()),
                ))),
            }
        })
    }
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn whole(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// `SO_COOKIE`, told as two numbers.
fn cookie(bytes: &[u8], offset: usize) -> Option<u64> {
    let (low, high) = (whole(bytes, offset)?, whole(bytes, offset + 4)?);
    Some(u64::from(high) << 32 | u64::from(low))
}
