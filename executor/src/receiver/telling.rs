//! What the front is told of calls: refusals, and tasks that can not be looked at. Decides nothing.

use super::Receiver;
use crate::event::{Call, Kind as RecordKind, Record};
use crate::sockaddr::{Inet, Kind};
use crate::sys::Errno;
use crate::sys::seccomp::Notification;
use crate::watch;

/// Threads remembered as opaque before it begins anew.
const MOST_OPAQUE: usize = 1024;

impl Receiver {
    /// Tells the front, once for each thread, that a process can not be looked at: its program file is not
    /// readable, or it has given up being dumpable in a way that the filter could not prevent (a change of
    /// user).
    pub(crate) fn tell_opaque(&mut self, notification: &Notification) {
        if !self.opaque.insert(notification.tid) {
            return;
        }
        if self.opaque.len() > MOST_OPAQUE {
            self.opaque.clear();
        }
        let (pid, name) = self.callers.who(notification.tid);
        self.events.tell(&Record { pid, name, tid: notification.tid, ..Record::new(RecordKind::Opaque) });
    }

    /// Tells the front about a refusal, once it is answered: nobody waits for that, and that there was
    /// somebody to answer shows that what we read was the caller's own.
    pub(crate) fn tell_denied(
        &mut self,
        notification: &Notification,
        call: Call,
        kind: Kind,
        inet: &Inet,
        error: Errno,
    ) {
        self.refusal = Some(self.record(RecordKind::Denied, notification, call, kind, inet, error));
    }

    /// A record about a call with a destination or a source.
    pub(crate) fn record(
        &mut self,
        record: RecordKind,
        notification: &Notification,
        call: Call,
        kind: Kind,
        inet: &Inet,
        error: Errno,
    ) -> Record {
        let protocol = match kind {
            Kind::Tcp { .. } => 0,
            Kind::Udp { .. } => 1,
            Kind::Icmp { .. } => 2,
            Kind::Unix { .. } => watch::UNIX,
            Kind::Netlink => 255,
        };
        let (pid, name) = self.callers.who(notification.tid);
        Record {
            protocol,
            port: inet.port,
            pid,
            tid: notification.tid,
            code: error.0,
            address: Some(inet.canonical()),
            name,
            call: call as u32,
            ..Record::new(record)
        }
    }
}
