//! Something for each number, where numbers are dense: a million members are looked up one by one.

/// By number of a subject, a row or a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dense<T>(Vec<Option<T>>);

impl<T> Dense<T> {
    /// Room for numbers below `next`.
    pub(crate) fn with_room(next: u32) -> Self {
        Self(Vec::with_capacity(next as usize))
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.0.get(number as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.0.get_mut(number as usize)?.as_mut()
    }

    /// The place of that number.
    pub(crate) fn at(&mut self, number: u32) -> &mut Option<T> {
        let at = number as usize;
        if at >= self.0.len() {
            self.0.resize_with(at + 1, || None);
        }
        &mut self.0[at]
    }

    /// All, by ascending number.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// All, by ascending number, to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }

    /// How many there are at most.
    pub(crate) fn at_most(&self) -> usize {
        self.0.len()
    }
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
