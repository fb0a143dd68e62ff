//! Updates the text index after a start: from the change log if that is enough, else from all records.

use std::{ops::ControlFlow, sync::Arc};

use rustc_hash::FxHashMap;

use super::{
    tail::{Batch, Document},
    text_index::{IndexError, Position, TextIndex},
};
use crate::domain::{ChangeKind, EventId, Incident, IncidentId, Seq, Timestamp, filter::fold};
use crate::store::{Snapshot, StoreError};

/// Number of changes above which rebuilding the index is faster than replaying them.
pub(super) const MOST_CHANGES: u64 = 50_000;

#[derive(Debug, thiserror::Error)]
pub(super) enum CatchUpError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the server is stopping")]
    Stopped,
}

/// Returns the position of the last change in the snapshot.
pub(super) fn position(snapshot: &Snapshot) -> Result<Position, StoreError> {
    let seq = snapshot.seq()?;
    let at = snapshot.change(seq)?.map_or(Timestamp::MIN, |change| change.at);
    Ok(Position { seq, at })
}

/// Returns what changed after `from`, in its current state. `None`: the change log does not contain `from`, does not
/// reach back to it, or has too many later changes.
pub(super) fn from_log(snapshot: &Snapshot, from: Position) -> Result<Option<Batch>, StoreError> {
    let counters = snapshot.counters()?;
    let known = match snapshot.change(from.seq)? {
        Some(change) => change.at == from.at,
        None => from.seq == Seq(0) && counters.trimmed == 0,
    };
    if !known || from.seq.0 < counters.trimmed || counters.last_seq.saturating_sub(from.seq.0) > MOST_CHANGES {
        return Ok(None);
    }
    let mut touched: FxHashMap<IncidentId, Touched> = FxHashMap::default();
    snapshot.for_each_change(from.seq, &mut |change| {
        match change.kind {
            ChangeKind::IncidentCreated { incident, event } => {
                let touched = touched.entry(incident).or_default();
                touched.created = true;
                touched.events.push(event);
            }
            ChangeKind::EventAdded { incident, event } => touched.entry(incident).or_default().events.push(event),
            ChangeKind::IncidentEdited { incident, .. } | ChangeKind::IncidentDeleted { incident } => {
                touched.entry(incident).or_default().edited = true;
            }
            ChangeKind::AckChanged { .. } | ChangeKind::Configuration(_) => {}
        }
        ControlFlow::Continue(())
    })?;
    let mut batch = Batch::default();
    for (id, touched) in touched {
        touched.add_to(&mut batch, snapshot, id)?;
    }
    Ok(Some(batch))
}

#[derive(Debug, Default)]
struct Touched {
    created: bool,
    edited: bool,
    events: Vec<EventId>,
}

impl Touched {
    fn add_to(self, batch: &mut Batch, snapshot: &Snapshot, id: IncidentId) -> Result<(), StoreError> {
        let Some(incident) = snapshot.incident(id)?.map(without_metadata) else {
            batch.incidents.insert(id, None);
            return Ok(());
        };
        if self.created || self.edited {
            batch.put(&incident, self.created);
        }
        if self.edited {
            // Texts of events that the old description contained were left out and may be missing now.
            for event in snapshot.events_of(id)? {
                batch.add_event(&incident, &event.description);
            }
            return Ok(());
        }
        for event in self.events {
            if let Some(event) = snapshot.event(id, event)? {
                batch.add_event(&incident, &event.description);
            }
        }
        Ok(())
    }
}

/// Converts an incident to the form that the tail keeps.
fn without_metadata(mut incident: Incident) -> Arc<Incident> {
    incident.metadata = String::new();
    Arc::new(incident)
}

/// Reads all incidents and events of the store.
pub(super) fn everything(snapshot: &Snapshot) -> Result<Batch, StoreError> {
    let mut batch = Batch::default();
    each(snapshot, |incident, texts| {
        let incident = without_metadata(incident);
        batch.put(&incident, true);
        for text in &texts {
            batch.add_event(&incident, text);
        }
        Ok::<(), StoreError>(())
    })?;
    Ok(batch)
}

/// Adds all incidents and events of the store to an empty index.
pub(super) fn build(snapshot: &Snapshot, index: &TextIndex, stopping: impl Fn() -> bool) -> Result<(), CatchUpError> {
    each(snapshot, |incident, texts| {
        if stopping() {
            return Err(CatchUpError::Stopped);
        }
        let description = fold(&incident.description);
        index.add_incident(incident.id, incident.tags.iter().map(|tag| &tag.tag), &description)?;
        for text in texts.iter().filter(|text| !text.is_empty() && **text != incident.description) {
            let text = fold(text);
            if !description.contains(&text) {
                index.add_event(incident.id, &text)?;
            }
        }
        Ok(())
    })
}

/// Applies a batch to the index, without committing.
pub(super) fn apply(batch: &Batch, index: &TextIndex) -> Result<(), IndexError> {
    for (&id, document) in &batch.incidents {
        match document {
            None => {
                index.remove_incident(id)?;
                index.remove_events(id)?;
            }
            Some(document) => add(index, id, document)?,
        }
    }
    for (incident, text) in &batch.events {
        index.add_event(*incident, text)?;
    }
    Ok(())
}

fn add(index: &TextIndex, id: IncidentId, document: &Document) -> Result<(), IndexError> {
    if !document.is_new {
        index.remove_incident(id)?;
    }
    index.add_incident(id, document.tags(), &document.text)
}

/// Visits each incident with the texts of its events.
fn each<E: From<StoreError>>(
    snapshot: &Snapshot,
    mut visit: impl FnMut(Incident, Vec<String>) -> Result<(), E>,
) -> Result<(), E> {
    let mut outcome = Ok(());
    snapshot.for_each_incident(&mut |incident| {
        outcome = texts_of(snapshot, incident.id).map_err(E::from).and_then(|texts| visit(incident, texts));
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}

pub(super) fn texts_of(snapshot: &Snapshot, incident: IncidentId) -> Result<Vec<String>, StoreError> {
    Ok(snapshot.events_of(incident)?.into_iter().map(|event| event.description).collect())
}
