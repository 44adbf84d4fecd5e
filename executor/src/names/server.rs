//! The resolver: one thread that answers every question of the sandbox and waits for none of them. A name
//! that no rule names is told at once not to exist (never refused or failed: some resolvers would ask again
//! for seconds), and told to the front. A live name is asked for upstream, once however many ask.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use super::askers::Ports;
use super::known::{Asked, Known, KnownNames};
use super::listed::{Listed, Meaning, Rules};
use super::live::Live;
use super::question::{self, Heard, Question};
use super::redirect::Shared;
use super::streams::Stream;
use super::telling::{Reason, Teller, Telling};
use super::upstream::{Flight, Servers};
use super::wire::{Rcode, Rtype};
use crate::events::Events;
use crate::locks::lock;
use crate::sys::fd;
use crate::sys::mapping::Mapping;
use crate::table::Table;

/// Questions upstream at once; those beyond fail.
const MOST_FLIGHTS: usize = 128;
/// Askers that wait for one of them.
const MOST_WAITERS: usize = 256;
/// Connections at once.
const MOST_STREAMS: usize = 64;
/// Messages read from one socket before the others have their turn.
const MOST_AT_ONCE: usize = 32;
/// Largest message over TCP.
const LARGEST: usize = 65535;

/// Who asks.
#[derive(Clone, Copy, Debug)]
struct Asker {
    way: Way,
    /// The thread that turned its socket here.
    tid: u32,
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
enum Way {
    Datagram(usize, SocketAddr),
    Stream(u64),
}

/// A question that waits for an upstream answer.
type Waiter = (Question, Asker);

/// The thread's own.
pub struct Server {
    shared: Arc<Shared>,
    listed: Arc<Listed>,
    teller: Teller,
    /// With their addresses.
    sockets: Vec<(UdpSocket, SocketAddr)>,
    listeners: Vec<TcpListener>,
    streams: Vec<Stream>,
    next_stream: u64,
    servers: Servers,
    flights: Vec<(Flight, Rules, Vec<Waiter>)>,
    known: KnownNames,
    /// Turns answers that do not fit whole.
    turn: usize,
    ports: Ports,
}

impl Server {
    /// The server and what it learns.
    pub(super) fn new(
        shared: Arc<Shared>,
        listed: Arc<Listed>,
        table: Arc<Table<Mapping>>,
        events: Arc<Events>,
        hosts: &str,
        telling: Telling,
    ) -> (Self, Live) {
        let (known, live) = KnownNames::new(Arc::clone(&listed), table, hosts);
        let asks = listed.asks() || telling.everything;
        let text = asks.then(|| std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
        let servers = Servers::of(&text.unwrap_or_default());
        let server = Self {
            shared,
            listed,
            teller: Teller::new(events, telling),
            sockets: Vec::new(),
            listeners: Vec::new(),
            streams: Vec::new(),
            next_stream: 0,
            servers,
            flights: Vec::new(),
            known,
            turn: 0,
            ports: Ports::default(),
        };
        (server, live)
    }

    /// Serves until the other end of the pipe is closed: then nobody is left to ask.
    pub fn serve(mut self) {
        let mut is_wanted = true;
        while is_wanted {
            let (mut polls, due) = self.polls();
            let now = Instant::now();
            let timeout = due.map_or(-1, |due| {
                let left = due.saturating_duration_since(now).as_millis().saturating_add(1);
                i32::try_from(left).unwrap_or(i32::MAX)
            });
            if fd::poll(&mut polls, timeout).is_err() {
                std::process::abort(); // nobody would be answered any more; the front ends the tree
            }
            let seen: Vec<bool> = polls.iter().map(|poll| poll.revents != 0).collect();
            is_wanted = self.turn_once(&seen, Instant::now());
        }
    }

    /// What to wait for: the pipe, the listeners, the sockets, the connections, the flights.
    fn polls(&self) -> (Vec<fd::Poll>, Option<Instant>) {
        let mut polls = vec![fd::readable(&self.shared.wake)];
        polls.extend(self.listeners.iter().map(fd::readable));
        polls.extend(self.sockets.iter().map(|(socket, _)| fd::readable(socket)));
        polls.extend(self.streams.iter().map(Stream::poll));
        polls.extend(self.flights.iter().map(|(flight, ..)| flight.poll()));
        let flights = self.flights.iter().map(|(flight, ..)| flight.due());
        (polls, flights.chain(self.streams.iter().map(Stream::due)).min())
    }

    /// Does what there is to do; `false`: there will be no more.
    fn turn_once(&mut self, seen: &[bool], now: Instant) -> bool {
        let mut seen = seen.iter().copied();
        let mut next = || seen.next().unwrap_or(false);
        let is_woken = next();
        let connects = self.listeners.iter().filter(|_| next()).count();
        let datagrams: Vec<usize> = (0..self.sockets.len()).filter(|_| next()).collect();
        let streams: Vec<u64> = self.streams.iter().filter(|_| next()).map(|stream| stream.number).collect();
        let flights: Vec<bool> = self.flights.iter().map(|_| next()).collect();

        self.move_flights(&flights, now);
        for index in datagrams {
            self.read_socket(index, now);
        }
        for number in streams {
            self.read_stream(number, now);
        }
        self.streams.retain(|stream| !stream.is_over(now));
        if connects > 0 {
            self.accept(now);
        }
        if !is_woken {
            return true;
        }
        let is_over = fd::read(&self.shared.wake, &mut [0; 256]) == Ok(0);
        let made = std::mem::take(&mut *lock(&self.shared.made));
        self.sockets.extend(made.sockets);
        self.listeners.extend(made.listeners);
        !is_over
    }

    fn move_flights(&mut self, seen: &[bool], now: Instant) {
        let mut landed = Vec::new();
        for (index, (flight, ..)) in self.flights.iter_mut().enumerate() {
            if !seen.get(index).copied().unwrap_or(false) && now < flight.due() {
                continue;
            }
            if let Some(answer) = flight.advance(&self.servers, now) {
                landed.push((index, answer));
            }
        }
        for (index, answer) in landed.into_iter().rev() {
            let (flight, rules, waiters) = self.flights.swap_remove(index);
            let tid = waiters.first().map(|(_, asker)| asker.tid);
            let asked = Asked { name: &flight.asked, kind: flight.kind, rules: &rules, tid, now };
            let (known, ttl) = self.known.take(&asked, answer, &mut self.teller);
            for (question, asker) in waiters {
                if self.is_there(asker) {
                    self.reply(&question, asker, &known, ttl);
                }
            }
        }
    }

    fn read_socket(&mut self, index: usize, now: Instant) {
        let mut message = [0; 4096];
        for _ in 0..MOST_AT_ONCE {
            let Some((socket, own)) = self.sockets.get(index) else { return };
            let Ok((length, peer)) = socket.recv_from(&mut message) else { return };
            let message = message.get(..length).unwrap_or_default();
            self.hear(message, Way::Datagram(index, peer), [*own, peer], now);
        }
    }

    fn read_stream(&mut self, number: u64, now: Instant) {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.number == number) else { return };
        stream.flush();
        let ends = stream.ends;
        for message in stream.receive(now) {
            self.hear(&message, Way::Stream(number), ends, now);
        }
    }

