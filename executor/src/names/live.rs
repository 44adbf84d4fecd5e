//! The live addresses: learnt as answers, open for what their names' rules say until they expire
//! (docs/format.md §6). Written by the thread that answers questions, read by the one that decides on calls,
//! which waits for nobody: it holds unchangeable copies (`published.rs`) and takes a newer one when there is
//! one. The table is cut into shards by address, so that an update copies a sixty-fourth of it.
//!
//! An address is open for at least `FLOOR`, since programs hold answers longer than their time to live (Java:
//! 30 s), at most `MOST_AGE` after the last answer with it; a new answer adds and never removes; a connect to
//! it keeps it open for `FLOOR` more. Established connections are nobody's business here.
//!
//! Memory: at most `MOST` addresses of all names together, some 430 bytes each: 1.75 MiB when full.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::published::{Reader, Writer, publish};
use crate::table::{Ports, Protocol};

const FLOOR_MS: u64 = 60 * 1000;
/// Time to live of what stays open to the end.
pub const FOR_GOOD: u32 = u32::MAX;
const MOST_AGE_MS: u64 = 24 * 3600 * 1000;
/// Addresses of one name. Large services answer with 8 of hundreds, others each time.
const MOST_OF_NAME: usize = 128;
/// Addresses of all names.
const MOST: usize = 4096;
/// How many are dropped at once when there are more, so that it is not looked for the oldest each time.
const DROPPED: usize = 256;
const SHARDS: usize = 64;

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

    fn expires(&self) -> u64 {
        self.expires.load(Ordering::Relaxed)
    }

    /// The lowest goes first when there are too many: what expires soonest, and last of all what was learnt
    /// just now, which is being answered.
    fn turn(&self, now: u64) -> (bool, u64) {
        (self.learnt.load(Ordering::Relaxed) >= now, self.expires())
    }
}

/// Openings by address, in order; an address of several names stands there several times.
type Shard = Vec<(IpAddr, Arc<Opening>)>;

fn openings(shard: &Shard, address: IpAddr) -> impl Iterator<Item = &Opening> {
    let from = shard.partition_point(|(of, _)| *of < address);
    let rest = shard.get(from..).unwrap_or_default();
    rest.iter().take_while(move |(of, _)| *of == address).map(|(_, opening)| &**opening)
}

/// The shard of an address: by its last bits, in which those of one service differ.
fn shard_of(address: IpAddr) -> usize {
    let bits = match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            u32::from_be_bytes([a, b, c, d])
        }
    };
    (bits as usize ^ (bits as usize >> 6)) % SHARDS
}

fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The reading end, for the thread that decides.
#[derive(Debug)]
pub struct Live {
    start: Instant,
    shards: Vec<Reader<Shard>>,
}

impl Live {
    /// Whether the address (canonical) is open now for that destination. It then stays so for a while.
    pub fn allows(&mut self, protocol: Protocol, address: IpAddr, port: u16) -> bool {
        let now = since(self.start);
        let Some(shard) = self.shards.get_mut(shard_of(address)) else { return false };
        let mut open = openings(shard.newest(), address)
            .filter(|opening| now < opening.expires() && opening.allows(protocol, port));
        let Some(opening) = open.next() else { return false };
        let most = opening.learnt.load(Ordering::Relaxed).saturating_add(MOST_AGE_MS);
        opening.expires.fetch_max((now + FLOOR_MS).min(most), Ordering::Relaxed);
        true
    }

    /// Whether the address is one of some name, for whatever it is open.
    pub fn knows(&mut self, address: IpAddr) -> bool {
        let shard = self.shards.get_mut(shard_of(address));
        shard.is_some_and(|shard| openings(shard.newest(), address).next().is_some())
    }
}

/// The writing end, for the thread that answers.
#[derive(Debug)]
pub struct Learner {
    start: Instant,
    known: HashMap<Box<str>, HashMap<IpAddr, Arc<Opening>>>,
    count: usize,
    shards: Vec<Writer<Shard>>,
}

/// Both ends of an empty table.
pub fn channel() -> (Learner, Live) {
    let start = Instant::now();
    let (writers, readers) = (0..SHARDS).map(|_| publish(Shard::new())).unzip();
    (Learner { start, known: HashMap::new(), count: 0, shards: writers }, Live { start, shards: readers })
}

