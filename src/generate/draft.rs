//! Generates incidents with all their events, in the order of their start times.

use super::{
    dice::Dice,
    scenario::{Fault, SOURCES, SourceKind},
    words::WORDS,
};
use crate::domain::{EndTime, EventType, Level, Tag, Timestamp};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;
/// Time before now in which incidents start, in microseconds.
const PERIOD: u64 = 365 * DAY;

/// A generated incident with its events, without ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    /// Index into [`SOURCES`].
    pub source: usize,
    /// Number of the incident, counted from 0.
    pub number: u64,
    pub start: Timestamp,
    pub end: EndTime,
    pub level: Level,
    pub description: String,
    pub details_url: String,
    pub ticket_url: String,
    pub metadata: String,
    pub tags: Vec<Tag>,
    /// Events, sorted by time.
    pub events: Vec<DraftEvent>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DraftEvent {
    pub kind: EventType,
    pub at: Timestamp,
    pub description: String,
    pub by: By,
    /// Expiry of an acknowledgement, if it expires.
    pub expiration: Option<Timestamp>,
    /// Level of the incident from this event on. `None`: its final level.
    pub level: Option<Level>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Source,
    /// A user, by number. Numbers beyond the number of users begin again at the first user.
    Person(usize),
}

impl DraftEvent {
    pub(super) const fn of_source(kind: EventType, at: Timestamp, description: String) -> Self {
        Self { kind, at, description, by: By::Source, expiration: None, level: None }
    }
}

/// Generator of `count` drafts that start within the year before `now`.
pub(super) struct Drafts {
    dice: Dice,
    now: Timestamp,
    count: u64,
    next: u64,
}

impl Drafts {
    pub(super) const fn new(count: u64, seed: u64, now: Timestamp) -> Self {
        Self { dice: Dice::new(seed), now, count, next: 0 }
    }

    /// Returns a random start within the part of the year that belongs to this number, so starts ascend.
    fn start(&mut self, number: u64) -> Timestamp {
        let step = (PERIOD / self.count.max(1)).max(1);
        let ago = PERIOD.saturating_sub(number.saturating_mul(step)).saturating_sub(self.dice.below(step));
        self.now.saturating_add_micros(-(ago.max(1) as i64))
    }

    fn source(&mut self) -> (usize, &'static SourceKind) {
        let mut left = self.dice.below(100);
        for (position, source) in SOURCES.iter().enumerate() {
            if left < source.share {
                return (position, source);
            }
            left -= source.share;
        }
        (0, &SOURCES[0])
    }

    fn level(&mut self) -> Level {
        let level = match self.dice.below(100) {
            0..4 => 1,
            4..16 => 2,
            16..48 => 3,
            48..76 => 4,
            _ => 5,
        };
        Level::new(level).unwrap_or(Level::INFORMATION)
    }

    /// Returns an end. About 5 % are open, most of them young; 4 % are stateless; the others lasted from minutes to
    /// days.
    fn end(&mut self, start: Timestamp) -> EndTime {
        if self.dice.percent(4) {
            return EndTime::Stateless;
        }
        let young = self.now.micros() - start.micros() < (PERIOD / 10) as i64;
        if self.dice.percent(if young { 34 } else { 2 }) {
            return EndTime::Infinity;
        }
        let lasted = self.dice.skewed(3 * MINUTE, 12) + self.dice.below(SECOND);
        let end = start.saturating_add_micros(lasted as i64);
        if end < self.now { EndTime::At(end) } else { EndTime::Infinity }
    }

    fn events(&mut self, start: Timestamp, end: EndTime, description: &str) -> Vec<DraftEvent> {
        let kind = if end.is_stateful() { EventType::Start } else { EventType::Stateless };
        let mut events = vec![DraftEvent::of_source(kind, start, description.to_owned())];
        let last = end.time().unwrap_or(self.now);
        if self.dice.percent(15) {
            let room = last.micros().saturating_sub(start.micros()).clamp(1, (2 * DAY) as i64) as u64;
            let at = start.saturating_add_micros(self.dice.below(room) as i64);
            let days = self.dice.between(1, 14);
            let expiration = self.dice.percent(30).then(|| at.saturating_add_micros((days * DAY) as i64));
            let description = self.dice.word(&WORDS.ack_texts).to_owned();
            let by = By::Person(self.next as usize);
            events.push(DraftEvent { kind: EventType::Acknowledge, at, description, by, expiration, level: None });
        }
        if let EndTime::At(at) = end {
            let description = self.dice.word(&WORDS.end_texts).to_owned();
            events.push(DraftEvent::of_source(EventType::End, at, description));
        }
        events
    }
}

impl Iterator for Drafts {
    type Item = Draft;

    fn next(&mut self) -> Option<Draft> {
        let number = self.next;
        if number >= self.count {
            return None;
        }
        self.next += 1;
        let start = self.start(number);
        let (source, kind) = self.source();
        let fault = kind.troubles[self.dice.below(kind.troubles.len() as u64) as usize];
        let Fault { description, tags, details_url, metadata } = fault(&mut self.dice);
        let end = self.end(start);
        let events = self.events(start, end, &description);
        let ticket = self.dice.percent(5).then(|| self.dice.between(1_000, 90_000));
        Some(Draft {
            source,
            number,
            start,
            end,
            level: self.level(),
            description,
            details_url,
            ticket_url: ticket.map(|n| format!("https://tickets.example.org/{n}")).unwrap_or_default(),
            metadata: metadata.unwrap_or_else(|| "{}".to_owned()),
            tags: tags.iter().filter_map(|text| Tag::parse(text).ok()).collect(),
            events,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::saturating_from_micros(1_800_000_000_000_000);

    #[test]
    fn the_same_seed_makes_the_same_incidents() {
        let make = |seed| Drafts::new(50, seed, NOW).collect::<Vec<_>>();
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }

    #[test]
    fn they_start_in_order_within_a_year_before_now() {
        for count in [1, 2, 7, 1_000] {
            let drafts: Vec<Draft> = Drafts::new(count, 1, NOW).collect();
            assert_eq!(drafts.len() as u64, count);
            assert!(drafts.is_sorted_by_key(|draft| draft.start));
            assert!(
                drafts.iter().all(|draft| draft.start < NOW && NOW.micros() - draft.start.micros() <= PERIOD as i64)
            );
        }
    }

    #[test]
    fn the_mixture_is_like_life() {
        let drafts: Vec<Draft> = Drafts::new(20_000, 1, NOW).collect();
        let percent = |wanted: fn(&Draft) -> bool| drafts.iter().filter(|draft| wanted(draft)).count() / 200;
        assert!((4..=6).contains(&percent(|draft| draft.end == EndTime::Infinity)));
        assert!((3..=5).contains(&percent(|draft| draft.end == EndTime::Stateless)));
        assert!((14..=16).contains(&percent(|d| d.events.iter().any(|e| e.kind == EventType::Acknowledge))));
        assert!((2..=6).contains(&percent(|draft| draft.level == Level::CRITICAL)));
        let closed = drafts.iter().filter(|draft| matches!(draft.end, EndTime::At(_)));
        assert!(closed.clone().all(|draft| draft.events.last().unwrap().kind == EventType::End));
        assert!(drafts.iter().all(|draft| draft.events.is_sorted_by_key(|event| event.at)));
    }
}
