//! Pages in the order of any column: one pass over the columns that keeps the best rows, best chunks first.

use super::{
    Cursor, Search, SearchError,
    chunk::{Chunk, Key, ROWS},
    columns::Columns,
    page,
    ranks::Ranks,
    sort::{Sort, SortedCursor},
    walk::{ColumnWalk, ones},
};
use crate::domain::{Criteria, IncidentId, Timestamp};

/// One page of a sorted list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortedFound {
    pub ids: Vec<IncidentId>,
    /// `None` on the last page.
    pub next: Option<SortedCursor>,
    /// `None` on the first page.
    pub previous: Option<SortedCursor>,
    /// Number of matching incidents on all pages.
    pub matching: u64,
    /// Number of the last change that was counted.
    pub seq: u64,
}

impl Search {
    /// Finds a page in the order `sort`. A cursor of another order is ignored. Blocks: for blocking threads.
    pub fn sorted_page(
        &self,
        criteria: &Criteria,
        sort: Sort,
        cursor: Option<SortedCursor>,
        size: usize,
        now: Timestamp,
    ) -> Result<SortedFound, SearchError> {
        let cursor = cursor.filter(|cursor| cursor.sort == sort);
        let size = size.max(1);
        let set = self.inner.narrowed(criteria, now)?;
        let directory = self.inner.store.directory();
        let loaded = self.inner.columns();
        let walk = ColumnWalk::new(&loaded.columns, criteria, set.as_ref(), now);
        match Ranks::new(sort.column, criteria, &walk, &loaded.columns, &directory) {
            None => by_start(&walk, loaded.seq.0, sort, cursor, size),
            Some(ranks) => {
                Ok(Sorter { columns: &loaded.columns, seq: loaded.seq.0, walk: &walk, ranks, sort }.page(cursor, size))
            }
        }
    }
}

fn by_start(
    walk: &ColumnWalk<'_>,
    seq: u64,
    sort: Sort,
    cursor: Option<SortedCursor>,
    size: usize,
) -> Result<SortedFound, SearchError> {
    // Oldest first is newest first, walked backwards.
    let turned = |backwards: bool| backwards == sort.descending;
    let place = cursor.map(|cursor| Cursor { start: cursor.start, id: cursor.id, backwards: turned(cursor.backwards) });
    let bottom = Cursor { start: Timestamp::MIN, id: IncidentId(0), backwards: true };
    let place = if sort.descending { place } else { Some(place.unwrap_or(bottom)) };
    let older = |key, limit| Ok::<_, SearchError>(walk.older(key, limit));
    let mut found = page::find(place, size, older, |key, limit| Ok(walk.newer(key, limit)))?;
    if !sort.descending {
        found.ids.reverse();
        std::mem::swap(&mut found.next, &mut found.previous);
    }
    let cursor = |place: Cursor| SortedCursor {
        sort,
        rank: 0,
        start: place.start,
        id: place.id,
        backwards: turned(place.backwards),
    };
    Ok(SortedFound {
        ids: found.ids,
        next: found.next.map(cursor),
        previous: found.previous.map(cursor),
        matching: walk.count(),
        seq,
    })
}

/// A row, or a position directly beside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spot {
    rank: i64,
    key: Key,
}

/// A spot as seen in one direction: the one that comes first is the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OrderKey(i64, i64, i64);

/// The direction in which a list is read. Inverting all bits, which -1 does, reverses the order of numbers.
#[derive(Clone, Copy)]
struct SortDirection {
    rank: i64,
    key: i64,
}

impl SortDirection {
    fn new(sort: Sort, backwards: bool) -> Self {
        let turn = |turned: bool| if turned { -1 } else { 0 };
        Self { rank: turn(sort.descending != backwards), key: turn(!backwards) }
    }

    fn turn(self, spot: Spot) -> OrderKey {
        OrderKey(spot.rank ^ self.rank, spot.key.start ^ self.key, spot.key.id as i64 ^ self.key)
    }

    fn back(self, OrderKey(rank, start, id): OrderKey) -> Spot {
        Spot { rank: rank ^ self.rank, key: Key { start: start ^ self.key, id: (id ^ self.key) as u64 } }
    }
}

