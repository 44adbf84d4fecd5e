//! Port 53 of every server is a socket of ours on the loopback of this machine: one UDP socket for each
//! server that the command believes in, so that the port of an answer tells which one it pretends to come
//! from, and one TCP listener for each family. Each is made when it is first asked: others of the machine can
//! reach them. Used by the thread that makes calls; the sockets are served by `server.rs`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use super::askers::Askers;
use super::listed::Listed;
use super::live::Live;
use super::server::Server;
use super::telling::Telling;
use crate::events::Events;
use crate::locks::lock;
use crate::sockaddr::{Form, Inet, Kind, from_kernel};
use crate::sys::mapping::Mapping;
use crate::sys::{Result, fd, socket, thread};
use crate::table::{Protocol, Table};

/// The port of DNS.
pub const PORT: u16 = 53;
/// Servers that a sandbox may believe in at once. Of more, the one that was not asked for longest gives its
/// socket to the next: an answer that is under way then is taken for one of that.
const MOST_SERVERS: usize = 256;
/// Sockets known to be redirected; the oldest are forgotten.
const MOST_SOCKETS: usize = 8192;

/// What this and the serving thread hold.
pub(super) struct Shared {
    pub(super) askers: Askers,
    /// What was made and is not yet taken over by the server.
    pub(super) made: Mutex<Made>,
    /// A byte comes when there are.
    pub(super) wake: OwnedFd,
    /// Which server the socket with that address stands for.
    servers: Mutex<HashMap<SocketAddr, IpAddr>>,
}

/// Sockets to be served.
#[derive(Default)]
pub(super) struct Made {
    /// With their addresses.
    pub(super) sockets: Vec<(UdpSocket, SocketAddr)>,
    pub(super) listeners: Vec<TcpListener>,
}

/// The way that calls take.
pub struct Redirect {
    shared: Arc<Shared>,
    told: OwnedFd,
    by_server: HashMap<IpAddr, SocketAddr>,
    /// Those servers, each once; the one asked last stands last.
    turns: VecDeque<IpAddr>,
    /// The listeners' ports, by the loopback they are at.
    streams: HashMap<IpAddr, u16>,
    sockets: HashSet<u64>,
    order: VecDeque<u64>,
    listed: Arc<Listed>,
    /// Protocols of which rules speak of name servers: those they allow are asked themselves.
    asked: Vec<Protocol>,
    /// What was learnt; none: no name has to be asked for.
    pub live: Option<Live>,
}

/// Which server a socket of ours stands for, for threads that deliver answers.
#[derive(Clone)]
pub struct Origins(Arc<Shared>);

impl Origins {
    /// The source of an answer as the command shall see it.
    pub fn of(&self, source: &socket::Name) -> Option<Inet> {
        let (ip, port) = from_kernel(source)?;
        let servers = lock(&self.0.servers);
        let server = *servers.get(&SocketAddr::new(ip.to_canonical(), port))?;
        let form = if ip.is_ipv4() { Form::V4 } else { Form::V6 };
        Some(Inet { ip: server, port: PORT, scope: 0, form })
    }
}

impl Redirect {
    /// Starts the thread that answers. `hosts` is the host's own hosts file.
    pub fn start(
        table: &Arc<Table<Mapping>>,
        events: &Arc<Events>,
        listed: Listed,
        hosts: &str,
        telling: Telling,
    ) -> Result<Self> {
        let listed = Arc::new(listed);
        let (wake, told) = fd::pipe()?;
        fd::set_status_flags(&told, libc::O_NONBLOCK)?;
        let shared = Arc::new(Shared {
            askers: Askers::default(),
            made: Mutex::default(),
            wake,
            servers: Mutex::default(),
        });
        let (server, live) = Server::new(
            Arc::clone(&shared),
            Arc::clone(&listed),
            Arc::clone(table),
            Arc::clone(events),
            hosts,
            telling,
        );
        thread::start(c"sl-names", thread::USUAL_STACK_BYTES, move || server.serve())?;
        // Without names there is nothing that a wide rule would keep from being answered.
        let is_asked = |protocol: &Protocol| {
            listed.is_empty() && !telling.everything || table.speaks_of_port(PORT, *protocol)
        };
        let asked = [Protocol::Tcp, Protocol::Udp].into_iter().filter(is_asked).collect();
        let live = listed.asks().then_some(live);
        Ok(Self {
            shared,
            told,
            by_server: HashMap::new(),
            turns: VecDeque::new(),
            streams: HashMap::new(),
            sockets: HashSet::new(),
            order: VecDeque::new(),
            listed,
            asked,
            live,
        })
    }

    /// For threads that deliver answers.
    pub fn origins(&self) -> Origins {
        Origins(Arc::clone(&self.shared))
    }