    /// Anyone on the machine may connect, be it to keep others out. So where there is no room left, whoever is
    /// not of the sandbox goes.
    fn accept(&mut self, now: Instant) {
        let Self { listeners, streams, ports, shared, .. } = self;
        for listener in listeners.iter() {
            while let Ok((stream, peer)) = listener.accept() {
                if streams.len() >= MOST_STREAMS {
                    streams.retain(|Stream { ends: [own, peer], .. }| {
                        ports.asker(&shared.askers, true, *own, *peer).is_some()
                    });
                }
                if streams.len() < MOST_STREAMS
                    && let Ok(stream) = Stream::new(self.next_stream, stream, peer, now)
                {
                    streams.push(stream);
                    self.next_stream += 1;
                }
            }
        }
    }

    /// Whether whoever waited for an answer still has the port that it was asked from.
    fn is_there(&mut self, asker: Asker) -> bool {
        let Way::Datagram(index, peer) = asker.way else { return true };
        let Some((_, own)) = self.sockets.get(index) else { return false };
        self.ports.asker(&self.shared.askers, false, *own, peer).is_some()
    }

    /// A message, by what way it came and between which ends.
    fn hear(&mut self, message: &[u8], way: Way, [own, peer]: [SocketAddr; 2], now: Instant) {
        let is_stream = matches!(way, Way::Stream(_));
        let Some(tid) = self.ports.asker(&self.shared.askers, is_stream, own, peer) else { return };
        let asker = Asker { way, tid };
        match question::read(message) {
            Heard::Question(question) => self.answer(question, asker, now),
            Heard::Strange(reply) => self.send(asker, &reply),
            Heard::Nothing => {}
        }
    }

