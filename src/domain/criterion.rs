//! The criteria of a saved filter, each declared once: its names, its words, and how it narrows a list. JSON, forms,
//! addresses, audit texts and schemas are made from [`CRITERIA`].

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::{Criteria, EventType, Level, SourceId};

/// One criterion, with its name in each place.
pub struct Criterion {
    /// Name in audit texts, and of the field of [`FilterBlob`].
    pub stored: &'static str,
    /// Name in JSON and in the lists of the API.
    pub key: &'static str,
    /// Name in the form of a filter.
    pub form: &'static str,
    /// Name in the address of the list of incidents.
    pub list: &'static str,
    /// Whether versions of the API with few criteria leave it out.
    pub is_wide: bool,
    /// Description in API documents.
    pub about: Option<&'static str>,
    /// Noun in a filter's description: of the items of a list, or of what a flag selects.
    pub noun: &'static str,
    /// Title above its choices or beside its checkbox in a form.
    pub title: &'static str,
    /// Words for true and for false before "incident". `states` are those in a filter's description, `choices` those in
    /// a form.
    pub adjectives: [&'static str; 2],
    pub states: [&'static str; 2],
    pub choices: [&'static str; 2],
    /// Copies a value that is not a list to the criteria of a search.
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

        /// Value of a criterion in a filter.
        #[derive(Clone, Copy, Debug)]
        pub enum Given<'a> {
            $($kind(&'a kind::$kind)),*
        }

        /// Mutable value of a criterion in a filter.
        #[derive(Debug)]
        pub enum Slot<'a> {
            $($kind(&'a mut kind::$kind)),*
        }

        /// The criteria of a saved filter as its owner entered them. All must hold; those that are `None`, empty or
        /// false are not set.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct FilterBlob {
            $($(#[$doc])* pub $field: kind::$of,)*
        }

        /// All criteria, in the order of the fields of [`FilterBlob`].
        pub static CRITERIA: &[Criterion] = &[$(Criterion { stored: stringify!($field), ..$row }),*];

        impl FilterBlob {
            pub fn given(&self) -> impl Iterator<Item = (&'static Criterion, Given<'_>)> {
                CRITERIA.iter().zip([$(Given::$of(&self.$field)),*])
            }

            pub fn slots(&mut self) -> impl Iterator<Item = (&'static Criterion, Slot<'_>)> {
                CRITERIA.iter().zip([$(Slot::$of(&mut self.$field)),*])
            }

            /// Returns these criteria, with those for which `keeps` returns false replaced by those of `other`.
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
    /// Tags as texts. Texts that are not valid tags match nothing.
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
    /// Returns parameters for the address of the list of incidents, for the criteria for which `picks` returns true.
    pub fn pairs(&self, picks: impl Fn(&Given<'_>) -> bool) -> impl Iterator<Item = (&'static str, String)> {
        let given = self.given().filter(move |(_, given)| picks(given));
        given.flat_map(|(criterion, given)| given.texts().into_iter().map(|it| (criterion.list, it.into_owned())))
    }
}

impl<'a> Given<'a> {
    /// Returns whether the criterion is set. An empty list is not.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.count().is_some_and(|count| count > 0)
    }

    /// Returns the number of items of a list, or 1 for any other value. `None`: the criterion is not set.
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

    /// Returns the values as they are in addresses. A maximum level yields each level that it includes.
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

/// Serializes as in JSON for clients and in audit texts. A criterion that is not set is null.
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
