//! The command line of `sandlock-exec`: that of `sandlock exec` without what a compiled table can not have.
//! What stands before `--` is ours, what follows is the command's and is not looked at. Node, which can not leave
//! a mistake to the end of a compilation, says the same of it (test/command-lines.txt holds the two together).

use std::ffi::CString;

use super::failures::Failure;
use crate::request::{FOREVER, SUPERVISE, TELL_ALLOWED, WITHOUT_PROCESSES, WITHOUT_SETTINGS};

const USAGE: &str = "sandlock-exec TABLE [options] -- COMMAND …\nsee: sandlock-exec --help";

/// What `--help` prints, in 80 columns; sandlock-exec(1) is made from it (scripts/gen-man.mjs).
pub(super) const HELP: &str = "\
sandlock-exec TABLE [options] -- COMMAND …

Runs COMMAND so that it reaches what TABLE allows and nothing else, as `sandlock
exec` does, without Node. TABLE is made by: sandlock compile POLICY -o TABLE

  -q, --quiet    print no line for what is refused
  --log FILE     append every refusal to FILE as a line of JSON
  --log-allowed  log what is allowed as well
  --summary      print at the end what was reached and refused
  --linger TIME  seconds that processes may outlive COMMAND: 10, or forever
  --supervise    look at every call, also where the kernel refuses in silence
  --stats        print at the end how many system calls were looked at
  --allow-degraded NAME
                 run without kernel-settings (root) or other-processes; sandlock
                 doctor says whether that is needed
  -h, --help     print this
";

/// Long enough for a program's own background work to finish, short enough that a daemon it leaves holds nobody up.
const LINGER: u32 = 10;

/// What the kernel may lack if the user accepts it, with its option bit.
const DEGRADATIONS: [(&str, u32); 2] =
    [("kernel-settings", WITHOUT_SETTINGS), ("other-processes", WITHOUT_PROCESSES)];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Help,
    Run(Arguments),
}

/// A command and how to run it.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(super) struct Arguments {
    pub(super) table: CString,
    pub(super) log: Option<CString>,
    pub(super) is_quiet: bool,
    /// Allowed calls go to the log as well.
    pub(super) logs_allowed: bool,
    /// Say at the end what was reached and refused.
    pub(super) has_summary: bool,
    /// Say at the end how many calls were looked at.
    pub(super) has_stats: bool,
    /// Seconds, or `FOREVER`.
    pub(super) linger: u32,
    /// Option bits of the request: what the kernel may lack, `SUPERVISE` and `TELL_ALLOWED`.
    pub(super) options: u32,
    /// At least the program.
    pub(super) command: Vec<CString>,
}

/// Options before they are put together.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
struct Own {
    tables: Vec<CString>,
    logs: Vec<CString>,
    lingers: Vec<u32>,
    options: u32,
    is_quiet: bool,
    logs_allowed: bool,
    has_summary: bool,
    has_stats: bool,
}

impl Arguments {
    /// Parses what follows the program's own name.
    pub(super) fn parse(mut words: Vec<CString>) -> Result<Parsed, Failure> {
        let end = words.iter().position(|word| word.as_bytes() == b"--");
        let command = end.map(|end| words.split_off(end));
        let mut own = Own::default();
        let mut rest = words.into_iter();
        while let Some(word) = rest.next() {
            if !own.take(word, &mut rest, end.is_some())? {
                return Ok(Parsed::Help);
            }
        }
        let Some(command) = command else { return Err(missing_separator(&own.tables)) };
        let command: Vec<CString> = command.into_iter().skip(1).collect();
        let table = match <[CString; 1]>::try_from(own.tables) {
            Ok([table]) => table,
            Err(tables) if tables.is_empty() => {
                return Err(usage("no table: name a file; without one, nothing is run"));
            }
            Err(tables) => {
                let names: Vec<_> = tables.iter().map(|table| table.to_string_lossy()).collect();
                let text = format!("one table is needed and {} are given: {}", names.len(), names.join(", "));
                return Err(usage(&text));
            }
        };
        if own.logs.len() > 1 {
            return Err(usage("--log is given twice"));
        }
        if own.logs_allowed && own.logs.is_empty() {
            return Err(usage("--log-allowed needs --log FILE"));
        }
        if own.lingers.len() > 1 {
            return Err(usage("--linger is given twice"));
        }
        let linger = own.lingers.first().copied().unwrap_or(LINGER);
        match command.first() {
            None => return Err(usage("no command after --")),
            Some(program) if program.is_empty() => return Err(usage("the command after -- is empty")),
            Some(_) => {}
        }
        let Own { logs, is_quiet, logs_allowed, has_summary, has_stats, .. } = own;
        let log = logs.into_iter().next();
        let options = own.options | if logs_allowed || has_summary { TELL_ALLOWED } else { 0 };
        Ok(Parsed::Run(Self {
            table,
            log,
            is_quiet,
            logs_allowed,
            has_summary,
            has_stats,
            linger,
            options,
            command,
        }))
    }
}

