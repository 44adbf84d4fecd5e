//! Classic BPF from a decision, as short as it goes: equal parts of it exist once, however often they are reached.
//!
//! Length is what installing a filter costs: the kernel checks, converts and translates each instruction, in
//! several rounds, before a command starts. Jumps lead forward only, so the program is laid out from its end:
//! what a question leads to is there before the question is.

use super::{Decision, Question, Test, Word};
use crate::sys::seccomp::Instruction;

pub(super) const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
pub(super) const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
pub(super) const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
pub(super) const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
pub(super) const JUMP_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
pub(super) const JUMP_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
pub(super) const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// About how many instructions a filter has.
const USUAL: usize = 256;
/// Slots of the index, a power of two: some four times as many as a filter has parts.
const SLOTS: usize = 1024;
/// Parts that the index takes. A longer program may have equal parts more than once.
const MOST_KNOWN: usize = SLOTS / 4 * 3;

/// Where a part of the program begins: the number of instructions from there to the end, less one. The kernel
/// takes no program that is longer than such a number can say.
type Place = u16;

/// A part, by what it does. Two that are equal here do the same, whatever led to them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Return(u32),
    /// `is_loaded`: it begins behind its load.
    Ask {
        word: Word,
        mask: u32,
        test: Test,
        yes: Place,
        no: Place,
        is_loaded: bool,
    },
}

impl Part {
    /// The slot to begin at: what tells parts apart, in one number, spread. Nobody outside chooses the parts.
    fn slot(&self) -> usize {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 divided by the golden ratio: neighbours get far from each other (Knuth, volume 3, 6.4)
        let (value, yes, no) = match *self {
            Self::Return(code) => (code, 0, 0),
            Self::Ask {
                test: Test::Is(value) | Test::AtLeast(value) | Test::AnyOf(value), yes, no, ..
            } => (value, yes, no),
        };
        let number = u64::from(value) ^ (u64::from(yes) << 32) ^ (u64::from(no) << 48);
        let product = number.wrapping_mul(GOLDEN);
        // Upper bits of the number are in upper bits of the product only.
        usize::try_from(product >> (u64::BITS - SLOTS.trailing_zeros())).unwrap_or(0)
    }
}

/// A program, from its last instruction to its first.
struct Layout {
    reversed: Vec<Instruction>,
    /// The parts there are and where they begin.
    parts: Vec<(Part, Place)>,
    /// Where in `parts` one is, plus one; 0: nothing. Each page that memory is taken of costs a start as much
    /// as a dozen parts, so this is small, and what it leads to is in one piece.
    index: [u16; SLOTS],
}

impl Layout {
    /// The place of a decision, which is laid out if no equal part is there. `loaded`: the word and mask that
    /// the accumulator holds when it is reached.
    fn place(&mut self, decision: &Decision, loaded: Option<(Word, u32)>) -> Place {
        let question = match decision {
            Decision::Return(action) => {
                let code = action.code();
                return match self.known(&Part::Return(code)) {
                    Some(place) => place,
                    None => self.begin(Part::Return(code), RETURN, code, [0, 0]),
                };
            }
            Decision::Ask(question) => question.as_ref(),
        };
        let Question { word, mask, test, ref yes, ref no } = *question;
        if yes == no {
            return self.place(yes, loaded);
        }
        let now = Some((word, mask));
        let (no_place, yes_place) = (self.place(no, now), self.place(yes, now));
        let part = |is_loaded| Part::Ask { word, mask, test, yes: yes_place, no: no_place, is_loaded };
        if let Some(place) = self.known(&part(loaded == now)) {
            return place;
        }
        let (code, k) = match test {
            Test::Is(value) => (JUMP_EQUAL, value),
            Test::AtLeast(value) => (JUMP_AT_LEAST, value),
            Test::AnyOf(bits) => (JUMP_ANY_BIT, bits),
        };
        // The other branch may have its own JA, one instruction.
        let no = self.within_reach(no_place, 1);
        let yes = self.within_reach(yes_place, 0);
        let distances = [self.distance(yes), self.distance(no)];
        let place = self.begin(part(true), code, k, distances);
        if loaded == now {
            return place;
        }
        if mask != u32::MAX {
            self.push(AND, mask, [0, 0]);
        }
        self.begin(part(false), LOAD, word.offset(), [0, 0])
    }

    /// The slot that leads to that part, or the free one where it would be.
    fn slot(&self, part: &Part) -> (usize, Option<Place>) {
        let mut slot = part.slot();
        loop {
            let at = self.index.get(slot).copied().unwrap_or(0);
            match usize::from(at).checked_sub(1).and_then(|at| self.parts.get(at)) {
                None => return (slot, None),
                Some((known, place)) if known == part => return (slot, Some(*place)),
                Some(_) => slot = (slot + 1) % SLOTS,
            }
        }
    }

    fn known(&self, part: &Part) -> Option<Place> {
        self.slot(part).1
    }

