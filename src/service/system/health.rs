//! Figures for the health page and for findings.

use std::{ops::ControlFlow, path::PathBuf};

use super::doctor::stored_facts;
use crate::domain::{
    ChangeKind, Message, Seq, StoredFacts, Timestamp,
    doctor::Intake,
    limits::INTAKE_LOOKS,
    message::{MessageOutcome, full_answer, outcomes_in_words},
};
use crate::service::{Caller, ServiceError, System, policy::Action};
use crate::store::{Snapshot, StoreError};

const MINUTE: i64 = 60 * 1_000_000;
const HOUR: i64 = 60 * MINUTE;

/// State of the server at one moment.
#[derive(Clone, Debug)]
pub struct Health {
    pub data_path: PathBuf,
    pub facts: StoredFacts,
    pub started: Timestamp,
    pub now: Timestamp,
}

impl System {
    /// Returns a warning for all users if something is wrong with the data file.
    #[must_use]
    pub fn data_file_warning(&self) -> Option<String> {
        let faults = self.store().file_faults();
        if let Some(why) = faults.misplaced {
            return Some(format!(
                "Nothing can be stored: the data file is not available, {why}. Contact your administrator."
            ));
        }
        (!faults.damage.is_empty()).then(|| {
            "The data file is damaged, so something may be missing or wrong. Contact your administrator.".to_owned()
        })
    }

    pub async fn health(&self, caller: &Caller) -> Result<Health, ServiceError> {
        caller.require(Action::SeeAdministration)?;
        let service = self.clone();
        self.blocking(move || {
            let (store, now) = (service.store(), service.now());
            let snapshot = store.snapshot()?;
            let mut facts = stored_facts(store, service.settings(), now)?;
            facts.last_minute = intake(&snapshot, now.saturating_add_micros(-MINUTE))?;
            facts.last_hour = intake(&snapshot, now.saturating_add_micros(-HOUR))?;
            service.add_running_facts(&mut facts);
            Ok(Health { data_path: store.path().to_owned(), facts, started: service.started(), now })
        })
        .await
    }
}

/// Returns a sentence about the first message with a failed attempt.
pub(super) fn refused(messages: &[Message]) -> Option<String> {
    let refused = messages.iter().find(|message| message.attempts > 0)?;
    let outcome = MessageOutcome {
        delivery: refused.state.delivery(),
        attempts: refused.attempts,
        answer: full_answer(&refused.answer),
    };
    Some(outcomes_in_words(&[outcome]))
}

/// Counts incidents and events by the ids that were assigned since then. The change log is ordered by time, so a binary
/// search finds the start of the period.
fn intake(snapshot: &Snapshot, since: Timestamp) -> Result<Intake, StoreError> {
    let counters = snapshot.counters()?;
    let (mut low, mut high) = (counters.trimmed.saturating_add(1), counters.last_seq.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        match snapshot.change(Seq(middle))? {
            Some(change) if change.at >= since => high = middle,
            _ => low = middle.saturating_add(1),
        }
    }
    let (mut first_incident, mut first_event, mut looked) = (None, None, 0_usize);
    snapshot.for_each_change(Seq(low.saturating_sub(1)), &mut |change| {
        looked += 1;
        match change.kind {
            ChangeKind::IncidentCreated { incident, event } => {
                first_incident.get_or_insert(incident.0);
                first_event.get_or_insert(event.0);
            }
            ChangeKind::EventAdded { event, .. } => {
                first_event.get_or_insert(event.0);
            }
            _ => {}
        }
        let found = first_incident.is_some() && first_event.is_some();
        if found || looked >= INTAKE_LOOKS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let count = |first: Option<u64>, last: u64| first.map_or(0, |first| (last + 1).saturating_sub(first));
    Ok(Intake {
        incidents: count(first_incident, counters.last_incident),
        events: count(first_event, counters.last_event),
        at_least: low == counters.trimmed.saturating_add(1) && counters.trimmed > 0,
    })
}
