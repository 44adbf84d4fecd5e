//! `sandlock-exec`: runs a command under a compiled table without Node, and is what `sandlock exec` becomes once
//! it has the table (`becoming.rs`); a policy in TOML is for that, which can compile it.
//!
//! Should: leave the command nothing by which it could tell how it was started; end as the command ended.
//! Must not: run the command in any way but through the front.

mod arguments;
mod denials;
mod denied_names;
mod explaining;
mod failures;
mod lines;
mod log;
mod probes;
pub mod ready;
mod stages_gen;
mod summary;
mod why;

use std::cell::LazyCell;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::becoming;
use crate::event::{Kind, RECORD_BYTES};
use crate::front::{Front, TABLE_NAME};
use crate::request::{Request, TERMINAL};
use crate::sys::entry::Start;
use crate::sys::mapping::Mapping;
use crate::sys::{Errno, fd, process, signal};
use crate::table::Table;
use arguments::{Arguments, HELP, Parsed};
use denials::{Denial, Reporter};
use denied_names::{DeniedName, NameReporter};
use explaining::Explainer;
use failures::{Failure, kernel_text};
use lines::{Lines, tell};
use log::Log;
use probes::Probes;
use summary::{Summary, calls_line};

/// First bytes of a table (docs/format.md §2).
const MAGIC: &[u8] = b"SANDLOCK";

/// How the command ended.
enum Outcome {
    Exit(i32),
    Signal(i32),
}

/// Where the table comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It is named on the command line.
    Named,
    /// Node has handed it over (`becoming.rs`); what the command line names is where that got it.
    Given,
}

/// The program.
pub fn main(start: Start, source: Source) -> ! {
    process::share_heap();
    // As Node does for `sandlock exec`: a closed reader or a full disk is an error of a write, and 0, 1 and 2 are open.
    signal::ignore(libc::SIGPIPE);
    signal::ignore(libc::SIGXFSZ);
    let status = match fd::open_missing_stdio().map_err(|error| Failure::of_stage("front", error, "")) {
        Ok(()) => run(start, source),
        Err(failure) => Err(failure),
    };
    match status {
        Ok(Outcome::Exit(status)) => process::exit_now(status),
        Ok(Outcome::Signal(signal)) => signal::end_by(signal),
        Err(Failure { text, status }) => {
            let lines: Vec<_> = text.split('\n').map(denials::printable).collect();
            tell(format!("sandlock: {}\n", lines.join("\n")).as_bytes());
            process::exit_now(status)
        }
    }
}

fn run(start: Start, source: Source) -> Result<Outcome, Failure> {
    let mut words = start.arguments.into_iter().skip(1);
    let given = (source == Source::Given).then(|| becoming::take_table(words.next().as_ref()));
    let given = given.transpose().map_err(|error| Failure::of_stage("front", error, ""))?;
    let parsed = match Arguments::parse(words.collect())? {
        Parsed::Help => return help(),
        Parsed::Run(parsed) => parsed,
    };
    let table = given.map_or_else(|| read_table(&parsed.table), Ok)?;
    let log = parsed.log.as_ref().map(Log::open).transpose()?;
    let program = parsed.command.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    // What has no name Node leaves out.
    let environment: Vec<_> =
        start.environment.into_iter().filter(|entry| entry.as_bytes().contains(&b'=')).collect();
    let request = Request::encode(&parsed.command, &environment, TERMINAL | parsed.options, parsed.linger);
    let front = Front::alone(&table, &request).map_err(|failure| {
        Failure::of_stage(&String::from_utf8_lossy(failure.stage.name()), failure.error, &program)
    })?;
    let summary = parsed.has_summary.then(Summary::default);
    let Arguments { is_quiet, logs_allowed, has_stats, .. } = parsed;
    let explainer = Explainer::new(table);
    let mut follower =
        Follower { log, is_quiet, logs_allowed, has_stats, summary, explainer, ..Follower::default() };
    let end = follower.follow(&front);
    // From here on signals end this process: it may have to wait for room.
    drop(front);
    follower.tell_end(&end);
    match end {
        End { failure: Some((stage, error)), .. } if stage == "table" => {
            Err(explain_table(&parsed.table, follower.explainer.into_table_file(), error))
        }
        End { failure: Some((stage, error)), .. } => Err(Failure::of_stage(&stage, error, &program)),
        End { outcome: Some(outcome), .. } => Ok(outcome),
        End { outcome: None, .. } => Err(Failure::of_stage("supervisor", Errno(0), &program)),
    }
}

