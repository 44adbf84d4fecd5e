//! Which refusals are no one's wish to reach anything, and are not reported: as in src/probes.ts, which says why.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use super::denials::Denial;

/// How long a refused UDP connect waits for the TCP connect or bind that would explain it.
const HOLD_NS: u64 = 250_000_000;
/// Ports that resolvers probe when they have none: unset, Go's, musl's.
const PROBED_PORTS: [u16; 3] = [0, 9, 65535];
/// Sockets of system services that libraries try unasked; a directory ends in `/`. Without `/var`: /var/run is /run.
const SERVICES: [&str; 8] = [
    "/dev/log",
    "/run/avahi-daemon/socket",
    "/run/dbus/system_bus_socket",
    "/run/nscd/",
    "/run/systemd/journal/",
    "/run/systemd/resolve/",
    "/run/systemd/userdb/",
    "/var/lib/sss/pipes/",
];

/// Passes decisions on, some of them later, probes never. None takes longer for how many are held: a program may be
/// refused a hundred thousand times while one waits.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// In the order in which they came, which is that of their times; none: it was a probe.
    held: VecDeque<Option<Denial>>,
    /// How many were taken out of it at its front.
    gone: usize,
    /// The numbers of those that are held, by process and port; the first is that which came first.
    places: HashMap<(u32, u16), VecDeque<usize>>,
}

impl Probes {
    /// What is to be reported now that this decision has come.
    pub(super) fn push(&mut self, denial: Denial) -> Vec<Denial> {
        let key = (denial.pid, denial.port);
        if denial.protocol == "tcp" && matches!(denial.call, "connect" | "bind") {
            self.explain(key, denial.call == "connect");
        }
        let mut due = self.due(denial.time);
        let is_probe = denial.protocol == "udp" && denial.call == "connect";
        let is_refused = !denial.is_allowed && denial.code != 0;
        if !is_refused || !(is_probe || denial.protocol == "unix" && is_service(&denial.address)) {
            due.push(denial);
        } else if is_probe && !PROBED_PORTS.contains(&denial.port) {
            self.places.entry(key).or_default().push_back(self.gone + self.held.len());
            self.held.push_back(Some(denial));
        }
        due
    }

    /// What is held of this process and port was a probe: all of it, or what went to 0.0.0.0 or ::.
    fn explain(&mut self, key: (u32, u16), all: bool) {
        let Entry::Occupied(mut places) = self.places.entry(key) else { return };
        let (held, gone) = (&mut self.held, self.gone);
        places.get_mut().retain(|number| {
            let Some(held) = held.get_mut(number - gone) else { return false };
            let is_probe = |held: &mut Denial| all || matches!(held.address.as_str(), "0.0.0.0" | "::");
            held.take_if(is_probe).is_none()
        });
        if places.get().is_empty() {
            places.remove();
        }
    }

    /// What has waited long enough.
    pub(super) fn due(&mut self, now: u64) -> Vec<Denial> {
        let mut due = Vec::new();
        while let Some(first) = self.held.front() {
            if first.as_ref().is_some_and(|held| held.time.saturating_add(HOLD_NS) > now) {
                break;
            }
            if let Some(held) = self.held.pop_front().flatten() {
                self.forget(&held);
                due.push(held);
            }
            self.gone += 1;
        }
        due
    }

    /// Of the place of what was held, the first of its process and port.
    fn forget(&mut self, held: &Denial) {
        if let Entry::Occupied(mut places) = self.places.entry((held.pid, held.port)) {
            places.get_mut().pop_front();
            if places.get().is_empty() {
                places.remove();
            }
        }
    }

    /// Milliseconds until something is due; -1: nothing waits, and the time is not asked for.
    pub(super) fn patience_ms(&self, now: impl Fn() -> u64) -> i32 {
        let first = self.held.iter().flatten().next();
        let next = first.map(|held| held.time.saturating_add(HOLD_NS).saturating_sub(now()));
        next.map_or(-1, |left| i32::try_from(left.div_ceil(1_000_000)).unwrap_or(i32::MAX))
    }
}

fn is_service(path: &str) -> bool {
    let plain = path.strip_prefix("/var").filter(|rest| rest.starts_with("/run/")).unwrap_or(path);
    SERVICES.iter().any(|service| plain == *service || service.ends_with('/') && plain.starts_with(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(protocol: &'static str, port: u16, ms: u64) -> Denial {
        Denial {
            protocol,
            port,
            pid: 7,
            code: 111,
            call: "connect",
            time: ms * 1_000_000,
            ..Denial::default()
        }
    }

    #[test]
    fn a_refused_udp_connect_is_a_probe_if_tcp_to_that_port_follows() {
        let mut probes = Probes::default();
        assert!(probes.push(denial("udp", 443, 0)).is_empty());
        assert_eq!(probes.patience_ms(|| 50_000_000), 200);
        let tcp = Denial { is_allowed: true, ..denial("tcp", 443, 10) };
        assert_eq!(probes.push(tcp).len(), 1);
        assert_eq!((probes.due(u64::MAX).len(), probes.patience_ms(|| 0)), (0, -1));
        assert!(probes.push(denial("udp", 53, 0)).is_empty());
        assert_eq!(probes.push(denial("tcp", 443, 251)).len(), 2);
        let any = |call, protocol| Denial { call, address: "::".into(), ..denial(protocol, 80, 300) };
        assert!(probes.push(any("connect", "udp")).is_empty());
        assert!(probes.push(denial("udp", 80, 300)).is_empty());
        assert_eq!(probes.push(any("bind", "tcp")).len(), 1);
        assert_eq!(probes.due(u64::MAX).iter().map(|held| held.address.as_str()).collect::<Vec<_>>(), [""]);
        assert!(probes.push(denial("udp", 9, 0)).is_empty());
        assert!(probes.due(u64::MAX).is_empty());
    }

    #[test]
    fn many_that_are_held_keep_their_order_and_their_places() {
        let mut probes = Probes::default();
        for port in 0..30_000 {
            probes.push(denial("udp", 1000 + port % 3000, u64::from(port) / 100));
        }
        // 250 ms of the 300 are held.
        assert_eq!(probes.held.len(), 25_000);
        let tcp = Denial { is_allowed: true, ..denial("tcp", 1001, 300) };
        let told: Vec<u16> = probes.push(tcp).iter().map(|denial| denial.port).collect();
        assert_eq!((told.len(), told.first(), told.last()), (101, Some(&3000), Some(&1001)));
        let mut rest = probes.due(u64::MAX);
        assert_eq!((rest.len(), probes.held.len(), probes.places.len()), (24_892, 0, 0));
        assert!(rest.is_sorted_by_key(|denial| denial.time));
        rest.retain(|denial| denial.port == 1001);
        assert_eq!(rest.len(), 0);
    }

    #[test]
    fn sockets_of_services_are_tried_unasked() {
        let unix = |path: &str| Denial { address: path.into(), ..denial("unix", 0, 0) };
        for path in ["/var/run/nscd/socket", "/dev/log", "/run/systemd/userdb/io.x"] {
            assert!(Probes::default().push(unix(path)).is_empty(), "{path}");
        }
        for path in ["/dev/log2", "/variable/run/nscd/socket", "@/dev/log"] {
            assert_eq!(Probes::default().push(unix(path)).len(), 1, "{path}");
        }
    }
}
