//! Demo incidents of the last days, the oldest first. Pure: randomness and the time are arguments.

use crate::domain::{EndTime, EventType, Level, Tag, Timestamp};
use crate::generate::{
    dice::Dice,
    draft::{By, Draft, DraftEvent},
    scenario::{Fault, SourceKind},
    words::WORDS,
};

pub(super) const PEOPLE: usize = 3;
pub(super) const SYSTEMS: usize = 4;
const INCIDENTS: u64 = 120;
/// Number of the latest incidents, which may be open.
const YOUNG: u64 = 36;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const PERIOD: i64 = 6 * 24 * HOUR;

/// Senders of ten incidents, as indexes into the list of systems.
const SENDERS: [usize; 10] = [0, 1, 0, 2, 0, 3, 1, 0, 2, 3];
const LEVELS: [u8; 10] = [3, 2, 4, 3, 5, 1, 4, 3, 2, 5];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoryEnd {
    Open,
    OpenWithComment,
    Acked,
    AckedForAWhile,
    AckExpired,
    GotWorse,
    CameBack,
    Reopened,
    EndsSoon,
    Ended,
    AckedAndEnded,
    ClosedByHand,
    Stateless,
}

use StoryEnd as F;
const OLD_ENDS: [StoryEnd; 13] = [
    F::Ended,
    F::ClosedByHand,
    F::Ended,
    F::AckedAndEnded,
    F::Stateless,
    F::Ended,
    F::Acked,
    F::Ended,
    F::CameBack,
    F::AckExpired,
    F::Ended,
    F::Reopened,
    F::AckedAndEnded,
];
const YOUNG_ENDS: [StoryEnd; 12] = [
    F::Open,
    F::OpenWithComment,
    F::AckedForAWhile,
    F::Open,
    F::Ended,
    F::GotWorse,
    F::Open,
    F::Stateless,
    F::Acked,
    F::EndsSoon,
    F::CameBack,
    F::Open,
];

/// Returns the incidents, sorted by start. Each source is an index into `systems`.
pub(super) fn tell(dice: &mut Dice, systems: &[&SourceKind; SYSTEMS], now: Timestamp) -> Vec<Draft> {
    (0..INCIDENTS).filter_map(|number| draft(dice, systems, number, now)).collect()
}

fn draft(dice: &mut Dice, systems: &[&SourceKind; SYSTEMS], number: u64, now: Timestamp) -> Option<Draft> {
    let source = nth(&SENDERS, dice.roll())?;
    let troubles = systems.get(source)?.troubles;
    let Fault { description, tags, details_url, metadata } = nth(troubles, dice.roll())?(dice);
    let left = INCIDENTS - number;
    let end = if left > YOUNG { nth(&OLD_ENDS, number)? } else { nth(&YOUNG_ENDS, number)? };
    let level = if end == F::GotWorse { Level::HIGH } else { Level::new(nth(&LEVELS, dice.roll())?)? };
    let description = embellished(dice, number, description);
    let mut tags: Vec<Tag> = tags.iter().filter_map(|text| Tag::parse(text).ok()).collect();
    tags.extend(links(number, &tags));
    let start = start(dice, left, now);
    let (end, events) = StoryTimeline::new(dice, start, now, end).run(end, level, &description);
    let ticket = dice.percent(12).then(|| dice.between(1_000, 90_000));
    Some(Draft {
        source,
        number,
        start,
        end,
        level,
        description,
        details_url,
        ticket_url: ticket.map(|n| format!("https://tickets.example.org/{n}")).unwrap_or_default(),
        metadata: metadata.unwrap_or_else(|| "{}".to_owned()),
        tags,
        events,
    })
}

fn nth<T: Copy>(list: &[T], number: u64) -> Option<T> {
    list.get((number % (list.len() as u64).max(1)) as usize).copied()
}

/// Returns a start time. The closer to now, the more incidents start.
fn start(dice: &mut Dice, left: u64, now: Timestamp) -> Timestamp {
    let unit = PERIOD as u64 / (INCIDENTS * INCIDENTS);
    let ago = left * left * unit - dice.below(unit / 2);
    now.saturating_add_micros(-(ago as i64))
}