impl Learner {
    /// Opens what a name opens at each of these addresses for `ttl` seconds, within the bounds, or
    /// `FOR_GOOD`. When it returns they are open.
    pub fn learn(&mut self, name: &str, addresses: Vec<(IpAddr, Vec<Ports>)>, ttl: u32) {
        let now = since(self.start);
        let expires = match ttl {
            FOR_GOOD => u64::MAX,
            _ => now + (u64::from(ttl) * 1000).clamp(FLOOR_MS, MOST_AGE_MS),
        };
        let mut own = self.known.remove(name).unwrap_or_default();
        self.count -= own.len();
        for (address, opens) in addresses {
            if let Some(opening) = own.get(&address) {
                opening.expires.fetch_max(expires, Ordering::Relaxed);
                opening.learnt.store(now, Ordering::Relaxed);
                continue;
            }
            let opening = Arc::new(Opening { opens, expires: expires.into(), learnt: now.into() });
            own.insert(address, Arc::clone(&opening));
            self.publish(address, |shard| {
                let at = shard.partition_point(|(of, _)| *of < address);
                shard.reserve_exact(1);
                shard.insert(at, (address, opening));
            });
        }
        while own.len() > MOST_OF_NAME
            && let Some((address, opening)) = own.iter().min_by_key(|(_, opening)| opening.turn(now))
        {
            let (address, opening) = (*address, Arc::clone(opening));
            own.remove(&address);
            self.close(address, &opening);
        }
        self.count += own.len();
        self.known.insert(name.into(), own);
        if self.count > MOST {
            self.drop_first(now);
        }
    }

    /// Keeps to the bound of all names, with some room: those whose turn is first go.
    fn drop_first(&mut self, now: u64) {
        let all = self.known.values().flat_map(HashMap::values);
        let mut turns: Vec<_> = all.map(|opening| opening.turn(now)).collect();
        turns.sort_unstable();
        let mut left = self.count.saturating_sub(MOST - DROPPED);
        let Some(last) = turns.get(left.saturating_sub(1)) else { return };
        let mut known = std::mem::take(&mut self.known);
        known.retain(|_, own| {
            own.retain(|address, opening| {
                let stays = left == 0 || opening.turn(now) > *last;
                if !stays {
                    left -= 1;
                    self.count -= 1;
                    self.close(*address, opening);
                }
                stays
            });
            !own.is_empty()
        });
        self.known = known;
    }

    fn close(&mut self, address: IpAddr, opening: &Arc<Opening>) {
        self.publish(address, |shard| shard.retain(|(_, of)| !Arc::ptr_eq(of, opening)));
    }

    fn publish(&mut self, address: IpAddr, change: impl FnOnce(&mut Shard)) {
        if let Some(shard) = self.shards.get_mut(shard_of(address)) {
            shard.change(change);
        }
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
        assert!(!live.allows(Protocol::Udp, ip(1), 443) && !live.allows(Protocol::Icmp, ip(1), 443));
    }

    #[test]
    fn an_expired_address_is_closed_and_a_used_one_stays_open() {
        let (mut learner, mut live) = channel();
        learner.learn("a", vec![(ip(1), web()), (ip(2), web())], 0);
        let opening = |learner: &Learner, number| Arc::clone(&learner.known["a"][&ip(number)]);
        opening(&learner, 1).expires.store(0, Ordering::Relaxed);
        opening(&learner, 2).expires.store(since(live.start) + 1000, Ordering::Relaxed);
        assert!(!live.allows(Protocol::Tcp, ip(1), 443));
        assert!(live.allows(Protocol::Tcp, ip(2), 443));
        assert!(opening(&learner, 2).expires.load(Ordering::Relaxed) >= FLOOR_MS);
    }

    #[test]
    fn what_is_open_for_good_does_not_expire_and_no_later_answer_shortens_that() {
        let (mut learner, mut live) = channel();
        learner.learn("a", vec![(ip(1), web())], FOR_GOOD);
        learner.learn("a", vec![(ip(1), web())], 1);
        assert!(live.allows(Protocol::Tcp, ip(1), 443));
        assert_eq!(learner.known["a"][&ip(1)].expires(), u64::MAX);
    }

    #[test]
    fn the_bounds_hold_and_what_expires_soonest_goes_first() {
        let (mut learner, mut live) = channel();
        for number in 0..200 {
            learner.learn("a", vec![(ip(number), web())], 100 + number);
        }
        assert_eq!((learner.known["a"].len(), learner.count), (MOST_OF_NAME, MOST_OF_NAME));
        assert!(!live.allows(Protocol::Tcp, ip(0), 443) && live.allows(Protocol::Tcp, ip(199), 443));
        for name in 0..40 {
            let many = (0..128).map(|number| (ip(name * 1000 + number), web())).collect();
            learner.learn(&format!("n{name}"), many, 1000 + name);
            let published: usize = live.shards.iter_mut().map(|shard| shard.newest().len()).sum();
            let known: usize = learner.known.values().map(HashMap::len).sum();
            assert_eq!((published, known), (learner.count, learner.count));
            assert!(learner.count <= MOST, "{}", learner.count);
        }
        assert!(learner.count > MOST - 2 * DROPPED);
        assert!(!live.knows(ip(199)) && live.allows(Protocol::Tcp, ip(39_127), 443));
    }

    #[test]
    fn what_is_being_answered_is_open_whatever_there_was_before() {
        let (mut learner, mut live) = channel();
        learner.learn("a", (0..128).map(|number| (ip(number), web())).collect(), 80_000);
        std::thread::sleep(std::time::Duration::from_millis(2));
        learner.learn("a", vec![(ip(500), web())], 0);
        assert!(live.allows(Protocol::Tcp, ip(500), 443));
        assert_eq!(learner.count, MOST_OF_NAME);
    }
}
