//! The filter that a table gives, one instruction a line (`code jt jf k`), for bench/filter.c.
//!
//! ```text
//! filter TABLE
//! ```

#![expect(clippy::print_stdout, reason = "a program whose output is its figures")]

use std::process::ExitCode;

use sandlock::fuzz::{Abi, Table, Walls, filter_program};

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else { return ExitCode::FAILURE };
    let Ok(Ok(table)) = std::fs::read(path).map(Table::open) else { return ExitCode::FAILURE };
    for instruction in filter_program(Walls::of(&table, Abi::of_kernel(), false, false, false)) {
        println!("{} {} {} {}", instruction.code, instruction.jt, instruction.jf, instruction.k);
    }
    ExitCode::SUCCESS
}
