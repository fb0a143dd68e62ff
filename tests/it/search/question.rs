//! Questions, and the oracle that answers them by looking at every incident.

use argusd::domain::{
    event::EventType,
    filter::{Criteria, search_words, tag_groups},
    ids::{IncidentId, SourceId},
    incident::{AckedUntil, EndTime},
    severity::Level,
    tag::Tag,
};
use proptest::{collection::vec, option, prelude::*};

use super::{Entry, TAGS, WORDS, at, name_of, tag_set};

#[derive(Clone, Debug, Default)]
pub struct Question {
    pub open: Option<bool>,
    pub acked: Option<bool>,
    pub stateful: Option<bool>,
    pub has_ticket: Option<bool>,
    pub tags: Vec<usize>,
    pub sources: Option<Vec<u64>>,
    pub max_level: Option<u8>,
    pub levels: Option<Vec<u8>>,
    pub ids: Option<Vec<u64>>,
    pub name: Option<u8>,
    pub start_from: Option<i64>,
    pub start_to: Option<i64>,
    pub end_from: Option<i64>,
    pub end_to: Option<i64>,
    pub min_duration: Option<i64>,
    pub max_duration: Option<i64>,
    pub event_types: Option<Vec<usize>>,
    pub hide_closed_acked: bool,
    pub words: Vec<usize>,
    pub now: i64,
    pub size: usize,
}

impl Question {
    pub fn criteria(&self) -> Criteria {
        Criteria {
            open: self.open,
            acked: self.acked,
            stateful: self.stateful,
            has_ticket: self.has_ticket,
            tags: tag_groups(self.tags.iter().map(|&tag| Tag::parse(TAGS[tag]).unwrap())),
            sources: self.sources.as_ref().map(|sources| sources.iter().map(|&source| SourceId(source)).collect()),
            max_level: self.max_level,
            levels: self.levels.as_ref().map(|levels| levels.iter().filter_map(|&level| Level::new(level)).collect()),
            ids: self.ids.as_ref().map(|ids| ids.iter().map(|&id| IncidentId(id)).collect()),
            source_incident_id: self.name.map(name_of),
            start_from: self.start_from.map(at),
            start_to: self.start_to.map(at),
            end_from: self.end_from.map(at),
            end_to: self.end_to.map(at),
            min_duration: self.min_duration,
            max_duration: self.max_duration,
            event_types: self
                .event_types
                .as_ref()
                .map(|kinds| kinds.iter().map(|&kind| EventType::ALL[kind]).collect())
                .into_iter()
                .collect(),
            under_maintenance: None,
            hide_closed_acked: self.hide_closed_acked,
            words: search_words(&self.words.iter().map(|&word| WORDS[word]).collect::<Vec<_>>().join(" , ")),
        }
    }

