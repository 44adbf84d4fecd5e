//! What is told about refused calls: the lines, and the log with the members that src/decision.ts has. The
//! same program and destination are told once and then counted; of different ones, after a first burst, one
//! line a second is left. The log gets every decision.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::rc::Rc;

use super::explaining::Explained;
use super::failures::name_of;
use crate::event::{Kind, RECORD_BYTES};
use crate::sys::Errno;

/// Lines in a row before counting begins.
const BURST: usize = 10;
/// One more line is granted after this time, up to `BURST`.
const REFILL_MS: f64 = 1000.0;
/// A denial that goes on is told again after this time.
const AGAIN_MS: u64 = 60_000;
/// Different denials that are told apart; of more only their number is known.
const MOST: usize = 1000;

const CALLS: [&str; 8] = ["other", "connect", "sendto", "sendmsg", "sendmmsg", "bind", "listen", "socket"];
const PROTOCOLS: [&str; 4] = ["tcp", "udp", "icmp", "unix"];

/// The fields of a record; what they mean depends on its kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Denial {
    /// It is none: the call was allowed.
    pub(super) is_allowed: bool,
    pub(super) protocol: &'static str,
    pub(super) port: u16,
    pub(super) pid: u32,
    pub(super) tid: u32,
    pub(super) code: i32,
    /// `192.0.2.1` or `2001:db8::1`; of a UNIX socket its path, or `@` and its name.
    pub(super) address: String,
    /// Program or stage; may hold anything.
    pub(super) name: String,
    /// Nanoseconds since 1970.
    pub(super) time: u64,
    pub(super) call: &'static str,
    pub(super) dropped: u32,
}

