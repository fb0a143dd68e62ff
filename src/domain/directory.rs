//! Look-ups in the configuration in memory, and what follows from the table of kinds in `domain`.

use std::{fmt, sync::Arc};

use chrono_tz::Tz;

pub use super::{Directory, Model, Subject};
use super::{
    channel::Channel,
    destination::Destination,
    filter::fold,
    ids::{DestinationId, FilterId, ProfileId, SourceId, TimeslotId, UserId},
    profile::Profile,
    rule::Rule,
    source::Source,
    stored_filter::{FilterBlob, StoredFilter},
    timeslot::Timeslot,
    token::Token,
    user::User,
};

/// Declares [`Subject`] and [`Model`] from one row for each variant.
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

            /// Returns the number in entries of the change log.
            #[must_use]
            pub const fn logged(self) -> u32 {
                match self { $(Self::$subject => $logged),+ }
            }

            /// Returns the first byte of a version's key.
            #[must_use]
            pub const fn byte(self) -> u8 {
                match self { $(Self::$subject => $byte),+ }
            }

            /// Returns the name in addresses.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$subject => $slug),+ }
            }

            /// Returns the name in the audit trail.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$subject => $listed),+ }
            }
        }

        /// A kind of thing that can be requested and not exist.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Model {
            $($subject,)+
            $($other,)+
        }

        impl Model {
            /// Returns the name for people.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$subject => $name,)+
                    $(Self::$other => $other_name,)+
                }
            }

            /// Returns the name for programs.
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

impl Subject {
    /// Returns the subject of an entry of the change log.
    #[must_use]
    pub fn logged_as(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|subject| subject.logged() == number)
    }

    /// Returns the subject with this name in addresses.
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

/// Settings of the operator on which decisions about notifications depend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionSettings {
    /// Time zone of timeslots.
    pub time_zone: Tz,
    /// Whether notifications are sent at all.
    pub send: bool,
    /// Values for criteria that a filter does not set.
    pub fallback: FilterBlob,
}

impl Default for DecisionSettings {
    fn default() -> Self {
        Self { time_zone: Tz::UTC, send: true, fallback: FilterBlob::default() }
    }
}

/// Name of the user, source and source type of the server itself.
pub const OWN_SOURCE: &str = "argus";

impl Directory {
    #[must_use]
    pub fn user(&self, id: UserId) -> Option<&Arc<User>> {
        self.users.get(&id)
    }

    /// Returns the username. Empty: there is no such user.
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

    /// Returns the source that this user posts for. `None` for end users.
    #[must_use]
    pub fn source_of(&self, user: UserId) -> Option<&Arc<Source>> {
        self.source_by_user.get(&user).and_then(|id| self.sources.get(id))
    }

    #[must_use]
    pub fn source_named(&self, source_type: &str, name: &str) -> Option<&Arc<Source>> {
        self.sources.values().find(|s| s.source_type == source_type && s.name == name)
    }

    /// Returns the user's tokens, sorted by id.
    #[must_use]
    pub fn tokens_of(&self, user: UserId) -> Vec<&Arc<Token>> {
        self.tokens.of_user(user).collect()
    }

    /// Returns the user's destinations, sorted by id.
    #[must_use]
    pub fn destinations_of(&self, owner: UserId) -> Vec<&Arc<Destination>> {
        self.destinations.values().filter(|d| d.owner == owner).collect()
    }

    /// Returns the timeslot. `None` if it belongs to another user.
    #[must_use]
    pub fn timeslot_of(&self, owner: UserId, id: TimeslotId) -> Option<&Arc<Timeslot>> {
        self.timeslots.get(&id).filter(|timeslot| timeslot.owner == owner)
    }

    /// Returns the user's timeslots, sorted by name.
    #[must_use]
    pub fn timeslots_of(&self, owner: UserId) -> Vec<&Arc<Timeslot>> {
        let mut timeslots: Vec<_> = self.timeslots.values().filter(|t| t.owner == owner).collect();
        timeslots.sort_by(|a, b| a.name.cmp(&b.name));
        timeslots
    }

    /// Returns the filter. `None` if it belongs to another user, even if it is public.
    #[must_use]
    pub fn filter_of(&self, owner: UserId, id: FilterId) -> Option<&Arc<StoredFilter>> {
        self.filters.get(&id).filter(|filter| filter.owner == owner)
    }

