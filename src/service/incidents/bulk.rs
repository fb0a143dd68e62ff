//! Applies one change to many incidents, in slices: each slice is a command of its own, so that commands of others get
//! their turn in between (contract section 12).

mod jobs;
mod selection;
mod undo;

use std::sync::Arc;

use rustc_hash::FxHashSet;
use tokio::sync::{Mutex, MutexGuard};

use self::selection::Check;
use crate::domain::{
    EventId, EventRefusal, EventType, Incident, IncidentId, Poster, Timestamp, UserId,
    limits::{BULK_IDS, BULK_TEXT, BULKS, BULKS_PER_USER, WORK_SLICE, WORK_SLICE_TEXT},
};
use crate::service::{
    Caller, Credential, Incidents, NewAck, NewEvent, Refusal, ServiceError,
    incidents::{
        acks::{acknowledge, check_expiration},
        edit::set_ticket,
        events::{post_allowed, require_timestamp},
    },
    slots::{NoSlot, Slot, Slots},
};
use crate::store::Command;

pub use jobs::{BulkJob, BulkStatus, BulkSubjects};
pub use selection::{AsOf, Selection};
pub use undo::Undone;

/// The change that is applied to each incident.
#[derive(Clone, Debug)]
pub enum BulkAction {
    Acknowledge(NewAck),
    /// The rules for single events apply to each.
    Event(NewEvent),
    /// Not validated. Adds a change event even if the address stays the same.
    TicketUrl(String),
}

/// Kind of a [`BulkAction`], without its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkKind {
    Acknowledge,
    Event(EventType),
    TicketUrl,
}

/// Reason for which an incident was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkRefusal {
    /// The incident does not exist.
    Unknown,
    Event(EventRefusal),
    TooManyAcks,
    /// The incident was selected by a filter and does not match it anymore, or it is unknown whether it matched when it
    /// was selected.
    Changed,
    /// The change ended before this incident's turn; see [`BulkOutcome::failure`].
    NotReached,
}

/// The event or acknowledgement that was added to one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkEvent {
    pub id: EventId,
    pub received: Timestamp,
}

/// Result of a bulk change.
pub struct BulkOutcome {
    /// Results by incident id, in the order in which the ids were first given, without duplicates. `Ok(None)` if a
    /// ticket URL was set.
    pub rows: Vec<(u64, Result<Option<BulkEvent>, BulkRefusal>)>,
    /// The action that was carried out, with its timestamp.
    pub action: BulkAction,
    pub actor: UserId,
    /// Error that ended the change early. Changes before it remain.
    pub failure: Option<ServiceError>,
    /// Keeps the slot of a large change taken while its outcome is in memory.
    _slot: Option<Slot>,
}

/// State that all bulk changes share.
pub(in crate::service) struct Bulk {
    slots: Slots,
    /// Lets at most one slice of all users wait for the writer.
    turn: Mutex<()>,
    jobs: jobs::Jobs,
}

impl Bulk {
    /// Waits for the turn of a slice. It ends when the result is dropped.
    pub(in crate::service) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

impl Default for Bulk {
    fn default() -> Self {
        Self { slots: Slots::new(BULKS, BULKS_PER_USER), turn: Mutex::default(), jobs: jobs::Jobs::default() }
    }
}

/// Result of a slice for one incident.
type SliceRow = (u64, Result<SliceResult, BulkRefusal>);

struct SliceResult {
    event: Option<BulkEvent>,
    /// The previous ticket URL, if it differed.
    old_ticket: Option<String>,
}

impl Incidents {
    /// Changes all incidents, even if the caller disconnects. An error means that nothing was changed; an error that
    /// ends the change later is part of the outcome.
    pub async fn bulk(
        &self,
        caller: &Caller,
        mut ids: Vec<u64>,
        action: BulkAction,
    ) -> Result<BulkOutcome, ServiceError> {
        let action = self.checked(caller, action)?;
        if ids.len() > BULK_IDS {
            return Err(Refusal::TooManyIds.into());
        }
        let mut seen = FxHashSet::default();
        ids.retain(|id| seen.insert(*id));
        drop(seen);
        check_text(&action, ids.len())?;
        let slot = self.bulk_slot(caller, ids.len())?;
        let (service, caller) = (self.clone(), caller.clone());
        let change = async move {
            let mut rows: Vec<(u64, Result<Option<BulkEvent>, BulkRefusal>)> = Vec::with_capacity(ids.len());
            let mut failure = None;
            for slice in ids.chunks(slice_len(&action)) {
                match service.change_slice(&caller, &action, slice.to_vec(), None).await {
                    Ok(done) => rows.extend(done.into_iter().map(|(id, row)| (id, row.map(|done| done.event)))),
                    Err(error) if rows.iter().all(|(_, row)| row.is_err()) => return Err(error),
                    Err(error) => {
                        let rest = ids.get(rows.len()..).unwrap_or_default();
                        rows.extend(rest.iter().map(|id| (*id, Err(BulkRefusal::NotReached))));
                        failure = Some(error);
                        break;
                    }
                }
            }
            let action = Arc::unwrap_or_clone(action);
            Ok(BulkOutcome { rows, action, actor: caller.id(), failure, _slot: slot })
        };
        tokio::spawn(change).await.map_err(|_| ServiceError::Internal("a bulk change ended by an internal error"))?
    }

