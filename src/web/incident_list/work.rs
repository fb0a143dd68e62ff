//! Results of bulk changes as sentences.

use std::time::Duration;

use crate::domain::EventType;
use crate::service::{BulkKind, BulkRefusal, BulkStatus, Undone};

/// Progress of a bulk change, for its page and for the list.
pub struct BulkProgress(pub(super) BulkStatus);

impl BulkProgress {
    #[must_use]
    pub fn sentence(&self) -> String {
        let what = match self.0.kind {
            BulkKind::Acknowledge => "acknowledged",
            BulkKind::Event(EventType::Close) => "closed",
            BulkKind::Event(EventType::Reopen) => "reopened",
            BulkKind::Event(_) => "commented on",
            BulkKind::TicketUrl => "given the ticket",
        };
        let incidents = if self.0.done == 1 { "incident" } else { "incidents" };
        let mut text = format!("{} {incidents} {what}.", self.0.done);
        if let Some(failure) = &self.0.failure {
            text.push_str(" It stopped early: ");
            text.push_str(failure);
            text.push('.');
        }
        text
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Returns the number of incidents that were processed.
    #[must_use]
    pub fn looked_at(&self) -> usize {
        self.0.done + self.refused()
    }

    /// Returns the number of selected incidents, as far as it is known.
    #[must_use]
    pub fn of(&self) -> usize {
        self.0.of
    }

    #[must_use]
    pub fn undo_left(&self) -> Option<Duration> {
        self.0.undo_left
    }

    /// Returns whether the change cannot be undone because that would have taken too much memory.
    #[must_use]
    pub fn undo_lost(&self) -> bool {
        self.0.undo_lost
    }

    #[must_use]
    pub fn refused(&self) -> usize {
        self.0.refusals.iter().map(|(_, count)| count).sum()
    }

    #[must_use]
    pub fn reasons(&self) -> Vec<(String, usize)> {
        self.0.refusals.iter().map(|(refusal, count)| (reason(*refusal), *count)).collect()
    }
}

fn reason(refusal: BulkRefusal) -> String {
    match refusal {
        BulkRefusal::Unknown => "It was deleted.".to_owned(),
        BulkRefusal::Event(refusal) => refusal.to_string(),
        BulkRefusal::TooManyAcks => "It has too many acknowledgements already.".to_owned(),
        BulkRefusal::Changed => "It changed after the list was shown, so it was not touched.".to_owned(),
        BulkRefusal::NotReached => "It was not processed.".to_owned(),
    }
}

/// Describes the result of undoing.
#[must_use]
pub fn undone(outcome: Option<&Undone>) -> String {
    let Some(outcome) = outcome else { return "Too late to undo.".to_owned() };
    let mut text = match outcome.undone {
        1 => "Undone: 1 incident.".to_owned(),
        count => format!("Undone: {count} incidents."),
    };
    match outcome.kept {
        0 => {}
        1 => text.push_str(" 1 incident was changed since and stays as it is."),
        count => text = format!("{text} {count} incidents were changed since and stay as they are."),
    }
    match &outcome.failure {
        Some(failure) => format!("{text} It stopped early: {failure}."),
        None => text,
    }
}
