//! The criteria of a stored filter, each declared once: its names, its words, and how it narrows what is listed. JSON,
//! forms, addresses, audit texts and schemas are made from [`CRITERIA`].

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::{event::EventType, filter::Criteria, ids::SourceId, severity::Level};

/// One criterion, by its names in each place.
pub struct Criterion {
    /// In audit texts; the field of [`FilterBlob`].
    pub stored: &'static str,
    /// In JSON and in the lists of the API.
    pub key: &'static str,
    /// In the form of a filter.
    pub form: &'static str,
    /// In the address of the list of incidents.
    pub list: &'static str,
    /// Left out by versions of the API that know few criteria.
    pub is_wide: bool,
    /// For API documents.
    pub about: Option<&'static str>,
    /// What a list is of, or what a flag asks for, in a filter's description.
    pub noun: &'static str,
    /// Over its choices, or beside its box, in a form.
    pub title: &'static str,
    /// Words for true and for false: before "incident", in a filter's description, and in a form.
    pub adjectives: [&'static str; 2],
    pub states: [&'static str; 2],
    pub choices: [&'static str; 2],
    /// Copies a criterion that is no list.
    pub narrow: fn(&FilterBlob, &mut Criteria),
}

const fn named(name: &'static str, noun: &'static str) -> Criterion {
    let (form, list, none) = (name, name, ["", ""]);
    let (is_wide, about, title, narrow) = (false, None, "", |_: &_, _: &mut _| {});
    let (adjectives, states, choices) = (none, none, none);
    Criterion { stored: name, key: name, form, list, is_wide, about, noun, title, adjectives, states, choices, narrow }
}

macro_rules! criteria {
    (kinds { $($kind:ident: $type:ty;)* } $($(#[$doc:meta])* $field:ident: $of:ident = $row:expr;)*) => {
        mod kind {
            #[allow(clippy::wildcard_imports, reason = "types of values")]
            use super::*;
            $(pub(super) type $kind = $type;)*
        }

        /// What a filter has for a criterion.
        #[derive(Clone, Copy, Debug)]
        pub enum Given<'a> {
            $($kind(&'a kind::$kind)),*
        }

        /// Where a filter keeps what it has for a criterion.
        #[derive(Debug)]
        pub enum Slot<'a> {
            $($kind(&'a mut kind::$kind)),*
        }

        /// Criteria as their owner gave them, all of which must hold; what is `None`, empty or false does not count.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct FilterBlob {
            $($(#[$doc])* pub $field: kind::$of,)*
        }

        /// In the order of the fields.
        pub static CRITERIA: &[Criterion] = &[$(Criterion { stored: stringify!($field), ..$row }),*];

        impl FilterBlob {
            pub fn given(&self) -> impl Iterator<Item = (&'static Criterion, Given<'_>)> {
                CRITERIA.iter().zip([$(Given::$of(&self.$field)),*])
            }

            pub fn slots(&mut self) -> impl Iterator<Item = (&'static Criterion, Slot<'_>)> {
                CRITERIA.iter().zip([$(Slot::$of(&mut self.$field)),*])
            }

            /// Takes from `other` the criteria that `keeps` says no to.
            #[must_use]
            pub fn merged(&self, other: &Self, keeps: impl Fn(&Criterion, Given<'_>) -> bool) -> Self {
                let mut kept = self.given().map(|(criterion, given)| keeps(criterion, given));
                Self { $($field: if kept.next() == Some(true) { self } else { other }.$field.clone()),* }
            }
        }
    };
}

criteria! {
    kinds {
        Either: Option<bool>;
        Flag: bool;
        MaxLevel: Option<Level>;
        Sources: Option<Vec<SourceId>>;
        Names: Option<Vec<String>>;
        Tags: Option<Vec<String>>;
        EventTypes: Option<Vec<EventType>>;
    }

    source_ids: Sources =
        Criterion { key: "sourceSystemIds", form: "sources", list: "source", ..named("source_ids", "source") };
    source_types: Names = Criterion { list: "source_type", is_wide: true, ..named("source_types", "source type") };
    /// Texts that need not be valid tags: those that are not match nothing.
    tags: Tags = Criterion {
        about: Some("`key=value`; of the same key any, of different keys all."), ..named("tags", "tag")
    };
    open: Either = Criterion {
        about: Some("False: closed, so never stateless ones."),
        title: "State", adjectives: ["open", "closed"], states: ["open", "closed"], choices: ["Open", "Closed"],
        narrow: |blob, criteria| criteria.open = blob.open, ..named("open", "")
    };
    acked: Either = Criterion {
        title: "Acknowledged", adjectives: ["acknowledged", "unacknowledged"],
        states: ["acknowledged", "not acknowledged"], choices: ["Yes", "No"],
        narrow: |blob, criteria| criteria.acked = blob.acked, ..named("acked", "")
    };
    stateful: Either = Criterion {
        title: "Duration", adjectives: ["stateful", "stateless"],
        states: ["stateful", "stateless"], choices: ["Stateful", "Stateless"],
        narrow: |blob, criteria| criteria.stateful = blob.stateful, ..named("stateful", "")
    };
    max_level: MaxLevel = Criterion {
        form: "level", list: "level", about: Some("Level at most."),
        narrow: |blob, criteria| criteria.max_level = blob.max_level.map(Level::get), ..named("maxlevel", "level")
    };
    event_types: EventTypes = Criterion {
        list: "event_type", is_wide: true,
        about: Some("Codes, of which the incident has at least one."), ..named("event_types", "event")
    };
    hide_closed_acked: Flag = Criterion {
        is_wide: true, about: Some("Leaves out what is both closed and acknowledged."),
        title: "Hide closed + acknowledged",
        narrow: |blob, criteria| criteria.hide_closed_acked = blob.hide_closed_acked,
        ..named("hide_closed_acked", "not both closed and acknowledged")
    };
}

impl FilterBlob {
    /// Parameters of the address of the list of incidents, for the criteria that `picks` says yes to.
    pub fn pairs(&self, picks: impl Fn(&Given<'_>) -> bool) -> impl Iterator<Item = (&'static str, String)> {
        let given = self.given().filter(move |(_, given)| picks(given));
        given.flat_map(|(criterion, given)| given.texts().into_iter().map(|it| (criterion.list, it.into_owned())))
    }
}

impl<'a> Given<'a> {
    /// False also for an empty list.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.count().is_some_and(|count| count > 0)
    }

    /// Items of a list, otherwise 1; `None` if it was not given.
    #[must_use]
    pub fn count(self) -> Option<usize> {
        match self {
            Self::Either(wanted) => wanted.map(|_| 1),
            Self::Flag(wanted) => wanted.then_some(1),
            Self::MaxLevel(level) => level.map(|_| 1),
            Self::Sources(ids) => ids.as_ref().map(Vec::len),
            Self::Names(texts) | Self::Tags(texts) => texts.as_ref().map(Vec::len),
            Self::EventTypes(kinds) => kinds.as_ref().map(Vec::len),
        }
    }

    #[must_use]
    pub fn is_list(self) -> bool {
        !matches!(self, Self::Either(_) | Self::Flag(_) | Self::MaxLevel(_))
    }

    /// As in addresses; of a level each that is let through.
    #[must_use]
    pub fn texts(self) -> Vec<Cow<'a, str>> {
        match self {
            Self::Either(wanted) => wanted.iter().map(|it| it.to_string().into()).collect(),
            Self::Flag(wanted) => wanted.then_some("true".into()).into_iter().collect(),
            Self::MaxLevel(level) => (1..=level.map_or(0, Level::get)).map(|it| it.to_string().into()).collect(),
            Self::Sources(ids) => ids.iter().flatten().map(|id| id.to_string().into()).collect(),
            Self::Names(texts) | Self::Tags(texts) => texts.iter().flatten().map(Into::into).collect(),
            Self::EventTypes(kinds) => kinds.iter().flatten().map(|kind| kind.code().into()).collect(),
        }
    }
}

/// As in JSON for clients and for the audit log; what is not given is null.
impl Serialize for Given<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Either(wanted) => wanted.serialize(serializer),
            Self::Flag(wanted) => wanted.serialize(serializer),
            Self::MaxLevel(level) => level.map(Level::get).serialize(serializer),
            Self::Sources(Some(ids)) => serializer.collect_seq(ids.iter().map(|id| id.0)),
            Self::Names(texts) | Self::Tags(texts) => texts.serialize(serializer),
            Self::EventTypes(Some(kinds)) => serializer.collect_seq(kinds.iter().map(|kind| kind.code())),
            Self::Sources(None) | Self::EventTypes(None) => serializer.serialize_none(),
        }
    }
}
