//! Questions to the host's own name servers, without waiting: each is a flight of its own that moves when
//! something has come, or its time is over. A flight asks over UDP from a port that the kernel chooses and
//! with a random id, listens only to the server it asked, and goes over to TCP when an answer was cut. The
//! last attempt is made without EDNS, which some servers refuse and some do not answer at all. A flight may ask
//! for several names in a row where one is an alias of another.

use std::ffi::CString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::answer::{self, Answer};
use super::redirect::PORT;
use super::wire::{HostName, Rtype};
use crate::sockaddr::{Form, Inet};
use crate::sys::{Errno, Result, fd, socket};

/// A resolver in the sandbox waits 5 s (glibc, musl); it gets an answer before.
const MOST: Duration = Duration::from_secs(4);
const ATTEMPT: Duration = Duration::from_millis(1300);
const MOST_ATTEMPTS: usize = 3;
/// Aliases that have to be asked for one by one.
const MOST_HOPS: usize = 8;
/// Time to live of an answer that was found over several questions.
const HOP_SECONDS: u32 = 60;
/// Largest message over TCP, its length in front.
const MOST_BYTES: usize = 2 + 65535;

/// The host's name servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers(Vec<SocketAddr>);

impl Servers {
    /// The first three of a resolv.conf(5); none there: the one on this machine.
    pub fn of(text: &str) -> Self {
        let named = |line: &str| {
            let mut words = line.split_ascii_whitespace();
            let is_server = words.next() == Some("nameserver");
            words.next().filter(|_| is_server).and_then(server)
        };
        let mut servers: Vec<SocketAddr> = text.lines().filter_map(named).take(3).collect();
        if servers.is_empty() {
            servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        Self(servers)
    }

    fn at(&self, attempt: usize) -> Option<SocketAddr> {
        self.0.get(attempt % self.0.len().max(1)).copied()
    }
}

/// `fe80::1%eth0` is the one on that link, which has a name or a number.
fn server(text: &str) -> Option<SocketAddr> {
    let Some((address, link)) = text.split_once('%') else {
        return Some(SocketAddr::new(text.parse().ok()?, PORT));
    };
    let link = match link.parse() {
        Ok(number) => number,
        Err(_) => socket::link_number(&CString::new(link).ok()?)?,
    };
    Some(SocketAddrV6::new(address.parse().ok()?, PORT, 0, link).into())
}

#[derive(Debug)]
enum Way {
    Udp(UdpSocket),
    Tcp {
        stream: TcpStream,
        out: Vec<u8>,
        into: Vec<u8>,
    },
    /// The attempt failed at once; the next one is due.
    Nothing,
}

/// One question under way.
#[derive(Debug)]
pub struct Flight {
    /// The name that the command asked for.
    pub asked: HostName,
    /// The type of records.
    pub kind: Rtype,
    /// The name asked for now.
    target: HostName,
    hops: usize,
    attempt: usize,
    id: u16,
    way: Way,
    retry_at: Instant,
    deadline: Instant,
}

/// A number that nobody can guess: keyed hashing of nothing, by a key that the standard library draws anew
/// (std::hash::RandomState).
fn random() -> u16 {
    use std::hash::{BuildHasher, Hasher};
    let number = std::hash::RandomState::new().build_hasher().finish();
    u16::try_from(number & 0xffff).unwrap_or(0)
}

impl Flight {
    /// Asks the first server.
    pub fn start(servers: &Servers, asked: HostName, kind: Rtype, now: Instant) -> Self {
        let target = asked.clone();
        let mut flight = Self {
            asked,
            kind,
            target,
            hops: 0,
            attempt: 0,
            id: 0,
            way: Way::Nothing,
            retry_at: now,
            deadline: now + MOST,
        };
        flight.ask(servers, now);
        flight
    }

    /// What to wait for.
    pub fn poll(&self) -> fd::Poll {
        match &self.way {
            Way::Udp(socket) => fd::readable(socket),
            Way::Tcp { stream, out, .. } => {
                let mut poll = fd::readable(stream);
                if !out.is_empty() {
                    poll.events = libc::POLLOUT;
                }
                poll
            }
            Way::Nothing => fd::Poll { fd: -1, events: 0, revents: 0 },
        }
    }

    /// When to look again, if nothing comes before.
    pub fn due(&self) -> Instant {
        self.retry_at.min(self.deadline)
    }

