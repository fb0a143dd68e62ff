//! The filter language: which incidents are meant (contract sections 6 and 14.4).
//!
//! One evaluator, over one incident in memory. `search` answers the same question for a whole store, and is tested
//! against this.

use std::collections::BTreeSet;

use super::{
    event::EventTypeSet,
    ids::{IncidentId, SourceId},
    incident::{EndTime, Incident},
    tag::Tag,
    time::Timestamp,
};

/// Criteria, all of which must hold; what is `None`, empty or false does not count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Criteria {
    /// `Some(false)`: closed, so never stateless.
    pub open: Option<bool>,
    pub acked: Option<bool>,
    pub stateful: Option<bool>,
    pub has_ticket: Option<bool>,
    /// Of each group at least one tag must be there; see [`tag_groups`].
    pub tags: Vec<Vec<Tag>>,
    /// `Some` of an empty set matches nothing.
    pub sources: Option<BTreeSet<SourceId>>,
    /// Levels up to and including this; 0 matches nothing.
    pub max_level: Option<u8>,
    pub ids: Option<BTreeSet<IncidentId>>,
    pub source_incident_id: Option<String>,
    /// All bounds are inclusive.
    pub start_from: Option<Timestamp>,
    pub start_to: Option<Timestamp>,
    /// Open-ended incidents count as infinitely late; stateless ones never match.
    pub end_from: Option<Timestamp>,
    pub end_to: Option<Timestamp>,
    /// Microseconds. Open incidents are measured up to now; stateless ones never match.
    pub min_duration: Option<i64>,
    /// Has had at least one event of these types.
    pub event_types: Option<EventTypeSet>,
    /// Leaves out what is both closed and acknowledged.
    pub hide_closed_acked: bool,
    /// Each must occur in the description or in an event's description, whatever its case; see [`fold`].
    pub words: Vec<String>,
}

/// Tags with the same key are alternatives, different keys must all match.
#[must_use]
pub fn tag_groups(tags: impl IntoIterator<Item = Tag>) -> Vec<Vec<Tag>> {
    let mut groups: Vec<Vec<Tag>> = Vec::new();
    for tag in tags {
        match groups.iter_mut().find(|group| group[0].key() == tag.key()) {
            Some(group) if group.contains(&tag) => {}
            Some(group) => group.push(tag),
            None => groups.push(vec![tag]),
        }
    }
    groups
}

/// The form in which texts are compared without regard to case.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    unicase::UniCase::unicode(text).to_folded_case()
}

/// The words of a search text: separated by white space or commas, folded, none twice.
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

impl Criteria {
    /// Matches no incident.
    #[must_use]
    pub fn nothing() -> Self {
        Self { ids: Some(BTreeSet::new()), ..Self::default() }
    }

    /// Everything but `words`, which needs the texts of the events (see [`Criteria::words_match`]).
    #[must_use]
    pub fn matches(&self, incident: &Incident, now: Timestamp) -> bool {
        self.state_matches(incident, now)
            && self.time_matches(incident, now)
            && self.tags.iter().all(|group| group.iter().any(|tag| incident.has_tag(tag)))
            && self.sources.as_ref().is_none_or(|sources| sources.contains(&incident.source))
            && self.max_level.is_none_or(|max| incident.level.get() <= max)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&incident.id))
            && self.source_incident_id.as_ref().is_none_or(|id| *id == incident.source_incident_id)
            && self.event_types.is_none_or(|types| incident.event_types.intersects(types))
    }

    /// Does each word occur in at least one of the texts?
    #[must_use]
    pub fn words_match<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let texts: Vec<String> = texts.into_iter().map(fold).collect();
        self.words.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
    }

    fn state_matches(&self, incident: &Incident, now: Timestamp) -> bool {
        let (open, acked, stateful) = (incident.is_open(now), incident.is_acked(now), incident.end.is_stateful());
        self.open.is_none_or(|wanted| stateful && open == wanted)
            && self.acked.is_none_or(|wanted| acked == wanted)
            && self.stateful.is_none_or(|wanted| stateful == wanted)
            && self.has_ticket.is_none_or(|wanted| incident.ticket_url.is_empty() != wanted)
            && !(self.hide_closed_acked && stateful && !open && acked)
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
