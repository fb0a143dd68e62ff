//! What is done with many incidents at once: carried out in slices while its owner watches, and taken back within a
//! minute where that is possible. Kept in memory; what is done is done even if the account of it is lost.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    domain::{
        event::EventType,
        filter::Criteria,
        ids::{EventId, IncidentId, UserId},
        limits::{WORK_KEPT, WORK_SLICE},
        time::Timestamp,
    },
    service::{BulkRefusal, Caller, NewAck, NewEvent, Service, ServiceError},
    web::visitor::Visitor,
};

/// So long something can be undone.
const UNDO_MICROS: i64 = 60_000_000;

/// What is to be done with each incident.
#[derive(Clone, Debug)]
pub enum Deed {
    Acknowledge { message: String, expiration: Option<Timestamp> },
    Close { message: String },
    Reopen { message: String },
    Comment { message: String },
    Ticket { url: String },
}

/// Which incidents.
pub enum Subjects {
    Chosen(Vec<u64>),
    /// All that match when their turn comes.
    Matching(Box<Criteria>),
}

/// How far something is.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub id: String,
    owner: UserId,
    deed: Deed,
    pub done: usize,
    /// How many there are, as far as is known.
    pub of: usize,
    refusals: Vec<(String, usize)>,
    undo: Undo,
    pub finished: Option<Timestamp>,
    /// Why it ended early.
    pub trouble: Option<String>,
    undone: bool,
}

/// What has to be done to take it back.
#[derive(Clone, Debug, Default)]
struct Undo {
    acks: Vec<(IncidentId, EventId)>,
    ids: Vec<u64>,
    tickets: Vec<(u64, String)>,
}

/// All that was begun lately.
#[derive(Default)]
pub struct Work(Mutex<VecDeque<Arc<Mutex<Outcome>>>>);

impl Work {
    /// Of one's own only.
    pub fn outcome(&self, id: &str, visitor: &Visitor) -> Option<Outcome> {
        self.find(id, visitor).map(|outcome| lock(&outcome).clone())
    }

    /// Begins; returns at once.
    pub fn begin(&self, service: &Service, caller: &Caller, deed: Deed, subjects: Subjects, of: usize) -> String {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let outcome = Arc::new(Mutex::new(Outcome {
            id: id.clone(),
            owner: caller.id(),
            deed: deed.clone(),
            done: 0,
            of,
            refusals: Vec::new(),
            undo: Undo::default(),
            finished: None,
            trouble: None,
            undone: false,
        }));
        {
            let mut all = lock(&self.0);
            all.push_back(Arc::clone(&outcome));
            while all.len() > WORK_KEPT {
                all.pop_front();
            }
        }
        let (service, caller) = (service.clone(), caller.clone());
        tokio::spawn(async move {
            let result = carry_out(&service, &caller, &deed, subjects, &outcome).await;
            let mut outcome = lock(&outcome);
            outcome.trouble = result.err().map(|error| error.to_string());
            outcome.finished = Some(service.now());
        });
        id
    }

    /// Takes it back, once; returns how many incidents that was about. `None`: it cannot be taken back (any more).
    pub async fn undo(&self, service: &Service, visitor: &Visitor, id: &str) -> Result<Option<usize>, ServiceError> {
        let Some(outcome) = self.find(id, visitor) else { return Ok(None) };
        let (deed, undo) = {
            let mut outcome = lock(&outcome);
            if !outcome.can_undo(&service.now()) {
                return Ok(None);
            }
            outcome.undone = true;
            (outcome.deed.clone(), std::mem::take(&mut outcome.undo))
        };
        take_back(service, &visitor.caller, &deed, undo).await.map(Some)
    }

    fn find(&self, id: &str, visitor: &Visitor) -> Option<Arc<Mutex<Outcome>>> {
        let all = lock(&self.0);
        let own = |outcome: &&Arc<Mutex<Outcome>>| {
            let outcome = lock(outcome);
            outcome.id == id && outcome.owner == visitor.caller.id()
        };
        all.iter().find(own).cloned()
    }
}

impl Outcome {
    #[must_use]
    pub fn sentence(&self) -> String {
        let what = match &self.deed {
            Deed::Acknowledge { .. } => "acknowledged",
            Deed::Close { .. } => "closed",
            Deed::Reopen { .. } => "reopened",
            Deed::Comment { .. } => "commented on",
            Deed::Ticket { .. } => "given the ticket",
        };
        let incidents = if self.done == 1 { "incident" } else { "incidents" };
        let mut text = format!("{} {incidents} {what}.", self.done);
        if let Some(trouble) = &self.trouble {
            text.push_str(" It ended early: ");
            text.push_str(trouble);
        }
        text
    }

    #[must_use]
    pub fn refused(&self) -> usize {
        self.refusals.iter().map(|(_, count)| count).sum()
    }

    #[must_use]
    pub fn reasons(&self) -> &[(String, usize)] {
        &self.refusals
    }