    /// Goes on as far as possible; the answer, once there is one.
    pub fn advance(&mut self, servers: &Servers, now: Instant) -> Option<Answer> {
        let received = match &mut self.way {
            Way::Udp(socket) => receive(socket, self.id, &self.target, self.kind),
            Way::Tcp { stream, out, into } => exchange(stream, out, into).map(|message| {
                answer::read(message, self.id, &self.target, self.kind)
                    .filter(|answer| *answer != Answer::Truncated)
                    .unwrap_or(Answer::Failed)
            }),
            Way::Nothing => Some(Answer::Failed),
        };
        match received {
            None if now >= self.deadline => Some(Answer::Failed),
            None if now >= self.retry_at => self.next(servers, now),
            None => None,
            Some(Answer::Truncated) => {
                self.way = servers
                    .at(self.attempt)
                    .and_then(|server| self.connect(server).ok())
                    .unwrap_or(Way::Nothing);
                self.retry_at = now + ATTEMPT;
                None
            }
            Some(Answer::Elsewhere(name)) => {
                self.hops += 1;
                if self.hops > MOST_HOPS {
                    return Some(Answer::Failed);
                }
                self.target = name;
                self.ask(servers, now);
                None
            }
            Some(Answer::Failed) => self.next(servers, now),
            Some(Answer::Addresses(addresses, ttl)) if self.hops > 0 => {
                Some(Answer::Addresses(addresses, ttl.min(HOP_SECONDS)))
            }
            Some(answer) => Some(answer),
        }
    }

    fn next(&mut self, servers: &Servers, now: Instant) -> Option<Answer> {
        self.attempt += 1;
        if self.attempt >= MOST_ATTEMPTS || now >= self.deadline {
            return Some(Answer::Failed);
        }
        self.ask(servers, now);
        None
    }

    fn ask(&mut self, servers: &Servers, now: Instant) {
        self.id = random();
        self.retry_at = now + ATTEMPT;
        let sent = servers.at(self.attempt).ok_or(Errno(libc::ENETUNREACH)).and_then(|server| {
            let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any)?;
            socket.set_nonblocking(true)?;
            socket.connect(server)?;
            socket.send(&self.question()?)?;
            Ok(socket)
        });
        self.way = sent.map_or(Way::Nothing, Way::Udp);
        if matches!(self.way, Way::Nothing) {
            self.retry_at = now;
        }
    }

    fn question(&self) -> Result<Vec<u8>> {
        let is_last = self.attempt + 1 == MOST_ATTEMPTS;
        answer::ask(self.id, &self.target, self.kind, !is_last).ok_or(Errno(libc::EINVAL))
    }

    /// Begins to ask the same over TCP.
    fn connect(&self, server: SocketAddr) -> Result<Way> {
        let (domain, form) =
            if server.is_ipv4() { (libc::AF_INET, Form::V4) } else { (libc::AF_INET6, Form::V6) };
        let stream = socket::new(domain, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0)?;
        let scope = if let SocketAddr::V6(server) = server { server.scope_id() } else { 0 };
        match socket::connect(&stream, &Inet { ip: server.ip(), port: server.port(), scope, form }.name()) {
            Ok(()) | Err(Errno(libc::EINPROGRESS)) => {}
            Err(error) => return Err(error),
        }
        let message = self.question()?;
        let length = u16::try_from(message.len()).unwrap_or(0).to_be_bytes();
        Ok(Way::Tcp { stream: stream.into(), out: [&length, &*message].concat(), into: Vec::new() })
    }
}

/// The answer, if it has come; what else comes is passed over. A server that is not there has failed.
fn receive(socket: &UdpSocket, id: u16, name: &str, kind: Rtype) -> Option<Answer> {
    let mut message = [0; 4096];
    for _ in 0..16 {
        match socket.recv(&mut message) {
            Ok(length) => {
                let answer = answer::read(message.get(..length)?, id, name, kind);
                if answer.is_some() {
                    return answer;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return None,
            Err(_) => return Some(Answer::Failed),
        }
    }
    None
}

/// Sends what is left and reads what has come; the whole message, once it is there, or an empty one when the
/// connection failed.
fn exchange<'a>(stream: &mut TcpStream, out: &mut Vec<u8>, into: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let would_wait = |error: &std::io::Error| {
        matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::NotConnected)
    };
    while !out.is_empty() {
        match stream.write(out) {
            Ok(count) => drop(out.drain(..count)),
            Err(error) if would_wait(&error) => return None,
            Err(_) => return Some(&[]),
        }
    }
    let mut piece = [0; 4096];
    loop {
        if let Some((length, rest)) = into.split_first_chunk::<2>()
            && rest.len() >= usize::from(u16::from_be_bytes(*length))
        {
            break;
        }
        match stream.read(&mut piece) {
            Ok(count) if count > 0 && into.len() < MOST_BYTES => {
                into.extend(piece.get(..count).unwrap_or_default());
            }
            Err(error) if would_wait(&error) => return None,
            _ => return Some(&[]),
        }
    }
    let length = into.first_chunk::<2>().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
    into.get(2..2 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_servers_of_the_host_are_asked_or_the_local_one() {
        let text = "search x\nnameserver 192.0.2.1\n; nameserver 9.9.9.9\nnameserver 2001:db8::1 # x\n\
            nameserver fe80::1%none.such\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        let servers = ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"].map(|text| text.parse().unwrap());
        assert_eq!(Servers::of(text).0, servers);
        let on_link = |text: &str| Servers::of(&format!("nameserver {text}\n")).0;
        for text in ["fe80::1%lo", "fe80::1%1"] {
            assert_eq!(on_link(text), ["[fe80::1%1]:53".parse().unwrap()]);
        }
        assert_eq!(Servers::of("options timeout:1\n").0, ["127.0.0.1:53".parse().unwrap()]);
    }
}