/// Returns a text that is hard to show: with several lines, with markup, with a word that is wider than a phone's
/// screen, or not in English.
fn embellished(dice: &mut Dice, number: u64, description: String) -> String {
    match number {
        n if n % 9 == 4 => format!(
            "{description}\n\nLast checks:\n  {:02}:00 OK\n  {:02}:05 WARNING, {} s\n  {:02}:10 CRITICAL, timeout after 10 s\n\n\
             Who is affected: everybody in this building. The run book has the steps.",
            8,
            8,
            dice.between(2, 9),
            8
        ),
        n if n % 29 == 7 => {
            format!("{description}; GET /health said \"<h1>502 Bad Gateway</h1>\" & closed the connection")
        }
        n if n % 31 == 5 => format!("{description} /var/lib/{}", "containers-overlay-".repeat(9)),
        n if n % 23 == 11 => {
            format!("Tromsø–Bodø: {description} (forsinkelse {} µs, mål 40 µs)", dice.between(50, 900))
        }
        _ => description,
    }
}

fn links(number: u64, tags: &[Tag]) -> Vec<Tag> {
    let value = |key: &str| tags.iter().find(|tag| tag.key() == key).map(Tag::value).unwrap_or_default();
    let runbook = format!("runbook=https://wiki.example.org/runbooks/{}", value("problem_type"));
    let graph = format!("graph=https://graphs.example.org/d/{}?from=now-6h&to=now", value("host"));
    let wanted = [(number.is_multiple_of(3), runbook), (number.is_multiple_of(5), graph)];
    wanted.into_iter().filter(|(wanted, _)| *wanted).filter_map(|(_, text)| Tag::parse(&text).ok()).collect()
}

/// The events of one incident, from its start to the last one.
struct StoryTimeline<'a> {
    dice: &'a mut Dice,
    start: Timestamp,
    now: Timestamp,
    until: Timestamp,
    events: Vec<DraftEvent>,
}

impl<'a> StoryTimeline<'a> {
    fn new(dice: &'a mut Dice, start: Timestamp, now: Timestamp, end: StoryEnd) -> Self {
        let room = now.micros() - start.micros();
        let lasted = match end {
            F::Ended | F::AckedAndEnded | F::ClosedByHand => {
                (dice.skewed(4 * MINUTE as u64, 7) as i64).min(room / 10 * 9)
            }
            _ => room,
        };
        Self { dice, start, now, until: start.saturating_add_micros(lasted), events: Vec::new() }
    }

    fn run(mut self, end: StoryEnd, level: Level, description: &str) -> (EndTime, Vec<DraftEvent>) {
        let first = if end == F::Stateless { EventType::Stateless } else { EventType::Start };
        self.source(first, 0, description);
        match end {
            F::Open | F::Stateless | F::EndsSoon => {}
            F::OpenWithComment => self.person(EventType::Other, 60, &WORDS.comments),
            F::Acked => {
                self.acknowledge(30, None);
                self.person(EventType::Other, 50, &WORDS.comments);
            }
            F::AckedForAWhile => {
                let hours = self.dice.between(1, 20) as i64;
                self.acknowledge(50, Some(self.now.saturating_add_micros(hours * HOUR)));
            }
            F::AckExpired => self.acknowledge(10, Some(self.at(40))),
            F::GotWorse => {
                let before = Level::LOW;
                self.source(EventType::Change, 50, "");
                for (event, level) in self.events.iter_mut().zip([before, level]) {
                    event.level = Some(level);
                }
            }
            F::CameBack => {
                self.source(EventType::End, 40, "Back to normal");
                self.source(EventType::Restart, 55, description);
            }
            F::Reopened => {
                self.person(EventType::Close, 30, &WORDS.close_texts);
                self.person(EventType::Reopen, 50, &WORDS.reopen_texts);
            }
            F::Ended => self.end(),
            F::AckedAndEnded => {
                self.acknowledge(30, None);
                self.end();
            }
            F::ClosedByHand => {
                self.acknowledge(20, None);
                self.person(EventType::Other, 60, &WORDS.comments);
                self.person(EventType::Close, 100, &WORDS.close_texts);
            }
        }
        let end = match end {
            F::Stateless => EndTime::Stateless,
            F::Ended | F::AckedAndEnded | F::ClosedByHand => EndTime::At(self.until),
            F::EndsSoon => EndTime::At(self.now.saturating_add_micros(3 * HOUR)),
            _ => EndTime::Infinity,
        };
        (end, self.events)
    }