impl Own {
    /// Takes one word in, with its value where it has one. `false`: help is asked for.
    fn take(
        &mut self,
        word: CString,
        rest: &mut impl Iterator<Item = CString>,
        has_separator: bool,
    ) -> Result<bool, Failure> {
        let bytes = word.as_bytes();
        let equals = bytes.iter().position(|byte| *byte == b'=').filter(|_| bytes.starts_with(b"--"));
        let (name, given) = match equals {
            Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..)),
            None => (bytes, None),
        };
        let mut value = || {
            let given = given.map(|bytes| CString::new(bytes).unwrap_or_default());
            given.or_else(|| rest.next()).ok_or_else(|| usage(&format!("{} needs a value", text(name))))
        };
        match name {
            b"--log" => self.logs.push(value()?),
            b"--linger" => self.lingers.push(parse_linger(&value()?)?),
            b"--allow-degraded" => self.options |= parse_degraded(&value()?)?,
            b"--supervise" if given.is_none() => self.options |= SUPERVISE,
            b"--log-allowed" if given.is_none() => self.logs_allowed = true,
            b"--summary" if given.is_none() => self.has_summary = true,
            b"--stats" if given.is_none() => self.has_stats = true,
            b"--allow" | b"--deny" | b"--allow-bind" | b"--allow-unix" => {
                let fix = "give rules to `sandlock compile` or `sandlock exec`";
                return Err(usage(&format!("{} can not change a compiled table: {fix}", text(name))));
            }
            b"--quiet" | b"-q" if given.is_none() => self.is_quiet = true,
            b"--help" | b"-h" if given.is_none() => return Ok(false),
            _ if bytes.starts_with(b"-") => {
                let hint = if has_separator { "" } else { "; options of the command belong after --" };
                return Err(usage(&format!("unknown option {}{hint}", text(bytes))));
            }
            _ => self.tables.push(word),
        }
        Ok(true)
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn parse_degraded(name: &CString) -> Result<u32, Failure> {
    let found = DEGRADATIONS.iter().find(|(known, _)| known.as_bytes() == name.as_bytes());
    found.map(|(_, bit)| *bit).ok_or_else(|| {
        let known = DEGRADATIONS.map(|(name, _)| name).join(", ");
        usage(&format!("--allow-degraded takes {known}, not {}", name.to_string_lossy()))
    })
}

/// Seconds, or `forever`.
fn parse_linger(text: &CString) -> Result<u32, Failure> {
    let digits = text.as_bytes();
    if digits == b"forever" {
        return Ok(FOREVER);
    }
    let is_number = (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let seconds = text.to_str().ok().filter(|_| is_number).and_then(|text| text.parse().ok());
    let wrong = || usage(&format!("--linger takes whole seconds or forever, not {}", text.to_string_lossy()));
    seconds.ok_or_else(wrong)
}

fn usage(message: &str) -> Failure {
    Failure::usage(format!("{message}\nusage: {USAGE}"))
}

/// Suggests the line that was probably meant: the first word is the table.
fn missing_separator(words: &[CString]) -> Failure {
    let command: Vec<_> = words.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    if command.is_empty() {
        return usage("no command: it follows after --");
    }
    usage(&format!("put -- before the command: … -- {}", command.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Parsed, String> {
        let words = words.iter().map(|word| CString::new(*word).unwrap()).collect();
        Arguments::parse(words).map_err(|failure| {
            assert_eq!(failure.status, 2);
            failure.text.lines().next().unwrap_or_default().to_owned()
        })
    }

    #[test]
    fn options_stand_before_the_separator_in_any_order_and_the_command_after_it_as_it_is() {
        let parsed = parse(&[
            "-q",
            "--linger=forever",
            "t.bin",
            "--log",
            "l.json",
            "--allow-degraded",
            "kernel-settings",
            "--supervise",
            "--log-allowed",
            "--stats",
            "--",
            "ls",
            "--quiet",
            "--",
        ]);
        let expected = Arguments {
            table: c"t.bin".to_owned(),
            log: Some(c"l.json".to_owned()),
            is_quiet: true,
            logs_allowed: true,
            has_summary: false,
            has_stats: true,
            linger: FOREVER,
            options: WITHOUT_SETTINGS | SUPERVISE | TELL_ALLOWED,
            command: vec![c"ls".to_owned(), c"--quiet".to_owned(), c"--".to_owned()],
        };
        assert_eq!(parsed, Ok(Parsed::Run(expected)));
        assert_eq!(parse(&["t", "--help", "--", "x"]), Ok(Parsed::Help));
    }

    #[test]
    fn what_can_not_be_run_says_why() {
        for (words, text) in [
            (&["--", "ls"][..], "no table: name a file; without one, nothing is run"),
            (&["a", "b", "--", "ls"], "one table is needed and 2 are given: a, b"),
            (
                &["t", "--allow", "a:1", "--", "ls"],
                "--allow can not change a compiled table: give rules to `sandlock compile` or `sandlock exec`",
            ),
        ] {
            assert_eq!(parse(words), Err(text.to_owned()));
        }
    }

    #[test]
    fn what_node_takes_or_refuses_is_taken_or_refused_in_the_same_words() {
        let lines = include_str!("../../../test/command-lines.txt");
        for line in lines.lines().filter(|line| !line.starts_with('#')) {
            let (text, words) = line.split_once('\t').unwrap_or((line, ""));
            let words: Vec<_> = words.split('\t').filter(|_| line.contains('\t')).collect();
            let said = parse(&words).map(|_| ()).err().unwrap_or_default();
            assert_eq!(said, text, "{words:?}");
        }
    }
}
