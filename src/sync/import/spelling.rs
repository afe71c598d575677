//! One id in several spellings: whoever exports an entry may write the octets of its UUID, or their text. Who is known is known
//! in whatever spelling the id comes.

use super::intake::Intake;
use crate::directory::Change;
use crate::store::StoreError;

impl Intake {
    /// The same change, of the entry by the spelling of its id under which it is known.
    pub(super) fn spelt(&mut self, change: Change) -> Result<Change, StoreError> {
        let Some(anchor) = change.anchor().filter(|_| self.info.is_some()) else { return Ok(change) };
        if self.importing.known(anchor)?.is_some() {
            return Ok(change);
        }
        for spelling in anchor.spellings() {
            if self.importing.known(&spelling)?.is_some() {
                return Ok(change.of(spelling));
            }
        }
        Ok(change)
    }
}
