//! What a feed told of the members of one group, added up.

use roaring::RoaringBitmap;

/// What was told of the members of one group.
#[derive(Debug, Default)]
pub(super) struct MembersTold {
    /// Who went, unless they came again.
    pub(super) removed: RoaringBitmap,
    /// Who came, unless they went again.
    pub(super) added: RoaringBitmap,
}

impl MembersTold {
    pub(super) fn then(&mut self, added: &RoaringBitmap, removed: &RoaringBitmap) {
        self.added -= removed;
        self.added |= added;
        self.removed |= removed;
        self.removed -= added;
    }
}
