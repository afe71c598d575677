//! How to print what waits.

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use crate::cli::Exit;
use crate::cli::out::Out;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Table,
    Json,
    Csv,
}

/// Prints a list in one of the output formats.
pub(super) type Print<T> = fn(&mut Out<'_>, &[T]) -> Result<()>;

impl Output {
    pub(super) fn print<T: Serialize>(
        self,
        out: &mut Out<'_>,
        all: &[T],
        table: Print<T>,
        csv: Print<T>,
    ) -> Result<Exit> {
        match self {
            Self::Table => table(out, all)?,
            Self::Json => out.json(all)?,
            Self::Csv => csv(out, all)?,
        }
        Ok(Exit::Fine)
    }
}
