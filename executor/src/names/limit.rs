//! How fast names that only a wildcard allows may be asked for upstream: `data.example.com` carries data out.
//! What is not known yet is counted; what is, costs nothing.

use std::time::Instant;

/// Bytes that an asker may choose in one name.
pub const MOST_FREE_BYTES: usize = 100;
/// New names in a row, and how long one more takes.
const BURST: f64 = 64.0;
const PER_SECOND: f64 = 1.0;

/// A bucket of names.
#[derive(Debug)]
pub struct Limit {
    credit: f64,
    then: Instant,
}

impl Limit {
    /// A full one.
    pub fn new(now: Instant) -> Self {
        Self { credit: BURST, then: now }
    }

    /// Takes one name; `false`: too fast.
    pub fn take(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.then).as_secs_f64();
        self.credit = (self.credit + elapsed * PER_SECOND).min(BURST);
        self.then = now;
        let is_granted = self.credit >= 1.0;
        if is_granted {
            self.credit -= 1.0;
        }
        is_granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_granted_and_then_one_a_second() {
        let start = Instant::now();
        let mut limit = Limit::new(start);
        assert_eq!((0..200).filter(|_| limit.take(start)).count(), 64);
        assert_eq!((0..9).filter(|_| limit.take(start + Duration::from_secs(3))).count(), 3);
    }
}
