//! HTTP errors of profiles, filters, timeslots, destinations and maintenance (contract sections 3, 14 to 16 and 18).

use axum::http::StatusCode;
use serde_json::Value;

use super::{ApiError, NOT_NULL};
use crate::domain::MaintenanceId;
use crate::http::argus::shared::blob::BlobBody;
use crate::service::{NotificationRefusal, ProfileLabel};

impl From<NotificationRefusal> for ApiError {
    fn from(refusal: NotificationRefusal) -> Self {
        use NotificationRefusal as R;
        match refusal {
            R::ForeignTimeslot => Self::non_field("The user of 'timeslot' must be the same as the requesting user."),
            R::ProfileExists => Self::non_field("The requesting user already has a profile with that name."),
            R::NoEmailAddress => {
                Self::field("media", "User email is not set, therefore this field cannot include email.")
            }
            R::NoPhoneNumber => Self::field("phone_number", NOT_NULL),
            R::FilterInProfiles(labels) => Self::text(format!(
                "Cannot delete this filter since it is in use in the notification profile(s): {}.",
                list(&labels)
            )),
            R::FilterInMaintenance(ids) => {
                let ids: Vec<String> = ids.iter().map(MaintenanceId::to_string).collect();
                Self::text(format!(
                    "Cannot delete this filter since it is in use in the planned maintenance task(s): {}.",
                    ids.join(", ")
                ))
            }
            R::FilterInRules(names) => Self::text(format!(
                "Cannot delete this filter since it is in use in the rule(s): {}.",
                names.join(", ")
            )),
            R::TimeslotInRules(names) => Self::text(format!(
                "Cannot delete this timeslot since it is in use in the rule(s): {}.",
                names.join(", ")
            )),
            R::RuleExists => Self::field("name", "A rule with this name already exists."),
            R::UnknownRecipient { .. } => Self::field("recipients", format!("Invalid recipient: {refusal}.")),
            R::DestinationExists => Self::non_field("A destination with these settings already exists"),
            R::LabelTaken => Self::field("label", "A destination with this medium and label already exists"),
            R::MediumFixed => Self::field("media", "Media cannot be updated, only settings."),
            R::DestinationSynced => {
                Self::list("Cannot delete this destination since it was defined by an outside source.")
            }
            R::DestinationInProfiles(labels) => Self::list(format!(
                "Cannot delete this destination since it is in use in the notification profile(s): {}.",
                list(&labels)
            )),
            R::PhoneNumberExists => Self::field("phone_number", "Phone number already exists"),
            R::MaintenanceEndsBeforeStart => Self::non_field("End_time needs to be after start_time"),
            R::MaintenanceStarted => {
                Self::non_field("The start time cannot be modified after the task has already started.")
            }
            R::MaintenanceOver => Self::non_field(
                "This planned maintenance task is no longer modifiable as it ended more than 12 hours ago.",
            ),
            R::MaintenanceEnded => Self::list("The task has ended already."),
            R::MaintenanceNotAhead => {
                Self::list("It is not possible to delete past or ongoing planned maintenance tasks.")
            }
            R::TooManyRules | R::TooManyMaintenances(_) => Self::list(format!("Not created: {refusal}.")),
        }
    }
}

impl ApiError {
    /// Creates a 400 whose body is a string.
    fn text(text: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Value::String(text))
    }
}

#[must_use]
pub fn unknown_key(pk: impl std::fmt::Display) -> String {
    format!("Invalid pk \"{pk}\" - object does not exist.")
}

fn list(labels: &[ProfileLabel]) -> String {
    labels.iter().map(label).collect::<Vec<_>>().join(", ")
}

/// Returns the name of a profile. An unnamed one is described as `<timeslot>: <filter> [<blob>], ...`.
fn label(label: &ProfileLabel) -> String {
    match label {
        ProfileLabel::Named(name) => name.clone(),
        ProfileLabel::Described { timeslot, filters } => {
            let filter = |(name, blob): &(String, _)| {
                let blob = serde_json::to_string(&BlobBody::new(blob, true)).unwrap_or_default();
                format!("{name} [{blob}]")
            };
            format!("{timeslot}: {}", filters.iter().map(filter).collect::<Vec<_>>().join(", "))
        }
        ProfileLabel::OfOthers(1) => "one of another user".to_owned(),
        ProfileLabel::OfOthers(count) => format!("{count} of other users"),
    }
}
