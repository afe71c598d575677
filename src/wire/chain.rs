//! The chain that binds the batches of one read to each other, to the question that they answer, and to its end.
//!
//! A batch is sent in parts. Each part names the digest of all parts before it, the first one that of the question. The end names how
//! many parts there were, and the digest of all of them.

use sha2::{Digest as _, Sha256};

use super::seal::Seal;
use super::work::Task;
use crate::hex;

const OF_A_QUESTION: &[u8] = b"rollcall engine: a read\n";
const OF_A_PART: &[u8] = b"rollcall engine: a part\n";
/// The digest before a part, and whether it is the last one of its batch.
const HEAD: usize = 33;

/// Where a chain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The number of the next part.
    next: u64,
    /// Of all parts so far.
    digest: [u8; 32],
    /// Of the last part alone: it may come again, if its receipt was lost.
    last: Option<[u8; 32]>,
}

/// What a part is to a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken<'a> {
    /// The next one: what is in it, whether it ends its batch, and the chain with it.
    New {
        /// What is in it.
        part: &'a [u8],
        /// Whether it ends its batch.
        ends: bool,
        /// The chain with it.
        chain: Chain,
    },
    /// The last one again.
    Again,
}

/// Why a part or an end does not fit a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Parts before it are missing.
    #[error("part {came} came where part {next} is next: parts are missing")]
    Missing {
        /// Its number.
        came: u64,
        /// The number of the next one.
        next: u64,
    },
    /// It came before.
    #[error("part {came} came again, and part {next} is next")]
    Repeated {
        /// Its number.
        came: u64,
        /// The number of the next one.
        next: u64,
    },
    /// It is another one than it says, or of another read.
    #[error("part {0} does not follow the part before it: it was altered, or is of another read")]
    Foreign(u64),
    /// It is none.
    #[error("part {0} is cut off")]
    Cut(u64),
    /// The end is of other parts than came.
    #[error("the end does not belong to the parts that came")]
    End,
}

impl Chain {
    /// The chain of a read that answers this question, as it was sent.
    pub fn of(task: &str, question: &[u8]) -> Self {
        let mut digest = Sha256::new_with_prefix(OF_A_QUESTION);
        digest.update((task.len() as u64).to_be_bytes());
        digest.update(task);
        digest.update(question);
        Self { next: 0, digest: digest.finalize().into(), last: None }
    }

    /// The chain of a task.
    pub fn of_task(task: &Task) -> Self {
        // It is written as it was read: no field of it can be lost on the way.
        Self::of(&task.id, &serde_json::to_vec(task).unwrap_or_default())
    }

    /// The number of the next part.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The next part, as it is sent, and the chain with it.
    #[must_use]
    pub fn part(&self, part: &[u8], ends: bool) -> (Vec<u8>, Self) {
        let framed = [&self.digest[..], &[u8::from(ends)], part].concat();
        let chain = self.with(&framed);
        (framed, chain)
    }

    /// What a part that came is to this chain. The chain stays as it is.
    ///
    /// # Errors
    /// When it is not the next one, nor the last one again.
    pub fn take<'a>(&self, number: u64, framed: &'a [u8]) -> Result<Taken<'a>, Broken> {
        if number > self.next {
            return Err(Broken::Missing { came: number, next: self.next });
        }
        if number < self.next {
            let is_last = number + 1 == self.next && self.last == Some(of_part(framed));
            let other = if number + 1 == self.next {
                Broken::Foreign(number)
            } else {
                Broken::Repeated { came: number, next: self.next }
            };
            return if is_last { Ok(Taken::Again) } else { Err(other) };
        }
        let (head, part) = framed.split_at_checked(HEAD).ok_or(Broken::Cut(number))?;
        let (digest, ends) = head.split_at(HEAD - 1);
        if digest != self.digest {
            return Err(Broken::Foreign(number));
        }
        let ends = match ends {
            [0] => false,
            [1] => true,
            _ => return Err(Broken::Foreign(number)),
        };
        Ok(Taken::New { part, ends, chain: self.with(framed) })
    }

    /// Its end.
    pub fn seal(&self) -> Seal {
        Seal { parts: self.next, digest: hex::encode(&self.digest) }
    }

    /// Whether this is its end.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, seal: &Seal) -> Result<(), Broken> {
        if *seal == self.seal() { Ok(()) } else { Err(Broken::End) }
    }

    fn with(&self, framed: &[u8]) -> Self {
        let last = of_part(framed);
        let mut digest = Sha256::new_with_prefix(OF_A_PART);
        digest.update(self.digest);
        digest.update(self.next.to_be_bytes());
        digest.update(last);
        Self { next: self.next + 1, digest: digest.finalize().into(), last: Some(last) }
    }
}

