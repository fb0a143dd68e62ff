//! The vocabulary and rules of incident handling, and the kinds of things that make up the configuration. Pure: no input or
//! output, no clock, no storage or wire formats.

#[macro_use]
pub mod directory;
#[macro_use]
pub mod ids;

pub mod ack;
pub mod address;
pub mod agenda;
pub mod attempt;
pub mod backup;
pub mod certificate;
pub mod change;
pub mod channel;
pub mod channel_types;
pub mod contact;
pub mod contact_filter;
pub mod criterion;
pub mod datetime;
pub mod destination;
pub mod doctor;
pub mod draft;
pub mod email;
pub mod event;
pub mod event_filter;
pub mod exact_json;
pub mod explain;
pub mod fault;
pub mod filter;
pub mod incident;
pub mod lifecycle;
pub mod limits;
pub mod maintenance;
pub mod matcher;
pub mod medium;
pub mod message;
pub mod opening_hours;
pub mod phone;
pub mod plan;
pub mod plugin;
pub mod preferences;
pub mod profile;
pub mod recipients;
pub mod refusal;
pub mod retention;
pub mod rights;
pub mod rule;
pub mod setting;
pub mod severity;
pub mod size;
pub mod source;
pub mod stored_filter;
pub mod subscription;
pub mod tag;
pub mod time;
pub mod timeslot;
pub mod token;
pub mod tokens;
pub mod urls;
pub mod user;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use uuid::Uuid;

// Types that all parts use. Others are named with their module, such as `contact_filter::Filter`.
pub use self::{
    ack::Acknowledgement,
    attempt::{AttemptEnd, AttemptOutcome},
    change::{Change, ChangeKind, Committed, ConfigurationChange, FieldChange, IncidentChange},
    channel::{Channel, ChannelDraft, ChannelRefusal},
    contact::{Contact, ContactDraft, ContactGroup, GroupDraft},
    datetime::Zoned,
    destination::{Destination, DestinationDraft},
    doctor::{
        Facts, Finding, FindingLevel, HostFacts, MailFailure, MailStep, NetworkFacts, NeverReached, StoredFacts,
        StoredIndex, findings,
    },
    draft::Managed,
    event::{Event, EventType, EventTypeSet, StateAfter},
    filter::{AnyOf, Criteria, FilterSubject},
    ids::{
        ChannelId, ContactGroupId, ContactId, DestinationId, EventId, FilterId, IncidentId, MaintenanceId, MessageId,
        ProfileId, RuleId, Seq, SourceId, TimeslotId, TokenId, UserId,
    },
    incident::{AckedUntil, EndTime, Incident},
    lifecycle::{EventRefusal, Poster},
    maintenance::{Maintenance, MaintenanceDraft},
    medium::AnyMedium,
    message::{Delivery, Message, MessageState, MessageSubject},
    plugin::{PluginInfo, PluginOption},
    preferences::{DateFormat, Density, Preferences, Theme},
    profile::{Profile, ProfileDraft, ProfileReach},
    refusal::{NotificationRefusal, Refusal},
    rights::Action,
    rule::{Addressee, Overflow, Recipient, Rule, RuleDraft},
    severity::{Level, LevelSet},
    size::SizeBudget,
    source::{Source, SourceDraft},
    stored_filter::{FilterBlob, FilterDraft, StoredFilter},
    tag::{IncidentTag, Tag},
    time::{MonotonicTime, Now, Timestamp},
    timeslot::{Recurrence, TimeOfDay, Timeslot, TimeslotDraft},
    token::{Token, TokenHash, TokenKind, TokenOrigin},
    user::{User, UserDraft},
};
use self::{directory::DecisionSettings, event_filter::FilterTable, maintenance::Maintenances, tokens::Tokens};