    #[must_use]
    pub fn can_undo(&self, now: &Timestamp) -> bool {
        let in_time = self.finished.is_some_and(|at| now.micros().saturating_sub(at.micros()) < UNDO_MICROS);
        in_time && !self.undone && self.done > 0 && !matches!(self.deed, Deed::Comment { .. })
    }

    fn refuse(&mut self, reason: String) {
        match self.refusals.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.refusals.push((reason, 1)),
        }
    }
}

async fn carry_out(
    service: &Service,
    caller: &Caller,
    deed: &Deed,
    subjects: Subjects,
    outcome: &Mutex<Outcome>,
) -> Result<(), ServiceError> {
    match subjects {
        Subjects::Chosen(ids) => {
            for slice in ids.chunks(WORK_SLICE) {
                do_slice(service, caller, deed, slice.to_vec(), outcome).await?;
            }
        }
        Subjects::Matching(criteria) => {
            let mut all = service.all_incidents(*criteria);
            while let Some(incidents) = all.next().await {
                let ids: Vec<u64> = incidents?.iter().map(|incident| incident.id.0).collect();
                for slice in ids.chunks(WORK_SLICE) {
                    do_slice(service, caller, deed, slice.to_vec(), outcome).await?;
                }
            }
        }
    }
    Ok(())
}

async fn do_slice(
    service: &Service,
    caller: &Caller,
    deed: &Deed,
    ids: Vec<u64>,
    outcome: &Mutex<Outcome>,
) -> Result<(), ServiceError> {
    let event =
        |kind, message: &String| NewEvent { kind, timestamp: Some(service.now()), description: message.clone() };
    let refused = |refusal: &BulkRefusal| match refusal {
        BulkRefusal::Unknown => "There is no such incident any more.".to_owned(),
        BulkRefusal::Event(refusal) => refusal.to_string(),
        BulkRefusal::TooManyAcks => "It has too many acknowledgements already.".to_owned(),
    };
    let kind = match deed {
        Deed::Acknowledge { message, expiration } => {
            let new = NewAck { timestamp: Some(service.now()), description: message.clone(), expiration: *expiration };
            let rows = service.bulk_acks(caller, ids, new).await?;
            let mut outcome = lock(outcome);
            for (_, row) in rows {
                match row {
                    Ok((ack, _)) => {
                        outcome.done += 1;
                        outcome.undo.acks.push((ack.incident, ack.event));
                    }
                    Err(refusal) => outcome.refuse(refused(&refusal)),
                }
            }
            return Ok(());
        }
        Deed::Ticket { url } => {
            let mut before = Vec::with_capacity(ids.len());
            for id in &ids {
                if let Ok(incident) = service.incident(IncidentId(*id)).await {
                    before.push((*id, incident.ticket_url));
                }
            }
            let rows = service.bulk_ticket_urls(caller, ids, url.clone()).await?;
            let mut outcome = lock(outcome);
            for (_, row) in rows {
                match row {
                    Ok(_) => outcome.done += 1,
                    Err(refusal) => outcome.refuse(refused(&refusal)),
                }
            }
            outcome.undo.tickets.extend(before);
            return Ok(());
        }
        Deed::Close { message } => event(EventType::Close, message),
        Deed::Reopen { message } => event(EventType::Reopen, message),
        Deed::Comment { message } => event(EventType::Other, message),
    };
    let rows = service.bulk_events(caller, ids, kind).await?;
    let mut outcome = lock(outcome);
    for (id, row) in rows {
        match row {
            Ok(_) => {
                outcome.done += 1;
                outcome.undo.ids.push(id);
            }
            Err(refusal) => outcome.refuse(refused(&refusal)),
        }
    }
    Ok(())
}

async fn take_back(service: &Service, caller: &Caller, deed: &Deed, undo: Undo) -> Result<usize, ServiceError> {
    let now = service.now();
    let event = |kind| NewEvent { kind, timestamp: Some(now), description: "Undone.".to_owned() };
    let mut undone = 0;
    for acks in undo.acks.chunks(WORK_SLICE) {
        undone += service.expire_acks(caller, acks.to_vec()).await?;
    }
    let reverse = match deed {
        Deed::Close { .. } => Some(EventType::Reopen),
        Deed::Reopen { .. } => Some(EventType::Close),
        _ => None,
    };
    for ids in undo.ids.chunks(WORK_SLICE) {
        if let Some(kind) = reverse {
            undone += count(&service.bulk_events(caller, ids.to_vec(), event(kind)).await?);
        }
    }
    let mut by_url: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (id, url) in undo.tickets {
        by_url.entry(url).or_default().push(id);
    }
    for (url, ids) in by_url {
        for ids in ids.chunks(WORK_SLICE) {
            undone += count(&service.bulk_ticket_urls(caller, ids.to_vec(), url.clone()).await?);
        }
    }
    Ok(undone)
}

fn count<T>(rows: &[(u64, Result<T, BulkRefusal>)]) -> usize {
    rows.iter().filter(|(_, row)| row.is_ok()).count()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
