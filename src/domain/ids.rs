//! Primary keys: positive integers that are never reused, with a type for each kind (contract section 1.2).

/// A primary key as a number.
pub trait Id: Copy + Send + 'static {
    fn numbered(number: u64) -> Self;
    fn number(self) -> u64;
}

/// Declares primary keys, here or beside the thing that they name.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self(number)
            }
        }

        impl $crate::domain::ids::Id for $name {
            fn numbered(number: u64) -> Self {
                Self(number)
            }

            fn number(self) -> u64 {
                self.0
            }
        }
    )+};
}

id! {
    /// An incident.
    IncidentId,
    /// An event of an incident. Acknowledgements share the id of their event.
    EventId,
    /// A person or the account of a source.
    UserId,
    /// A monitoring system that posts incidents.
    SourceId,
    /// An API token (the record, not the secret).
    TokenId,
    /// A timeslot of a user.
    TimeslotId,
    /// A saved filter of a user.
    FilterId,
    /// A destination of a user.
    DestinationId,
    /// A notification profile of a user.
    ProfileId,
    /// Planned maintenance.
    MaintenanceId,
    /// A rule that notifies contacts.
    RuleId,
    /// A contact. Clients use its UUID.
    ContactId,
    /// A contact group. Clients use its UUID.
    ContactGroupId,
    /// A channel. Clients use its UUID.
    ChannelId,
    /// A message in the outbox.
    MessageId,
    /// A position in the change log. 0 is before the first change.
    Seq,
}