// The two numbers identify a subject in the data file and never change; a new subject gets the lowest free number of
// each. The names follow: in addresses, in the audit trail, in errors about things that do not exist, and for programs.
kinds! {
    subjects {
        User: 0, 0, "user", "user", "user", "User";
        Token: 1, 1, "token", "token or session", "token", "Token";
        Source: 2, 2, "source", "source", "source", "SourceSystem";
        SourceType: 3, 3, "source-type", "source type", "source type", "SourceSystemType";
        Timeslot: 4, 4, "timeslot", "timeslot", "timeslot", "Timeslot";
        Destination: 5, 5, "destination", "destination", "destination", "DestinationConfig";
        Filter: 6, 6, "filter", "filter", "filter", "Filter";
        Profile: 7, 7, "profile", "notification profile", "notification profile", "NotificationProfile";
        Maintenance: 8, 8, "maintenance", "planned maintenance", "planned maintenance", "PlannedMaintenanceTask";
        Rule: 13, 11, "rule", "rule", "rule", "Rule";
        Channel: 10, 10, "channel", "channel", "channel", "Channel";
        /// A contact with its groups. Versions of contacts and groups are read one by one, so they come after all kinds
        /// that are read as a whole.
        Contact: 11, 128, "contact", "contact", "contact", "Contact";
        ContactGroup: 12, 129, "group", "contact group", "contact group", "ContactGroup";
        /// Settings of the operator on which decisions depend; see `settings`.
        Settings: 9, 9, "settings", "settings", "settings", "Settings";
        /// Runs of the retention, and changes of its setting. Nothing of this kind is stored.
        Retention: 14, 12, "retention", "retention", "retention", "Retention";
    }
    others {
        Incident: "incident", "Incident";
        Event: "event", "Event";
        Acknowledgement: "acknowledgement", "Acknowledgement";
        Tag: "tag", "Tag";
        Medium: "medium", "Media";
        Delivery: "delivery", "Delivery";
    }
}

/// The configuration in memory: an immutable snapshot that the store replaces after each change of the configuration.
///
/// It is small compared with the incidents and used by every request, so it is never read from disk on the way. Contacts and
/// their groups are not in it, since there may be a hundred thousand of them. Its maps are persistent: a changed copy shares
/// all but a few nodes with the original, so a login does not copy anything else.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    pub settings: Arc<DecisionSettings>,
    pub users: OrdMap<UserId, Arc<User>>,
    pub user_by_name: OrdMap<String, UserId>,
    pub tokens: Tokens,
    pub sources: OrdMap<SourceId, Arc<Source>>,
    pub source_by_user: OrdMap<UserId, SourceId>,
    /// Names in lower case.
    pub source_types: OrdSet<String>,
    pub timeslots: OrdMap<TimeslotId, Arc<Timeslot>>,
    pub destinations: OrdMap<DestinationId, Arc<Destination>>,
    pub filters: FilterTable,
    pub profiles: OrdMap<ProfileId, Arc<Profile>>,
    pub maintenances: Maintenances,
    pub rules: OrdMap<RuleId, Arc<Rule>>,
    pub channels: OrdMap<Uuid, Arc<Channel>>,
}

#[cfg(test)]
mod tests {
    use super::Subject;

    /// A second list of the numbers of each subject in entries of the change log and in keys of versions, written by
    /// hand.
    const NUMBERS: &[(Subject, u32, u8)] = &[
        (Subject::User, 0, 0),
        (Subject::Token, 1, 1),
        (Subject::Source, 2, 2),
        (Subject::SourceType, 3, 3),
        (Subject::Timeslot, 4, 4),
        (Subject::Destination, 5, 5),
        (Subject::Filter, 6, 6),
        (Subject::Profile, 7, 7),
        (Subject::Maintenance, 8, 8),
        (Subject::Rule, 13, 11),
        (Subject::Channel, 10, 10),
        (Subject::Contact, 11, 128),
        (Subject::ContactGroup, 12, 129),
        (Subject::Settings, 9, 9),
        (Subject::Retention, 14, 12),
    ];

    #[test]
    fn the_numbers_of_subjects_stay() {
        assert_eq!(NUMBERS.iter().map(|(subject, ..)| *subject).collect::<Vec<_>>(), Subject::ALL);
        for &(subject, logged, byte) in NUMBERS {
            assert_eq!((subject.logged(), subject.byte()), (logged, byte), "{subject:?}");
            assert_eq!(Subject::logged_as(logged), Some(subject));
        }
        assert_eq!(Subject::logged_as(14 + u32::MAX / 2), None);
    }
}
