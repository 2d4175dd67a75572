//! Several rows of one project in one statement, since each statement is a way to the connection's thread, or to the
//! server, and back.

use std::sync::OnceLock;

use super::{Arg, Row, Tx, args};
use crate::store::{ProjectId, StoreError};

/// How many rows a statement may have: any number of rows is some of these, so that a few texts serve all.
const SIZES: [usize; 5] = [32, 8, 4, 2, 1];

/// An `INSERT` of rows of one project: the text up to `VALUES`, and the text after them. The first column is the project's.
pub(in crate::store) struct InsertMany {
    into: &'static str,
    /// Columns besides the project's.
    columns: usize,
    then: &'static str,
    texts: [OnceLock<String>; SIZES.len()],
}

impl InsertMany {
    pub(in crate::store) const fn new(
        into: &'static str,
        columns: usize,
        then: &'static str,
    ) -> InsertMany {
        InsertMany {
            into,
            columns,
            then,
            texts: [const { OnceLock::new() }; SIZES.len()],
        }
    }

    fn text(&'static self, size: usize) -> &'static str {
        self.texts[size].get_or_init(|| {
            let rows: Vec<String> = (0..SIZES[size])
                .map(|row| {
                    let first = 2 + row * self.columns;
                    let places: Vec<String> = (first..first + self.columns)
                        .map(|place| format!("${place}"))
                        .collect();
                    format!("($1, {})", places.join(", "))
                })
                .collect();
            format!("{} {} {}", self.into, rows.join(", "), self.then)
        })
    }

    /// The text for the most rows.
    pub(in crate::store) fn longest(&'static self) -> &'static str {
        self.text(0)
    }

    /// Inserts rows, each given as its columns after the project's.
    pub(in crate::store) async fn execute(
        &'static self,
        tx: &mut Tx,
        project: &ProjectId,
        rows: &[Vec<Arg<'_>>],
    ) -> Result<(), StoreError> {
        for (size, some) in parts(rows) {
            tx.execute(self.text(size), &values(project, some)).await?;
        }
        Ok(())
    }

    /// Inserts rows and answers what each of the statements returns.
    pub(in crate::store) async fn returning<T: Row>(
        &'static self,
        tx: &mut Tx,
        project: &ProjectId,
        rows: &[Vec<Arg<'_>>],
    ) -> Result<Vec<T>, StoreError> {
        let mut returned = Vec::new();
        for (size, some) in parts(rows) {
            returned.extend(tx.rows(self.text(size), &values(project, some)).await?);
        }
        Ok(returned)
    }
}

fn values<'a>(project: &'a ProjectId, rows: &[Vec<Arg<'a>>]) -> Vec<Arg<'a>> {
    let mut values = args![project].to_vec();
    values.extend(rows.iter().flatten().cloned());
    values
}

/// Rows in parts of the sizes that there are, the largest first, each with its size's place among them.
fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    std::iter::from_fn(move || {
        let size = SIZES.iter().position(|size| *size <= rows.len())?;
        let (some, rest) = rows.split_at(SIZES[size]);
        rows = rest;
        Some((size, some))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_rows_goes_in_whole_and_in_order() {
        for count in 0..100 {
            let rows: Vec<usize> = (0..count).collect();
            let mut together = Vec::new();
            for (size, some) in parts(&rows) {
                assert_eq!(some.len(), SIZES[size]);
                together.extend_from_slice(some);
            }
            assert_eq!(together, rows);
        }
    }

    #[test]
    fn each_row_has_places_of_its_own() {
        static PAIRS: InsertMany =
            InsertMany::new("INSERT INTO pair (project_id, a, b) VALUES", 2, "");
        assert!(PAIRS.longest().contains("($1, $2, $3), ($1, $4, $5), "));
        assert!(PAIRS.longest().trim_end().ends_with("($1, $64, $65)"));
    }
}