struct Sorter<'a> {
    columns: &'a Columns,
    seq: u64,
    walk: &'a ColumnWalk<'a>,
    ranks: Ranks,
    sort: Sort,
}

/// Result of one pass.
struct Pass {
    /// Nearest first.
    spots: Vec<Spot>,
    matching: u64,
}

impl Sorter<'_> {
    fn page(&self, cursor: Option<SortedCursor>, size: usize) -> SortedFound {
        let backwards = cursor.is_some_and(|cursor| cursor.backwards);
        let from = cursor.and_then(|cursor| {
            let rank = self.ranks.ranked_as(cursor.rank, self.columns)?;
            Some((cursor, Spot { rank, key: Key { start: cursor.start.micros(), id: cursor.id.0 } }))
        });
        let one_more = size.saturating_add(1);
        let Some((cursor, from)) = from else {
            let mut pass = self.nearest(false, None, one_more, true);
            let more = pass.spots.len() > size;
            pass.spots.truncate(size);
            return self.found(&pass, pass.spots.last().filter(|_| more), None);
        };
        let mut pass = self.nearest(backwards, Some(from), one_more, true);
        let more = pass.spots.len() > size;
        pass.spots.truncate(size);
        if backwards {
            pass.spots.reverse();
        }
        // An empty page leads back to the position of its cursor.
        let (Some(&first), Some(&last)) = (pass.spots.first(), pass.spots.last()) else {
            let beside = |id: u64| SortedCursor { id: IncidentId(id), backwards: !backwards, ..cursor };
            let near = if backwards { from.key.next() } else { from.key.previous() };
            let some = !self.nearest(!backwards, Some(Spot { key: near, ..from }), 1, false).spots.is_empty();
            let back = Some(beside(near.id)).filter(|_| some);
            let (next, previous) = if backwards { (back, None) } else { (None, back) };
            return SortedFound { ids: Vec::new(), next, previous, matching: pass.matching, seq: self.seq };
        };
        let edge = if backwards { last } else { first };
        let back = self.is_there(from) || !self.nearest(!backwards, Some(edge), 1, false).spots.is_empty();
        let (next, previous) = if backwards { (back, more) } else { (more, back) };
        self.found(&pass, Some(&last).filter(|_| next), Some(&first).filter(|_| previous))
    }

    /// Returns whether the row of the cursor still matches, with the same key and rank.
    fn is_there(&self, spot: Spot) -> bool {
        let Some(place) = self.columns.place(spot.key.id()) else { return false };
        let mut mask = [0; ROWS];
        self.walk.look(place.chunk, &mut mask).is_some_and(|(chunk, matches)| {
            matches.get(place.row) == Some(&1)
                && chunk.key(place.row) == Some(spot.key)
                && self.ranks.of_row(chunk, place.row) == Some(spot.rank)
        })
    }

    fn found(&self, pass: &Pass, next: Option<&Spot>, previous: Option<&Spot>) -> SortedFound {
        let cursor = |spot: &Spot, backwards| SortedCursor {
            sort: self.sort,
            rank: self.ranks.stable(spot.rank, self.columns, spot.key.id),
            start: spot.key.start(),
            id: spot.key.id(),
            backwards,
        };
        SortedFound {
            ids: pass.spots.iter().map(|spot| spot.key.id()).collect(),
            next: next.map(|spot| cursor(spot, false)),
            previous: previous.map(|spot| cursor(spot, true)),
            matching: pass.matching,
            seq: self.seq,
        }
    }

    /// Finds the nearest rows beyond `from`. Without `counting`, skips chunks that cannot contain any of them.
    fn nearest(&self, backwards: bool, from: Option<Spot>, limit: usize, counting: bool) -> Pass {
        let way = SortDirection::new(self.sort, backwards);
        let mut best = Best::new(from.map(|from| way.turn(from)), limit);
        let mut chunks: Vec<_> =
            self.walk.chunks().filter_map(|(at, chunk)| Some((best.reach(self.reach(chunk, way)?), at))).collect();
        chunks.sort_unstable();
        let (mut matching, mut mask) = (0, [0; ROWS]);
        for (first, at) in chunks {
            let useful = first.is_some_and(|first| best.wants(first));
            if !useful && !counting {
                continue;
            }
            let Some((chunk, matches)) = self.walk.look(at, &mut mask) else { continue };
            if counting {
                matching += ones(matches);
            }
            if useful {
                self.take(chunk, matches, way, &mut best);
            }
        }
        Pass { spots: best.finish().into_iter().map(|turned| way.back(turned)).collect(), matching }
    }

    fn take(&self, chunk: &Chunk, matches: &mut [u8], way: SortDirection, best: &mut Best) {
        let (low, high) = (best.lowest_rank() ^ way.rank, best.highest_rank() ^ way.rank);
        self.ranks.keep(chunk, matches, low.min(high), low.max(high));
        for (block, rows) in matches.chunks(BLOCK).enumerate() {
            if rows.iter().fold(0, |some, row| some | row) == 0 {
                continue;
            }
            for row in rows.iter().enumerate().filter(|(_, set)| **set != 0).map(|(row, _)| block * BLOCK + row) {
                if let (Some(rank), Some(key)) = (self.ranks.of_row(chunk, row), chunk.key(row)) {
                    best.offer(way.turn(Spot { rank, key }));
                }
            }
        }
        best.cut();
    }

    /// Returns the limits of a chunk: no row comes before the first or after the second.
    fn reach(&self, chunk: &Chunk, way: SortDirection) -> Option<(OrderKey, OrderKey)> {
        let (low, high) = self.ranks.bounds(&chunk.bounds);
        let (oldest, newest) = (chunk.first()?, chunk.last()?);
        // The id of a corner is not that of a row, so it must not exclude anything.
        let corner = |rank, start, id| way.turn(Spot { rank, key: Key { start, id } });
        let (a, b) = (corner(low, oldest.start, 0), corner(high, newest.start, 0));
        let (first, last) = ((a.0.min(b.0), a.1.min(b.1)), (a.0.max(b.0), a.1.max(b.1)));
        Some((OrderKey(first.0, first.1, i64::MIN), OrderKey(last.0, last.1, i64::MAX)))
    }
}

