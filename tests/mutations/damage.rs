//! Damage, at random from a seed.

/// Where chance comes from (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { usize::try_from(self.next() % bound as u64).unwrap() }
    }

    /// A place in `bytes`, and one behind it that is near.
    fn range(&mut self, bytes: &[u8]) -> (usize, usize) {
        let from = self.below(bytes.len() + 1);
        let length = [1, 4, 30, 300][self.below(4)];
        (from, bytes.len().min(from + self.below(length + 1)))
    }
}

/// Damages `bytes` in one to four ways; they become a little longer at most.
pub(crate) fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let (from, to) = dice.range(bytes);
        match dice.below(9) {
            // What must not be is often at a line's end or a length.
            0 if from < bytes.len() => bytes[from] ^= 1 << dice.below(8),
            1 if from < bytes.len() => bytes[from] = [0, b'\n', b' ', b':', 0x7f, 0x80, 0xff][dice.below(7)],
            2 => drop(bytes.drain(from..to)),
            3 => {
                let twice = bytes[from..to].to_vec();
                bytes.splice(to..to, twice);
            }
            4 => {
                let moved: Vec<u8> = bytes.drain(from..to).collect();
                let at = dice.below(bytes.len() + 1);
                bytes.splice(at..at, moved);
            }
            5 if dice.below(4) == 0 => bytes.truncate(from),
            6 => bytes[from..to].reverse(),
            7 => {
                let random =
                    (0..dice.below(8)).map(|_| u8::try_from(dice.below(256)).unwrap()).collect::<Vec<_>>();
                bytes.splice(from..from, random);
            }
            _ => swap_lines(bytes, dice),
        }
    }
}

fn swap_lines(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
    if one < lines.len() && other < lines.len() {
        lines.swap(one, other);
    }
    *bytes = lines.concat();
}
