//! What `--summary` and `--stats` print at the end: the lines of src/summary.ts and src/plan-notes.ts.
//! Bounded: of a program that scans addresses only the first are told apart.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::denials::Denial;
use super::explaining::Explained;

/// Different lines that are counted apart.
const MOST: usize = 10_000;
/// Lines of each verdict that are shown, the most frequent.
const SHOWN: usize = 40;

#[derive(Debug)]
struct Line {
    is_allowed: bool,
    text: String,
    count: u32,
}

/// What was reached and what was refused.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// In the order in which they came.
    lines: Vec<Line>,
    /// Where each is, by its verdict and text.
    places: HashMap<(bool, String), usize>,
    /// Calls that are not told apart: refused, allowed.
    others: [u32; 2],
}

impl Summary {
    /// Counts one decision.
    pub(super) fn add(&mut self, decision: &Denial, explained: &Explained) {
        let is_allowed = decision.is_allowed;
        let next = self.lines.len();
        let text = decision.counted(explained);
        let known = self.places.get(&(is_allowed, text.clone())).copied();
        if let Some(line) = known.and_then(|place| self.lines.get_mut(place)) {
            line.count += 1;
        } else if next < MOST {
            self.places.insert((is_allowed, text.clone()), next);
            self.lines.push(Line { is_allowed, text, count: 1 });
        } else if let Some(others) = self.others.get_mut(usize::from(is_allowed)) {
            *others += 1;
        }
    }

    /// The text, lines with newlines.
    pub(super) fn text(&self) -> String {
        let [refused, allowed] = self.others;
        let text = self.part(true, "reached", allowed) + &self.part(false, "refused", refused);
        if text.is_empty() {
            return "sandlock: no network call was made that a policy decides\n".to_owned();
        }
        text
    }

    fn part(&self, is_allowed: bool, word: &str, others: u32) -> String {
        let mut own: Vec<_> = self.lines.iter().filter(|line| line.is_allowed == is_allowed).collect();
        own.sort_by_key(|line| std::cmp::Reverse(line.count));
        let (shown, rest) = own.split_at(own.len().min(SHOWN));
        let mut text = String::new();
        for Line { text: what, count, .. } in shown {
            // Writing to a string can not fail.
            let _ = writeln!(text, "sandlock: {word} {count}× {what}");
        }
        let rest: u32 = others + rest.iter().map(|line| line.count).sum::<u32>();
        if rest > 0 {
            let _ = writeln!(text, "sandlock: {word} {rest}× others");
        }
        text
    }
}

/// `sandlock: looked at 3 calls: 1 connect, 0 messages, 2 binds, 0 others` and a newline, of the counts in
/// the last record; to listen is counted as a bind.
pub(super) fn calls_line(counts: [u32; 4]) -> String {
    let count = |number: u32, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let words = ["connect", "message", "bind", "other"];
    let parts: Vec<_> = counts.iter().zip(words).map(|(number, word)| count(*number, word)).collect();
    format!("sandlock: looked at {}: {}\n", count(counts.iter().sum(), "call"), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(port: u16, is_allowed: bool) -> Denial {
        Denial {
            is_allowed,
            protocol: "tcp",
            port,
            address: "127.0.0.2".into(),
            name: "curl".into(),
            call: "connect",
            ..Denial::default()
        }
    }

    #[test]
    fn what_was_reached_comes_first_and_what_was_often() {
        let mut summary = Summary::default();
        assert_eq!(summary.text(), "sandlock: no network call was made that a policy decides\n");
        for (port, is_allowed) in [(1, false), (2, true), (3, true), (3, true), (4, true)] {
            summary.add(&decision(port, is_allowed), &Explained::default());
        }
        let line = |word: &str, count: u32, port: u16| {
            format!("sandlock: {word} {count}× tcp 127.0.0.2:{port} — curl\n")
        };
        let reached = line("reached", 2, 3) + &line("reached", 1, 2) + &line("reached", 1, 4);
        assert_eq!(summary.text(), reached + &line("refused", 1, 1));
    }

    #[test]
    fn of_many_only_the_first_are_told_apart() {
        let mut summary = Summary::default();
        for port in 0..12_000 {
            summary.add(&decision(port, false), &Explained::default());
        }
        let text = summary.text();
        assert_eq!(text.lines().count(), SHOWN + 1);
        assert!(text.ends_with("sandlock: refused 11960× others\n"));
    }

    #[test]
    fn calls_are_counted_by_kind() {
        let text = "sandlock: looked at 3 calls: 1 connect, 0 messages, 2 binds, 0 others\n";
        assert_eq!(calls_line([1, 0, 2, 0]), text);
        assert!(calls_line([0, 1, 0, 0]).starts_with("sandlock: looked at 1 call: 0 connects, 1 message, "));
    }
}
