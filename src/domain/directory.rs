//! The kinds of things that make up the configuration, and the whole configuration in memory.
//!
//! A directory is an immutable snapshot that the store replaces after each change of configuration. Small beside the incidents, and
//! asked on every request, so nothing here is ever read from disk on the way. Contacts and their groups are not in it:
//! there may be a hundred thousand of them. Its maps are persistent: a changed copy shares all but a few nodes with the
//! original, so a login does not copy anything else.

use std::{fmt, sync::Arc};

use chrono_tz::Tz;
use imbl::{OrdMap, OrdSet};
use uuid::Uuid;

use super::{
    channel::Channel,
    destination::Destination,
    event_filter::Filters,
    filter::fold,
    ids::{DestinationId, FilterId, ProfileId, RuleId, SourceId, TimeslotId, UserId},
    maintenance::{Maintenance, Maintenances},
    profile::Profile,
    rule::Rule,
    source::Source,
    stored_filter::{FilterBlob, StoredFilter},
    timeslot::Timeslot,
    token::Token,
    tokens::Tokens,
    user::User,
};

/// Makes the list of subjects and of models from one row for each.
macro_rules! kinds {
    (
        subjects {$(
            $(#[$doc:meta])*
            $subject:ident: $logged:literal, $byte:literal, $slug:literal, $listed:literal, $name:literal, $class:literal;
        )+}
        others { $($other:ident: $other_name:literal, $other_class:literal;)+ }
    ) => {
        /// A kind of thing whose changes are logged with both values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Subject {
            $($(#[$doc])* $subject,)+
        }

        impl Subject {
            pub const ALL: &'static [Self] = &[$(Self::$subject),+];

            /// The number in entries of the change log.
            #[must_use]
            pub const fn logged(self) -> u32 {
                match self { $(Self::$subject => $logged),+ }
            }

            /// The first byte of a version's key.
            #[must_use]
            pub const fn byte(self) -> u8 {
                match self { $(Self::$subject => $byte),+ }
            }

            /// The name in addresses.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$subject => $slug),+ }
            }

            /// The name in the audit trail.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$subject => $listed),+ }
            }
        }

        /// A kind of thing that can be asked for, and not be there.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Model {
            $($subject,)+
            $($other,)+
        }

        impl Model {
            /// The name for people.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$subject => $name,)+
                    $(Self::$other => $other_name,)+
                }
            }

            /// The name that programs know.
            #[must_use]
            pub const fn class(self) -> &'static str {
                match self {
                    $(Self::$subject => $class,)+
                    $(Self::$other => $other_class,)+
                }
            }
        }

        impl From<Subject> for Model {
            fn from(subject: Subject) -> Self {
                match subject { $(Subject::$subject => Self::$subject),+ }
            }
        }
    };
}

// The two numbers, by which the data file knows a subject, never change; a new subject gets the lowest that is free of
// each. Then the names: in addresses, in the audit trail, where nothing is found, and for programs.
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
        /// With the groups that it is in. Versions of contacts and groups are read one by one, so they stand behind all that
        /// are read as a whole.
        Contact: 11, 128, "contact", "contact", "contact", "Contact";
        ContactGroup: 12, 129, "group", "contact group", "contact group", "ContactGroup";
        /// What the operator chose and decisions depend on; see `settings`.
        Settings: 9, 9, "settings", "settings", "settings", "Settings";
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

impl Subject {
    /// The subject of an entry of the change log.
    #[must_use]
    pub fn logged_as(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|subject| subject.logged() == number)
    }

    /// The subject of this name in addresses.
    #[must_use]
    pub fn with_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|subject| subject.slug() == slug)
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the operator chose, as far as decisions about who is told depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionSettings {
    /// In which timeslots are read.
    pub time_zone: Tz,
    /// Off: nobody is told of anything.
    pub send: bool,
    /// Values for criteria that a filter does not set.
    pub fallback: FilterBlob,
}

impl Default for DecisionSettings {
    fn default() -> Self {
        Self { time_zone: Tz::UTC, send: true, fallback: FilterBlob::default() }
    }
}

/// User, source and source type of the server itself.
pub const OWN_SOURCE: &str = "argus";

