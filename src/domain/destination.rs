//! Destinations: addresses at which a user is notified (contract section 16).

use std::collections::BTreeMap;

use super::{
    Action, AnyMedium, DestinationId, Directory, Managed, NotificationRefusal, Profile, Refusal, Timestamp, UserId,
    channel_types::{ChannelType, find},
    draft::{check_count, check_length, require},
    limits::DESTINATION_LABEL,
    medium::changed_settings,
    refusal::ProfileLabel,
};

pub const EMAIL: &str = "email";
pub const EMAIL_ADDRESS: &str = "email_address";
pub const DESTINATION_URL: &str = "destination_url";
pub const SMS: &str = "sms";
pub const PHONE_NUMBER: &str = "phone_number";
/// Setting that holds the address if the medium is a plug-in.
pub const ADDRESS: &str = "address";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub id: DestinationId,
    pub owner: UserId,
    /// Slug of the medium.
    pub medium: String,
    pub label: Option<String>,
    pub settings: BTreeMap<String, String>,
    /// Whether it follows the owner's e-mail address.
    pub synced: bool,
}

/// Returns whether everybody who may see a destination of this medium may also see its settings; see
/// [`ChannelType::shows_settings`].
#[must_use]
pub fn shows_settings(medium: &str) -> bool {
    find(medium).is_some_and(ChannelType::shows_settings)
}

impl Destination {
    /// Returns the address for people to read, without secrets. Only the host of a URL is shown, since a URL may be all
    /// that is needed to post.
    #[must_use]
    pub fn shown(&self) -> String {
        let setting = |key: &str| self.settings.get(key).cloned();
        let host =
            |url: String| url.split("//").nth(1).and_then(|rest| rest.split(['/', '?', '@']).next().map(str::to_owned));
        setting(EMAIL_ADDRESS)
            .or_else(|| setting(PHONE_NUMBER))
            .or_else(|| setting(ADDRESS))
            .or_else(|| setting(DESTINATION_URL).and_then(host))
            .unwrap_or_default()
    }

    /// Returns a name for users who may not read the address: the label, or the number if there is no label or it may
    /// contain an address.
    #[must_use]
    pub fn public_name(&self) -> String {
        let label = self.label.as_deref().map(str::trim).filter(|label| !label.is_empty() && !may_hold_address(label));
        label.map_or_else(|| format!("destination #{}", self.id), |label| format!("destination \"{label}\""))
    }

    #[must_use]
    pub fn address(&self) -> Option<&String> {
        self.settings.get(AnyMedium::from_slug(&self.medium).address_key())
    }

    #[must_use]
    pub fn is_email_to(&self, address: &str) -> bool {
        self.medium == EMAIL && self.settings.get(EMAIL_ADDRESS).is_some_and(|a| a == address)
    }
}

/// The requested values of a new or changed destination. `None`: unchanged, or the default of a new destination.
#[derive(Clone, Debug, Default)]
pub struct DestinationDraft {
    /// Medium, which cannot change: another one is refused.
    pub medium: Option<AnyMedium>,
    pub label: Option<Option<String>>,
    /// Settings, checked by [`crate::domain::setting::Form::normalize`]; see [`changed_settings`].
    pub settings: Option<BTreeMap<String, Option<String>>>,
}

impl Managed for Destination {
    const ACTION: Action = Action::UseDesk;
    const IS_PERSONAL: bool = true;

    /// Refuses to delete a destination that a profile uses, or that follows the user's address.
    fn check_deletion(&self, directory: &Directory, _: Timestamp) -> Result<(), Refusal> {
        if self.synced {
            return Err(NotificationRefusal::DestinationSynced.into());
        }
        let leads_to_it = |profile: &Profile| profile.destinations.contains(&self.id);
        let profiles = ProfileLabel::of_users(directory, self.owner, leads_to_it);
        if profiles.is_empty() { Ok(()) } else { Err(NotificationRefusal::DestinationInProfiles(profiles).into()) }
    }
}

impl DestinationDraft {
    pub fn check(&self) -> Result<(), Refusal> {
        check_length("label", DESTINATION_LABEL, self.label.as_ref().and_then(Option::as_deref))
    }

