//! Connections of the command to the resolver: messages with their length in front (RFC 1035 §4.2.2, RFC
//! 7766), several on one connection, answered in any order.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::sys::{Result, fd};

/// A connection on which nothing comes is closed then.
const IDLE: Duration = Duration::from_secs(10);
/// Answers that wait to be read by the command; more, and the connection is closed.
const MOST_OUT: usize = 256 * 1024;

/// One connection.
#[derive(Debug)]
pub struct Stream {
    /// Names it in answers that come later.
    pub number: u64,
    connection: TcpStream,
    /// Our end and the other.
    pub ends: [SocketAddr; 2],
    into: Vec<u8>,
    out: Vec<u8>,
    until: Instant,
    is_over: bool,
}

impl Stream {
    /// A connection just accepted.
    pub fn new(number: u64, connection: TcpStream, peer: SocketAddr, now: Instant) -> Result<Self> {
        connection.set_nonblocking(true)?;
        let ends = [connection.local_addr()?, peer];
        let until = now + IDLE;
        Ok(Self { number, connection, ends, into: vec![], out: vec![], until, is_over: false })
    }

    /// What to wait for.
    pub fn poll(&self) -> fd::Poll {
        let mut poll = fd::readable(&self.connection);
        if !self.out.is_empty() {
            poll.events |= libc::POLLOUT;
        }
        poll
    }

    /// When it is to be closed if nothing comes.
    pub fn due(&self) -> Instant {
        self.until
    }

    /// Whether it is to be closed.
    pub fn is_over(&self, now: Instant) -> bool {
        self.is_over || now >= self.until
    }

    /// Reads what has come; the whole messages among it.
    pub fn receive(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut piece = [0; 4096];
        match self.connection.read(&mut piece) {
            Ok(0) => self.is_over = true,
            Ok(count) => self.into.extend(piece.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => self.is_over = true,
        }
        let mut messages = Vec::new();
        while let Some((length, rest)) = self.into.split_first_chunk::<2>() {
            let Some(message) = rest.get(..usize::from(u16::from_be_bytes(*length))) else { break };
            messages.push(message.to_vec());
            self.into.drain(..2 + message.len());
            self.until = now + IDLE;
        }
        messages
    }

    /// Sends an answer, or keeps it until there is room.
    pub fn send(&mut self, message: &[u8]) {
        let Ok(length) = u16::try_from(message.len()) else { return };
        self.out.extend(length.to_be_bytes());
        self.out.extend(message);
        self.flush();
        self.is_over |= self.out.len() > MOST_OUT;
    }

    /// Sends what is kept.
    pub fn flush(&mut self) {
        while !self.out.is_empty() {
            match self.connection.write(&self.out) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.is_over = true;
                    return;
                }
            }
        }
    }
}
