//! Scheduling calls on behalf, for a target inside the sandbox: programs pin and renice their own threads by
//! number. A target outside, the supervisor above all, could be starved by them: Landlock has no hook there,
//! so they come here. Calls on the caller itself (number 0) are never trapped.
//!
//! A target is a number, which may be another task's a moment later. So it is looked at last, right before the
//! call: to read memory may take as long as the program likes, and numbers go round meanwhile.

use crate::receiver::{Outcome, Receiver};
use crate::sys::seccomp::Notification;
use crate::sys::{Errno, Result, memory, schedule};
use crate::task;

/// A mask for 8,192 processors, `NR_CPUS` of the largest kernels.
const MOST_MASK: u64 = 1024;
/// `struct sched_attr` has 56 bytes in Linux 6.x; the kernel refuses more than a page.
const MOST_ATTRIBUTES: u32 = 4096;

/// sched_setaffinity, sched_setscheduler, sched_setparam, sched_setattr: (tid, …)
pub fn schedule(receiver: &Receiver, notification: &Notification) -> Result<Outcome> {
    let [target, second, third, ..] = notification.args;
    let tid = notification.tid;
    let target = || receiver.still_waiting(notification).and_then(|()| inside(target));
    let result = match libc::c_long::from(notification.nr) {
        libc::SYS_sched_setaffinity => {
            let length = (second & 0xffff_ffff).min(MOST_MASK);
            let mut mask = vec![0; usize::try_from(length).unwrap_or(0)];
            memory::read_exact(tid, third, &mut mask)?;
            schedule::set_affinity(target()?, &mask)
        }
        libc::SYS_sched_setscheduler => {
            let priority = integer(tid, third)?;
            schedule::set_scheduler(target()?, low(second), priority)
        }
        libc::SYS_sched_setparam => {
            let priority = integer(tid, second)?;
            schedule::set_parameter(target()?, priority)
        }
        _ => {
            let attributes = attributes(tid, second)?;
            schedule::set_attributes(target()?, &attributes, low(third).cast_unsigned())
        }
    };
    result.map(Outcome::Done)
}

/// setpriority and ioprio_set: (which, who, value). Only single processes: a group or a user may reach beyond
/// the sandbox.
pub fn prioritise(receiver: &Receiver, notification: &Notification) -> Result<Outcome> {
    let [which, who, value, ..] = notification.args;
    let is_nice = libc::c_long::from(notification.nr) == libc::SYS_setpriority;
    // PRIO_PROCESS is 0, IOPRIO_WHO_PROCESS 1.
    let one_process = i32::from(!is_nice);
    if low(which) != one_process {
        return Err(Errno(libc::EPERM));
    }
    receiver.still_waiting(notification)?;
    let target = if low(who) == 0 { notification.tid } else { inside(who)? };
    let result = if is_nice {
        schedule::set_nice(target, low(value))
    } else {
        schedule::set_io_priority(target, low(value))
    };
    result.map(Outcome::Done)
}

fn low(register: u64) -> i32 {
    u32::try_from(register & 0xffff_ffff).unwrap_or(0).cast_signed()
}

fn integer(tid: u32, pointer: u64) -> Result<i32> {
    let mut bytes = [0; 4];
    memory::read_exact(tid, pointer, &mut bytes)?;
    Ok(i32::from_ne_bytes(bytes))
}

/// Copies a `struct sched_attr`, whose first word is its size (0: the first version's 48).
fn attributes(tid: u32, pointer: u64) -> Result<Vec<u8>> {
    let size = match integer(tid, pointer)?.cast_unsigned() {
        0 => 48,
        size if (48..=MOST_ATTRIBUTES).contains(&size) => size,
        _ => return Err(Errno(libc::E2BIG)),
    };
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    memory::read_exact(tid, pointer, &mut bytes)?;
    for (to, from) in bytes.iter_mut().zip(size.to_ne_bytes()) {
        *to = from;
    }
    Ok(bytes)
}

/// The task, if it is one of the sandbox.
fn inside(target: u64) -> Result<u32> {
    let target = u32::try_from(low(target)).map_err(|_| Errno(libc::ESRCH))?;
    task::inside(target).map(|()| target)
}
