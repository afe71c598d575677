//! Compact sets of numbers that are kept for long: four bytes each, because most sets are small and their numbers far
//! apart.

use roaring::RoaringBitmap;

/// A set of numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberSet(Box<[u32]>);

impl NumberSet {
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied()
    }

    /// Whether one of these is in it.
    pub(super) fn has_one_of(&self, these: &RoaringBitmap) -> bool {
        // Either is looked up in the other, whichever are fewer.
        if these.len() < self.0.len() as u64 / 8 {
            these.iter().any(|number| self.0.binary_search(&number).is_ok())
        } else {
            self.0.iter().any(|number| these.contains(*number))
        }
    }
}

impl From<&RoaringBitmap> for NumberSet {
    fn from(numbers: &RoaringBitmap) -> Self {
        Self(numbers.iter().collect())
    }
}

impl From<&NumberSet> for RoaringBitmap {
    fn from(NumberSet(numbers): &NumberSet) -> Self {
        // They are in order, so nothing is searched for.
        let mut bitmap = Self::new();
        bitmap.extend(numbers.iter().copied());
        bitmap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_looking_find_the_same() {
        let numbers: RoaringBitmap = (0..1000).step_by(7).collect();
        let few = NumberSet::from(&numbers);
        assert_eq!(RoaringBitmap::from(&few), numbers);
        for (these, there) in
            [(vec![7], true), (vec![8], false), ((8..12).collect(), false), ((0..900).collect(), true)]
        {
            assert_eq!(few.has_one_of(&these.iter().copied().collect()), there, "{these:?}");
        }
        assert!(!NumberSet::default().has_one_of(&numbers));
    }
}
