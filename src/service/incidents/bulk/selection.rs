//! Which incidents a filter meant when its list was shown: those that matched then, that existed then, and that match still.
//!
//! The change log says which incidents changed since, and the changes in memory how they were before. An incident that
//! changed since and of which that is no longer known is left out.

use std::{fmt, ops::ControlFlow, str::FromStr};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    domain::{
        change::{Change, ChangeKind},
        filter::Criteria,
        ids::{IncidentId, Seq},
        incident::Incident,
        limits::SELECTION_LOOKS,
        time::Timestamp,
    },
    service::{Incidents, Refusal, ServiceError},
    store::Snapshot,
};

/// What a list knew: all changes up to one, and how late it was then.
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

/// What became of incidents since then.
#[derive(Debug)]
pub(super) struct Since {
    /// The last change that was looked at.
    seq: Seq,
    looked_at: usize,
    /// Whether each of them was created since then.
    changed: FxHashMap<u64, bool>,
}

/// An incident as it was then.
pub(super) type Before = Option<std::sync::Arc<Incident>>;

/// Whether an incident that matches now is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SelectionVerdict {
    Meant,
    NotMeant,
    /// It is not known whether it matched then.
    Unknown,
}

/// What the writer asks of each incident before it changes it.
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

    /// Takes in what was committed since the last call. Those in `passed` do not matter any more.
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

    /// Of an incident that matches now; `before` is asked only of one that changed.
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
                    // The words may be in what came since.
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

/// What is to be changed of incidents that match now.
pub(super) struct Meant {
    pub ids: Vec<u64>,
    pub check: Check,
    /// Incidents of which it is not known whether they matched then.
    pub unknown: usize,
}

impl Incidents {
    /// All that match now, as a list that is shown now would know it.
    #[must_use]
    pub fn as_of_now(&self) -> AsOf {
        AsOf { seq: self.store().counters().last_seq, at: self.now() }
    }

    /// How many incidents are meant now. An incident that came to match by the clock alone still counts here.
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

    /// Which of those that matched before `since` was read for the last time are meant.
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
