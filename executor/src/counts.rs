//! How many calls came to the supervisor, by kind: what a plan costs is told when it is over, and tests hold
//! plans to it.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Notifications received.
#[derive(Debug, Default)]
pub struct Counts {
    connects: AtomicU32,
    messages: AtomicU32,
    binds: AtomicU32,
    others: AtomicU32,
}

impl Counts {
    /// Counts a system call. Only the receiver does, so a load and a store are enough.
    pub fn count(&self, nr: i32) {
        let counter = match libc::c_long::from(nr) {
            libc::SYS_connect => &self.connects,
            libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_sendmmsg => &self.messages,
            libc::SYS_bind | libc::SYS_listen => &self.binds,
            _ => &self.others,
        };
        counter.store(counter.load(Relaxed).saturating_add(1), Relaxed);
    }

    /// The counts as they stand in a record, in the place of an address: connects, messages, binds and
    /// listens, others, each 32 bits, little-endian.
    pub fn encode(&self) -> IpAddr {
        let mut bytes = [0; 16];
        let counters = [&self.connects, &self.messages, &self.binds, &self.others];
        for (to, counter) in bytes.chunks_exact_mut(4).zip(counters) {
            to.copy_from_slice(&counter.load(Relaxed).to_le_bytes());
        }
        IpAddr::V6(Ipv6Addr::from(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_kind() {
        let counts = Counts::default();
        for nr in
            [libc::SYS_connect, libc::SYS_sendto, libc::SYS_sendmmsg, libc::SYS_listen, libc::SYS_listen]
        {
            counts.count(i32::try_from(nr).unwrap());
        }
        counts.count(-1);
        let IpAddr::V6(address) = counts.encode() else { unreachable!() };
        assert_eq!(address.octets(), [1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]);
    }
}