    /// Validates the action and sets its timestamp, so that all its events have the same one.
    fn checked(&self, caller: &Caller, mut action: BulkAction) -> Result<Arc<BulkAction>, ServiceError> {
        let now = self.now();
        match &mut action {
            BulkAction::Acknowledge(new) => {
                require_timestamp(caller, new.timestamp)?;
                check_expiration(new, now)?;
                new.timestamp.get_or_insert(now);
            }
            BulkAction::Event(new) => {
                require_timestamp(caller, new.timestamp)?;
                new.timestamp.get_or_insert(now);
            }
            BulkAction::TicketUrl(_) => {}
        }
        Ok(Arc::new(action))
    }

    /// Takes a slot for a change of `count` incidents. A change that fits into one slice costs no more than a single
    /// command and needs no slot.
    fn bulk_slot(&self, caller: &Caller, count: usize) -> Result<Option<Slot>, ServiceError> {
        if count <= WORK_SLICE {
            return Ok(None);
        }
        let busy = |_: NoSlot| ServiceError::TooOften { retry_after: jobs::RETRY_AFTER };
        self.inner.bulks.slots.take(caller.id()).map(Some).map_err(busy)
    }

    /// Changes the incidents of one slice in one command. Refused if the caller is not an active user anymore.
    async fn change_slice(
        &self,
        caller: &Caller,
        action: &Arc<BulkAction>,
        ids: Vec<u64>,
        check: Option<Arc<Check>>,
    ) -> Result<Vec<SliceRow>, ServiceError> {
        let (actor, poster, action) = (caller.id(), caller.poster(), Arc::clone(action));
        self.slice(caller, move |command| {
            let mut rows = Vec::with_capacity(ids.len());
            for id in ids {
                let now = command.now();
                let row = match command.incident(IncidentId(id))? {
                    Some(incident) if check.as_ref().is_some_and(|check| !check.allows(&incident, now)) => {
                        Err(BulkRefusal::Changed)
                    }
                    Some(incident) => change(command, incident, actor, poster, &action)?,
                    None => Err(BulkRefusal::Unknown),
                };
                rows.push((id, row));
            }
            Ok(rows)
        })
        .await
    }

    /// Runs a command after waiting for its turn among all slices, and then among all commands.
    async fn slice<T: Send + 'static>(
        &self,
        caller: &Caller,
        command: impl FnOnce(&mut Command<'_>) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let _turn = self.inner.bulks.turn().await;
        let (actor, is_local) = (caller.id(), caller.credential == Credential::Local);
        self.write(Some(actor), move |staged| {
            if !is_local && staged.directory().user(actor).is_none_or(|user| !user.is_active) {
                return Err(ServiceError::Forbidden);
            }
            command(staged)
        })
        .await
    }
}

fn change(
    command: &mut Command<'_>,
    mut incident: Incident,
    actor: UserId,
    poster: Poster,
    action: &BulkAction,
) -> Result<Result<SliceResult, BulkRefusal>, ServiceError> {
    let received = command.now();
    let done = |id| SliceResult { event: Some(BulkEvent { id, received }), old_ticket: None };
    Ok(match action {
        BulkAction::Acknowledge(new) => match acknowledge(command, incident, actor, new) {
            Ok((_, event)) => Ok(done(event.id)),
            Err(ServiceError::Refused(Refusal::TooManyAcks)) => Err(BulkRefusal::TooManyAcks),
            Err(error) => return Err(error),
        },
        BulkAction::Event(new) => post_allowed(command, incident, (actor, poster), new)
            .map(|event| done(event.id))
            .map_err(BulkRefusal::Event),
        BulkAction::TicketUrl(url) => {
            let old = std::mem::replace(&mut incident.ticket_url, url.clone());
            set_ticket(command, incident, actor, &old);
            Ok(SliceResult { event: None, old_ticket: (old != *url).then_some(old) })
        }
    })
}

impl BulkAction {
    #[must_use]
    pub fn kind(&self) -> BulkKind {
        match self {
            Self::Acknowledge(_) => BulkKind::Acknowledge,
            Self::Event(new) => BulkKind::Event(new.kind),
            Self::TicketUrl(_) => BulkKind::TicketUrl,
        }
    }

    /// Returns the text that each event gets.
    fn text(&self) -> &str {
        match self {
            Self::Acknowledge(new) => &new.description,
            Self::Event(new) => &new.description,
            Self::TicketUrl(url) => url,
        }
    }
}

/// Refuses a text whose copies for all events together are longer than [`BULK_TEXT`] characters.
fn check_text(action: &BulkAction, count: usize) -> Result<(), Refusal> {
    let limit = BULK_TEXT / count.max(1);
    if action.text().len() > limit && action.text().chars().count() > limit {
        let field = if matches!(action, BulkAction::TicketUrl(_)) { "ticket_url" } else { "description" };
        return Err(Refusal::TooLong { field, limit });
    }
    Ok(())
}

/// Returns the number of incidents in one command. Smaller for long texts.
fn slice_len(action: &BulkAction) -> usize {
    (WORK_SLICE_TEXT / action.text().len().max(1)).clamp(1, WORK_SLICE)
}