fn of_part(framed: &[u8]) -> [u8; 32] {
    Sha256::digest(framed).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chain() -> Chain {
        Chain::of("task", b"question")
    }

    /// Parts as they are sent, and the chain after them.
    fn sent(parts: &[Vec<u8>]) -> (Vec<Vec<u8>>, Chain) {
        let mut at = chain();
        let framed = parts.iter().map(|part| {
            let (framed, next) = at.part(part, true);
            at = next;
            framed
        });
        (framed.collect(), at)
    }

    /// What comes of parts with these numbers, and whether the end fits.
    fn received(parts: &[(u64, Vec<u8>)], seal: &Seal) -> Result<Vec<Vec<u8>>, Broken> {
        let (mut at, mut came) = (chain(), Vec::new());
        for (number, framed) in parts {
            if let Taken::New { part, chain, .. } = at.take(*number, framed)? {
                came.push(part.to_vec());
                at = chain;
            }
        }
        at.check(seal).map(|()| came)
    }

    fn numbered(parts: Vec<Vec<u8>>) -> Vec<(u64, Vec<u8>)> {
        (0..).zip(parts).collect()
    }

    proptest! {
        #[test]
        fn what_comes_whole_is_what_was_sent(parts: Vec<Vec<u8>>, again in any::<prop::sample::Index>()) {
            let (framed, end) = sent(&parts);
            let mut numbered = numbered(framed);
            if !numbered.is_empty() {
                let again = again.index(numbered.len());
                numbered.insert(again, numbered[again].clone());
            }
            prop_assert_eq!(received(&numbered, &end.seal()), Ok(parts));
        }

        #[test]
        fn nothing_else_looks_whole(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..6),
            what in 0..6,
            one in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(),
            bit in any::<prop::sample::Index>(),
            renumbered: bool,
        ) {
            let (framed, end) = sent(&parts);
            let (one, other) = (one.index(framed.len()), other.index(framed.len()));
            let mut came = numbered(framed);
            let whole = came.clone();
            match what {
                0 => drop(came.remove(one)),
                1 => came.swap(one, other),
                2 => { let again = came[one].clone(); came.push(again); }
                3 => { let bit = bit.index(came[one].1.len() * 8); came[one].1[bit / 8] ^= 1 << (bit % 8); }
                4 => came.truncate(one),
                _ => { let cut = bit.index(came[one].1.len()); came[one].1.truncate(cut); }
            }
            if renumbered {
                came = numbered(came.into_iter().map(|(_, part)| part).collect());
            }
            prop_assume!(came != whole);
            // The last one may come again: that is no other read.
            let again = what == 2 && one + 1 == whole.len() && !renumbered;
            prop_assert_eq!(received(&came, &end.seal()).is_ok(), again);
        }
    }

    #[test]
    fn a_chain_is_of_its_question_and_its_task() {
        let (part, after) = chain().part(b"x", true);
        for other in
            [Chain::of("task", b"other"), Chain::of("other", b"question"), Chain::of("taskq", b"uestion")]
        {
            assert_eq!(other.take(0, &part), Err(Broken::Foreign(0)));
            let (own, at) = other.part(b"x", true);
            assert_ne!((own, at.seal()), (part.clone(), after.seal()));
        }
        let (open, _) = chain().part(b"x", false);
        assert!(matches!(chain().take(0, &open), Ok(Taken::New { ends: false, .. })));
        assert_eq!(after.take(0, &open), Err(Broken::Foreign(0)), "another one under the same number");
        let two = after.part(b"y", true).1;
        assert_eq!(two.take(0, &part), Err(Broken::Repeated { came: 0, next: 2 }));
        assert_eq!(chain().take(1, &part), Err(Broken::Missing { came: 1, next: 0 }));
    }
}
