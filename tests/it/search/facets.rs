//! Counts beside the choices are what each choice would find; and which of some incidents match.

use std::collections::{BTreeMap, BTreeSet};

use argusd::{
    domain::{
        event::EventType,
        ids::IncidentId,
        incident::{AckedUntil, EndTime, Incident},
    },
    search::Facets,
};

use super::{Question, SOURCES, World, at};

impl World {
    pub fn ask_facets(&self, question: &Question) {
        let (criteria, now) = (question.criteria(), at(question.now));
        let found = self.search().facets(&criteria, now).unwrap();
        assert_eq!(found, self.expected_facets(question), "{criteria:?}");
    }

    /// Of few, whose records are read, and of many.
    pub fn ask_which_match(&self, question: &Question) {
        let matching: BTreeSet<u64> =
            self.model.iter().filter(|(_, entry)| question.meets(entry)).map(|(&id, _)| id).collect();
        for ids in [(0..6_000).step_by(1), (0..200).step_by(2)] {
            let ids: BTreeSet<u64> = ids.collect();
            let asked = ids.iter().map(|&id| IncidentId(id)).collect();
            let found = self.search().matching_of(&question.criteria(), asked, at(question.now)).unwrap();
            let found: BTreeSet<u64> = found.into_iter().map(|id| id.0).collect();
            assert_eq!(found, &ids & &matching, "{question:?}");
        }
    }

    fn matching(&self, question: &Question) -> Vec<&Incident> {
        self.model.values().filter(|entry| question.meets(entry)).map(|entry| &entry.incident).collect()
    }

    fn expected_facets(&self, question: &Question) -> Facets {
        let count = |question: &Question, holds: &dyn Fn(&Incident) -> bool| {
            self.matching(question).into_iter().filter(|incident| holds(incident)).count() as u64
        };
        let now = at(question.now);
        let any_level = Question { levels: None, max_level: None, ..question.clone() };
        let any_source = Question { sources: None, ..question.clone() };
        let any_state = Question { open: None, stateful: None, ..question.clone() };
        let any_ack = Question { acked: None, ..question.clone() };
        let any_ticket = Question { has_ticket: None, ..question.clone() };
        let any_event = Question { event_types: None, ..question.clone() };
        let mut sources = BTreeMap::new();
        let mut types = BTreeMap::new();
        for incident in self.matching(&any_source) {
            *sources.entry(incident.source).or_insert(0) += 1;
            *types.entry(SOURCES[incident.source.0 as usize - 1].1.to_owned()).or_insert(0) += 1;
        }
        let mut by_source: Vec<_> = sources.into_iter().collect();
        by_source.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut by_source_type: Vec<_> = types.into_iter().collect();
        by_source_type.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let is_stateless = |incident: &Incident| incident.end == EndTime::Stateless;
        let is_open = |incident: &Incident| match incident.end {
            EndTime::Stateless => false,
            EndTime::At(end) => end > now,
            EndTime::Infinity => true,
        };
        let is_acked = |incident: &Incident| match incident.acked_until {
            AckedUntil::Never => false,
            AckedUntil::At(until) => until > now,
            AckedUntil::Forever => true,
        };
        Facets {
            matching: count(question, &|_| true),
            by_level: [1, 2, 3, 4, 5].map(|level| count(&any_level, &|incident| incident.level.get() == level)),
            by_source,
            by_source_type,
            open: count(&any_state, &is_open),
            closed: count(&any_state, &|incident| !is_stateless(incident) && !is_open(incident)),
            stateless: count(&any_state, &is_stateless),
            acked: count(&any_ack, &is_acked),
            unacked: count(&any_ack, &|incident| !is_acked(incident)),
            with_ticket: count(&any_ticket, &|incident| !incident.ticket_url.is_empty()),
            without_ticket: count(&any_ticket, &|incident| incident.ticket_url.is_empty()),
            by_event_type: EventType::ALL
                .map(|kind| (kind, count(&any_event, &|incident| incident.event_types.contains(kind))))
                .to_vec(),
        }
    }
}
