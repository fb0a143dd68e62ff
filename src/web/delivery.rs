//! The state of a message as a badge.

use crate::{domain::message::Delivery, service::Notification};

/// The word for the message.
#[must_use]
pub fn word(row: &Notification) -> &'static str {
    row.delivery().word()
}

/// The class of the badge: a queued message that was tried in vain is a warning.
#[must_use]
pub fn look(row: &Notification) -> &'static str {
    match row.delivery() {
        Delivery::Sent => "good",
        Delivery::Queued if row.counts().attempts > 0 => "warn",
        Delivery::Queued => "acked",
        Delivery::Failed => "bad",
    }
}
