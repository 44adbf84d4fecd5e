//! What is told of names that were denied: the lines and the log of src/denied-names.ts. The executor tells
//! each name once in ten seconds; here each is told once, and of many only the first and their number.

use std::collections::HashSet;

use super::denials::{Denial, chosen, iso_time, printable, quoted};

/// Names that are told by themselves.
const MOST_LINES: usize = 20;
/// Names that are told apart.
const MOST: usize = 1000;

/// Why a name was denied: byte 1 of its record (docs/native.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reason {
    /// No rule names it.
    Unlisted,
    /// It has an address of the inside.
    Inside,
    /// The limits of wildcards.
    Limit,
}

/// A name that was denied.
#[derive(Clone, Debug)]
pub(super) struct DeniedName {
    reason: Reason,
    /// Who asked and when; the name is its address's text.
    asked: Denial,
    /// The name, in lower case and without final dot.
    name: String,
}

impl DeniedName {
    /// Of a record, with `asked` read from it and the text that came before it. `Err`: the name was answered.
    pub(super) fn of(reason: u8, asked: Denial, text: &[u8]) -> Result<Self, Denial> {
        let reason = match reason {
            1 => Reason::Unlisted,
            2 => Reason::Inside,
            3 => Reason::Limit,
            _ => return Err(asked),
        };
        Ok(Self { reason, asked, name: String::from_utf8_lossy(text).into_owned() })
    }

    /// `sandlock: denied name db.example.com — curl[4711]; no rule names it` and a newline.
    fn line(&self) -> String {
        let Denial { pid, address, .. } = &self.asked;
        let (name, program) = (printable(&self.name), chosen(&self.asked.name));
        let why = match self.reason {
            Reason::Unlisted => "no rule names it".to_owned(),
            Reason::Limit => {
                "it is too long, or too many new names below a wildcard were asked for".to_owned()
            }
            Reason::Inside => {
                format!(
                    "it has the address {address} of the inside; if this is meant, add `[dns] private = [\"{name}\"]`"
                )
            }
        };
        format!("sandlock: denied name {name} — {program}[{pid}]; {why}\n")
    }

    /// One line of the log (docs/log.md).
    pub(super) fn log_line(&self) -> String {
        let Denial { pid, tid, address, time, .. } = &self.asked;
        let (time, program, name) = (iso_time(*time), quoted(&self.asked.name), quoted(&self.name));
        let (address, reason) = match self.reason {
            Reason::Unlisted => (String::new(), "unlisted"),
            Reason::Inside => (format!(",\"address\":{}", quoted(address)), "inside"),
            Reason::Limit => (String::new(), "limit"),
        };
        format!(
            "{{\"event\":\"name\",\"time\":\"{time}\",\"verdict\":\"deny\",\"pid\":{pid},\"tid\":{tid},\"program\":{program},\
            \"name\":{name}{address},\"reason\":\"{reason}\"}}\n"
        )
    }
}

/// Thins the lines out.
#[derive(Debug, Default)]
pub(super) struct NameReporter {
    told: HashSet<(Reason, String)>,
    others: u32,
}

impl NameReporter {
    /// Text for one more name; empty when there is nothing to say.
    pub(super) fn report(&mut self, denied: &DeniedName) -> String {
        let key = (denied.reason, denied.name.clone());
        if self.told.contains(&key) {
            return String::new();
        }
        if self.told.len() < MOST {
            self.told.insert(key);
        }
        if self.told.len() > MOST_LINES {
            self.others += 1;
            return String::new();
        }
        denied.line()
    }

    /// What is still to be said at the end.
    pub(super) fn finish(&self) -> String {
        if self.others == 0 {
            String::new()
        } else {
            format!("sandlock: … {} more names denied\n", self.others)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(reason: u8, name: &str) -> Option<DeniedName> {
        let asked = Denial {
            pid: 4711,
            tid: 4712,
            name: "curl".to_owned(),
            address: "10.0.0.7".to_owned(),
            time: 1_700_000_000_000_000_000,
            ..Denial::default()
        };
        DeniedName::of(reason, asked, name.as_bytes()).ok()
    }

    #[test]
    fn a_name_is_told_with_the_reason_and_the_fix_and_an_answered_one_is_not() {
        let line = |reason| denied(reason, "db.example.com").map(|denied| denied.line());
        let told = |why: &str| Some(format!("sandlock: denied name db.example.com — curl[4711]; {why}\n"));
        assert_eq!(line(0), None);
        assert_eq!(line(1), told("no rule names it"));
        let fix = "it has the address 10.0.0.7 of the inside; if this is meant, add `[dns] private = [\"db.example.com\"]`";
        assert_eq!(line(2), told(fix));
        assert_eq!(line(3), told("it is too long, or too many new names below a wildcard were asked for"));
        let log = "{\"event\":\"name\",\"time\":\"2023-11-14T22:13:20.000Z\",\"verdict\":\"deny\",\"pid\":4711,\"tid\":4712,\
            \"program\":\"curl\",\"name\":\"db.example.com\",\"address\":\"10.0.0.7\",\"reason\":\"inside\"}\n";
        assert_eq!(denied(2, "db.example.com").unwrap().log_line(), log);
    }

    #[test]
    fn each_name_is_told_once_and_many_are_counted() {
        let mut reporter = NameReporter::default();
        let mut report = |name: &str| reporter.report(&denied(1, name).unwrap());
        assert!(!report("a.example").is_empty());
        assert_eq!(report("a.example"), "");
        for index in 1..MOST_LINES {
            assert!(!report(&format!("{index}.example")).is_empty());
        }
        assert_eq!(report("one.more.example") + &report("another.example"), "");
        assert_eq!(reporter.finish(), "sandlock: … 2 more names denied\n");
    }
}
