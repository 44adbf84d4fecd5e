//! A tiny assembler for seccomp filters: decisions as a tree of tests whose leaves are actions, turned into classic BPF. Knows the
//! machine (linux/filter.h, seccomp(2)), not the policy.

use crate::sys::seccomp::Instruction;

/// What a filter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The call runs.
    Allow,
    /// The call is not made; the caller sees this errno (0: it sees success).
    Refuse(i32),
    /// The call goes to the supervisor.
    Notify,
    /// The process dies by SIGSYS.
    Kill,
}

impl Action {
    /// `SECCOMP_RET_*` with its data.
    pub fn code(self) -> u32 {
        match self {
            Self::Allow => 0x7fff_0000,
            Self::Refuse(errno) => 0x0005_0000 | (errno.cast_unsigned() & 0xffff),
            Self::Notify => 0x7fc0_0000,
            Self::Kill => 0x8000_0000,
        }
    }
}

/// A 32-bit word of `struct seccomp_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// System call number.
    Number,
    /// `AUDIT_ARCH_*`.
    Arch,
    /// Lower half of argument n. The kernel takes an `int` argument from these bits alone.
    Low(u8),
    /// Upper half of argument n.
    High(u8),
}

impl Word {
    fn offset(self) -> u32 {
        let (argument, upper) = match self {
            Self::Number => return 0,
            Self::Arch => return 4,
            Self::Low(argument) => (argument, false),
            Self::High(argument) => (argument, true),
        };
        16 + 8 * u32::from(argument) + if upper == cfg!(target_endian = "little") { 4 } else { 0 }
    }
}

/// A question about a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// The word, masked, is this value.
    Is(u32),
    /// The word is this value or greater.
    AtLeast(u32),
    /// Any of these bits is set.
    AnyOf(u32),
}

/// A decision: an action, or a question with two decisions.
#[derive(Clone, Debug)]
pub enum Decision {
    /// The answer.
    Return(Action),
    /// Load `word`, keep the bits of `mask`, ask `test`.
    Ask {
        /// Which word.
        word: Word,
        /// Bits of it that count.
        mask: u32,
        /// The question.
        test: Test,
        /// When it holds.
        yes: Box<Decision>,
        /// When it does not.
        no: Box<Decision>,
    },
}

impl From<Action> for Decision {
    fn from(action: Action) -> Self {
        Self::Return(action)
    }
}

/// `if word test { yes } else { no }`
pub fn ask(word: Word, test: Test, yes: impl Into<Decision>, no: impl Into<Decision>) -> Decision {
    ask_masked(word, u32::MAX, test, yes, no)
}

/// `if word & mask test { yes } else { no }`
pub fn ask_masked(
    word: Word,
    mask: u32,
    test: Test,
    yes: impl Into<Decision>,
    no: impl Into<Decision>,
) -> Decision {
    Decision::Ask { word, mask, test, yes: Box::new(yes.into()), no: Box::new(no.into()) }
}

/// `if any of values equals word & mask { yes } else { no }`
pub fn ask_any(word: Word, mask: u32, values: &[u32], yes: &Decision, no: Decision) -> Decision {
    values.iter().rev().fold(no, |rest, value| ask_masked(word, mask, Test::Is(*value), yes.clone(), rest))
}

/// A decision by the value of `word`: a balanced search over `cases` (ascending), `otherwise` for every other value.
pub fn select(word: Word, cases: &[(u32, Decision)], otherwise: &Decision) -> Decision {
    if let [(value, decision)] = cases {
        return ask(word, Test::Is(*value), decision.clone(), otherwise.clone());
    }
    let (below, above) = cases.split_at(cases.len() / 2);
    let Some((pivot, _)) = above.first() else { return otherwise.clone() };
    ask(word, Test::AtLeast(*pivot), select(word, above, otherwise), select(word, below, otherwise))
}

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const JUMP_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

/// Assembles a decision. `loaded` is the (word, mask) that the accumulator holds when it is reached.
fn emit(decision: &Decision, loaded: Option<(Word, u32)>, out: &mut Vec<Instruction>) {
    let (word, mask, test, yes, no) = match decision {
        Decision::Return(action) => return out.push(plain(RETURN, action.code())),
        Decision::Ask { word, mask, test, yes, no } => (*word, *mask, *test, yes, no),
    };
    if loaded != Some((word, mask)) {
        out.push(plain(LOAD, word.offset()));
        if mask != u32::MAX {
            out.push(plain(AND, mask));
        }
    }
    let now = Some((word, mask));
    let mut branch = Vec::new();
    emit(yes, now, &mut branch);
    let (code, k) = match test {
        Test::Is(value) => (JUMP_EQUAL, value),
        Test::AtLeast(value) => (JUMP_AT_LEAST, value),
        Test::AnyOf(bits) => (JUMP_ANY_BIT, bits),
    };
    if let Ok(skip) = u8::try_from(branch.len()) {
        out.push(Instruction { code, jt: 0, jf: skip, k });
    } else {
        // Conditional jumps reach 255 instructions; JA reaches any distance.
        out.push(Instruction { code, jt: 1, jf: 0, k });
        out.push(plain(JUMP, u32::try_from(branch.len()).unwrap_or(u32::MAX)));
    }
    out.append(&mut branch);
    emit(no, now, out);
}

/// The program for a decision.
pub fn assemble(decision: &Decision) -> Vec<Instruction> {
    let mut program = Vec::new();
    emit(decision, None, &mut program);
    program
}

/// A system call as a filter sees it, for the interpreter.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) nr: u32,
    pub(crate) arch: u32,
    pub(crate) args: [u64; 6],
}

/// Runs a program as the kernel would; returns the action's code and the number of instructions executed.
#[cfg(test)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_longer_than_a_conditional_jump_is_reached() {
        let mut long: Decision = Action::Kill.into();
        for value in 0..300 {
            long = ask(Word::Low(1), Test::Is(value), Action::Refuse(1), long);
        }
        let program = assemble(&ask(Word::Low(0), Test::Is(7), long, Action::Notify));
        let run = |first: u64, second: u64| {
            interpret(&program, &Sample { nr: 0, arch: 0, args: [first, second, 0, 0, 0, 0] }).0
        };
        assert_eq!(run(7, 299), Action::Refuse(1).code());
        assert_eq!(run(7, 300), Action::Kill.code());
        assert_eq!(run(8, 0), Action::Notify.code());
    }

    #[test]
    fn select_finds_every_case_and_nothing_else() {
        let cases: Vec<(u32, Decision)> =
            (0..37u32).map(|n| (n * 3 + 1, Action::Refuse(n.cast_signed() + 1).into())).collect();
        let program = assemble(&select(Word::Number, &cases, &Action::Allow.into()));
        for nr in 0..130u32 {
            let (code, executed) = interpret(&program, &Sample { nr, arch: 0, args: [0; 6] });
            let expected = if nr % 3 == 1 && nr < 111 {
                Action::Refuse(i32::try_from(nr / 3).unwrap() + 1)
            } else {
                Action::Allow
            };
            assert_eq!(code, expected.code(), "nr {nr}");
            assert!(executed <= 9, "{executed} instructions for nr {nr}");
        }
    }
}
