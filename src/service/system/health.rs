//! Figures for the health page.

use std::{ops::ControlFlow, path::PathBuf};

use crate::domain::{
    ChangeKind, Message, Seq, Timestamp,
    limits::{INTAKE_LOOKS, QUEUE_LOOKS},
};
use crate::service::{Caller, IndexStatus, Reached, ServiceError, System, policy::Action};
use crate::store::{FileFaults, Snapshot, StoreError};

const MINUTE: i64 = 60 * 1_000_000;
const HOUR: i64 = 60 * MINUTE;

#[derive(Clone, Debug)]
pub struct Health {
    pub data_path: PathBuf,
    pub data_bytes: u64,
    /// Free space on the disk of the data file.
    pub free_bytes: u64,
    pub file: FileFaults,
    pub index: IndexStatus,
    pub incidents: u64,
    pub events: u64,
    pub last_minute: Intake,
    pub last_hour: Intake,
    /// Queued messages.
    pub due: u64,
    /// Failed messages.
    pub dead: u64,
    pub oldest_due: Option<Message>,
    /// The oldest queued message with a failed attempt, among the first [`QUEUE_LOOKS`].
    pub refused: Option<Message>,
    /// Results of sending since the start, by medium.
    pub reached: Vec<Reached>,
    /// Time of the newest change in the change log.
    pub newest_change: Option<Timestamp>,
    pub sends: bool,
    pub started: Timestamp,
    pub now: Timestamp,
}

/// Numbers of incidents and events that were created in a period that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    pub incidents: u64,
    pub events: u64,
    /// Whether the change log begins after the start of the period, so the numbers may be too low.
    pub at_least: bool,
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
            let (data_bytes, free_bytes) = store.disk()?;
            let snapshot = store.snapshot()?;
            let counters = snapshot.counters()?;
            let (due, dead) = snapshot.outbox_depth()?;
            let oldest = snapshot.oldest_due_messages(QUEUE_LOOKS)?;
            Ok(Health {
                data_path: store.path().to_owned(),
                data_bytes,
                free_bytes,
                file: store.file_faults(),
                index: service.search().status(),
                incidents: counters.incidents,
                events: counters.events,
                last_minute: intake(&snapshot, now.saturating_add_micros(-MINUTE))?,
                last_hour: intake(&snapshot, now.saturating_add_micros(-HOUR))?,
                due,
                dead,
                refused: oldest.iter().find(|message| message.attempts > 0).cloned(),
                oldest_due: oldest.into_iter().next(),
                reached: service.inner.sender.get().map(|sender| sender.reached()).unwrap_or_default(),
                newest_change: snapshot.change(Seq(counters.last_seq))?.map(|change| change.at),
                sends: service.directory().settings.send,
                started: service.started(),
                now,
            })
        })
        .await
    }
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
