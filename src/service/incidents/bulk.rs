//! One change on many incidents, in slices: each slice is a command of its own, so that those of others get their turn
//! in between (contract section 12).

mod jobs;
mod selection;
mod undo;

use std::sync::Arc;

use rustc_hash::FxHashSet;
use tokio::sync::Mutex;

use self::selection::Check;
use crate::{
    domain::{
        event::EventType,
        ids::{EventId, IncidentId, UserId},
        incident::Incident,
        lifecycle::{EventRefusal, Poster},
        limits::{BULK_IDS, BULK_TEXT, BULKS, BULKS_PER_USER, WORK_SLICE, WORK_SLICE_TEXT},
        time::Timestamp,
    },
    service::{
        Caller, Credential, Incidents, NewAck, NewEvent, Refusal, ServiceError,
        incidents::acks::{acknowledge, check_expiration},
        incidents::edit::set_ticket,
        incidents::events::{post_allowed, require_timestamp},
        slots::{NoSlot, Slot, Slots},
    },
    store::Command,
};

pub use jobs::{BulkJob, BulkStatus, BulkSubjects};
pub use selection::{AsOf, Selection};
pub use undo::Undone;

/// What is done with each incident.
#[derive(Clone, Debug)]
pub enum BulkAction {
    Acknowledge(NewAck),
    /// The rules for single events hold for each.
    Event(NewEvent),
    /// Not validated. Makes a change event even where the address stays the same.
    TicketUrl(String),
}

/// What a [`BulkAction`] is, without its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkKind {
    Acknowledge,
    Event(EventType),
    TicketUrl,
}

/// Why one of the incidents was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkRefusal {
    /// There is no such incident.
    Unknown,
    Event(EventRefusal),
    TooManyAcks,
    /// It was selected by a filter that it does not match any more, or of which it is not known whether it matched when it
    /// was selected.
    Changed,
    /// The change ended early, before this incident's turn; see [`BulkOutcome::trouble`].
    NotReached,
}

/// The event or acknowledgement that one incident got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkEvent {
    pub id: EventId,
    pub received: Timestamp,
}

/// What became of each incident.
pub struct BulkOutcome {
    /// By incident id, in first-seen order, none twice. Without an event where a ticket's address was set.
    pub rows: Vec<(u64, Result<Option<BulkEvent>, BulkRefusal>)>,
    /// What was done, with its timestamp.
    pub action: BulkAction,
    pub actor: UserId,
    /// Why it ended early. What was done before that is done.
    pub trouble: Option<ServiceError>,
    /// A large change counts as long as its outcome is kept.
    _slot: Option<Slot>,
}

/// What bulk changes share.
pub(in crate::service) struct Bulk {
    slots: Slots,
    /// At most one slice waits for the writer, whoever's it is.
    turn: Mutex<()>,
    jobs: jobs::Jobs,
}

impl Default for Bulk {
    fn default() -> Self {
        Self { slots: Slots::new(BULKS, BULKS_PER_USER), turn: Mutex::default(), jobs: jobs::Jobs::default() }
    }
}

/// What one slice did with one incident.
type SliceRow = (u64, Result<SliceResult, BulkRefusal>);

struct SliceResult {
    event: Option<BulkEvent>,
    /// The ticket's address as it was, if it was another one.
    old_ticket: Option<String>,
}

impl Incidents {
    /// Changes all of them, even if the caller goes away. An error means that nothing was changed; what ends the change
    /// later is part of the outcome.
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
            let mut trouble = None;
            for slice in ids.chunks(slice_len(&action)) {
                match service.change_slice(&caller, &action, slice.to_vec(), None).await {
                    Ok(done) => rows.extend(done.into_iter().map(|(id, row)| (id, row.map(|done| done.event)))),
                    Err(error) if rows.iter().all(|(_, row)| row.is_err()) => return Err(error),
                    Err(error) => {
                        let rest = ids.get(rows.len()..).unwrap_or_default();
                        rows.extend(rest.iter().map(|id| (*id, Err(BulkRefusal::NotReached))));
                        trouble = Some(error);
                        break;
                    }
                }
            }
            let action = Arc::unwrap_or_clone(action);
            Ok(BulkOutcome { rows, action, actor: caller.id(), trouble, _slot: slot })
        };
        tokio::spawn(change).await.map_err(|_| ServiceError::Internal("a bulk change ended by an internal error"))?
    }

    /// The action as it is carried out: all its events get the same timestamp.
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

    /// What fits into one slice costs no more than a single command, and needs no slot.
    fn bulk_slot(&self, caller: &Caller, count: usize) -> Result<Option<Slot>, ServiceError> {
        if count <= WORK_SLICE {
            return Ok(None);
        }
        let busy = |_: NoSlot| ServiceError::TooOften { retry_after: jobs::RETRY_AFTER };
        self.bulks().slots.take(caller.id()).map(Some).map_err(busy)
    }

    /// One command. Refused once the caller is not an active user any more.
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

    /// Waits for its turn among all slices, and then among all commands.
    async fn slice<T: Send + 'static>(
        &self,
        caller: &Caller,
        command: impl FnOnce(&mut Command<'_>) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let _turn = self.bulks().turn.lock().await;
        let (actor, is_local) = (caller.id(), caller.credential == Credential::Local);
        let outcome = self
            .store()
            .write(Some(actor), move |staged| {
                if !is_local && staged.directory().user(actor).is_none_or(|user| !user.is_active) {
                    return Err(ServiceError::Forbidden);
                }
                command(staged)
            })
            .await?;
        Ok(outcome)
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

    /// What each event says.
    fn text(&self) -> &str {
        match self {
            Self::Acknowledge(new) => &new.description,
            Self::Event(new) => &new.description,
            Self::TicketUrl(url) => url,
        }
    }
}

/// All events together are bounded.
fn check_text(action: &BulkAction, count: usize) -> Result<(), Refusal> {
    let limit = BULK_TEXT / count.max(1);
    if action.text().len() > limit && action.text().chars().count() > limit {
        let field = if matches!(action, BulkAction::TicketUrl(_)) { "ticket_url" } else { "description" };
        return Err(Refusal::TooLong { field, limit });
    }
    Ok(())
}

/// Incidents in one command; fewer where each gets a long text.
fn slice_len(action: &BulkAction) -> usize {
    (WORK_SLICE_TEXT / action.text().len().max(1)).clamp(1, WORK_SLICE)
}
