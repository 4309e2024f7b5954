//! Statements on many rows at once: most of what a row costs is the statement around it.
//!
//! Used by what writes a batch of the journal. The sizes are few, so that each statement is
//! prepared once per connection.

use sqlx::Any;
use sqlx::query::Query;
use std::fmt::Write;

/// Rows of one statement, largest first.
const SIZES: [usize; 3] = [32, 8, 1];

/// How parameters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `?`: SQLite looks numbered parameters up one by one.
    Sqlite,
    /// `$1`.
    Postgres,
}

/// A statement and its parameters.
pub(super) type BulkQuery<'q> = Query<'q, Any, <Any as sqlx::Database>::Arguments>;

/// One statement in every size and dialect.
pub(super) struct Bulk {
    sqlite: [String; SIZES.len()],
    postgres: [String; SIZES.len()],
}

impl Bulk {
    /// A statement with a list of rows of `columns` parameters between two pieces of SQL.
    pub(super) fn new(before: &str, columns: usize, after: &str) -> Self {
        let of = |dialect| {
            SIZES.map(|rows| format!("{before}{}{after}", parameters(rows, columns, dialect)))
        };
        Self { sqlite: of(Dialect::Sqlite), postgres: of(Dialect::Postgres) }
    }

    /// The statement for one of the [`groups`].
    pub(super) fn query<T>(&'static self, dialect: Dialect, group: &[T]) -> BulkQuery<'static> {
        let texts = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        let at = SIZES.iter().position(|&size| size == group.len());
        sqlx::query(at.and_then(|at| texts.get(at)).map_or("", String::as_str))
    }
}

/// Cuts rows into groups, each of a size that there is a statement for.
pub(super) fn groups<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|&size| size <= rows.len())?;
        let (group, rest) = rows.split_at_checked(size)?;
        rows = rest;
        Some(group)
    })
}

/// `(?, ?), (?, ?)` or `($1, $2), ($3, $4)`.
fn parameters(rows: usize, columns: usize, dialect: Dialect) -> String {
    let mut text = String::new();
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            text.push_str(if column == 0 { "" } else { ", " });
            match dialect {
                Dialect::Sqlite => text.push('?'),
                // Writing to a string does not fail.
                Dialect::Postgres => write!(text, "${}", row * columns + column + 1).unwrap_or(()),
            }
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_statements_and_hold_every_row_once() {
        for length in 0..200 {
            let rows: Vec<usize> = (0..length).collect();
            let found: Vec<usize> = groups(&rows).flatten().copied().collect();
            assert_eq!(found, rows);
            assert!(groups(&rows).all(|group| SIZES.contains(&group.len())));
        }
    }

    #[test]
    fn parameters_are_numbered_across_rows() {
        assert_eq!(parameters(2, 2, Dialect::Postgres), "($1, $2), ($3, $4)");
        assert_eq!(parameters(2, 1, Dialect::Sqlite), "(?), (?)");
    }
}