    fn at(&self, percent: i64) -> Timestamp {
        self.start.saturating_add_micros((self.until.micros() - self.start.micros()) / 100 * percent)
    }

    fn source(&mut self, kind: EventType, percent: i64, text: &str) {
        self.events.push(DraftEvent::of_source(kind, self.at(percent), text.to_owned()));
    }

    fn end(&mut self) {
        let text = self.dice.word(&WORDS.end_texts).to_owned();
        self.events.push(DraftEvent::of_source(EventType::End, self.until, text));
    }

    fn person(&mut self, kind: EventType, percent: i64, texts: &[&'static str]) {
        let text = self.dice.word(texts).to_owned();
        let at = if percent == 100 { self.until } else { self.at(percent) };
        let by = By::Person(self.dice.below(PEOPLE as u64) as usize);
        self.events.push(DraftEvent { by, ..DraftEvent::of_source(kind, at, text) });
    }

    fn acknowledge(&mut self, percent: i64, expiration: Option<Timestamp>) {
        self.person(EventType::Acknowledge, percent, &WORDS.ack_texts);
        if let Some(event) = self.events.last_mut() {
            event.expiration = expiration;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::generate::scenario::SOURCES;

    const NOW: Timestamp = Timestamp::saturating_from_micros(1_800_000_000_000_000);

    fn story(seed: u64) -> Vec<Draft> {
        let systems: Vec<&SourceKind> = SOURCES.iter().take(SYSTEMS).collect();
        tell(&mut Dice::new(seed), &systems.try_into().unwrap_or_else(|_| panic!()), NOW)
    }

    #[test]
    fn the_same_seed_tells_the_same() {
        assert_eq!(story(1), story(1));
        assert_ne!(story(1), story(2));
    }

    #[test]
    fn everything_that_pages_show_is_there() {
        for seed in 0..20 {
            let drafts = story(seed);
            assert_eq!(drafts.len() as u64, INCIDENTS);
            assert_eq!(drafts.iter().map(|draft| draft.level).collect::<BTreeSet<_>>().len(), 5);
            assert_eq!(drafts.iter().map(|draft| draft.source).collect::<BTreeSet<_>>().len(), SYSTEMS);
            let kinds: BTreeSet<EventType> = drafts.iter().flat_map(|draft| &draft.events).map(|it| it.kind).collect();
            assert_eq!(kinds, EventType::ALL.into_iter().collect());
            let events = || drafts.iter().flat_map(|draft| &draft.events);
            assert!(events().any(|event| event.expiration.is_some_and(|at| at < NOW)));
            assert!(events().any(|event| event.expiration.is_some_and(|at| at > NOW)));
            let some = |wanted: fn(&Draft) -> bool| assert!(drafts.iter().any(wanted));
            some(|draft| draft.end == EndTime::Stateless);
            some(|draft| matches!(draft.end, EndTime::At(end) if end > NOW));
            some(|draft| !draft.ticket_url.is_empty());
            some(|draft| draft.description.contains('\n'));
            some(|draft| draft.description.contains("<h1>"));
            some(|draft| draft.tags.iter().any(|tag| tag.value().starts_with("https://")));
            let open = drafts.iter().filter(|draft| draft.end.is_open(NOW)).count();
            assert!((25..80).contains(&open), "{open}");
        }
    }

    #[test]
    fn nothing_happens_before_its_cause_or_in_the_future() {
        for draft in story(3).windows(2).flat_map(|pair| {
            assert!(pair[0].start < pair[1].start);
            pair
        }) {
            assert!(draft.events.is_sorted_by_key(|event| event.at), "{:?}", draft.events);
            assert!(draft.events.iter().all(|event| draft.start <= event.at && event.at < NOW));
            if let (EndTime::At(end), Some(last)) = (draft.end, draft.events.last()) {
                assert!(end > NOW || end == last.at);
            }
            for event in draft.events.iter().filter(|event| event.kind == EventType::Acknowledge) {
                assert!(event.expiration.is_none_or(|expiration| expiration > event.at));
            }
        }
    }
}
