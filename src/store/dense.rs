//! A map from dense numbers to values, for fast look-up of a million members. If only a few are set, only those use
//! memory.

/// So many are next to each other.
const PAGE: usize = 32;

/// By number of a subject, a row or a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dense<T>(Vec<Option<Box<[Option<T>; PAGE]>>>);

impl<T> Dense<T> {
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (page, at) = place(number);
        self.0.get(page)?.as_ref()?.get(at)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (page, at) = place(number);
        self.0.get_mut(page)?.as_mut()?.get_mut(at)?.as_mut()
    }

    /// The place of that number.
    pub(crate) fn at(&mut self, number: u32) -> &mut Option<T> {
        let (page, at) = place(number);
        if page >= self.0.len() {
            self.0.resize_with(page + 1, || None);
        }
        let page = self.0[page].get_or_insert_with(|| Box::new([const { None }; PAGE]));
        &mut page[at]
    }

    /// Takes away what is there.
    pub(crate) fn take(&mut self, number: u32) -> Option<T> {
        let (page, at) = place(number);
        self.0.get_mut(page)?.as_mut()?.get_mut(at)?.take()
    }

    /// All with their numbers, by ascending number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let pages = (0..).step_by(PAGE).zip(&self.0);
        pages.flat_map(|(first, page)| {
            (first..)
                .zip(page.iter().flat_map(|page| page.iter()))
                .filter_map(|(number, value)| Some((number, value.as_ref()?)))
        })
    }

    /// All, by ascending number.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten().flat_map(|page| page.iter().flatten())
    }

    /// All, by ascending number, for good.
    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        self.0.into_iter().flatten().flat_map(|page| page.into_iter().flatten())
    }

    /// All, by ascending number, to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten().flat_map(|page| page.iter_mut().flatten())
    }
}

fn place(number: u32) -> (usize, usize) {
    let number = number as usize;
    (number / PAGE, number % PAGE)
}

impl<T> Default for Dense<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromIterator<(u32, T)> for Dense<T> {
    fn from_iter<I: IntoIterator<Item = (u32, T)>>(all: I) -> Self {
        let mut dense = Self::default();
        for (number, value) in all {
            *dense.at(number) = Some(value);
        }
        dense
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_apart_is_found_in_order() {
        let mut dense: Dense<u8> = [(0, 1), (31, 2), (32, 3), (100_000, 4)].into_iter().collect();
        assert_eq!(dense.iter().collect::<Vec<_>>(), [(0, &1), (31, &2), (32, &3), (100_000, &4)]);
        assert_eq!(dense.take(32), Some(3));
        assert_eq!((dense.get(32), dense.get(33), dense.get(100_001)), (None, None, None));
        assert_eq!(dense.values().copied().collect::<Vec<_>>(), [1, 2, 4]);
    }
}
