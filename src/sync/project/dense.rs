//! Something for each number, where numbers are dense: a million members are looked up one by one.

/// By number of a row or a name.
pub(super) struct Dense<T>(Vec<Option<T>>);

impl<T> Dense<T> {
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.0.get(number as usize)?.as_ref()
    }

    /// The place of that number.
    pub(super) fn at(&mut self, number: u32) -> &mut Option<T> {
        let at = number as usize;
        if at >= self.0.len() {
            self.0.resize_with(at + 1, || None);
        }
        &mut self.0[at]
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
