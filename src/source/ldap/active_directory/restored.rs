//! Detects entries that were deleted and restored (MS-ADTS 3.1.1.5.3.7). They have lost their groups, or regained them
//! with the recycle bin, and in both cases no group counts as changed.

use super::dialect::ActiveDirectory;
use crate::directory::Anchor;
use crate::source::SourceError;
use crate::source::ldap::ask::AT_ONCE;
use crate::source::ldap::search::{Search, SearchItem};
use crate::source::ldap::session::Session;
use crate::source::schema::active_directory as schema;

/// When each attribute was changed last.
const METADATA: &str = "replPropertyMetaData";
/// The number of `isDeleted` (1.2.840.113556.1.2.48) in it, which is the same everywhere.
const IS_DELETED: u32 = 0x2_0030;
/// Of the list, and of one attribute in it.
const HEADER: usize = 16;
const STAMP: usize = 48;

/// Whether one of those `remembered` to have been somewhere else has come back from among the deleted at `from` or
/// later. One of whom that is not to be seen has.
pub(super) async fn since(
    session: &mut Session<ActiveDirectory>,
    context: &str,
    remembered: &[Anchor],
    from: u64,
) -> Result<bool, SourceError> {
    for some in remembered.chunks(AT_ONCE) {
        let ids: String = some.iter().map(schema::guid_filter).collect();
        let query = session.query(context.to_owned(), format!("(|{ids})"), vec![METADATA.to_owned()]);
        let mut search = Search::new(&mut session.connection, query);
        let mut back = false;
        while let Some(found) = search.next(0).await? {
            let SearchItem::Entry(raw) = found else { continue };
            let metadata = raw.attributes.values("replpropertymetadata").next();
            let changed = metadata.and_then(|metadata| changed(metadata, IS_DELETED));
            back |= changed.is_none_or(|changed| changed >= from);
        }
        if back {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The update sequence number, on this domain controller, of an attribute's last change; 0 if there was none. A header
/// (the version, 4 octets, and after four more how many follow) and for each attribute its number (4), how often it was
/// changed (4), when (8), by whom (16), the number there (8), the number here (8).
fn changed(metadata: &[u8], attribute: u32) -> Option<u64> {
    let (header, stamps) = metadata.split_at_checked(HEADER)?;
    let count =
        header.strip_prefix(&[1, 0, 0, 0, 0, 0, 0, 0])?.first_chunk().copied().map(u32::from_le_bytes)?;
    let mut stamps = stamps.get(..usize::try_from(count).ok()?.checked_mul(STAMP)?)?.chunks_exact(STAMP);
    let stamp = stamps.find(|stamp| stamp.starts_with(&attribute.to_le_bytes()));
    Some(stamp.and_then(|stamp| stamp.last_chunk().copied()).map_or(0, u64::from_le_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_last_change_of_an_attribute() {
        let stamp = |attribute: u32, number: u64| {
            let mut stamp = vec![7; STAMP];
            stamp[..4].copy_from_slice(&attribute.to_le_bytes());
            stamp[40..].copy_from_slice(&number.to_le_bytes());
            stamp
        };
        let header = [1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0].to_vec();
        let metadata = [header, stamp(3, 4000), stamp(IS_DELETED, 4006), stamp(0x9_0001, 3)].concat();
        assert_eq!(changed(&metadata, IS_DELETED), Some(4006));
        assert_eq!(changed(&metadata, 3), Some(4000));
        assert_eq!(changed(&metadata, 4), Some(0));
        // Cut short, in another form, or nothing at all.
        assert_eq!(changed(&metadata[..metadata.len() - 1], IS_DELETED), None);
        assert_eq!(changed(&[&[2], &metadata[1..]].concat(), IS_DELETED), None);
        assert_eq!(changed(b"short", IS_DELETED), None);
    }
}