    /// Where a socket of that kind is sent instead of to port 53 of a server. EADDRNOTAVAIL: this machine has
    /// no such loopback.
    pub fn instead(&mut self, kind: Kind, inet: Inet) -> Result<Inet> {
        let server = inet.canonical();
        let loopback = match server {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        let port = match kind {
            Kind::Tcp { .. } => self.streams(loopback)?,
            _ => self.datagrams(server, loopback)?,
        };
        let ip = match (loopback, inet.form) {
            (IpAddr::V4(loopback), Form::V6) => IpAddr::V6(loopback.to_ipv6_mapped()),
            (loopback, _) => loopback,
        };
        Ok(Inet { ip, port, scope: 0, form: inet.form })
    }

    /// The port of the listener at that loopback.
    fn streams(&mut self, loopback: IpAddr) -> Result<u16> {
        if let Some(port) = self.streams.get(&loopback) {
            return Ok(*port);
        }
        let listener = TcpListener::bind((loopback, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        self.streams.insert(loopback, port);
        self.hand_over(|made| made.listeners.push(listener));
        Ok(port)
    }

    /// The port of the socket that stands for a server.
    fn datagrams(&mut self, server: IpAddr, loopback: IpAddr) -> Result<u16> {
        if let Some(own) = self.by_server.get(&server) {
            if self.turns.back() != Some(&server) {
                self.turns.retain(|other| *other != server);
                self.turns.push_back(server);
            }
            return Ok(own.port());
        }
        let own = self.taken_over(loopback).map_or_else(|| self.stand_in(loopback), Ok)?;
        lock(&self.shared.servers).insert(own, server);
        self.by_server.insert(server, own);
        self.turns.push_back(server);
        Ok(own.port())
    }

    /// The socket of the server that was not asked for longest, of the same family, when there are too many;
    /// the server has none then.
    fn taken_over(&mut self, loopback: IpAddr) -> Option<SocketAddr> {
        if self.by_server.len() < MOST_SERVERS {
            return None;
        }
        let is_alike = |server| self.by_server.get(server).is_some_and(|own| own.ip() == loopback);
        let at = self.turns.iter().position(is_alike)?;
        let oldest = self.turns.remove(at)?;
        self.by_server.remove(&oldest)
    }

    /// A new socket of ours.
    fn stand_in(&self, loopback: IpAddr) -> Result<SocketAddr> {
        let socket = UdpSocket::bind((loopback, 0))?;
        socket.set_nonblocking(true)?;
        let own = socket.local_addr()?;
        self.hand_over(|made| made.sockets.push((socket, own)));
        Ok(own)
    }

    /// Gives the server what was made.
    fn hand_over(&self, put: impl FnOnce(&mut Made)) {
        put(&mut lock(&self.shared.made));
        // A full pipe has woken its reader already.
        let _ = fd::write(&self.told, b"m");
    }

    /// Notes that the socket is turned here by a thread, so that it is answered, and the source of what it
    /// receives made that of the server. It has a port already.
    pub fn note(&mut self, kind: Kind, socket: &OwnedFd, tid: u32) {
        let port = socket::local_name(socket).ok().and_then(|name| from_kernel(&name));
        let Ok(cookie) = socket::cookie(socket) else { return };
        if let Some((_, port)) = port {
            let is_stream = matches!(kind, Kind::Tcp { .. });
            self.shared.askers.note(is_stream, port, cookie, tid);
        }
        if self.sockets.insert(cookie) {
            self.order.push_back(cookie);
            if self.order.len() > MOST_SOCKETS
                && let Some(oldest) = self.order.pop_front()
            {
                self.sockets.remove(&oldest);
            }
        }
    }

    /// Whether any socket was turned here.
    pub fn has_any(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// Whether the socket was turned here.
    pub fn has(&self, socket: &OwnedFd) -> bool {
        socket::cookie(socket).is_ok_and(|cookie| self.sockets.contains(&cookie))
    }

    /// Whether rules of the protocol speak of name servers (docs/format.md §6, *Port 53*).
    pub fn are_asked(&self, protocol: Protocol) -> bool {
        self.asked.contains(&protocol)
    }

    /// Whether the address is one of some name.
    pub fn is_named(&mut self, address: IpAddr) -> bool {
        self.listed.is_pinned(address) || self.live.as_mut().is_some_and(|live| live.knows(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    const QUESTION: &[u8] = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x07nowhere\x04test\0\0\x01\0\x01";

    fn started() -> Redirect {
        let bytes = include_bytes!("../../../test/vectors/mixed.bin");
        let table = Mapping::sealed(&fd::sealed(c"table", bytes).unwrap()).unwrap();
        let table = Arc::new(Table::open(table).unwrap());
        let (_records, events) = fd::pipe().unwrap();
        let events = Arc::new(Events::new(events).unwrap());
        let telling = Telling { answers: false, everything: false };
        Redirect::start(&table, &events, Listed::of(&table), "", telling).unwrap()
    }

    #[test]
    fn however_many_servers_are_asked_the_next_one_is_too_and_those_asked_again_keep_their_sockets() {
        let mut redirect = started();
        let mut asked = |number: u32| {
            let inet = Inet { ip: IpAddr::V4(number.into()), port: PORT, scope: 0, form: Form::V4 };
            redirect.instead(Kind::Udp { v6: false }, inet).unwrap().port
        };
        let first = asked(0);
        let second = asked(1);
        for number in 2..600 {
            asked(number);
            assert_eq!(asked(0), first);
        }
        assert_ne!(asked(1), second);
        assert_eq!(redirect.by_server.len(), MOST_SERVERS);
        assert_eq!(redirect.turns.len(), MOST_SERVERS);
        let servers = redirect.shared.servers.lock().unwrap();
        assert_eq!(servers.len(), MOST_SERVERS);
        assert_eq!(servers[&redirect.by_server[&IpAddr::V4(599.into())]], IpAddr::V4(599.into()));
    }

    #[test]
    fn who_has_the_port_of_a_socket_that_was_closed_is_not_answered() {
        let mut redirect = started();
        let kind = Kind::Udp { v6: false };
        let inet = Inet { ip: [192, 0, 2, 1].into(), port: PORT, scope: 0, form: Form::V4 };
        let instead = redirect.instead(kind, inet).unwrap();
        let asker = |at: SocketAddr| {
            let socket = UdpSocket::bind(at).unwrap();
            socket.connect((instead.ip, instead.port)).unwrap();
            (OwnedFd::from(socket.try_clone().unwrap()), socket)
        };
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let ask = |socket: &UdpSocket| {
            socket.send(QUESTION).unwrap();
            socket.recv(&mut [0; 512]).unwrap()
        };
        let (first, its) = asker(any);
        redirect.note(kind, &first, 1);
        assert!(ask(&its) > 0);
        let at = its.local_addr().unwrap();
        drop((first, its));
        let (_, outside) = asker(at);
        outside.send(QUESTION).unwrap();
        // Questions are heard in their order: the other one was, when this one is answered.
        let (second, its) = asker(any);
        redirect.note(kind, &second, 1);
        assert!(ask(&its) > 0);
        outside.set_nonblocking(true).unwrap();
        assert_eq!(outside.recv(&mut [0; 512]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }

    #[test]
    fn however_many_others_connect_the_sandbox_has_room() {
        let mut redirect = started();
        let kind = Kind::Tcp { v6: false };
        let inet = Inet { ip: [192, 0, 2, 1].into(), port: PORT, scope: 0, form: Form::V4 };
        let instead = redirect.instead(kind, inet).unwrap();
        let connect = || TcpStream::connect((instead.ip, instead.port)).unwrap();
        let outside: Vec<_> = (0..200).map(|_| connect()).collect();
        let mut own = connect();
        redirect.note(kind, &OwnedFd::from(own.try_clone().unwrap()), 1);
        let length = u16::try_from(QUESTION.len()).unwrap().to_be_bytes();
        own.write_all(&[&length, QUESTION].concat()).unwrap();
        let mut answer = [0; 4];
        own.read_exact(&mut answer).unwrap();
        assert_eq!(answer[2..], QUESTION[..2]);
        drop(outside);
    }

    #[test]
    fn each_of_several_sockets_at_one_port_is_answered() {
        let mut redirect = started();
        let kind = Kind::Udp { v6: false };
        let mut sockets = Vec::new();
        let mut port = 0;
        for tid in 1..5 {
            let inet = Inet { ip: [192, 0, 2, 1].into(), port: PORT, scope: 0, form: Form::V4 };
            let instead = redirect.instead(kind, inet).unwrap();
            let own = Ipv4Addr::new(127, 0, 0, u8::try_from(tid).unwrap());
            let socket = UdpSocket::bind((own, port)).unwrap();
            port = socket.local_addr().unwrap().port();
            socket.connect((instead.ip, instead.port)).unwrap();
            redirect.note(kind, &OwnedFd::from(socket.try_clone().unwrap()), tid);
            sockets.push(socket);
        }
        let outside = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 9), port)).unwrap();
        outside.connect(sockets[0].peer_addr().unwrap()).unwrap();
        outside.send(QUESTION).unwrap();
        for socket in &sockets {
            socket.send(QUESTION).unwrap();
            assert!(socket.recv(&mut [0; 512]).unwrap() > 0);
        }
        outside.set_nonblocking(true).unwrap();
        assert_eq!(outside.recv(&mut [0; 512]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }

    #[test]
    fn the_thread_that_answers_ends_when_nobody_can_ask() {
        let redirect = started();
        // The thread holds the other reference.
        let shared = Arc::downgrade(&redirect.shared);
        assert_eq!(shared.strong_count(), 2);
        drop(redirect);
        while shared.strong_count() > 0 {
            std::thread::yield_now();
        }
    }
}