#[derive(Clone, Debug, Default)]
pub struct Directory {
    pub settings: Arc<DecisionSettings>,
    pub users: OrdMap<UserId, Arc<User>>,
    pub user_by_name: OrdMap<String, UserId>,
    pub tokens: Tokens,
    pub sources: OrdMap<SourceId, Arc<Source>>,
    pub source_by_user: OrdMap<UserId, SourceId>,
    /// Lower case names.
    pub source_types: OrdSet<String>,
    pub timeslots: OrdMap<TimeslotId, Arc<Timeslot>>,
    pub destinations: OrdMap<DestinationId, Arc<Destination>>,
    pub filters: Filters,
    pub profiles: OrdMap<ProfileId, Arc<Profile>>,
    pub maintenances: Maintenances,
    pub rules: OrdMap<RuleId, Arc<Rule>>,
    pub channels: OrdMap<Uuid, Arc<Channel>>,
}

impl Directory {
    #[must_use]
    pub fn user(&self, id: UserId) -> Option<&Arc<User>> {
        self.users.get(&id)
    }

    /// Empty: there is none.
    #[must_use]
    pub fn username(&self, id: UserId) -> String {
        self.user(id).map(|user| user.username.clone()).unwrap_or_default()
    }

    #[must_use]
    pub fn user_named(&self, name: &str) -> Option<&Arc<User>> {
        self.user_by_name.get(name).and_then(|id| self.users.get(id))
    }

    #[must_use]
    pub fn source(&self, id: SourceId) -> Option<&Arc<Source>> {
        self.sources.get(&id)
    }

    /// The source that this user posts for; `None` for people.
    #[must_use]
    pub fn source_of(&self, user: UserId) -> Option<&Arc<Source>> {
        self.source_by_user.get(&user).and_then(|id| self.sources.get(id))
    }

    #[must_use]
    pub fn source_named(&self, source_type: &str, name: &str) -> Option<&Arc<Source>> {
        self.sources.values().find(|s| s.source_type == source_type && s.name == name)
    }

    /// Sorted by id.
    #[must_use]
    pub fn sources_sorted(&self) -> Vec<&Arc<Source>> {
        self.sources.values().collect()
    }

    /// Sorted by id.
    #[must_use]
    pub fn tokens_of(&self, user: UserId) -> Vec<&Arc<Token>> {
        self.tokens.of_user(user).collect()
    }

    /// Sorted by id.
    #[must_use]
    pub fn destinations_of(&self, owner: UserId) -> Vec<&Arc<Destination>> {
        self.destinations.values().filter(|d| d.owner == owner).collect()
    }

    /// `None` for somebody else's.
    #[must_use]
    pub fn timeslot_of(&self, owner: UserId, id: TimeslotId) -> Option<&Arc<Timeslot>> {
        self.timeslots.get(&id).filter(|timeslot| timeslot.owner == owner)
    }

    /// Sorted by name.
    #[must_use]
    pub fn timeslots_of(&self, owner: UserId) -> Vec<&Arc<Timeslot>> {
        let mut timeslots: Vec<_> = self.timeslots.values().filter(|t| t.owner == owner).collect();
        timeslots.sort_by(|a, b| a.name.cmp(&b.name));
        timeslots
    }

    /// `None` for somebody else's, public or not.
    #[must_use]
    pub fn filter_of(&self, owner: UserId, id: FilterId) -> Option<&Arc<StoredFilter>> {
        self.filters.get(&id).filter(|filter| filter.owner == owner)
    }

    /// Sorted by id.
    #[must_use]
    pub fn filters_of(&self, owner: UserId) -> Vec<&Arc<StoredFilter>> {
        self.filters_where(|filter| filter.owner == owner)
    }

    /// One's own, or anybody's that is public.
    #[must_use]
    pub fn usable_filter(&self, user: UserId, id: FilterId) -> Option<&Arc<StoredFilter>> {
        self.filters.get(&id).filter(|filter| filter.is_usable_by(user))
    }

    /// Sorted by id.
    #[must_use]
    pub fn usable_filters(&self, user: UserId) -> Vec<&Arc<StoredFilter>> {
        self.filters_where(|filter| filter.is_usable_by(user))
    }