fn help() -> Result<Outcome, Failure> {
    fd::write_all(&fd::borrow(1), HELP.as_bytes())
        .map(|()| Outcome::Exit(0))
        .map_err(|error| Failure::usage(format!("can not write standard output: {}", kernel_text(error))))
}

/// A compiled table, sealed; whether it is a good one is the supervisor's to say.
fn read_table(path: &CString) -> Result<OwnedFd, Failure> {
    let name = path.to_string_lossy();
    let bytes = std::fs::read(failures::path(path)).map_err(|error| {
        Failure::usage(format!("can not read {name}: {}", kernel_text(Errno::from(error))))
    })?;
    if bytes.starts_with(MAGIC) {
        return fd::sealed(TABLE_NAME, &bytes).map_err(|error| Failure::of_stage("front", error, ""));
    }
    let fix = format!("sandlock compile {name} -o policy.bin");
    Err(Failure::usage(format!("{name} is not a compiled table; if it is a policy: {fix}")))
}

/// The supervisor says only that it refused the table.
fn explain_table(path: &CString, table: Option<OwnedFd>, error: Errno) -> Failure {
    let name = path.to_string_lossy();
    let defect = table.and_then(|table| Mapping::sealed(&table).ok()).map(Table::open).and_then(Result::err);
    let Some(defect) = defect else { return Failure::of_stage("table", error, "") };
    let (text, code, offset) = (defect.text(), defect.code, defect.offset);
    let place = format!("defect {code} at byte {offset}");
    Failure::usage(format!("{name} is not a table that can be used: {text} ({place})"))
}

/// What the records came to.
#[derive(Default)]
struct End {
    outcome: Option<Outcome>,
    failure: Option<(String, Errno)>,
    dropped: u32,
    /// How many processes outlived the command and had to be ended.
    killed: i32,
    /// The kernel alone decided on connects, so refused ones were not told.
    is_silent: bool,
    /// How many calls were looked at, by kind (docs/native.md).
    counts: Option<[u32; 4]>,
}

#[derive(Default)]
struct Follower {
    log: Option<Log>,
    is_quiet: bool,
    /// Allowed calls go to the log as well.
    logs_allowed: bool,
    has_stats: bool,
    /// Of `--summary`, also with `--quiet`.
    summary: Option<Summary>,
    lines: Lines,
    reporter: Reporter,
    names: NameReporter,
    probes: Probes,
    explainer: Explainer,
    /// What belongs to the next record.
    text: Vec<u8>,
}

/// Nanoseconds since 1970, as in records.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Adds a line to the log, if there is one.
fn add_to(log: &mut Option<Log>, lines: &mut Lines, line: impl FnOnce() -> String) {
    if let Some(lost) = log.as_mut().and_then(|log| log.add(&line())) {
        lines.add(&lost);
    }
}

impl Follower {
    /// Waits for every record until the whole tree is gone.
    fn follow(&mut self, front: &Front) -> End {
        let mut end = End::default();
        loop {
            self.lines.write_due();
            match front.next(self.patience_ms()) {
                Ok(Some(record)) if self.take(&record, &mut end) => {}
                Ok(_) => break,
                Err(Errno(libc::EAGAIN)) => {
                    self.flush();
                    let due = self.probes.due(now());
                    self.tell_all(&due);
                }
                Err(error) => {
                    end.failure = Some(("front".to_owned(), error));
                    break;
                }
            }
        }
        end
    }

    /// What is still to be told when all records have come.
    fn tell_end(&mut self, end: &End) {
        let due = self.probes.due(u64::MAX);
        self.tell_all(&due);
        if end.dropped > 0 {
            add_to(&mut self.log, &mut self.lines, || denials::lost_line(end.dropped, now()));
        }
        self.flush();
        let (denied, names) = (self.reporter.finish(), self.names.finish());
        self.say(&denied);
        self.say(&names);
        if end.dropped > 0 {
            let what =
                if end.dropped == 1 { "1 record was" } else { &format!("{} records were", end.dropped) };
            self.say(&format!("sandlock: {what} lost: calls came faster than they could be told\n"));
        }
        if end.killed > 0 {
            let what = if end.killed == 1 { "1 process" } else { &format!("{} processes", end.killed) };
            self.say(&format!("sandlock: ended {what} that outlived the command (see --linger)\n"));
        }
        if end.is_silent && matches!(end.outcome, Some(Outcome::Exit(1..))) {
            let reason = "the kernel alone holds this policy, so a refused connect is not told";
            self.say(&format!("sandlock: {reason}; --supervise tells\n"));
        }
        if let Some(summary) = &self.summary {
            self.lines.add(&summary.text());
        }
        if let Some(counts) = end.counts.filter(|_| self.has_stats) {
            self.lines.add(&calls_line(counts));
        }
        self.lines.write();
    }

