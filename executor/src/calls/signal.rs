//! Signals on behalf, where Landlock can not keep them inside (before ABI 6, Linux 6.12): to tasks of the
//! sandbox and to nobody else, as its scope would have it. Knows targets, not what signals mean.
//!
//! A process id is only a number, which may be another process's a moment later. So a target is held by a
//! pidfd first, then found to be inside, then found to live still: what was looked at was the process that
//! the pidfd holds, and it gets the signal. The caller's own process can not go away while its call waits:
//! signals to it run in the kernel.
//!
//! Different from the kernel's own calls: whoever gets the signal sees the supervisor as its sender
//! (`si_pid`), unless the call brings the information itself (sigqueue(3)); a thread of another process can
//! not be named (EPERM).

use std::collections::HashSet;
use std::os::fd::OwnedFd;

use crate::receiver::{Outcome, Receiver};
use crate::sys::process::{self, SIGINFO_BYTES};
use crate::sys::seccomp::Notification;
use crate::sys::{Errno, Result, memory};
use crate::task::{self, Status};
use crate::tree;

/// How often a group is gone through for members that were made meanwhile. kill(2) is atomic towards fork, this is not.
const MOST_ROUNDS: usize = 16;

/// What the caller gives a signal along: nothing, or its own `siginfo_t`.
type Information = Option<[u8; SIGINFO_BYTES]>;

/// kill: (process or group, signal)
pub fn kill(receiver: &Receiver, notification: &Notification) -> Result<Outcome> {
    let [target, signal, ..] = notification.args;
    let (target, signal) = (low(target), low(signal));
    let (own, is_nested) = own_process(receiver, notification)?;
    match target {
        // A group is not bounded by a PID namespace: who is first in one is still in the group it comes from.
        0 => to_group(receiver, notification, process::group_of(notification.tid)?, own, signal),
        _ if is_nested || target == own => Ok(Outcome::LetRun),
        1.. => to_process(target, signal, &None),
        -1 => to_others(own, signal),
        _ => to_group(receiver, notification, target.checked_neg().ok_or(Errno(libc::ESRCH))?, own, signal),
    }
}

/// tkill: (thread, signal). tgkill: (process, thread, signal)
pub fn kill_thread(receiver: &Receiver, notification: &Notification) -> Result<Outcome> {
    let [first, second, ..] = notification.args;
    let (first, second) = (low(first), low(second));
    let (own, is_nested) = own_process(receiver, notification)?;
    if is_nested {
        return Ok(Outcome::LetRun);
    }
    if libc::c_long::from(notification.nr) == libc::SYS_tgkill {
        return own_thread(first, own).map(|()| Outcome::LetRun);
    }
    if first.cast_unsigned() == notification.tid {
        return Ok(Outcome::LetRun);
    }
    // Another thread may end meanwhile and its number become anybody's: tgkill asks whose it is.
    match process::signal_thread(own, first, second) {
        Err(Errno(libc::ESRCH)) if Status::read(first.cast_unsigned()).is_ok() => Err(Errno(libc::EPERM)),
        result => result.map(|()| Outcome::Done(0)),
    }
}

/// rt_sigqueueinfo: (process, signal, information)
pub fn queue(receiver: &Receiver, notification: &Notification) -> Result<Outcome> {
    let [target, signal, information, ..] = notification.args;
    let target = low(target);
    let (own, is_nested) = own_process(receiver, notification)?;
    if is_nested || target == own {
        return Ok(Outcome::LetRun);
    }
    let information = copied(receiver, notification, low(signal), information)?;
    to_process(target, low(signal), &information)
}

/// rt_tgsigqueueinfo: (process, thread, signal, information)
pub fn queue_thread(receiver: &Receiver, notification: &Notification) -> Result<Outcome> {
    let [target, ..] = notification.args;
    let (own, is_nested) = own_process(receiver, notification)?;
    if is_nested {
        return Ok(Outcome::LetRun);
    }
    own_thread(low(target), own).map(|()| Outcome::LetRun)
}

/// pidfd_send_signal: (pidfd, signal, information, flags)
pub fn send_by_pidfd(receiver: &mut Receiver, notification: &Notification) -> Result<Outcome> {
    let [number, signal, information, flags, ..] = notification.args;
    if low(flags) != 0 {
        return Err(Errno(libc::EINVAL)); // PIDFD_SIGNAL_* are Linux 6.9
    }
    let is_held = receiver.tasks.vault().is_some();
    let pidfd =
        if is_held { same(notification.tid, low(number))? } else { receiver.descriptor(notification)? };
    let signal = low(signal);
    let information =
        if information == 0 { None } else { copied(receiver, notification, signal, information)? };
    receiver.still_waiting(notification)?;
    let target = process::pid_of(&pidfd)?;
    send(&pidfd, target, signal, &information)
}

