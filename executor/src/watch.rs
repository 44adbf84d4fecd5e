//! What is told beyond refusals, when the request asks for it: allowed calls (`TELL_ALLOWED`), and under
//! observation (`OBSERVE`) what the table would decide, which then refuses nothing. Decides nothing by
//! itself: it hands on what the look-up said, or what observation makes of it.
//!
//! Under observation each fact is told once, since a policy needs it once, and nothing may be lost: a full
//! pipe is waited for.
//!
//! Resolvers connect datagram sockets only to ask for their own source address (getaddrinfo's sorting). To
//! tell them from clients, a connected datagram socket is told when something is seen to be sent through it;
//! one that is disconnected or connected elsewhere before is a prober's and is never told. What remains
//! silent to the end (write(2) is not trapped) is told then, as a connect.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;

use crate::event::{Call, Kind as RecordKind, Record, padded};
use crate::events::SURELY_MS;
use crate::receiver::{Outcome, Receiver};
use crate::sockaddr::{Inet, Kind};
use crate::sys::seccomp::Notification;
use crate::sys::{Errno, Result, fd};
use crate::task::Status;

/// Facts and sockets remembered before it begins anew; what is told twice harms nobody.
const MOST: usize = 65_536;

/// Protocol of a record about a unix socket.
pub(crate) const UNIX: u8 = 3;
/// Protocol of a record about a family; its text is the word of `allow_families`.
const OTHER: u8 = 255;

/// What the request asked for. Exists only if it asked for something.
#[derive(Debug, Default)]
pub struct Watch {
    observes: bool,
    told: HashSet<Vec<u8>>,
    /// Datagram sockets that were connected and have not been seen to send, by inode.
    silent: HashMap<u64, Record>,
    /// Datagram sockets that were connected only to ask for their source address.
    probers: HashSet<u64>,
}

impl Watch {
    /// `observes`: the table refuses nothing.
    pub fn new(observes: bool) -> Self {
        Self { observes, ..Self::default() }
    }

    /// Whether this fact is new.
    fn is_new(&mut self, text: &[u8], record: &Record) -> bool {
        if self.told.len() >= MOST {
            self.told.clear();
        }
        let Record { kind, protocol, port, pid, tid: _, code, address, name, call } = *record;
        let fact = format!("{kind:?} {protocol} {port} {pid} {code} {address:?} {name:?} {call}");
        self.told.insert([fact.as_bytes(), text].concat())
    }

    /// A datagram socket is connected. `true`: it is not to be told now.
    fn connected(&mut self, inode: u64, record: Record) -> bool {
        if self.silent.len() >= MOST || self.probers.len() >= MOST {
            self.silent.clear();
            self.probers.clear();
        }
        if !self.probers.contains(&inode) && self.silent.insert(inode, record).is_some() {
            self.disconnected(inode);
        }
        true
    }

    fn disconnected(&mut self, inode: u64) {
        if self.silent.remove(&inode).is_some() {
            self.probers.insert(inode);
        }
    }
}

/// Tells what a call failed with, if that was a refusal.
pub(crate) type Teller = Box<dyn Fn(Errno) + Send>;

/// Refused datagram connects of the last moments, by process and port: if the process then connects by TCP to
/// that port, they were a resolver's probes.
#[derive(Debug, Default)]
pub struct Suspects(Vec<(u32, u16)>);

/// Addresses of one name that are probed before one is connected to.
const MOST_SUSPECTS: usize = 16;

impl Suspects {
    fn add(&mut self, pid: u32, port: u16) {
        if !self.0.contains(&(pid, port)) {
            if self.0.len() >= MOST_SUSPECTS {
                self.0.remove(0);
            }
            self.0.push((pid, port));
        }
    }

    fn take(&mut self, pid: u32, port: u16) -> bool {
        let found = self.0.iter().position(|suspect| *suspect == (pid, port));
        found.map(|index| self.0.remove(index)).is_some()
    }
}

impl Receiver {
    /// Hands the decision on a destination or a source on, told if that was asked for. Under observation a
    /// refusal becomes permission.
    pub(crate) fn judged(
        &mut self,
        notification: &Notification,
        call: Call,
        kind: Kind,
        socket: &OwnedFd,
        inet: Inet,
        decided: Result<Inet>,
    ) -> Result<Inet> {
        let Some(observes) = self.watch.as_ref().map(|watch| watch.observes) else { return decided };
        let (record_kind, judged) = match decided {
            Ok(judged) => (RecordKind::Allowed, judged),
            // A source that is unspecified means every address, a destination loopback.
            Err(_) if observes && matches!(call, Call::Bind | Call::Listen) => (RecordKind::Denied, inet),
            Err(_) if observes => (RecordKind::Denied, self.concrete(socket, inet)),
            Err(error) => return Err(error),
        };
        let record = self.record(record_kind, notification, call, kind, &judged, Errno(0));
        let is_silent = observes
            && matches!((call, kind), (Call::Connect, Kind::Udp { .. }))
            && fd::identity(socket).is_ok_and(|file| {
                self.watch.as_mut().is_some_and(|watch| watch.connected(file.inode, record))
            });
        if !is_silent {
            self.tell_watched(&[], &record);
        }
        Ok(judged)
    }

    /// The same for a unix socket outside, by its name as `allow_unix` would write it.
    pub(crate) fn judged_unix(
        &mut self,
        notification: &Notification,
        call: Call,
        name: &[u8],
        is_allowed: bool,
    ) -> Result<()> {
        let observes = self.observes();
        let kind = if is_allowed { RecordKind::Allowed } else { RecordKind::Denied };
        let (pid, program) = self.callers.who(notification.tid);
        let code = if is_allowed || observes { 0 } else { libc::EACCES };
        let tid = notification.tid;
        let told =
            Record { protocol: UNIX, pid, tid, code, name: program, call: call as u32, ..Record::new(kind) };
        match &self.watch {
            Some(_) => self.tell_watched(name, &told),
            None if is_allowed => {}
            None => self.events.tell_with(name, &told),
        }
        if is_allowed || observes { Ok(()) } else { Err(Errno(libc::EACCES)) }
    }

