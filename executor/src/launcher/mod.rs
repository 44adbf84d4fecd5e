//! `sandlock-exec`: runs a command under a compiled table without Node. The same front, supervisor and words
//! as `sandlock exec`, for containers and hot loops; a policy in TOML is for `sandlock`, which can compile
//! it.
//!
//! Should: leave the command nothing by which it could tell which of the two started it; end as the command ended.
//! Must not: run the command in any way but through the front.

mod arguments;
mod denials;
mod denied_names;
mod failures;
mod probes;
pub mod ready;
mod stages_gen;
mod summary;

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::becoming;
use crate::event::{Kind, RECORD_BYTES};
use crate::front::Front;
use crate::request::{Request, TERMINAL};
use crate::sys::entry::Start;
use crate::sys::mapping::Mapping;
use crate::sys::{Errno, fd, process, signal};
use crate::table::Table;
use arguments::{Arguments, HELP, Parsed};
use denials::{Denial, Reporter};
use denied_names::{DeniedName, NameReporter};
use failures::{Failure, kernel_text};
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
            tell(&format!(
                "sandlock: {}\n",
                text.lines().map(denials::printable).collect::<Vec<_>>().join("\n")
            ));
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
    let read = if given.is_some() { Vec::new() } else { read_table(&parsed.table)? };
    let log = parsed.log.as_ref().map(Log::open).transpose()?;
    let program = parsed.command.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    // What has no name Node leaves out.
    let environment: Vec<_> =
        start.environment.into_iter().filter(|entry| entry.as_bytes().contains(&b'=')).collect();
    let request = Request::encode(&parsed.command, &environment, TERMINAL | parsed.options, parsed.linger);
    let table = given.as_ref().map_or(&read[..], Mapping::as_ref);
    let front = Front::alone(table, &request).map_err(|failure| {
        Failure::of_stage(&String::from_utf8_lossy(failure.stage.name()), failure.error, &program)
    })?;
    drop(read);
    let summary = parsed.has_summary.then(Summary::default);
    let Arguments { is_quiet, logs_allowed, has_stats, .. } = parsed;
    let follower = Follower { log, is_quiet, logs_allowed, has_stats, summary, ..Follower::default() };
    let end = follower.follow(&front);
    match end {
        End { failure: Some((stage, error)), .. } if stage == "table" => {
            Err(explain_table(&parsed.table, given, error))
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

/// The bytes of a compiled table; whether it is a good one is the supervisor's to say.
fn read_table(path: &CString) -> Result<Vec<u8>, Failure> {
    let name = path.to_string_lossy();
    let bytes = std::fs::read(failures::path(path)).map_err(|error| {
        Failure::usage(format!("can not read {name}: {}", kernel_text(Errno::from(error))))
    })?;
    if bytes.starts_with(MAGIC) {
        return Ok(bytes);
    }
    let fix = format!("sandlock compile {name} -o policy.bin");
    Err(Failure::usage(format!("{name} is not a compiled table; if it is a policy: {fix}")))
}

/// The supervisor says only that it refused the table. A file is read again: it is not kept for a case so rare.
fn explain_table(path: &CString, given: Option<Mapping>, error: Errno) -> Failure {
    let name = path.to_string_lossy();
    let read = || Table::open(std::fs::read(failures::path(path)).unwrap_or_default()).err();
    match given.map_or_else(read, |given| Table::open(given).err()) {
        None => Failure::of_stage("table", error, ""),
        Some(defect) => {
            let (text, code, offset) = (defect.text(), defect.code, defect.offset);
            let place = format!("defect {code} at byte {offset}");
            Failure::usage(format!("{name} is not a table that can be used: {text} ({place})"))
        }
    }
}

/// Writes to standard error and reports nothing: a closed or full one must neither end nor delay the command.
fn tell(text: &str) {
    let _ = fd::write_all(&fd::borrow(2), text.as_bytes());
}

/// The file of `--log`. What can not be written is reported once.
struct Log {
    name: String,
    file: Option<File>,
}

impl Log {
    fn open(path: &CString) -> Result<Self, Failure> {
        let name = path.to_string_lossy().into_owned();
        let file =
            OpenOptions::new().append(true).create(true).open(failures::path(path)).map_err(|error| {
                Failure::usage(format!("can not write {name}: {}", kernel_text(Errno::from(error))))
            })?;
        Ok(Self { name, file: Some(file) })
    }

    fn write(&mut self, line: &str) {
        let Some(mut file) = self.file.as_ref() else { return };
        if let Err(error) = file.write_all(line.as_bytes()) {
            self.file = None;
            let text = kernel_text(Errno::from(error));
            tell(&format!("sandlock: the log ends here: {}: {text}\n", self.name));
        }
    }
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
    reporter: Reporter,
    names: NameReporter,
    probes: Probes,
    /// What belongs to the next record.
    text: Vec<u8>,
}

/// Nanoseconds since 1970, as in records.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl Follower {
    /// Waits for every record until the whole tree is gone.
    fn follow(mut self, front: &Front) -> End {
        let mut end = End::default();
        loop {
            match front.next(self.probes.patience_ms(now)) {
                Ok(Some(record)) if self.take(&record, &mut end) => {}
                Ok(_) => break,
                Err(Errno(libc::EAGAIN)) => {
                    let due = self.probes.due(now());
                    self.tell_all(&due);
                }
                Err(error) => {
                    end.failure = Some(("front".to_owned(), error));
                    break;
                }
            }
        }
        let due = self.probes.due(u64::MAX);
        self.tell_all(&due);
        self.say(&self.reporter.finish());
        self.say(&self.names.finish());
        if end.dropped > 0 {
            if let Some(log) = &mut self.log {
                log.write(&denials::lost_line(end.dropped, now()));
            }
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
            tell(&summary.text());
        }
        if let Some(counts) = end.counts.filter(|_| self.has_stats) {
            tell(&calls_line(counts));
        }
        end
    }

    fn say(&self, text: &str) {
        if !self.is_quiet && !text.is_empty() {
            tell(text);
        }
    }

    fn tell_all(&mut self, denials: &[Denial]) {
        for denial in denials {
            if let Some(summary) = &mut self.summary {
                summary.add(denial);
            }
            if (!denial.is_allowed || self.logs_allowed)
                && let Some(log) = &mut self.log
            {
                log.write(&denial.log_line());
            }
            if !denial.is_allowed {
                let line = self.reporter.report(denial);
                self.say(&line);
            }
        }
    }

    fn tell_name(&mut self, denied: &DeniedName) {
        if let Some(log) = &mut self.log {
            log.write(&denied.log_line());
        }
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
            if let Some(denied) = DeniedName::of(reason, asked, &text) {
                self.tell_name(&denied);
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
                let name = denials::printable(&denial.name);
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
