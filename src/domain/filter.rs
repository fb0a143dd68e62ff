//! The filter language: criteria that select incidents (contract sections 6 and 14.4).
//!
//! This evaluator judges one incident in memory. `search` gives the same answers for the whole store, and is tested
//! against it.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{EndTime, EventTypeSet, Incident, IncidentId, IncidentTag, Level, LevelSet, SourceId, Tag, Timestamp};

/// Criteria that must all hold. Those that are `None`, empty or false are not set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Criteria {
    /// State. `Some(false)`: closed, which stateless incidents never are.
    pub open: Option<bool>,
    pub acked: Option<bool>,
    pub stateful: Option<bool>,
    pub has_ticket: Option<bool>,
    /// Groups of tags, of each of which the incident must have at least one tag; see [`tag_groups`].
    pub tags: Vec<Vec<Tag>>,
    /// Sources that match. An empty set matches nothing.
    pub sources: Option<BTreeSet<SourceId>>,
    /// The highest level number that matches. 0 matches nothing.
    pub max_level: Option<u8>,
    /// Levels that match. An empty set matches nothing.
    pub levels: Option<LevelSet>,
    pub ids: Option<BTreeSet<IncidentId>>,
    pub source_incident_id: Option<String>,
    /// First and last start time, inclusive like all bounds.
    pub start_from: Option<Timestamp>,
    pub start_to: Option<Timestamp>,
    /// First and last end. Open-ended incidents end infinitely late. Stateless ones never match.
    pub end_from: Option<Timestamp>,
    pub end_to: Option<Timestamp>,
    /// Shortest and longest duration in microseconds. The duration of open incidents ends now. Stateless ones never
    /// match.
    pub min_duration: Option<i64>,
    pub max_duration: Option<i64>,
    /// Sets of event types. The incident must have an event of at least one type of each set.
    pub event_types: Vec<EventTypeSet>,
    /// Whether to leave out incidents that are both closed and acknowledged.
    pub hide_closed_acked: bool,
    /// Whether the incident is covered by current planned maintenance.
    pub under_maintenance: Option<bool>,
    /// Words that must each occur in the description or in the description of an event, regardless of case; see
    /// [`fold`].
    pub words: Vec<String>,
}

/// Alternative criteria. Matches if at least one of them matches; an empty list matches nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnyOf(pub Vec<Criteria>);

impl From<Criteria> for AnyOf {
    fn from(criteria: Criteria) -> Self {
        Self(vec![criteria])
    }
}

/// Properties of an incident on which criteria are evaluated, now or at an earlier time.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a criterion of its own")]
pub struct FilterSubject<'a> {
    pub open: bool,
    pub acked: bool,
    pub stateful: bool,
    pub has_ticket: bool,
    pub level: Level,
    pub source: SourceId,
    pub tags: &'a [IncidentTag],
    /// Types of all its events, or of the event that is judged.
    pub event_types: EventTypeSet,
}

impl<'a> FilterSubject<'a> {
    #[must_use]
    pub fn incident(incident: &'a Incident, now: Timestamp) -> Self {
        Self {
            open: incident.is_open(now),
            acked: incident.is_acked(now),
            stateful: incident.end.is_stateful(),
            has_ticket: !incident.ticket_url.is_empty(),
            level: incident.level,
            source: incident.source,
            tags: &incident.tags,
            event_types: incident.event_types,
        }
    }
}

/// The first criterion that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// No criterion is set, or one that nothing can match.
    Nothing,
    Open,
    Acked,
    Stateful,
    Ticket,
    HideClosedAcked,
    /// Index of the group in [`Criteria::tags`].
    Tags(usize),
    Source,
    Level,
    EventTypes,
}

/// Groups tags by key. Tags of the same key are alternatives; of each key one tag must match.
#[must_use]
pub fn tag_groups(tags: impl IntoIterator<Item = Tag>) -> Vec<Vec<Tag>> {
    let mut groups: Vec<Vec<Tag>> = Vec::new();
    let mut group_of_key: FxHashMap<String, usize> = FxHashMap::default();
    let mut seen: FxHashSet<Tag> = FxHashSet::default();
    for tag in tags {
        if !seen.insert(tag.clone()) {
            continue;
        }
        if let Some(group) = group_of_key.get(tag.key()).and_then(|at| groups.get_mut(*at)) {
            group.push(tag);
        } else {
            group_of_key.insert(tag.key().to_owned(), groups.len());
            groups.push(vec![tag]);
        }
    }
    groups
}

/// Returns the form in which texts are compared regardless of case.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    unicase::UniCase::unicode(text).to_folded_case()
}

/// Returns the words of a search text, which are separated by white space or commas. They are folded, without
/// duplicates.
#[must_use]
pub fn search_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
        let word = fold(word);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// Narrows `known` to the items that are also in `wanted`.
pub fn narrow<T: Ord>(known: &mut Option<BTreeSet<T>>, wanted: BTreeSet<T>) {
    *known = Some(match known.take() {
        Some(known) => known.into_iter().filter(|item| wanted.contains(item)).collect(),
        None => wanted,
    });
}

impl Criteria {
    /// Returns criteria that match no incident.
    #[must_use]
    pub fn nothing() -> Self {
        Self { ids: Some(BTreeSet::new()), ..Self::default() }
    }

