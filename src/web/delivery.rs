//! The delivery of a message as a badge.

use crate::domain::Delivery;
use crate::service::Notification;

/// Returns the word for the delivery.
#[must_use]
pub fn word(row: &Notification) -> &'static str {
    row.delivery().word()
}

/// Returns the class of the badge. A queued message with a failed attempt is a warning.
#[must_use]
pub fn look(row: &Notification) -> &'static str {
    match row.delivery() {
        Delivery::Sent => "good",
        Delivery::Queued if row.counts().attempts > 0 => "warn",
        Delivery::Queued => "acked",
        Delivery::Failed => "bad",
    }
}