    fn filters_where(&self, wanted: impl Fn(&StoredFilter) -> bool) -> Vec<&Arc<StoredFilter>> {
        self.filters.values().filter(|filter| wanted(filter)).collect()
    }

    /// `None` for somebody else's.
    #[must_use]
    pub fn destination_of(&self, owner: UserId, id: DestinationId) -> Option<&Arc<Destination>> {
        self.destinations.get(&id).filter(|destination| destination.owner == owner)
    }

    /// `None` for somebody else's.
    #[must_use]
    pub fn profile_of(&self, owner: UserId, id: ProfileId) -> Option<&Arc<Profile>> {
        self.profiles.get(&id).filter(|profile| profile.owner == owner)
    }

    /// Sorted by id.
    #[must_use]
    pub fn profiles_of(&self, owner: UserId) -> Vec<&Arc<Profile>> {
        self.profiles_where(|profile| profile.owner == owner)
    }

    /// Sorted by id.
    #[must_use]
    pub fn profiles_where(&self, wanted: impl Fn(&Profile) -> bool) -> Vec<&Arc<Profile>> {
        self.profiles.values().filter(|profile| wanted(profile)).collect()
    }

    /// Sorted by id.
    #[must_use]
    pub fn maintenances_sorted(&self) -> Vec<&Arc<Maintenance>> {
        self.maintenances.values().collect()
    }

    /// Sorted by id.
    #[must_use]
    pub fn rules_sorted(&self) -> Vec<&Arc<Rule>> {
        self.rules.values().collect()
    }

    /// Names of the rules that are meant, sorted by id.
    #[must_use]
    pub fn rules_where(&self, is_meant: impl Fn(&Rule) -> bool) -> Vec<String> {
        self.rules.values().filter(|rule| is_meant(rule)).map(|rule| rule.name.clone()).collect()
    }

    /// Regardless of case.
    #[must_use]
    pub fn channel_named(&self, name: &str) -> Option<&Arc<Channel>> {
        let name = fold(name);
        self.channels.values().find(|channel| fold(&channel.name) == name)
    }

    /// Which channel serves a medium that is a plug-in's type: the eldest of those that are offered.
    #[must_use]
    pub fn offered_channel(&self, medium: &str) -> Option<&Arc<Channel>> {
        let offered = self.channels.values().filter(|channel| channel.is_medium() && channel.kind == medium);
        offered.min_by_key(|channel| channel.id)
    }

    /// Sorted by UUID.
    #[must_use]
    pub fn channels_sorted(&self) -> Vec<&Arc<Channel>> {
        self.channels.values().collect()
    }

    /// The source for what the server itself has to say (contract section 23).
    #[must_use]
    pub fn own_source(&self) -> Option<SourceId> {
        self.source_named(OWN_SOURCE, OWN_SOURCE).map(|source| source.id)
    }

    /// Whether this is the source of the server itself.
    #[must_use]
    pub fn is_own_source(&self, id: SourceId) -> bool {
        self.source(id).is_some_and(|source| source.source_type == OWN_SOURCE && source.name == OWN_SOURCE)
    }

    /// Returns the user as it was.
    pub fn put_user(&mut self, user: impl Into<Arc<User>>) -> Option<Arc<User>> {
        let user = user.into();
        if let Some(before) = self.users.get(&user.id).filter(|before| before.username != user.username) {
            self.user_by_name.remove(&before.username);
        }
        self.user_by_name.insert(user.username.clone(), user.id);
        self.users.insert(user.id, user)
    }

    /// Returns the token as it was.
    pub fn put_token(&mut self, token: Token) -> Option<Arc<Token>> {
        self.tokens.insert(token.hash, Arc::new(token))
    }

    /// Returns the source as it was.
    pub fn put_source(&mut self, source: impl Into<Arc<Source>>) -> Option<Arc<Source>> {
        let source = source.into();
        self.source_by_user.insert(source.user, source.id);
        self.sources.insert(source.id, source)
    }
}

#[cfg(test)]
mod tests {
    use super::Subject;

    /// Once more, by hand: the numbers of each subject in entries of the change log and in keys of versions.
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