    /// Written from the contract, not from `Criteria::matches`.
    pub fn meets(&self, Entry { incident, texts }: &Entry) -> bool {
        let now = at(self.now);
        let (stateful, end) = match incident.end {
            EndTime::Stateless => (false, None),
            EndTime::At(end) => (true, Some(end)),
            EndTime::Infinity => (true, None),
        };
        let open = stateful && end.is_none_or(|end| end > now);
        let acked = match incident.acked_until {
            AckedUntil::Never => false,
            AckedUntil::At(until) => until > now,
            AckedUntil::Forever => true,
        };
        let mut met = true;
        if let Some(wanted) = self.open {
            met &= if wanted { open } else { stateful && !open };
        }
        if let Some(wanted) = self.acked {
            met &= acked == wanted;
        }
        if let Some(wanted) = self.stateful {
            met &= stateful == wanted;
        }
        if let Some(wanted) = self.has_ticket {
            met &= incident.ticket_url.is_empty() != wanted;
        }
        let has: Vec<&str> = incident.tags.iter().map(|tag| tag.tag.as_str()).collect();
        for tag in &self.tags {
            let key = TAGS[*tag].split('=').next();
            let alternatives = self.tags.iter().map(|&tag| TAGS[tag]).filter(|tag| tag.split('=').next() == key);
            met &= alternatives.into_iter().any(|tag| has.contains(&tag));
        }
        if let Some(sources) = &self.sources {
            met &= sources.contains(&incident.source.0);
        }
        if let Some(max) = self.max_level {
            met &= incident.level.get() <= max;
        }
        if let Some(levels) = &self.levels {
            met &= levels.contains(&incident.level.get());
        }
        if let Some(ids) = &self.ids {
            met &= ids.contains(&incident.id.0);
        }
        if let Some(name) = self.name {
            met &= incident.source_incident_id == name_of(name);
        }
        met &= self.start_from.is_none_or(|from| incident.start.micros() >= from);
        met &= self.start_to.is_none_or(|to| incident.start.micros() <= to);
        met &= self.end_from.is_none_or(|from| stateful && end.is_none_or(|end| end.micros() >= from));
        met &= self.end_to.is_none_or(|to| end.is_some_and(|end| end.micros() <= to));
        if let Some(min) = self.min_duration {
            let until = end.map_or(self.now, |end| end.micros().min(self.now));
            met &= stateful && until - incident.start.micros() >= min;
        }
        if let Some(max) = self.max_duration {
            let until = end.map_or(self.now, |end| end.micros().min(self.now));
            met &= stateful && until - incident.start.micros() <= max;
        }
        if let Some(kinds) = &self.event_types {
            met &= kinds.iter().any(|&kind| incident.event_types.contains(EventType::ALL[kind]));
        }
        if self.hide_closed_acked {
            met &= !(stateful && !open && acked);
        }
        let texts: Vec<String> = texts.iter().chain([&incident.description]).map(|text| without_case(text)).collect();
        met && self.words.iter().all(|&word| texts.iter().any(|text| text.contains(&without_case(WORDS[word]))))
    }
}

fn without_case(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

pub fn a_question() -> impl Strategy<Value = Question> {
    let state = (
        option::weighted(0.3, any::<bool>()),
        option::weighted(0.2, any::<bool>()),
        option::weighted(0.2, any::<bool>()),
    );
    let moment = || option::weighted(0.15, 0i64..20);
    let ranges = (moment(), moment(), moment(), moment());
    let durations = (option::weighted(0.15, -5i64..15), option::weighted(0.1, -5i64..15));
    let sets = (
        prop_oneof![2 => Just(Vec::new()), 1 => tag_set()],
        option::weighted(0.2, vec(1u64..5, 0..3)),
        option::weighted(0.15, vec(0u64..25, 0..10)),
        option::weighted(0.15, vec(0..EventType::ALL.len(), 0..3)),
        prop_oneof![2 => Just(Vec::new()), 3 => vec(0..WORDS.len(), 1..3)],
    );
    let rest = (
        option::weighted(0.2, any::<bool>()),
        option::weighted(0.2, 0u8..6),
        option::weighted(0.2, vec(1u8..6, 0..4)),
        option::weighted(0.1, 0u8..4),
        any::<bool>(),
    );
    (state, (ranges, durations), sets, rest, (0i64..25, 1usize..6)).prop_map(
        |(
            (open, acked, stateful),
            (ranges, durations),
            (tags, sources, ids, event_types, words),
            rest,
            (now, size),
        )| {
            let (start_from, start_to, end_from, end_to) = ranges;
            let (min_duration, max_duration) = durations;
            let (has_ticket, max_level, levels, name, hide_closed_acked) = rest;
            Question {
                open,
                acked,
                stateful,
                has_ticket,
                tags,
                sources,
                max_level,
                levels,
                ids,
                name,
                start_from,
                start_to,
                end_from,
                end_to,
                min_duration,
                max_duration,
                event_types,
                hide_closed_acked,
                words,
                now,
                size,
            }
        },
    )
}
