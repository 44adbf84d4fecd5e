//! Which refusals are no one's wish to reach anything, and are not reported: as in src/probes.ts, which says why.

use super::denials::Denial;

/// How long a refused UDP connect waits for the TCP connect that would explain it.
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

/// Passes decisions on, some of them later, probes never.
#[derive(Debug, Default)]
pub(super) struct Probes {
    held: Vec<Denial>,
}

impl Probes {
    /// What is to be reported now that this decision has come.
    pub(super) fn push(&mut self, denial: Denial) -> Vec<Denial> {
        if denial.call == "connect" && denial.protocol == "tcp" {
            self.held.retain(|held| held.pid != denial.pid || held.port != denial.port);
        }
        let mut due = self.due(denial.time);
        let is_probe = denial.protocol == "udp" && denial.call == "connect";
        let is_refused = !denial.is_allowed && denial.code != 0;
        if !is_refused || !(is_probe || denial.protocol == "unix" && is_service(&denial.address)) {
            due.push(denial);
        } else if is_probe && !PROBED_PORTS.contains(&denial.port) {
            self.held.push(denial);
        }
        due
    }

    /// What has waited long enough.
    pub(super) fn due(&mut self, now: u64) -> Vec<Denial> {
        self.held.extract_if(.., |held| held.time.saturating_add(HOLD_NS) <= now).collect()
    }

    /// Milliseconds until something is due; -1: nothing waits, and the time is not asked for.
    pub(super) fn patience_ms(&self, now: impl Fn() -> u64) -> i32 {
        let next = self.held.first().map(|held| held.time.saturating_add(HOLD_NS).saturating_sub(now()));
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
        assert!(probes.push(denial("udp", 9, 0)).is_empty());
        assert!(probes.due(u64::MAX).is_empty());
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