    fn answer(&mut self, question: Question, asker: Asker, now: Instant) {
        if !question.is_internet() {
            return self.reply(&question, asker, &Known::Not(Rcode::REFUSED), 0);
        }
        let Some(name) = question.name.as_deref() else {
            return self.reply(&question, asker, &Known::Not(Rcode::NXDOMAIN), 0);
        };
        let listed = Arc::clone(&self.listed);
        let meaning = match listed.find(name) {
            Meaning::Unlisted if self.teller.telling.everything => Meaning::Live(Rules::none()),
            meaning => meaning,
        };
        match meaning {
            Meaning::Pinned(addresses) => {
                let known = Known::Addresses(addresses.to_vec());
                self.reply(&question, asker, &known, 0);
            }
            Meaning::Unlisted => {
                if !listed.is_echo(name) {
                    self.teller.refused(Reason::Unlisted, name, None, asker.tid, now);
                }
                self.reply(&question, asker, &Known::Not(Rcode::NXDOMAIN), 0);
            }
            Meaning::Live(rules) => {
                let kind = if question.wants(Rtype::A) { Rtype::A } else { question.kind };
                if !matches!(kind, Rtype::A | Rtype::AAAA) {
                    // Also service bindings (HTTPS, SVCB): the addresses they hint at would not be open.
                    return self.reply(&question, asker, &Known::Addresses(Vec::new()), 0);
                }
                self.answer_live(question, kind, rules, asker, now);
            }
        }
    }

    /// Answers from what is known, or lets the question wait for a flight.
    fn answer_live(&mut self, question: Question, kind: Rtype, rules: Rules, asker: Asker, now: Instant) {
        let Some(name) = question.name.clone() else { return };
        let asked = Asked { name: &name, kind, rules: &rules, tid: Some(asker.tid), now };
        if let Some((known, ttl)) = self.known.find(&asked, &mut self.teller) {
            return self.reply(&question, asker, &known, ttl);
        }
        let is_it = |flight: &Flight| flight.asked == name && flight.kind == kind;
        if let Some((_, _, waiters)) = self.flights.iter_mut().find(|(flight, ..)| is_it(flight)) {
            if waiters.len() < MOST_WAITERS {
                waiters.push((question, asker));
            }
            return;
        }
        if !self.known.may_ask(&asked, &mut self.teller) || self.flights.len() >= MOST_FLIGHTS {
            return self.reply(&question, asker, &Known::Not(Rcode::SERVFAIL), 0);
        }
        let flight = Flight::start(&self.servers, name, kind, now);
        self.flights.push((flight, rules, vec![(question, asker)]));
    }

    fn reply(&mut self, question: &Question, asker: Asker, known: &Known, ttl: u32) {
        let most = match asker.way {
            Way::Datagram(..) => question.most_udp_bytes(),
            Way::Stream(_) => LARGEST,
        };
        let (code, mut addresses) = match known {
            Known::Addresses(addresses) => (Rcode::NOERROR, addresses.clone()),
            Known::Not(code) => (*code, Vec::new()),
        };
        if self.teller.telling.answers {
            self.teller.answered(question, code, &addresses, asker.tid);
        }
        if addresses.len() > 1 {
            // Not all may fit, and the first is often the only one tried.
            self.turn = self.turn.wrapping_add(1);
            let by = self.turn % addresses.len();
            addresses.rotate_left(by);
        }
        self.send(asker, &question.reply(code, &addresses, ttl, most));
    }

    fn send(&mut self, asker: Asker, message: &[u8]) {
        match asker.way {
            Way::Datagram(index, peer) => {
                // A full queue loses datagrams, as it may.
                let _ = self.sockets.get(index).map(|(socket, _)| socket.send_to(message, peer));
            }
            Way::Stream(number) => {
                if let Some(stream) = self.streams.iter_mut().find(|stream| stream.number == number) {
                    stream.send(message);
                }
            }
        }
    }
}
