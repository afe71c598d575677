//! Losses that a person approved, by policy.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::directory::ConnectorName;
use crate::store::link::Place;
use crate::store::{Store, StoreError, bitmap, numbers};

impl Store {
    /// What a person approved for this policy: these entries lost these fields, and that is how things are. What is
    /// carried again since is not among it.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn accept_losses(
        &self,
        place: Place,
        connector: &ConnectorName,
        losses: &BTreeMap<String, RoaringBitmap>,
    ) -> Result<(), StoreError> {
        if losses.is_empty() {
            return Ok(());
        }
        self.write(|writer| {
            let connector = numbers::of_connector(writer, connector)?;
            let mut lost = writer.prepare_cached(
                "SELECT coverage.lost, accepted.lost FROM coverage
                 LEFT JOIN accepted ON accepted.policy = ?1 AND accepted.connector = ?2 AND accepted.field = ?3
                 WHERE coverage.connector = ?2 AND coverage.field = ?3",
            )?;
            let mut accept = writer.prepare_cached(
                "INSERT OR REPLACE INTO accepted (policy, connector, field, lost) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (field, rows) in losses {
                let found = lost
                    .query_row(params![place.policy, connector, field], |row| {
                        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?))
                    })
                    .optional()?;
                let Some((lost, before)) = found else { continue };
                let before = before.map_or_else(|| Ok(RoaringBitmap::new()), |bytes| bitmap::read(&bytes))?;
                let rows = (rows | before) & bitmap::read(&lost)?;
                accept.execute(params![place.policy, connector, field, bitmap::write(&rows)?])?;
            }
            Ok(())
        })
    }

    /// What was approved of the losses of this connector's entries for this policy.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn accepted_losses(
        &self,
        place: Place,
        connector: &ConnectorName,
    ) -> Result<BTreeMap<String, RoaringBitmap>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT field, lost FROM accepted
                 WHERE policy = ?1 AND connector = (SELECT id FROM connector WHERE name = ?2)",
            )?;
            let rows = statement.query_map(params![place.policy, connector.as_str()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
            })?;
            rows.map(|row| {
                row.map_err(StoreError::from).and_then(|(field, lost)| Ok((field, bitmap::read(&lost)?)))
            })
            .collect()
        })
    }
}

/// What is carried again was approved for that one loss, and not for the next.
pub(super) fn end_acceptance(
    writer: &Transaction<'_>,
    connector: i64,
    field: &str,
    lost: &RoaringBitmap,
) -> Result<(), StoreError> {
    let accepted: Vec<(i64, Vec<u8>)> = writer
        .prepare_cached("SELECT policy, lost FROM accepted WHERE connector = ?1 AND field = ?2")?
        .query_map(params![connector, field], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (policy, before) in accepted {
        let before = bitmap::read(&before)?;
        let left = &before & lost;
        let key = params![policy, connector, field];
        if left.is_empty() {
            writer
                .prepare_cached("DELETE FROM accepted WHERE policy = ?1 AND connector = ?2 AND field = ?3")?
                .execute(key)?;
        } else if left != before {
            writer
                .prepare_cached(
                    "UPDATE accepted SET lost = ?4 WHERE policy = ?1 AND connector = ?2 AND field = ?3",
                )?
                .execute(params![policy, connector, field, bitmap::write(&left)?])?;
        }
    }
    Ok(())
}