    /// Whether the table refuses nothing.
    pub(crate) fn observes(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.observes)
    }

    /// A socket of a family that is not there by default is opened, which only observation traps. Its three
    /// registers say all, so the caller's kernel makes it.
    pub(crate) fn opened(&mut self, notification: &Notification) -> Result<Outcome> {
        if !self.observes() {
            return Err(Errno(libc::EAFNOSUPPORT));
        }
        let [family, ..] = notification.args;
        let word: &[u8] = if family & 0xffff_ffff == 1 { b"unix/dgram" } else { b"alg" };
        let (pid, name) = self.callers.who(notification.tid);
        let call = Call::Socket as u32;
        let tid = notification.tid;
        let record = Record { protocol: OTHER, pid, tid, name, call, ..Record::new(RecordKind::Denied) };
        self.tell_watched(word, &record);
        Ok(Outcome::LetRun)
    }

    /// Something is sent through a connected datagram socket.
    pub(crate) fn sent_to_peer(&mut self, call: Call, kind: Kind, socket: &OwnedFd) {
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.observes) else { return };
        if !matches!(kind, Kind::Udp { .. }) {
            return;
        }
        let silent = fd::identity(socket).ok().and_then(|file| watch.silent.remove(&file.inode));
        if let Some(record) = silent {
            self.tell_watched(&[], &Record { call: call as u32, ..record });
        }
    }

    /// A socket gives its peer up.
    pub(crate) fn disconnects(&mut self, socket: &OwnedFd) {
        if let Some(watch) = self.watch.as_mut().filter(|watch| watch.observes)
            && let Ok(file) = fd::identity(socket)
        {
            watch.disconnected(file.inode);
        }
    }

    /// No task is left: what stayed silent is told.
    pub(crate) fn end_watch(&mut self) {
        let silent = self.watch.as_mut().map(|watch| std::mem::take(&mut watch.silent));
        for record in silent.into_iter().flatten().map(|(_, record)| record) {
            self.tell_watched(&[], &record);
        }
    }

    fn tell_watched(&mut self, text: &[u8], record: &Record) {
        if let Some(watch) = self.watch.as_mut().filter(|watch| watch.observes) {
            if !watch.is_new(text, record) {
                return;
            }
            return self.events.tell_surely(text, record, SURELY_MS);
        }
        self.events.tell_with(text, record);
    }

    /// Remembers a refused datagram connect, which may have been a probe.
    pub(crate) fn suspect(&mut self, notification: &Notification, port: u16) {
        let (pid, _) = self.callers.who(notification.tid);
        self.suspects.add(pid, port);
    }

    /// Tells an allowed connect or bind of TCP that explains refused probes; whoever reads the records leaves
    /// those out.
    pub(crate) fn explain_suspects(
        &mut self,
        notification: &Notification,
        call: Call,
        kind: Kind,
        inet: &Inet,
    ) {
        if self.suspects.0.is_empty() || self.watch.is_some() || !matches!(kind, Kind::Tcp { .. }) {
            return;
        }
        let (pid, _) = self.callers.who(notification.tid);
        if self.suspects.take(pid, inet.port) {
            let record = self.record(RecordKind::Allowed, notification, call, kind, inet, Errno(0));
            self.events.tell(&record);
        }
    }

    /// What tells, from any thread, that the kernel kept a caller from an abstract unix socket outside: EPERM
    /// of a Landlock scope.
    pub(crate) fn scope_teller(&self, tid: u32, call: Call, name: &[u8]) -> Teller {
        let events = std::sync::Arc::clone(&self.events);
        let text = [b"@", name].concat();
        Box::new(move |error| {
            if error != Errno(libc::EPERM) {
                return;
            }
            let (pid, name) =
                Status::read(tid).map_or((tid, [0; 16]), |status| (status.group, padded(&status.name)));
            let (call, code) = (call as u32, error.0);
            let record =
                Record { protocol: UNIX, pid, tid, code, name, call, ..Record::new(RecordKind::Denied) };
            events.tell_with(&text, &record);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_socket_that_only_asks_for_its_source_is_a_prober() {
        let mut watch = Watch::new(true);
        let record = Record::new(RecordKind::Denied);
        watch.connected(1, record);
        watch.disconnected(1);
        watch.connected(1, record);
        watch.connected(2, record);
        watch.connected(2, record);
        watch.connected(3, record);
        assert_eq!(watch.silent.keys().collect::<Vec<_>>(), [&3]);
    }

    #[test]
    fn a_fact_is_new_once_whoever_calls_it_whatever() {
        let mut watch = Watch::new(true);
        let record = Record::new(RecordKind::Denied);
        assert!(watch.is_new(b"", &record));
        assert!(!watch.is_new(b"", &Record { tid: 7, ..record }));
        assert!(watch.is_new(b"/run/x", &record));
        assert!(watch.is_new(b"", &Record { port: 1, ..record }));
    }

    #[test]
    fn suspects_are_few_and_explained_once() {
        let mut suspects = Suspects::default();
        for port in 0..20 {
            suspects.add(7, port);
            suspects.add(7, port);
        }
        assert!(!suspects.take(7, 3), "the oldest are forgotten");
        assert!(suspects.take(7, 4));
        assert!(!suspects.take(7, 4));
        assert!(!suspects.take(8, 5));
    }
}
