//! Combines several queries: finds the incidents that match at least one of them, in one order.

use super::{Cursor, Found, Search, SearchError, chunk::Key, page, scan::Scan, walk::ColumnWalk};
use crate::domain::{Criteria, Timestamp};

/// Number of rows that are counted in one step.
const STEP: usize = 4_096;

impl Search {
    /// Like [`Search::page`], for incidents that match any of the criteria. Blocks: for blocking threads.
    ///
    /// The criteria are evaluated one after the other, each for at most the requested number of rows, so memory does
    /// not grow with the number of matches.
    pub fn page_of_any(
        &self,
        questions: &[Criteria],
        cursor: Option<Cursor>,
        size: usize,
        now: Timestamp,
    ) -> Result<Found, SearchError> {
        if let [question] = questions {
            return self.page(question, cursor, size, now);
        }
        page::find(
            cursor,
            size,
            |key, limit| self.nearest(questions, now, Side::Older(key), limit),
            |key, limit| self.nearest(questions, now, Side::Newer(key), limit),
        )
    }

    /// Counts the incidents that match any of the criteria. Blocks: for blocking threads.
    pub fn count_any(&self, questions: &[Criteria], now: Timestamp) -> Result<u64, SearchError> {
        if let [question] = questions {
            return self.count(question, now);
        }
        let (mut count, mut from) = (0, Key::LAST);
        loop {
            let rows = self.nearest(questions, now, Side::Older(from), STEP)?;
            count += rows.len() as u64;
            match rows.last() {
                Some(&last) if rows.len() == STEP => from = last,
                _ => return Ok(count),
            }
        }
    }

    /// Returns up to `limit` matching rows on one side of a key, nearest first.
    fn nearest(
        &self,
        questions: &[Criteria],
        now: Timestamp,
        side: Side,
        limit: usize,
    ) -> Result<Vec<Key>, SearchError> {
        let mut nearest: Vec<Key> = Vec::new();
        for question in questions {
            nearest.extend(self.beyond(question, now, side, limit)?);
            match side {
                Side::Older(_) => nearest.sort_unstable_by(|a, b| b.cmp(a)),
                Side::Newer(_) => nearest.sort_unstable(),
            }
            nearest.dedup();
            nearest.truncate(limit);
        }
        Ok(nearest)
    }

    fn beyond(&self, criteria: &Criteria, now: Timestamp, side: Side, limit: usize) -> Result<Vec<Key>, SearchError> {
        let plan = self.inner.plan(criteria, now)?;
        let set = plan.set.as_ref();
        if let Some(snapshot) = &plan.read_with {
            let scan = Scan { columns: &self.inner.columns, criteria, set, now, snapshot };
            return Ok(match side {
                Side::Older(key) => scan.older(key, limit)?,
                Side::Newer(key) => scan.newer(key, limit)?,
            });
        }
        let loaded = self.inner.columns();
        let walk = ColumnWalk::new(&loaded.columns, criteria, set, now);
        Ok(match side {
            Side::Older(key) => walk.older(key, limit),
            Side::Newer(key) => walk.newer(key, limit),
        })
    }
}

/// The side of a key on which rows are searched for.
#[derive(Clone, Copy)]
enum Side {
    Older(Key),
    Newer(Key),
}