    /// Whether anything is told of a decision.
    fn is_heard(&self) -> bool {
        !self.is_quiet || self.log.is_some() || self.summary.is_some()
    }

    fn say(&mut self, text: &str) {
        if !self.is_quiet {
            self.lines.add(text);
        }
    }

    /// How long to wait for the next record; -1: for ever. Not at all while lines of the log wait to be written.
    fn patience_ms(&self) -> i32 {
        if self.log.as_ref().is_some_and(Log::is_pending) {
            return 0;
        }
        let patience = [self.lines.patience_ms(), self.probes.patience_ms(now)];
        patience.into_iter().filter(|ms| *ms >= 0).min().unwrap_or(-1)
    }

    fn flush(&mut self) {
        if let Some(lost) = self.log.as_mut().and_then(Log::flush) {
            self.lines.add(&lost);
        }
    }

    fn tell_all(&mut self, denials: &[Denial]) {
        let Self { log, summary, lines, reporter, explainer, is_quiet, logs_allowed, .. } = self;
        for denial in denials {
            // Most of what a refusal costs here is to explain it: not for nobody.
            let explained = LazyCell::new(|| explainer.explain(denial));
            if let Some(summary) = summary {
                summary.add(denial, &explained);
            }
            if !denial.is_allowed || *logs_allowed {
                add_to(log, lines, || denial.log_line(&explained));
            }
            if !denial.is_allowed && !*is_quiet {
                lines.add(&reporter.report(denial, || Rc::clone(&explained)));
            }
        }
    }

    fn tell_name(&mut self, denied: &DeniedName) {
        add_to(&mut self.log, &mut self.lines, || denied.log_line());
        let line = self.names.report(denied);
        self.say(&line);
    }

    /// Takes one record (docs/native.md) in. `false`: it was the last.
    fn take(&mut self, record: &[u8; RECORD_BYTES], end: &mut End) -> bool {
        let kind = Kind::of(record);
        if kind == Some(Kind::Text) {
            let [_, length, text @ ..] = record;
            self.text.extend_from_slice(text.get(..usize::from(*length)).unwrap_or_default());
            return true;
        }
        let text = std::mem::take(&mut self.text);
        if kind == Some(Kind::Name) {
            let [_, reason, ..] = *record;
            let asked = Denial::read(record, &[]);
            end.dropped = end.dropped.max(asked.dropped);
            match DeniedName::of(reason, asked, &text) {
                Ok(denied) => self.tell_name(&denied),
                Err(answered) if self.is_heard() => {
                    self.explainer.learn(&String::from_utf8_lossy(&text), &answered.address);
                }
                Err(_) => {}
            }
            return true;
        }
        let denial = Denial::read(record, &text);
        end.dropped = end.dropped.max(denial.dropped);
        match kind {
            Some(Kind::Denied | Kind::Allowed) => {
                let due = self.probes.push(denial);
                self.tell_all(&due);
            }
            Some(Kind::Opaque) => {
                let reason = "its program file is not readable, so its network calls fail";
                let name = denials::chosen(&denial.name);
                self.say(&format!("sandlock: can not look into {name}[{}]: {reason}\n", denial.pid));
            }
            Some(Kind::Exited) => {
                let status = denial.code;
                let signal = status & 0x7f;
                let exit = Outcome::Exit((status >> 8) & 0xff);
                end.outcome = Some(if signal == 0 { exit } else { Outcome::Signal(signal) });
            }
            Some(Kind::Failed) => {
                end.failure.get_or_insert((denial.name, Errno(denial.code)));
            }
            Some(Kind::Ended) => {
                end.killed = denial.code;
                end.is_silent = record.get(1) == Some(&1);
                end.counts = Some(denials::counts(record));
                return false;
            }
            _ => {}
        }
        true
    }
}
