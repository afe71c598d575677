//! Bitmaps of row numbers, in roaring's portable format.

use roaring::RoaringBitmap;

use super::StoreError;

/// From a stored blob.
pub(crate) fn read(bytes: &[u8]) -> Result<RoaringBitmap, StoreError> {
    RoaringBitmap::deserialize_from(bytes).map_err(|error| StoreError::Damaged(format!("a bitmap: {error}")))
}

/// To a blob.
pub(crate) fn write(bitmap: &RoaringBitmap) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap.serialize_into(&mut bytes).map_err(|error| StoreError::Damaged(format!("a bitmap: {error}")))?;
    Ok(bytes)
}
