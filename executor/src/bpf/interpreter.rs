//! Runs a program as the kernel would, for tests.

use super::assembler::{AND, JUMP, JUMP_ANY_BIT, JUMP_AT_LEAST, JUMP_EQUAL, LOAD, RETURN};
use crate::sys::seccomp::Instruction;

/// A system call as a filter sees it, for the interpreter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) nr: u32,
    pub(crate) arch: u32,
    pub(crate) args: [u64; 6],
}

/// Runs a program as the kernel would; returns the action's code and the number of instructions executed.
pub(crate) fn interpret(program: &[Instruction], sample: &Sample) -> (u32, usize) {
    let mut data = [0u8; 64];
    data[..4].copy_from_slice(&sample.nr.to_ne_bytes());
    data[4..8].copy_from_slice(&sample.arch.to_ne_bytes());
    for (index, arg) in sample.args.iter().enumerate() {
        data[16 + 8 * index..24 + 8 * index].copy_from_slice(&arg.to_ne_bytes());
    }
    let (mut pc, mut accumulator, mut executed) = (0usize, 0u32, 0usize);
    loop {
        let instruction = &program[pc];
        let k = instruction.k;
        executed += 1;
        pc += 1;
        let jump = |holds: bool| usize::from(if holds { instruction.jt } else { instruction.jf });
        match instruction.code {
            LOAD => accumulator = u32::from_ne_bytes(data[k as usize..k as usize + 4].try_into().unwrap()),
            AND => accumulator &= k,
            JUMP => pc += k as usize,
            JUMP_EQUAL => pc += jump(accumulator == k),
            JUMP_AT_LEAST => pc += jump(accumulator >= k),
            JUMP_ANY_BIT => pc += jump(accumulator & k != 0),
            RETURN => return (k, executed),
            other => panic!("instruction {other:#x} is not one we emit"),
        }
    }
}
