//! The live addresses: learnt as answers, open for what their names' rules say until they expire (docs/format.md §6). Written by the thread that answers
//! questions, read by the one that decides on calls, which waits for nobody: it holds an unchangeable copy and takes a newer one when there is one.
//!
//! An address is open for at least `FLOOR`, since programs hold answers longer than their time to live (Java: 30 s), at most `MOST_AGE` after the last answer with it; a new
//! answer adds and never removes; a connect to it keeps it open for `FLOOR` more. Established connections are nobody's business here.
//!
//! Memory: at most `MOST` addresses of all names together, about 300 bytes each, in two copies while one is replaced: 2.5 MiB when full.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::table::{Ports, Protocol};

const FLOOR_MS: u64 = 60 * 1000;
const MOST_AGE_MS: u64 = 24 * 3600 * 1000;
/// Addresses of one name. Large services answer with 8 of hundreds, others each time.
const MOST_OF_NAME: usize = 128;
/// Addresses of all names.
const MOST: usize = 4096;

/// What one name opens at one address.
#[derive(Debug)]
struct Opening {
    opens: Vec<Ports>,
    /// In milliseconds since the start; later with each use.
    expires: AtomicU64,
    /// When it was learnt last.
    learnt: AtomicU64,
}

impl Opening {
    fn allows(&self, protocol: Protocol, port: u16) -> bool {
        self.opens.iter().any(|ports| ports.protocol == protocol && (ports.low..=ports.high).contains(&port))
    }
}

type Snapshot = HashMap<IpAddr, Vec<Arc<Opening>>>;

/// What both threads hold.
#[derive(Debug)]
struct Shared {
    start: Instant,
    version: AtomicU64,
    current: Mutex<Arc<Snapshot>>,
}

impl Shared {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The reading end, for the thread that decides.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    version: u64,
    snapshot: Arc<Snapshot>,
}

impl Live {
    /// Whether the address (canonical) is open now for that destination. It then stays so for a while.
    pub fn allows(&mut self, protocol: Protocol, address: IpAddr, port: u16) -> bool {
        self.refresh();
        let Some(openings) = self.snapshot.get(&address) else { return false };
        let now = self.shared.now_ms();
        let mut open = openings.iter().filter(|opening| {
            now < opening.expires.load(Ordering::Relaxed) && opening.allows(protocol, port)
        });
        let Some(opening) = open.next() else { return false };
        let most = opening.learnt.load(Ordering::Relaxed).saturating_add(MOST_AGE_MS);
        opening.expires.fetch_max((now + FLOOR_MS).min(most), Ordering::Relaxed);
        true
    }

    /// Whether the address is one of some name, for whatever it is open.
    pub fn knows(&mut self, address: IpAddr) -> bool {
        self.refresh();
        self.snapshot.contains_key(&address)
    }