    fn begin(&mut self, part: Part, code: u16, k: u32, jumps: [usize; 2]) -> Place {
        let place = self.push(code, k, jumps);
        let (slot, _) = self.slot(&part);
        if self.parts.len() < MOST_KNOWN
            && let Some(at) = self.index.get_mut(slot)
        {
            self.parts.push((part, place));
            *at = u16::try_from(self.parts.len()).unwrap_or(0);
        }
        place
    }

    fn push(&mut self, code: u16, k: u32, jumps: [usize; 2]) -> Place {
        // `within_reach` has seen to it that they fit.
        let [jt, jf] = jumps.map(|jump| u8::try_from(jump).unwrap_or(u8::MAX));
        self.reversed.push(Instruction { code, jt, jf, k });
        Place::try_from(self.reversed.len() - 1).unwrap_or(Place::MAX)
    }

    /// How far the next instruction has to jump to get there.
    fn distance(&self, place: Place) -> usize {
        self.reversed.len().saturating_sub(usize::from(place) + 1)
    }

    /// That place, or a JA to it, which reaches any distance: a conditional jump reaches 255 instructions.
    /// `room` more will come in between.
    fn within_reach(&mut self, place: Place, room: usize) -> Place {
        if u8::try_from(self.distance(place) + room).is_ok() {
            return place;
        }
        let far = u32::try_from(self.distance(place)).unwrap_or(u32::MAX);
        self.push(JUMP, far, [0, 0])
    }
}

/// The program for a decision.
pub fn assemble(decision: &Decision) -> Vec<Instruction> {
    let parts = Vec::with_capacity(USUAL);
    let mut layout = Layout { reversed: Vec::with_capacity(USUAL), parts, index: [0; SLOTS] };
    layout.place(decision, None);
    layout.reversed.reverse();
    layout.reversed
}

#[cfg(test)]
mod tests {
    use super::super::interpreter::{Sample, interpret};
    use super::super::{Action, ask, ask_any, ask_masked};
    use super::*;

    fn run(program: &[Instruction], nr: u32, first: u64, second: u64) -> u32 {
        interpret(program, &Sample { nr, arch: 0, args: [first, second, 0, 0, 0, 0] }).0
    }

    #[test]
    fn a_branch_longer_than_a_conditional_jump_is_reached() {
        let mut long: Decision = Action::Kill.into();
        for value in 0..300 {
            long = ask(Word::Low(1), Test::Is(value), Action::Refuse(1), long);
        }
        for other in [Action::Notify, Action::Kill] {
            let program = assemble(&ask(Word::Low(0), Test::Is(7), long.clone(), other));
            assert!(program.len() > 300);
            for second in 0..300 {
                assert_eq!(run(&program, 0, 7, second), Action::Refuse(1).code());
            }
            assert_eq!(run(&program, 0, 7, 300), Action::Kill.code());
            assert_eq!(run(&program, 0, 8, 0), other.code());
        }
    }

    #[test]
    fn what_is_equal_is_there_once() {
        let inner =
            || ask_any(Word::Low(1), 0xf, &[1, 2, 3], &Action::Refuse(1).into(), Action::Allow.into());
        let program = assemble(&ask(
            Word::Number,
            Test::Is(7),
            inner(),
            ask(Word::Number, Test::Is(8), inner(), Action::Allow),
        ));
        // Load, two questions; load, mask, three questions; two returns.
        assert_eq!(program.len(), 10);
        for (nr, second, expected) in [(7, 2, 1), (8, 0x13, 1)] {
            assert_eq!(run(&program, nr, 0, second), Action::Refuse(expected).code());
        }
        for (nr, second) in [(7, 4), (8, 0), (9, 1)] {
            assert_eq!(run(&program, nr, 0, second), Action::Allow.code());
        }
    }

    #[test]
    fn a_word_is_loaded_where_what_leads_there_has_not() {
        // The same question, reached with its word loaded, with another mask of it, and with another word.
        let shared = || ask(Word::Low(0), Test::Is(0x15), Action::Refuse(1), Action::Refuse(2));
        let masked = ask_masked(Word::Low(0), 0xf, Test::Is(5), shared(), Action::Refuse(3));
        let tree = ask(Word::Low(0), Test::AtLeast(0x100), shared(), masked);
        let tree = ask(Word::Low(1), Test::Is(1), shared(), tree);
        let program = assemble(&tree);
        for (first, second, expected) in
            [(0x15, 1, 1), (0x16, 1, 2), (0x15, 0, 1), (0x25, 0, 2), (0x16, 0, 3), (0x115, 0, 2)]
        {
            assert_eq!(run(&program, 0, first, second), Action::Refuse(expected).code(), "{first:#x}");
        }
    }

    #[test]
    fn a_question_whose_answers_are_the_same_is_not_asked() {
        let same = || ask(Word::Low(0), Test::Is(1), Action::Allow, Action::Notify);
        let program = assemble(&ask(Word::Low(0), Test::AtLeast(9), same(), same()));
        assert_eq!(program.len(), 4);
        assert_eq!(run(&program, 0, 1, 0), Action::Allow.code());
        assert_eq!(run(&program, 0, 10, 0), Action::Notify.code());
    }
}