/// Number of rows that are skipped together if none of them matches.
const BLOCK: usize = 64;

/// The lowest spots beyond `from`, at most `limit`.
struct Best {
    from: Option<OrderKey>,
    limit: usize,
    spots: Vec<OrderKey>,
    /// Only spots before this one can still be among them.
    below: Option<OrderKey>,
}

impl Best {
    fn new(from: Option<OrderKey>, limit: usize) -> Self {
        Self { from, limit, spots: Vec::new(), below: None }
    }

    /// Returns the lowest spot beyond `from` that a chunk with these limits can contain. `None` if it contains none.
    fn reach(&self, (first, last): (OrderKey, OrderKey)) -> Option<OrderKey> {
        let Some(from) = self.from else { return Some(first) };
        // If no key of the chunk is beyond that of `from`, only rows of higher rank are.
        let is_behind = (last.1, last.2) <= (from.1, from.2);
        let rank = first.0.max(if is_behind { from.0.saturating_add(1) } else { from.0 });
        (rank <= last.0 && last > from).then(|| OrderKey(rank, first.1, first.2).max(from))
    }

    fn wants(&self, first: OrderKey) -> bool {
        self.below.is_none_or(|below| first < below)
    }

    fn lowest_rank(&self) -> i64 {
        self.from.map_or(i64::MIN, |from| from.0)
    }

    fn highest_rank(&self) -> i64 {
        self.below.map_or(i64::MAX, |below| below.0)
    }

    fn offer(&mut self, spot: OrderKey) {
        if self.from.is_some_and(|from| spot <= from) || self.below.is_some_and(|below| spot >= below) {
            return;
        }
        self.spots.push(spot);
        if self.spots.len() >= self.limit.saturating_mul(2).max(BLOCK) {
            self.cut();
        }
    }

    /// Keeps the lowest `limit` spots.
    fn cut(&mut self) {
        if self.limit == 0 || self.spots.len() < self.limit {
            return;
        }
        let (_, worst, _) = self.spots.select_nth_unstable(self.limit - 1);
        self.below = Some(*worst);
        self.spots.truncate(self.limit);
    }

    fn finish(mut self) -> Vec<OrderKey> {
        self.cut();
        self.spots.sort_unstable();
        self.spots
    }
}

#[cfg(test)]
mod tests;