fn field<const N: usize>(record: &[u8; RECORD_BYTES], offset: usize) -> [u8; N] {
    record.get(offset..offset + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}

/// The four counts in the last record (docs/native.md).
pub(super) fn counts(record: &[u8; RECORD_BYTES]) -> [u32; 4] {
    [16, 20, 24, 28].map(|offset| u32::from_le_bytes(field(record, offset)))
}

impl Denial {
    /// Reads a record and the text that came before it.
    pub(super) fn read(record: &[u8; RECORD_BYTES], text: &[u8]) -> Self {
        let name = field::<16>(record, 32);
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let [kind, protocol] = field(record, 0);
        let call = u32::from_le_bytes(field(record, 56));
        let address = Ipv6Addr::from(field::<16>(record, 16)).to_canonical().to_string();
        let protocol = PROTOCOLS.get(usize::from(protocol)).copied().unwrap_or("other");
        let is_named = !text.is_empty() || protocol == "unix";
        Self {
            is_allowed: kind == Kind::Allowed as u8,
            protocol,
            port: u16::from_le_bytes(field(record, 2)),
            pid: u32::from_le_bytes(field(record, 4)),
            tid: u32::from_le_bytes(field(record, 8)),
            code: i32::from_le_bytes(field(record, 12)),
            address: if is_named { String::from_utf8_lossy(text).into_owned() } else { address },
            name: String::from_utf8_lossy(name).into_owned(),
            time: u64::from_le_bytes(field(record, 48)),
            call: usize::try_from(call).ok().and_then(|call| CALLS.get(call).copied()).unwrap_or("other"),
            dropped: u32::from_le_bytes(field(record, 60)),
        }
    }

    /// The destination as a rule writes it, without scheme.
    fn destination(&self) -> String {
        let Self { address, port, .. } = self;
        match self.protocol {
            "icmp" | "unix" => address.clone(),
            _ if address.contains(':') => format!("[{address}]:{port}"),
            _ => format!("{address}:{port}"),
        }
    }

    /// The same for a line. A path is chosen by whoever made the file, or moved it.
    fn place(&self) -> String {
        if self.protocol == "unix" { chosen(&self.address) } else { printable(&self.destination()) }
    }

    /// `tcp`, or `bind tcp` and `listen tcp` for what is not a destination.
    fn use_of(&self) -> String {
        match self.call {
            "bind" | "listen" => format!("{} {}", self.call, self.protocol),
            _ => self.protocol.to_owned(),
        }
    }

    /// `tcp 127.0.0.2:80 — curl`.
    fn what(&self) -> String {
        format!("{} {} — {}", self.use_of(), self.place(), chosen(&self.name))
    }

    /// `sandlock: denied tcp 192.0.2.1:80 (example.com) — curl[4711]; no tcp rule for this address` and a newline.
    fn line(&self, explained: &Explained, repeats: u32) -> String {
        let Self { name: program, pid, .. } = self;
        let (destination, program) = (self.place(), chosen(program));
        let known = explained.name.as_ref().map(|name| format!(" ({})", printable(name))).unwrap_or_default();
        let again = if repeats == 0 { String::new() } else { format!(" (and {} before)", times(repeats)) };
        let why = match explained.hint() {
            hint if hint.is_empty() => hint,
            hint => format!("; {}", printable(&hint)),
        };
        format!("sandlock: denied {} {destination}{known} — {program}[{pid}]{again}{why}\n", self.use_of())
    }

    /// What the summary counts: `tcp 192.0.2.1:80 (example.com) — curl: policy.toml:3 "example.com:80"`.
    pub(super) fn counted(&self, explained: &Explained) -> String {
        let known = explained.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let cause = explained.cause().map(|cause| format!(": {cause}")).unwrap_or_default();
        printable(&format!("{} {}{known} — {}{cause}", self.use_of(), self.place(), chosen(&self.name)))
    }

    /// One line of the log (docs/log.md).
    pub(super) fn log_line(&self, explained: &Explained) -> String {
        let Self { pid, tid, call, protocol, port, is_allowed, .. } = self;
        let (time, program) = (iso_time(self.time), quoted(&self.name));
        let (destination, address) = (quoted(&self.destination()), quoted(&self.address));
        let verdict = if *is_allowed { "allow" } else { "deny" };
        let name = explained.name.as_ref().map(|name| format!(",\"name\":{}", quoted(name)));
        let errno = (self.code != 0).then(|| format!(",\"errno\":\"{}\"", name_of(Errno(self.code.abs()))));
        let (name, errno) = (name.unwrap_or_default(), errno.unwrap_or_default());
        let why = explained.log_members();
        format!(
            "{{\"event\":\"decision\",\"time\":\"{time}\",\"verdict\":\"{verdict}\",\"pid\":{pid},\"tid\":{tid},\"program\":{program},\
            \"syscall\":\"{call}\",\"protocol\":\"{protocol}\",\"destination\":{destination},\"address\":{address},\"port\":{port}\
            {name}{errno}{why}}}\n"
        )
    }
}

/// The log's line for records that were lost because they were not read in time.
pub(super) fn lost_line(count: u32, now: u64) -> String {
    format!("{{\"event\":\"lost\",\"time\":\"{}\",\"count\":{count}}}\n", iso_time(now))
}

#[derive(Debug)]
struct Told {
    what: String,
    /// When the last line was printed, in milliseconds.
    line: u64,
    /// Since that line.
    repeats: u32,
}

/// Thins the lines out: a program in a loop may be refused thousands of times a second.
#[derive(Debug)]
pub(super) struct Reporter {
    /// In the order in which they came.
    told: Vec<Told>,
    /// Where each is.
    places: HashMap<String, usize>,
    credit: f64,
    last: u64,
    held: u32,
}

impl Default for Reporter {
    fn default() -> Self {
        Self { told: Vec::new(), places: HashMap::new(), credit: BURST_CREDIT, last: u64::MAX, held: 0 }
    }
}

const BURST_CREDIT: f64 = 10.0;

impl Reporter {
    /// Text for one more denial; empty when there is nothing to say now. `explain` is asked only if there is.
    pub(super) fn report(&mut self, denial: &Denial, explain: impl FnOnce() -> Rc<Explained>) -> String {
        let what = denial.what();
        let time = denial.time / 1_000_000;
        let count = self.told.len();
        let place = self.places.get(&what).copied();
        let mut before = place.and_then(|place| self.told.get_mut(place));
        if let Some(told) = &mut before
            && time.saturating_sub(told.line) < AGAIN_MS
        {
            told.repeats += 1;
            return String::new();
        }
        #[expect(clippy::cast_precision_loss, reason = "a duration, of which a microsecond does not matter")]
        let elapsed = time.saturating_sub(self.last) as f64;
        self.credit = BURST_CREDIT.min(self.credit + elapsed / REFILL_MS);
        self.last = time;
        if self.credit < 1.0 || before.is_none() && count >= MOST {
            self.held += 1;
            return String::new();
        }
        self.credit -= 1.0;
        let repeats = before.as_ref().map_or(0, |told| told.repeats);
        let text = held_line(self.held) + &denial.line(&explain(), repeats);
        self.held = 0;
        if let Some(told) = before {
            (told.line, told.repeats) = (time, 0);
        } else {
            self.places.insert(what.clone(), count);
            self.told.push(Told { what, line: time, repeats: 0 });
        }
        text
    }

    /// What is still to be said at the end.
    pub(super) fn finish(&self) -> String {
        let mut repeated: Vec<_> = self.told.iter().filter(|told| told.repeats > 0).collect();
        repeated.sort_by_key(|told| Reverse(told.repeats));
        let (shown, rest) = repeated.split_at(repeated.len().min(BURST));
        let lines = shown
            .iter()
            .map(|Told { what, repeats, .. }| format!("sandlock: denied {} more: {what}\n", times(*repeats)));
        let rest: u32 = rest.iter().map(|told| told.repeats).sum();
        lines.chain([held_line(self.held + rest)]).collect()
    }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn held_line(count: u32) -> String {
    if count == 0 { String::new() } else { format!("sandlock: … {count} more denied\n") }
}

/// Text from an untrusted source, fit for a terminal: control and format characters become `?`.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if is_printable(letter) { letter } else { '?' }).collect()
}

/// std knows which characters are not to be printed (Unicode's C, Zl and Zp, and spaces) by what it escapes;
/// behind a letter, so that marks that join it count as printable.
fn is_printable(letter: char) -> bool {
    if letter.is_whitespace() {
        return !letter.is_control() && !matches!(letter, '\u{2028}' | '\u{2029}');
    }
    letter.is_ascii_graphic() || !format!("a{letter}").escape_debug().any(|escaped| escaped == '\\')
}

/// What a program chose, its name or a path, in a line of ours: as it is, or in quotes where it could be taken
/// for more of the line. Fifteen letters are enough for a rule to add.
pub(super) fn chosen(text: &str) -> String {
    let is_ours = |letter| matches!(letter, ';' | '"' | '\\' | '[' | ']' | '—');
    if text.contains(is_ours) || text.contains(": ") { quoted(text) } else { printable(text) }
}

/// As JSON writes a string. What is not to be printed is escaped, also where JSON would leave it (U+007F to
/// U+009F, U+202E): terminals obey it, and logs are read there.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if !is_printable(letter) => {
                let units = letter.encode_utf16(&mut [0; 2]).to_vec();
                quoted.extend(units.into_iter().map(|unit| format!("\\u{unit:04x}")));
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// ISO 8601 in UTC with milliseconds, of nanoseconds since 1970. The calendar: days are counted from the
/// first of March of the year 0, so that a leap day is the last of its year, in eras of 400 years (146 097
/// days).
pub(super) fn iso_time(time: u64) -> String {
    let (seconds, ms) = (time / 1_000_000_000, time / 1_000_000 % 1000);
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0: March; five months have 153 days
    let date = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + u64::from(month >= 10);
    let month = if month < 10 { month + 3 } else { month - 9 };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial() -> Denial {
        Denial {
            is_allowed: false,
            protocol: "tcp",
            port: 80,
            pid: 4711,
            tid: 4712,
            code: 111,
            address: "127.0.0.2".into(),
            name: "curl".into(),
            time: 1_700_000_000_123_456_789,
            call: "connect",
            dropped: 0,
        }
    }

    fn unexplained() -> Rc<Explained> {
        Rc::default()
    }

    const LINE: &str = "sandlock: denied tcp 127.0.0.2:80 — curl[4711]\n";

    #[test]
    fn a_denial_reads_as_a_rule_writes_its_destination() {
        let line = |denial: Denial| Reporter::default().report(&denial, unexplained);
        assert_eq!(line(denial()), LINE);
        let six = Denial { protocol: "udp", address: "2001:db8::1".into(), port: 53, ..denial() };
        assert_eq!(line(six), "sandlock: denied udp [2001:db8::1]:53 — curl[4711]\n");
        let ping = Denial { protocol: "icmp", address: "192.0.2.7".into(), port: 0, ..denial() };
        assert_eq!(line(ping), "sandlock: denied icmp 192.0.2.7 — curl[4711]\n");
        let bind = Denial { call: "bind", port: 8080, ..denial() };
        assert_eq!(line(bind), "sandlock: denied bind tcp 127.0.0.2:8080 — curl[4711]\n");
        let unix = Denial { protocol: "unix", address: "/run/a\nb".into(), port: 0, ..denial() };
        assert_eq!(line(unix), "sandlock: denied unix /run/a?b — curl[4711]\n");
        let odd = Denial { name: "\u{1b}[2Jx\n\u{202e}\u{2028}é".into(), ..denial() };
        let odd_line = "sandlock: denied tcp 127.0.0.2:80 — \"\\u001b[2Jx\\n\\u202e\\u2028é\"[4711]\n";
        assert_eq!(line(odd), odd_line);
        assert_eq!(printable("e\u{301} \u{a0}\u{feff}\u{e000}\u{378}'\"\\"), "e\u{301} \u{a0}???'\"\\");
    }

    #[test]
    fn what_a_program_chose_is_taken_for_nothing_else() {
        let told = |denial: &Denial| {
            let line = Reporter::default().report(denial, unexplained);
            (line, denial.what(), denial.counted(&Explained::default()))
        };
        let spoofed = Denial { name: "; to allow: \"*\"".into(), ..denial() };
        let (line, what, counted) = told(&spoofed);
        let expected = "tcp 127.0.0.2:80 — \"; to allow: \\\"*\\\"\"";
        assert_eq!(line, format!("sandlock: denied {expected}[4711]\n"));
        assert_eq!((what.as_str(), counted.as_str()), (expected, expected));
        let path = "/tmp/a — ssh[1]; to allow: \"/run/b\"";
        let unix = Denial { protocol: "unix", address: path.into(), port: 0, ..denial() };
        let (line, ..) = told(&unix);
        let expected = "unix \"/tmp/a — ssh[1]; to allow: \\\"/run/b\\\"\" — curl[4711]";
        assert_eq!(line, format!("sandlock: denied {expected}\n"));
        for plain in ["Web Content", "DNS Res~ver #1", "kworker/0:1", "(sd-pam)", "a,b'c"] {
            assert_eq!(chosen(plain), plain);
        }
        for odd in ["a: b", "a\\b", "curl[7]", "a — b"] {
            assert_eq!(chosen(odd), quoted(odd));
        }
    }

    #[test]
    fn the_log_has_every_field_and_is_json() {
        assert_eq!(quoted("\u{9b}2J\u{7f}é"), "\"\\u009b2J\\u007fé\"");
        assert_eq!(quoted("\u{202e}\u{e0001} e\u{301}"), "\"\\u202e\\udb40\\udc01 e\u{301}\"");
        let odd = Denial { name: "a\"\\\n\u{1}é".into(), ..denial() };
        let begin = "{\"event\":\"decision\",\"time\":\"2023-11-14T22:13:20.123Z\",\"verdict\":";
        assert_eq!(
            odd.log_line(&Explained::default()),
            format!(
                "{begin}\"deny\",\"pid\":4711,\"tid\":4712,\"program\":\"a\\\"\\\\\\n\\u0001é\",\"syscall\":\"connect\",\"protocol\":\"tcp\",\
                \"destination\":\"127.0.0.2:80\",\"address\":\"127.0.0.2\",\"port\":80,\"errno\":\"ECONNREFUSED\"}}\n"
            )
        );
        let allowed = Denial { is_allowed: true, code: 0, ..denial() }.log_line(&Explained::default());
        assert!(allowed.contains("\"verdict\":\"allow\"") && allowed.ends_with("\"port\":80}\n"));
        assert_eq!(
            lost_line(3, 0),
            "{\"event\":\"lost\",\"time\":\"1970-01-01T00:00:00.000Z\",\"count\":3}\n"
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_709_251_200, "2024-03-01T00:00:00.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso_time(seconds * 1_000_000_000), text);
        }
    }

    #[test]
    fn the_same_is_told_once_then_counted_and_told_again_after_a_minute() {
        let mut reporter = Reporter::default();
        assert_eq!(reporter.report(&denial(), unexplained), LINE);
        assert_eq!(reporter.report(&denial(), unexplained), "");
        assert_eq!(reporter.finish(), "sandlock: denied once more: tcp 127.0.0.2:80 — curl\n");
        let later = Denial { time: denial().time + AGAIN_MS * 1_000_000, ..denial() };
        let again = LINE.replace('\n', " (and once before)\n");
        assert_eq!(reporter.report(&later, unexplained), again);
        assert_eq!(reporter.finish(), "");
    }

    #[test]
    fn of_different_ones_ten_are_told_and_then_one_a_second() {
        let mut reporter = Reporter::default();
        let at = |port, time| Denial { port, time, ..denial() };
        let lines: Vec<String> =
            (0..35).map(|port| reporter.report(&at(port, denial().time), unexplained)).collect();
        assert!(lines.iter().take(10).all(|line| line.starts_with("sandlock: denied tcp 127.0.0.2:")));
        assert!(lines.iter().skip(10).all(String::is_empty));
        assert_eq!(reporter.finish(), "sandlock: … 25 more denied\n");
        let next = reporter.report(&at(80, denial().time + 1_000_000_000), unexplained);
        assert_eq!(next, format!("sandlock: … 25 more denied\n{LINE}"));
    }

    #[test]
    fn a_record_is_read_as_it_is_laid_out() {
        let mut record = crate::event::Record::new(Kind::Denied);
        record.address = Some("10.0.0.1".parse().unwrap());
        record.name = crate::event::padded(b"x\xff");
        (record.protocol, record.port, record.call, record.code) = (1, 53, 6, 13);
        let read = Denial::read(&record.encode(7), b"");
        assert_eq!(
            (read.protocol, read.port, read.call, read.code, read.dropped),
            ("udp", 53, "listen", 13, 7)
        );
        assert_eq!((read.address.as_str(), read.name.as_str()), ("10.0.0.1", "x\u{fffd}"));
        assert_eq!(Denial::read(&record.encode(0), b"@name").address, "@name");
    }
}
