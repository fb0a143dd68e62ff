//! Related incidents: near in time, or open, with common tags.

use super::{
    Search, SearchState,
    chunk::Key,
    id_set::{Collector, IdSet},
    indexer::{IndexView, guarded},
    tail::TailView,
    text_index::IndexError,
    walk::ColumnWalk,
};
use crate::domain::{
    Criteria, Incident, IncidentId, Tag, Timestamp,
    limits::{NEIGHBOUR_CANDIDATES, NEIGHBOUR_MICROS},
};

/// Total number of incidents with the rarest tags up to which tags are used. Frequent tags say little, and cost much.
const RARE: u64 = 20_000;

impl Search {
    /// Returns candidates for related incidents, without duplicates and without `incident`: the nearest that started
    /// within an hour, and, of those that share a rare tag, the nearest within that time and the newest that are open
    /// now. Their number is limited, and the caller finds out what they share. Blocks: for blocking threads.
    #[must_use]
    pub fn near(&self, incident: &Incident, now: Timestamp) -> Vec<IncidentId> {
        let tagged = self.inner.rarely_tagged(incident);
        let around = Criteria {
            start_from: Some(incident.start.saturating_add_micros(-NEIGHBOUR_MICROS)),
            start_to: Some(incident.start.saturating_add_micros(NEIGHBOUR_MICROS)),
            ..Criteria::default()
        };
        let open = Criteria { open: Some(true), ..Criteria::default() };
        let here = Key { start: incident.start.micros(), id: incident.id.0 };
        let loaded = self.inner.columns();
        let beside = |set| {
            let walk = ColumnWalk::new(&loaded.columns, &around, set, now);
            let mut keys = walk.older(here, NEIGHBOUR_CANDIDATES / 2);
            keys.extend(walk.newer(here, NEIGHBOUR_CANDIDATES / 2));
            keys
        };
        let mut keys = beside(None);
        if let Some(tagged) = &tagged {
            keys.extend(beside(Some(tagged)));
            let walk = ColumnWalk::new(&loaded.columns, &open, Some(tagged), now);
            keys.extend(walk.older(Key::LAST, NEIGHBOUR_CANDIDATES));
        }
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().map(Key::id).filter(|id| *id != incident.id).collect()
    }
}

impl SearchState {
    /// Returns the incidents that share a rare tag. `None` while the index cannot be searched.
    fn rarely_tagged(&self, incident: &Incident) -> Option<IdSet> {
        let view = self.text.view()?;
        guarded(|| view.rarely_tagged(incident)).ok()
    }
}

impl IndexView {
    fn rarely_tagged(&self, incident: &Incident) -> Result<IdSet, IndexError> {
        let mut counted = Vec::new();
        for tag in &incident.tags {
            counted.push((self.searcher.tag_frequency(&tag.tag)?, &tag.tag));
        }
        counted.sort_unstable();
        let mut room = RARE;
        let mut rare: Vec<Tag> = Vec::new();
        for (count, tag) in counted {
            let Some(left) = room.checked_sub(count) else { break };
            room = left;
            rare.push(tag.clone());
        }
        let mut found = Collector::default();
        if !rare.is_empty() {
            let groups = [rare];
            let tail = TailView::new(&self.tail);
            tail.tagged(&groups, &mut found);
            self.searcher.tagged(&groups, &tail.overridden(), &mut found)?;
        }
        Ok(found.finish())
    }
}