    /// Returns the new or changed destination. `before` is `None` for a new one of `owner`.
    pub fn apply(
        self,
        before: Option<&Destination>,
        owner: UserId,
        directory: &Directory,
    ) -> Result<Destination, Refusal> {
        let mut destination = match before {
            Some(before) if self.medium.as_ref().is_some_and(|medium| medium.slug() != before.medium) => {
                return Err(NotificationRefusal::MediumFixed.into());
            }
            Some(before) => before.clone(),
            None => {
                let medium = require("media", self.medium.as_ref())?.slug().to_owned();
                require("settings", self.settings.as_ref())?;
                check_room(directory, owner)?;
                let (label, settings) = (None, BTreeMap::new());
                Destination { id: DestinationId(0), owner, medium, label, settings, synced: false }
            }
        };
        destination.label = self.label.unwrap_or(destination.label);
        if let Some(given) = self.settings {
            let medium = AnyMedium::from_slug(&destination.medium);
            destination.settings = changed_settings(&medium, &destination.settings, given);
        }
        check_free(directory, &destination)?;
        Ok(destination)
    }
}

pub fn check_room(directory: &Directory, owner: UserId) -> Result<(), Refusal> {
    check_count::<Destination>("destinations", directory.destinations_of(owner).len())
}

/// Checks that no other destination of the user has the same medium and the same address or label.
fn check_free(directory: &Directory, wanted: &Destination) -> Result<(), NotificationRefusal> {
    for other in directory.destinations_of(wanted.owner) {
        if other.id == wanted.id || other.medium != wanted.medium {
            continue;
        }
        if other.address() == wanted.address() {
            return Err(NotificationRefusal::DestinationExists);
        }
        if wanted.label.is_some() && other.label == wanted.label {
            return Err(NotificationRefusal::LabelTaken);
        }
    }
    Ok(())
}

/// Returns whether a destination of another user has the same address.
#[must_use]
pub fn is_shared(directory: &Directory, destination: &Destination) -> bool {
    directory.destinations.values().any(|other| {
        other.owner != destination.owner
            && other.medium == destination.medium
            && other.address() == destination.address()
    })
}

/// Returns whether a label may contain an e-mail address, a URL or a phone number, since labels are often copied from
/// those.
fn may_hold_address(label: &str) -> bool {
    let digits = label.bytes().filter(u8::is_ascii_digit).count();
    label.contains('@') || label.contains("//") || digits >= 6
}

/// A change of the owner's destinations when a user is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncStep {
    Delete(DestinationId),
    SetSynced(DestinationId, bool),
    /// Creates a synced destination with this address.
    Create(String),
}

/// Returns the steps that keep one e-mail destination in step with the owner's `address` (contract section 16.3).
#[must_use]
pub fn sync_email(address: &str, owned: &[&Destination]) -> Vec<SyncStep> {
    let synced = owned.iter().find(|d| d.synced);
    if address.is_empty() {
        return synced.map(|d| SyncStep::Delete(d.id)).into_iter().collect();
    }
    let holder = owned.iter().find(|d| d.is_email_to(address));
    match (synced, holder) {
        (Some(synced), Some(holder)) if synced.id == holder.id => Vec::new(),
        (synced, holder) => synced
            .map(|d| SyncStep::SetSynced(d.id, false))
            .into_iter()
            .chain([holder.map_or_else(|| SyncStep::Create(address.to_owned()), |d| SyncStep::SetSynced(d.id, true))])
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(id: u64, address: &str, synced: bool) -> Destination {
        Destination {
            id: DestinationId(id),
            owner: UserId(1),
            medium: EMAIL.to_owned(),
            label: None,
            settings: BTreeMap::from([(EMAIL_ADDRESS.to_owned(), address.to_owned())]),
            synced,
        }
    }

    #[test]
    fn the_public_name_is_no_address() {
        let named = |label: Option<&str>| {
            Destination { label: label.map(str::to_owned), ..email(7, "a@example.org", false) }.public_name()
        };
        assert_eq!(named(Some(" Pager ")), "destination \"Pager\"");
        for none in [None, Some(""), Some("Email: a@example.org"), Some("+47 40 41 23 45"), Some("https://x.org/y")] {
            assert_eq!(named(none), "destination #7", "{none:?}");
        }
    }

    #[test]
    fn follows_the_table_of_the_contract() {
        let (synced, plain) = (email(1, "a@example.org", true), email(2, "b@example.org", false));
        let owned = [&synced, &plain];
        assert_eq!(sync_email("", &owned), [SyncStep::Delete(DestinationId(1))]);
        assert_eq!(sync_email("a@example.org", &owned), []);
        assert_eq!(
            sync_email("b@example.org", &owned),
            [SyncStep::SetSynced(DestinationId(1), false), SyncStep::SetSynced(DestinationId(2), true)]
        );
        assert_eq!(
            sync_email("c@example.org", &owned),
            [SyncStep::SetSynced(DestinationId(1), false), SyncStep::Create("c@example.org".to_owned())]
        );
        assert_eq!(sync_email("c@example.org", &[]), [SyncStep::Create("c@example.org".to_owned())]);
        assert_eq!(sync_email("", &[]), []);
    }
}