    /// Returns the user's filters, sorted by id.
    #[must_use]
    pub fn filters_of(&self, owner: UserId) -> Vec<&Arc<StoredFilter>> {
        self.filters_where(|filter| filter.owner == owner)
    }

    /// Returns the filter if it is the user's own, or public.
    #[must_use]
    pub fn usable_filter(&self, user: UserId, id: FilterId) -> Option<&Arc<StoredFilter>> {
        self.filters.get(&id).filter(|filter| filter.is_usable_by(user))
    }

    /// Returns the filters that are the user's own, or public, sorted by id.
    #[must_use]
    pub fn usable_filters(&self, user: UserId) -> Vec<&Arc<StoredFilter>> {
        self.filters_where(|filter| filter.is_usable_by(user))
    }

    fn filters_where(&self, wanted: impl Fn(&StoredFilter) -> bool) -> Vec<&Arc<StoredFilter>> {
        self.filters.values().filter(|filter| wanted(filter)).collect()
    }

    /// Returns the destination. `None` if it belongs to another user.
    #[must_use]
    pub fn destination_of(&self, owner: UserId, id: DestinationId) -> Option<&Arc<Destination>> {
        self.destinations.get(&id).filter(|destination| destination.owner == owner)
    }

    /// Returns the profile. `None` if it belongs to another user.
    #[must_use]
    pub fn profile_of(&self, owner: UserId, id: ProfileId) -> Option<&Arc<Profile>> {
        self.profiles.get(&id).filter(|profile| profile.owner == owner)
    }

    /// Returns the user's profiles, sorted by id.
    #[must_use]
    pub fn profiles_of(&self, owner: UserId) -> Vec<&Arc<Profile>> {
        self.profiles_where(|profile| profile.owner == owner)
    }

    /// Returns the profiles for which `wanted` returns true, sorted by id.
    #[must_use]
    pub fn profiles_where(&self, wanted: impl Fn(&Profile) -> bool) -> Vec<&Arc<Profile>> {
        self.profiles.values().filter(|profile| wanted(profile)).collect()
    }

    /// Returns the names of the rules for which `is_meant` returns true, sorted by id of the rule.
    #[must_use]
    pub fn rules_where(&self, is_meant: impl Fn(&Rule) -> bool) -> Vec<String> {
        self.rules.values().filter(|rule| is_meant(rule)).map(|rule| rule.name.clone()).collect()
    }

    /// Returns the channel with this name, regardless of case.
    #[must_use]
    pub fn channel_named(&self, name: &str) -> Option<&Arc<Channel>> {
        let name = fold(name);
        self.channels.values().find(|channel| fold(&channel.name) == name)
    }

    /// Returns the channel that serves a medium of a plug-in: the oldest offered channel of this type.
    #[must_use]
    pub fn offered_channel(&self, medium: &str) -> Option<&Arc<Channel>> {
        let offered = self.channels.values().filter(|channel| channel.is_medium() && channel.kind == medium);
        offered.min_by_key(|channel| channel.id)
    }

    /// Returns the source of the incidents that the server reports about itself (contract section 23).
    #[must_use]
    pub fn own_source(&self) -> Option<SourceId> {
        self.source_named(OWN_SOURCE, OWN_SOURCE).map(|source| source.id)
    }

    /// Returns whether this is the source of the server itself.
    #[must_use]
    pub fn is_own_source(&self, id: SourceId) -> bool {
        self.source(id).is_some_and(|source| source.source_type == OWN_SOURCE && source.name == OWN_SOURCE)
    }

    /// Adds or replaces a user. Returns the user before the change.
    pub fn put_user(&mut self, user: impl Into<Arc<User>>) -> Option<Arc<User>> {
        let user = user.into();
        if let Some(before) = self.users.get(&user.id).filter(|before| before.username != user.username) {
            self.user_by_name.remove(&before.username);
        }
        self.user_by_name.insert(user.username.clone(), user.id);
        self.users.insert(user.id, user)
    }

    /// Adds or replaces a token. Returns the token before the change.
    pub fn put_token(&mut self, token: Token) -> Option<Arc<Token>> {
        self.tokens.insert(token.hash, Arc::new(token))
    }

    /// Adds or replaces a source. Returns the source before the change.
    pub fn put_source(&mut self, source: impl Into<Arc<Source>>) -> Option<Arc<Source>> {
        let source = source.into();
        self.source_by_user.insert(source.user, source.id);
        self.sources.insert(source.id, source)
    }
}
