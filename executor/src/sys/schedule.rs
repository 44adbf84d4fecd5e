//! Scheduling calls on another task (sched(7), setpriority(2), ioprio_set(2)). Decides nothing about whose.

use super::errno::{Result, check_long};

/// sched_setaffinity(2) with the caller's mask bytes.
pub fn set_affinity(tid: u32, mask: &[u8]) -> Result<i64> {
    // SAFETY: pointer and length are those of one slice.
    check_long(unsafe { libc::syscall(libc::SYS_sched_setaffinity, tid, mask.len(), mask.as_ptr()) })
}

/// sched_setscheduler(2).
pub fn set_scheduler(tid: u32, policy: i32, priority: i32) -> Result<i64> {
    // SAFETY: `struct sched_param` is one int.
    check_long(unsafe { libc::syscall(libc::SYS_sched_setscheduler, tid, policy, &raw const priority) })
}

/// sched_setparam(2).
pub fn set_parameter(tid: u32, priority: i32) -> Result<i64> {
    // SAFETY: `struct sched_param` is one int.
    check_long(unsafe { libc::syscall(libc::SYS_sched_setparam, tid, &raw const priority) })
}

/// sched_setattr(2); `attributes` begins with its own size.
pub fn set_attributes(tid: u32, attributes: &[u8], flags: u32) -> Result<i64> {
    // SAFETY: the kernel reads as many bytes as the first word says; the caller of this function has made it
    // the slice's length.
    check_long(unsafe { libc::syscall(libc::SYS_sched_setattr, tid, attributes.as_ptr(), flags) })
}

/// setpriority(2) of one process.
pub fn set_nice(tid: u32, nice: i32) -> Result<i64> {
    // SAFETY: takes no pointers.
    check_long(unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, tid, nice) })
}

/// ioprio_set(2) of one process (`IOPRIO_WHO_PROCESS`).
pub fn set_io_priority(tid: u32, priority: i32) -> Result<i64> {
    // SAFETY: takes no pointers.
    check_long(unsafe { libc::syscall(libc::SYS_ioprio_set, 1, tid, priority) })
}
