//! Decisions of a seccomp filter: a tree of tests whose leaves are actions. Knows the machine
//! (linux/filter.h, seccomp(2)), not the policy.

use std::rc::Rc;

mod assembler;
#[cfg(test)]
mod interpreter;

pub use assembler::assemble;
#[cfg(test)]
pub(crate) use interpreter::{Sample, interpret};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// The word, masked, is this value.
    Is(u32),
    /// The word is this value or greater.
    AtLeast(u32),
    /// Any of these bits is set.
    AnyOf(u32),
}

/// A decision: an action, or a question with two decisions. A copy is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The answer.
    Return(Action),
    /// It depends.
    Ask(Rc<Question>),
}

/// Load `word`, keep the bits of `mask`, ask `test`.
#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    /// Which word.
    pub word: Word,
    /// Bits of it that count.
    pub mask: u32,
    /// What is asked.
    pub test: Test,
    /// When it holds.
    pub yes: Decision,
    /// When it does not.
    pub no: Decision,
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
    Decision::Ask(Rc::new(Question { word, mask, test, yes: yes.into(), no: no.into() }))
}

/// `if any of values equals word & mask { yes } else { no }`
pub fn ask_any(word: Word, mask: u32, values: &[u32], yes: &Decision, no: Decision) -> Decision {
    select(word, mask, values.iter().map(|value| (*value, yes.clone())), no)
}

/// A decision by the value of `word & mask`: one question for each case, which is as short as a program can be.
pub fn select(
    word: Word,
    mask: u32,
    cases: impl IntoIterator<Item = (u32, Decision), IntoIter: DoubleEndedIterator>,
    otherwise: Decision,
) -> Decision {
    cases
        .into_iter()
        .rev()
        .fold(otherwise, |rest, (value, decision)| ask_masked(word, mask, Test::Is(value), decision, rest))
}

/// Values in ascending order, each with the decision that holds from there to the next.
pub type Runs = Vec<(u32, Decision)>;

/// The runs of a decision by single values (ascending), with `otherwise` in between.
pub fn runs(cases: &[(u32, Decision)], otherwise: &Decision) -> Runs {
    let mut runs = vec![(0, otherwise.clone())];
    for (value, decision) in cases {
        // The case before ends where this one begins.
        runs.pop_if(|(begin, _)| *begin == *value);
        for (begin, decision) in [(*value, decision), (value + 1, otherwise)] {
            if runs.last().is_none_or(|(_, last)| last != decision) {
                runs.push((begin, decision.clone()));
            }
        }
    }
    runs
}

/// A search by the value of `word` for the run it is in. Halves not the number of runs but the values up to
/// `end`, so that few questions are asked of most of them.
pub fn search(word: Word, runs: &[(u32, Decision)], end: u32) -> Decision {
    match runs {
        [] => Action::Kill.into(),
        [(_, only)] => only.clone(),
        [(_, around), (value, alone), (next, again)] if around == again && *next == value + 1 => {
            ask(word, Test::Is(*value), alone.clone(), around.clone())
        }
        [(begin, _), rest @ ..] => {
            let half = begin.midpoint(end);
            let nearest = rest.iter().enumerate().min_by_key(|(_, (begin, _))| begin.abs_diff(half));
            let (index, pivot) = nearest.map_or((0, *begin), |(index, (pivot, _))| (index + 1, *pivot));
            let (below, above) = runs.split_at(index);
            ask(word, Test::AtLeast(pivot), search(word, above, end), search(word, below, pivot))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(n: u32) -> Action {
        Action::Refuse(n.cast_signed())
    }

    #[test]
    fn select_finds_every_case_and_nothing_else() {
        let cases = (0..7u32).map(|n| (n * 3 + 1, refuse(n + 1).into()));
        let program = assemble(&select(Word::Number, 0xff, cases, Action::Allow.into()));
        for nr in 0..600u32 {
            let (code, _) = interpret(&program, &Sample { nr, arch: 0, args: [0; 6] });
            let kept = nr & 0xff;
            let listed = kept % 3 == 1 && kept < 21;
            let expected = if listed { refuse(kept / 3 + 1) } else { Action::Allow };
            assert_eq!(code, expected.code(), "nr {nr}");
        }
    }

    #[test]
    fn a_search_finds_every_run_and_asks_few_questions_where_most_values_are() {
        // Neighbours, equal neighbours, the first value, the last.
        let listed = [0, 7, 20, 21, 22, 40, 41, 43, 90, 300, 301, 302, 303, 304, 511, u32::MAX - 1];
        let decision =
            |value: u32| if (21..=22).contains(&value) { refuse(21) } else { refuse(value & 0xfff) };
        let cases = listed.map(|value| (value, decision(value).into()));
        let mut runs = runs(&cases, &Action::Allow.into());
        runs.push((u32::MAX, Action::Kill.into()));
        let program = assemble(&search(Word::Number, &runs, 512));
        let mut asked = 0;
        for nr in (0..600u32).chain(u32::MAX - 4..=u32::MAX) {
            let (code, executed) = interpret(&program, &Sample { nr, arch: 0, args: [0; 6] });
            let expected = match nr {
                u32::MAX => Action::Kill,
                _ if listed.contains(&nr) => decision(nr),
                _ => Action::Allow,
            };
            assert_eq!(code, expected.code(), "nr {nr}");
            asked += executed - 2;
        }
        assert!(asked < 600 * 4, "{asked} questions");
    }
}