    fn refresh(&mut self) {
        let version = self.shared.version.load(Ordering::Acquire);
        if version != self.version {
            self.version = version;
            self.snapshot = Arc::clone(&self.shared.current.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// The writing end, for the thread that answers.
#[derive(Debug)]
pub struct Learner {
    shared: Arc<Shared>,
    known: HashMap<(Box<str>, IpAddr), Arc<Opening>>,
}

/// Both ends of an empty table.
pub fn channel() -> (Learner, Live) {
    let snapshot = Arc::new(Snapshot::new());
    let shared = Arc::new(Shared {
        start: Instant::now(),
        version: AtomicU64::new(0),
        current: Mutex::new(Arc::clone(&snapshot)),
    });
    let live = Live { shared: Arc::clone(&shared), version: 0, snapshot };
    (Learner { shared, known: HashMap::new() }, live)
}

impl Learner {
    /// Opens what a name opens at each of these addresses for `ttl` seconds, within the bounds. When it returns they are open.
    pub fn learn(&mut self, name: &str, addresses: Vec<(IpAddr, Vec<Ports>)>, ttl: u32) {
        let now = self.shared.now_ms();
        let expires = now + (u64::from(ttl) * 1000).clamp(FLOOR_MS, MOST_AGE_MS);
        let mut is_changed = false;
        for (address, opens) in addresses {
            if let Some(opening) = self.known.get(&(name.into(), address)) {
                opening.expires.fetch_max(expires, Ordering::Relaxed);
                opening.learnt.store(now, Ordering::Relaxed);
                continue;
            }
            let opening = Opening { opens, expires: expires.into(), learnt: now.into() };
            self.known.insert((name.into(), address), Arc::new(opening));
            is_changed = true;
        }
        if is_changed {
            self.drop_oldest(name, now);
            self.publish();
        }
    }

    /// Keeps to the bounds: first what has expired goes, then what expires soonest.
    fn drop_oldest(&mut self, name: &str, now: u64) {
        self.known.retain(|_, opening| opening.expires.load(Ordering::Relaxed) > now);
        self.drop_beyond(MOST_OF_NAME, |of| of == name);
        self.drop_beyond(MOST, |_| true);
    }

    fn drop_beyond(&mut self, most: usize, is_meant: impl Fn(&str) -> bool) {
        let meant = self.known.iter().filter(|((name, _), _)| is_meant(name));
        let mut ages: Vec<(u64, (Box<str>, IpAddr))> =
            meant.map(|(key, opening)| (opening.expires.load(Ordering::Relaxed), key.clone())).collect();
        if ages.len() > most {
            ages.sort_unstable();
            for (_, key) in ages.iter().take(ages.len() - most) {
                self.known.remove(key);
            }
        }
    }

    fn publish(&self) {
        let mut snapshot = Snapshot::with_capacity(self.known.len());
        for ((_, address), opening) in &self.known {
            snapshot.entry(*address).or_default().push(Arc::clone(opening));
        }
        *self.shared.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        self.shared.version.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn web() -> Vec<Ports> {
        vec![Ports { protocol: Protocol::Tcp, low: 443, high: 444 }]
    }

    #[test]
    fn a_learnt_address_is_open_for_its_ports_alone_and_later_answers_remove_none() {
        let (mut learner, mut live) = channel();
        assert!(!live.allows(Protocol::Tcp, ip(1), 443));
        learner.learn("a", vec![(ip(1), web())], 0);
        learner.learn("a", vec![(ip(2), web())], 0);
        learner.learn("b", vec![(ip(2), vec![Ports { protocol: Protocol::Udp, low: 53, high: 53 }])], 0);
        assert!(live.allows(Protocol::Tcp, ip(1), 443) && live.allows(Protocol::Tcp, ip(2), 444));
        assert!(live.allows(Protocol::Udp, ip(2), 53) && !live.allows(Protocol::Udp, ip(1), 53));
        assert!(!live.allows(Protocol::Tcp, ip(1), 80) && !live.allows(Protocol::Tcp, ip(3), 443));
    }

    #[test]
    fn an_expired_address_is_closed_and_a_used_one_stays_open() {
        let (mut learner, mut live) = channel();
        learner.learn("a", vec![(ip(1), web()), (ip(2), web())], 0);
        let opening = |learner: &Learner, number| Arc::clone(&learner.known[&("a".into(), ip(number))]);
        opening(&learner, 1).expires.store(0, Ordering::Relaxed);
        opening(&learner, 2).expires.store(live.shared.now_ms() + 1000, Ordering::Relaxed);
        assert!(!live.allows(Protocol::Tcp, ip(1), 443));
        assert!(live.allows(Protocol::Tcp, ip(2), 443));
        assert!(opening(&learner, 2).expires.load(Ordering::Relaxed) >= FLOOR_MS);
    }

    #[test]
    fn the_bounds_hold_and_the_oldest_go_first() {
        let (mut learner, mut live) = channel();
        for number in 0..200 {
            learner.learn("a", vec![(ip(number), web())], 100 + number);
        }
        assert_eq!(learner.known.len(), MOST_OF_NAME);
        assert!(!live.allows(Protocol::Tcp, ip(0), 443) && live.allows(Protocol::Tcp, ip(199), 443));
        for name in 0..40 {
            let many = (0..128).map(|number| (ip(name * 1000 + number), web())).collect();
            learner.learn(&format!("n{name}"), many, 1000);
        }
        assert_eq!(learner.known.len(), MOST);
    }
}