/// A pidfd of our own for the process that the caller's holds, where that can not be taken: by the number of
/// the process, which the caller's tells. It tells it only as long as the process has it, so when it does so
/// again once we have ours, both hold the same. A swap of the caller's meanwhile chooses another one of its
/// own.
fn same(tid: u32, number: i32) -> Result<OwnedFd> {
    let task = tid.to_string();
    let target = process::pid_at(&task, number)?;
    let pidfd = process::pidfd_open(target.cast_unsigned(), 0)?;
    if process::pid_at(&task, number)? == target { Ok(pidfd) } else { Err(Errno(libc::ESRCH)) }
}

/// The caller's process, by our number; and whether the numbers that it uses are those of a PID namespace
/// that was made inside, where all processes are.
fn own_process(receiver: &Receiver, notification: &Notification) -> Result<(i32, bool)> {
    let status = Status::read(notification.tid)?;
    let is_nested = receiver.table.allows_user_namespaces() && task::is_in_other_pids(notification.tid)?;
    receiver.still_waiting(notification)?;
    i32::try_from(status.group).map(|own| (own, is_nested)).map_err(|_| Errno(libc::ESRCH))
}

/// EPERM unless `target` is the caller's process: there the kernel finds the thread, and no other.
fn own_thread(target: i32, own: i32) -> Result<()> {
    if target == own { Ok(()) } else { Err(Errno(libc::EPERM)) }
}

/// Copies a `siginfo_t`. Its first word is the signal, whatever the caller wrote there.
fn copied(
    receiver: &Receiver,
    notification: &Notification,
    signal: i32,
    pointer: u64,
) -> Result<Information> {
    let mut information = [0; SIGINFO_BYTES];
    memory::read_exact(notification.tid, pointer, &mut information)?;
    receiver.still_waiting(notification)?;
    for (to, from) in information.iter_mut().zip(signal.to_ne_bytes()) {
        *to = from;
    }
    Ok(Some(information))
}

fn to_process(target: i32, signal: i32, information: &Information) -> Result<Outcome> {
    // kill(2) takes the number of any thread for its process; such a one has no pidfd of that kind.
    let target = Status::read(target.cast_unsigned())?.group;
    let pidfd = process::pidfd_open(target, 0)?;
    send(&pidfd, target.cast_signed(), signal, information)
}

/// Sends to the process that `pidfd` holds, which has the number `target`, if it is inside.
fn send(pidfd: &OwnedFd, target: i32, signal: i32, information: &Information) -> Result<Outcome> {
    task::inside(target.cast_unsigned())?;
    // Still there: so the number was its own while we looked.
    process::pidfd_send_signal(pidfd, 0)?;
    match information {
        None => process::pidfd_send_signal(pidfd, signal),
        Some(information) => process::pidfd_send_information(pidfd, signal, information),
    }
    .map(|()| Outcome::Done(0))
}

/// The processes of a group, the caller's own last.
fn to_group(
    receiver: &Receiver,
    notification: &Notification,
    group: i32,
    own: i32,
    signal: i32,
) -> Result<Outcome> {
    let is_member = |pid: i32| process::group_of(pid.cast_unsigned()) == Ok(group);
    let sent = to_each(|pid| pid != own && is_member(pid), signal);
    if is_member(own) {
        if !receiver.waits_are_killable {
            // It would interrupt the caller, which then makes its call again (before Linux 5.19).
            receiver.listener.answer(notification.id, Ok(0));
            to_process(own, signal, &None)?;
            return Ok(Outcome::Pending);
        }
        return to_process(own, signal, &None).or_else(|error| sent.unwrap_or(Err(error)));
    }
    sent.unwrap_or_else(|| {
        // None of it is inside: as out of reach as any outside process, if there is one.
        let outside = process::may_signal(-group);
        Err(outside.err().unwrap_or(Errno(libc::EPERM)))
    })
}

/// Every process inside but the caller's.
fn to_others(own: i32, signal: i32) -> Result<Outcome> {
    to_each(|pid| pid != own, signal).unwrap_or(Err(Errno(libc::ESRCH)))
}

/// As the kernel has it for many, it has succeeded when one signal was sent. None: there is nobody.
fn to_each(is_meant: impl Fn(i32) -> bool, signal: i32) -> Option<Result<Outcome>> {
    let mut reached = HashSet::new();
    let mut result: Option<Result<Outcome>> = None;
    for _ in 0..MOST_ROUNDS {
        let before = reached.len();
        tree::descendants(|pid| {
            if is_meant(pid) && reached.insert(pid) {
                let sent = to_process(pid, signal, &None);
                result = Some(result.filter(Result::is_ok).unwrap_or(sent));
            }
        });
        if reached.len() == before {
            break;
        }
    }
    result
}

fn low(register: u64) -> i32 {
    u32::try_from(register & 0xffff_ffff).unwrap_or(0).cast_signed()
}