    /// Narrows these criteria to incidents that match `kept`, too. Criteria that a saved filter cannot have are
    /// ignored. Event types occur only in saved filters.
    pub fn narrow_to(&mut self, kept: Self) {
        let flags = [(&mut self.open, kept.open), (&mut self.acked, kept.acked), (&mut self.stateful, kept.stateful)];
        let mut contradict = false;
        for (known, wanted) in flags {
            contradict |= wanted.is_some_and(|wanted| *known == Some(!wanted));
            *known = known.or(wanted);
        }
        self.tags.extend(kept.tags);
        if let Some(sources) = kept.sources {
            narrow(&mut self.sources, sources);
        }
        if let Some(ids) = kept.ids {
            narrow(&mut self.ids, ids);
        }
        self.max_level = [self.max_level, kept.max_level].into_iter().flatten().min();
        self.event_types.extend(kept.event_types);
        self.hide_closed_acked |= kept.hide_closed_acked;
        if contradict {
            self.ids = Some(BTreeSet::new());
        }
    }

    /// Returns whether the criteria need more than a [`Summary`](super::incident::Summary) has.
    #[must_use]
    pub fn needs_records(&self) -> bool {
        !self.tags.is_empty()
            || !self.words.is_empty()
            || self.source_incident_id.is_some()
            || self.under_maintenance.is_some()
    }

    /// Evaluates all criteria except `words`, which needs the texts of events (see [`Criteria::words_match`]), and
    /// `under_maintenance`, which needs the filters of planned maintenance.
    #[must_use]
    pub fn matches(&self, incident: &Incident, now: Timestamp) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(&incident.id))
            && self.mismatch(&FilterSubject::incident(incident, now)).is_none()
            && self.time_matches(incident, now)
            && self.source_incident_id.as_ref().is_none_or(|id| *id == incident.source_incident_id)
    }

    /// Returns the first criterion that does not hold, of those that saved filters can have. `None`: all hold.
    #[must_use]
    pub fn mismatch(&self, about: &FilterSubject<'_>) -> Option<Mismatch> {
        let wants = |wanted: Option<bool>, actual: bool| wanted.is_some_and(|wanted| wanted != actual);
        let has = |tag: &Tag| about.tags.iter().any(|it| it.tag == *tag);
        if self.ids.as_ref().is_some_and(BTreeSet::is_empty) {
            Some(Mismatch::Nothing)
        } else if self.sources.as_ref().is_some_and(|sources| !sources.contains(&about.source)) {
            Some(Mismatch::Source)
        } else if let Some(group) = self.tags.iter().position(|group| !group.iter().any(has)) {
            Some(Mismatch::Tags(group))
        } else if self.max_level.is_some_and(|max| about.level.get() > max)
            || self.levels.is_some_and(|levels| !levels.contains(about.level))
        {
            Some(Mismatch::Level)
        } else if wants(self.stateful, about.stateful) {
            Some(Mismatch::Stateful)
        } else if self.open.is_some_and(|wanted| !about.stateful || wanted != about.open) {
            Some(Mismatch::Open)
        } else if wants(self.acked, about.acked) {
            Some(Mismatch::Acked)
        } else if wants(self.has_ticket, about.has_ticket) {
            Some(Mismatch::Ticket)
        } else if self.hide_closed_acked && about.stateful && !about.open && about.acked {
            Some(Mismatch::HideClosedAcked)
        } else if self.event_types.iter().any(|types| !types.intersects(about.event_types)) {
            Some(Mismatch::EventTypes)
        } else {
            None
        }
    }

    /// Returns whether each word occurs in at least one of the texts.
    #[must_use]
    pub fn words_match<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let texts: Vec<String> = texts.into_iter().map(fold).collect();
        self.words.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
    }

    fn time_matches(&self, incident: &Incident, now: Timestamp) -> bool {
        let duration = match incident.end {
            EndTime::Stateless => None,
            EndTime::At(end) if end <= now => Some(end.micros() - incident.start.micros()),
            EndTime::At(_) | EndTime::Infinity => Some(now.micros() - incident.start.micros()),
        };
        self.start_from.is_none_or(|from| incident.start >= from)
            && self.start_to.is_none_or(|to| incident.start <= to)
            && self.end_from.is_none_or(|from| incident.end.is_stateful() && incident.end >= EndTime::At(from))
            && self.end_to.is_none_or(|to| incident.end.is_stateful() && incident.end <= EndTime::At(to))
            && self.min_duration.is_none_or(|min| duration.is_some_and(|duration| duration >= min))
            && self.max_duration.is_none_or(|max| duration.is_some_and(|duration| duration <= max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        Tag::parse(text).unwrap()
    }

    #[test]
    fn groups_tags_by_key() {
        let groups = tag_groups([tag("a=1"), tag("b=1"), tag("a=2"), tag("a=1")]);
        assert_eq!(groups, [vec![tag("a=1"), tag("a=2")], vec![tag("b=1")]]);
    }

    #[test]
    fn splits_and_folds_search_words() {
        assert_eq!(search_words(" Link,DOWN\tlink  straße"), ["link", "down", "strasse"]);
    }

    #[test]
    fn words_may_be_spread_over_texts() {
        let criteria = Criteria { words: search_words("down fan"), ..Criteria::default() };
        assert!(criteria.words_match(["Link DOWN", "a fan failed"]));
        assert!(!criteria.words_match(["Link DOWN"]));
    }
}
