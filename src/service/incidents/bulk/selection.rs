//! Determines which incidents a selection by filter includes: those that existed when the list was shown, matched the
//! filter then, and still match.
//!
//! The change log says which incidents changed since, and the changes in memory say how they were before. An incident
//! that changed since and whose earlier state is unknown is left out.

use std::{fmt, ops::ControlFlow, str::FromStr};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::domain::{Change, ChangeKind, Criteria, Incident, IncidentId, Seq, Timestamp, limits::SELECTION_LOOKS};
use crate::service::{Incidents, Refusal, ServiceError};
use crate::store::Snapshot;

/// The state that a list showed: the number of its last change, and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    pub seq: u64,
    pub at: Timestamp,
}

/// All incidents that a filter matched at an earlier moment.
#[derive(Clone, Debug)]
pub struct Selection {
    pub criteria: Criteria,
    pub as_of: AsOf,
}

/// The incidents that changed since then, from the change log.
#[derive(Debug)]
pub(super) struct Since {
    /// The last change that was read.
    seq: Seq,
    looked_at: usize,
    /// The incidents that changed, and whether each was created since then.
    changed: FxHashMap<u64, bool>,
}

/// An incident as it was then. `None`: it did not exist.
pub(super) type Before = Option<std::sync::Arc<Incident>>;

/// Whether an incident that matches now is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SelectionVerdict {
    Meant,
    NotMeant,
    /// It is unknown whether the incident matched then.
    Unknown,
}

/// The check that the writer applies to each incident before it changes it.
#[derive(Debug)]
pub(super) struct Check {
    criteria: Criteria,
    at: Timestamp,
    /// Incidents that changed since then, and matched before that.
    matched_before: FxHashSet<u64>,
}

impl fmt::Display for AsOf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.seq, self.at.micros())
    }
}

impl FromStr for AsOf {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seq, at) = text.split_once('.').ok_or(())?;
        let at = Timestamp::saturating_from_micros(at.parse().map_err(drop)?);
        Ok(Self { seq: seq.parse().map_err(drop)?, at })
    }
}

impl Since {
    pub(super) fn new(as_of: AsOf) -> Self {
        Self { seq: Seq(as_of.seq), looked_at: 0, changed: FxHashMap::default() }
    }

    /// Reads the changes that were committed since the last call. Ignores changes of the incidents in `passed`, which
    /// were handled already.
    pub(super) fn read(&mut self, snapshot: &Snapshot, passed: &[u64]) -> Result<(), ServiceError> {
        if snapshot.counters()?.trimmed > self.seq.0 {
            return Err(Refusal::SelectionTooOld.into());
        }
        let passed: FxHashSet<u64> = passed.iter().copied().collect();
        let mut is_too_much = false;
        snapshot.for_each_change(self.seq, &mut |change| {
            self.note(&change, &passed);
            is_too_much = self.looked_at > SELECTION_LOOKS;
            if is_too_much { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if is_too_much { Err(Refusal::SelectionTooOld.into()) } else { Ok(()) }
    }

    fn note(&mut self, change: &Change, passed: &FxHashSet<u64>) {
        self.seq = change.seq;
        let (incident, is_new) = match &change.kind {
            ChangeKind::IncidentCreated { incident, .. } => (incident, true),
            ChangeKind::EventAdded { incident, .. }
            | ChangeKind::AckChanged { incident, .. }
            | ChangeKind::IncidentEdited { incident, .. }
            | ChangeKind::IncidentDeleted { incident } => (incident, false),
            ChangeKind::Configuration(_) => {
                self.looked_at += 1;
                return;
            }
        };
        if passed.contains(&incident.0) {
            return;
        }
        self.looked_at += 1;
        self.changed.entry(incident.0).or_insert(is_new);
    }

    /// Judges an incident that matches now. `before` is used only if the incident changed.
    fn verdict(&self, selection: &Selection, id: u64, before: Option<&Before>) -> SelectionVerdict {
        match (self.changed.get(&id), before) {
            (None, _) => SelectionVerdict::Meant,
            (Some(true), _) | (Some(false), Some(None)) => SelectionVerdict::NotMeant,
            (Some(false), None) => SelectionVerdict::Unknown,
            (Some(false), Some(Some(before))) => {
                let did_match = selection.criteria.matches(before, selection.as_of.at);
                match (did_match, selection.criteria.words.is_empty()) {
                    (false, _) => SelectionVerdict::NotMeant,
                    (true, true) => SelectionVerdict::Meant,
                    // The words may occur in later events.
                    (true, false) => SelectionVerdict::Unknown,
                }
            }
        }
    }
}

impl Check {
    pub(super) fn allows(&self, incident: &Incident, now: Timestamp) -> bool {
        self.criteria.matches(incident, now)
            && (self.matched_before.contains(&incident.id.0) || self.criteria.matches(incident, self.at))
    }
}

/// The selected ones among incidents that match now.
pub(super) struct Meant {
    pub ids: Vec<u64>,
    pub check: Check,
    /// Number of incidents of which it is unknown whether they matched then.
    pub unknown: usize,
}

impl Incidents {
    /// Returns the state that a list shows now.
    #[must_use]
    pub fn as_of_now(&self) -> AsOf {
        AsOf { seq: self.store().counters().last_seq, at: self.now() }
    }

    /// Counts the incidents that are selected now. Includes incidents that match now only because time has passed.
    pub async fn count_selection(&self, selection: &Selection) -> Result<u64, ServiceError> {
        let (service, selection, now) = (self.clone(), selection.clone(), self.now());
        self.blocking(move || {
            let matching = service.search().count(&selection.criteria, now)?;
            let mut since = Since::new(selection.as_of);
            since.read(&service.store().snapshot()?, &[])?;
            let changed = since.changed.keys().copied().map(IncidentId).collect();
            let found = service.search().matching_of(&selection.criteria, changed, now)?;
            let found: Vec<u64> = found.into_iter().map(|id| id.0).collect();
            let count = found.len();
            let meant = service.meant(&selection, &since, found);
            Ok(matching.saturating_sub((count - meant.ids.len()) as u64))
        })
        .await
    }

    /// Returns which of the incidents in `found` are selected. The search for them preceded the last read of `since`.
    pub(super) fn meant(&self, selection: &Selection, since: &Since, mut found: Vec<u64>) -> Meant {
        let changed: FxHashSet<u64> = found.iter().copied().filter(|id| since.changed.contains_key(id)).collect();
        let before =
            if changed.is_empty() { FxHashMap::default() } else { self.live().before(selection.as_of.seq, &changed) };
        let mut unknown = 0;
        found.retain(|id| match since.verdict(selection, *id, before.get(id)) {
            SelectionVerdict::Meant => true,
            SelectionVerdict::NotMeant => false,
            SelectionVerdict::Unknown => {
                unknown += 1;
                false
            }
        });
        let matched_before = found.iter().copied().filter(|id| changed.contains(id)).collect();
        let check = Check { criteria: selection.criteria.clone(), at: selection.as_of.at, matched_before };
        Meant { ids: found, check, unknown }
    }
}
