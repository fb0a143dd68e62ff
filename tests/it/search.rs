//! Search finds what reading everything would find, whatever is indexed, in memory, edited or gone.

mod facets;
mod question;
mod sorted;

use std::{cell::RefCell, collections::BTreeMap, sync::Arc, time::Duration};

use argusd::{
    clock::SystemClock,
    domain::{
        change::{ChangeKind, FieldChange},
        event::{Event, EventType, StateAfter},
        filter::{Criteria, tag_groups},
        ids::{EventId, IncidentId, SourceId, UserId},
        incident::{AckedUntil, EndTime, Incident},
        severity::Level,
        source::Source,
        tag::{IncidentTag, Tag},
        time::Timestamp,
    },
    search::{Cursor, Search, Sort, SortColumn, Status},
    store::{Command, Store, StoreError},
};
use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use tempfile::TempDir;

use self::question::{Question, a_question};
use crate::support::{in_memory, open_store};

const PATIENCE: Duration = Duration::from_secs(20);
/// Names, in another order than the ids, and types.
const SOURCES: [(&str, &str); 3] = [("one", "test"), ("two", "checks"), ("Three", "test")];
const TAGS: [&str; 6] = ["host=a", "host=b", "site=x", "site=y", "note=ünï, cödé = x", "empty="];
const TEXTS: [&str; 10] = [
    "",
    "Link DOWN on eth0/0/1",
    "link down",
    "Straße gesperrt, Umleitung",
    "STRASSE frei",
    "ΟΔΟΣ Σίγμας",
    "İstanbul\tŁódź  日本語",
    "aXbXc a,b,c",
    "DOWN",
    "abcabcabcd abcabd",
];
const WORDS: [&str; 22] = [
    "link",
    "DOWN",
    "down",
    "n",
    "do",
    "eth0/0/1",
    "0/0/",
    "strasse",
    "STRASSE",
    "ss",
    "ß",
    "sS",
    "σ",
    "ΣΊΓΜΑΣ",
    "日",
    "日本",
    "日本語",
    "łódź",
    "xbx",
    "abcabcd",
    "bcabd",
    "umleitungen",
];

#[derive(Clone, Debug)]
struct State {
    end: EndTime,
    acked_until: AckedUntil,
    level: u8,
    has_ticket: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Create { start: i64, source: u64, name: Option<u8>, state: State, tags: Vec<usize>, text: usize, event: usize },
    AddEvent { which: usize, kind: usize, text: usize },
    ChangeState { which: usize, state: State },
    Describe { which: usize, text: usize },
    SetTags { which: usize, tags: Vec<usize> },
    Delete { which: usize },
    Index,
    Reopen,
    Rebuild,
    Ask(Box<Question>, Sort),
}

/// What was put into the store, in the plainest form.
#[derive(Clone, Debug)]
struct Entry {
    incident: Incident,
    texts: Vec<String>,
}

struct World {
    store: Option<Store>,
    search: Option<Search>,
    model: BTreeMap<u64, Entry>,
    /// What was asked last.
    previous: RefCell<Vec<Question>>,
    directory: TempDir,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            store: None,
            search: None,
            model: BTreeMap::new(),
            previous: RefCell::default(),
            directory: in_memory(),
        };
        world.open();
        world.write(|tx| {
            for (name, source_type) in SOURCES {
                let source = Source {
                    id: tx.new_source_id(),
                    name: name.to_owned(),
                    source_type: source_type.to_owned(),
                    user: UserId(1),
                    base_url: String::new(),
                    heartbeat_frequency: None,
                };
                tx.put_source(source);
            }
        });
        world
    }

    fn open(&mut self) {
        let file = self.directory.path().join("argusd.redb");
        let store = open_store(&file, Arc::new(SystemClock));
        self.search = Some(Search::open(&store, &self.directory.path().join("search")).unwrap());
        self.store = Some(store);
    }

    fn close(&mut self) {
        self.store.take().unwrap().close().unwrap();
        self.search.take().unwrap().close();
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn search(&self) -> &Search {
        self.search.as_ref().unwrap()
    }

    fn write<T: Send + 'static>(&self, command: impl FnOnce(&mut Command<'_>) -> T + Send + 'static) -> T {
        self.store().write_blocking(None, |tx| Ok::<T, StoreError>(command(tx))).unwrap()
    }

    fn pick(&self, which: usize) -> Option<u64> {
        self.model.keys().nth(which % self.model.len().max(1)).copied()
    }

    /// Puts the incident of the model into the store, with an event.
    fn put(
        &mut self,
        id: u64,
        kind: Option<EventType>,
        text: &str,
        log: impl FnOnce(IncidentId, EventId) -> ChangeKind,
    ) {
        let entry = self.model.get_mut(&id).unwrap();
        if let Some(kind) = kind {
            entry.incident.event_types.insert(kind);
            entry.texts.push(text.to_owned());
        }
        let incident = entry.incident.clone();
        let event = EventId(self.store().counters().last_event + 1);
        let change = log(incident.id, event);
        let text = text.to_owned();
        self.write(move |tx| {
            if let Some(kind) = kind {
                let id = tx.new_event_id();
                tx.put_event(an_event(&incident, id, kind, &text));
            }
            tx.put_incident(incident);
            tx.log(change);
        });
    }

    fn create(&mut self, mut incident: Incident, text: &str) {
        let kind = if incident.end.is_stateful() { EventType::Start } else { EventType::Stateless };
        incident.event_types.insert(kind);
        let description = text.to_owned();
        let incident = self.write(move |tx| {
            let (id, event) = (tx.new_incident_id(), tx.new_event_id());
            let incident = Incident { id, ..incident };
            tx.put_event(an_event(&incident, event, kind, &description));
            tx.put_incident(incident.clone());
            tx.log(ChangeKind::IncidentCreated { incident: id, event });
            incident
        });
        self.model.insert(incident.id.0, Entry { incident, texts: vec![text.to_owned()] });
    }

    fn take(&mut self, step: Step) {
        let added = |incident, event| ChangeKind::EventAdded { incident, event };
        match step {
            Step::Create { start, source, name, state, tags, text, event } => {
                let mut incident = an_incident(start, source);
                let name = name.map(|name| format!("n{name}")).unwrap_or_default();
                let taken =
                    self.model.values().any(|e| e.incident.source.0 == source && e.incident.source_incident_id == name);
                incident.source_incident_id = if taken { String::new() } else { name };
                incident.tags = some_tags(&tags);
                TEXTS[text].clone_into(&mut incident.description);
                set_state(&mut incident, &state);
                self.create(incident, TEXTS[event]);
            }
            Step::AddEvent { which, kind, text } => {
                let Some(id) = self.pick(which) else { return };
                self.put(id, Some(EventType::ALL[kind]), TEXTS[text], added);
            }
            Step::ChangeState { which, state } => {
                let Some(id) = self.pick(which) else { return };
                set_state(&mut self.model.get_mut(&id).unwrap().incident, &state);
                self.put(id, Some(EventType::Other), "", added);
            }
            Step::Describe { which, text } => {
                let Some(id) = self.pick(which) else { return };
                TEXTS[text].clone_into(&mut self.model.get_mut(&id).unwrap().incident.description);
                self.put(id, None, "", |incident, _| edited(incident, "description"));
                self.ask_each(WORDS.len(), |word| Question { words: vec![word], size: 3, ..Question::default() });
            }
            Step::SetTags { which, tags } => {
                let Some(id) = self.pick(which) else { return };
                let incident = &mut self.model.get_mut(&id).unwrap().incident;
                incident.tags = some_tags(&tags);
                incident.tags_version += 1;
                self.put(id, None, "", |incident, _| edited(incident, "tags"));
                self.ask_each(TAGS.len(), |tag| Question { tags: vec![tag], size: 3, ..Question::default() });
            }
            Step::Delete { which } => {
                let Some(id) = self.pick(which) else { return };
                self.model.remove(&id);
                self.write(move |tx| {
                    tx.delete_incident(IncidentId(id));
                    tx.log(ChangeKind::IncidentDeleted { incident: IncidentId(id) });
                });
            }
            Step::Index => assert!(self.search().wait_until_indexed(PATIENCE)),
            Step::Reopen => {
                self.close();
                self.open();
            }
            Step::Rebuild => self.search().reindex(),
            Step::Ask(question, sort) => {
                self.ask(&question);
                self.ask_sorted(&question, sort);
                self.ask_facets(&question);
                self.ask_which_match(&question);
            }
        }
    }

    /// Right after a write: what it took away must not be found any more.
    fn ask_each(&self, count: usize, question: impl Fn(usize) -> Question) {
        (0..count).for_each(|number| self.ask(&question(number)));
    }

    fn ask(&self, question: &Question) {
        self.ask_any(std::slice::from_ref(question));
        // Also together with what was asked before.
        let mut questions = self.previous.borrow_mut();
        questions.truncate(2);
        questions.insert(0, question.clone());
        self.ask_any(&questions);
    }

    /// The time and the size of the first of them.
    fn ask_any(&self, questions: &[Question]) {
        let criteria: Vec<Criteria> = questions.iter().map(Question::criteria).collect();
        let (now, size) = (at(questions[0].now), questions[0].size);
        let at_that_time: Vec<Question> =
            questions.iter().map(|question| Question { now: questions[0].now, ..question.clone() }).collect();
        let meets = |entry: &&Entry| at_that_time.iter().any(|question| question.meets(entry));
        let mut expected: Vec<&Incident> = self.model.values().filter(meets).map(|entry| &entry.incident).collect();
        expected.sort_by_key(|incident| std::cmp::Reverse((incident.start, incident.id)));
        let expected: Vec<IncidentId> = expected.iter().map(|incident| incident.id).collect();
        let status = self.search().status();
        let search = self.search();
        for (entry, (criteria, question)) in
            self.model.values().flat_map(|entry| std::iter::repeat(entry).zip(criteria.iter().zip(&at_that_time)))
        {
            let texts = entry.texts.iter().chain([&entry.incident.description]).map(String::as_str);
            let matches = criteria.matches(&entry.incident, now) && criteria.words_match(texts);
            assert_eq!(matches, question.meets(entry), "{criteria:?} {entry:?}");
        }
        assert_eq!(search.count_any(&criteria, now).unwrap(), expected.len() as u64, "{criteria:?} {status:?}");
        let (found, last) = walk(search, &criteria, None, size, now);
        assert_eq!(found, expected, "{criteria:?} {status:?}");
        // And back from behind the end.
        let cursor = Cursor { start: Timestamp::MIN, id: IncidentId(0), backwards: true };
        let (back, _) = walk(search, &criteria, Some(cursor), size, now);
        assert_eq!(back, expected, "backwards {criteria:?} {status:?}");
        assert_eq!(last.is_none(), expected.is_empty());
    }
}

/// All pages from the cursor on; also the cursor of the last page with rows.
fn walk(
    search: &Search,
    criteria: &[Criteria],
    cursor: Option<Cursor>,
    size: usize,
    now: Timestamp,
) -> (Vec<IncidentId>, Option<IncidentId>) {
    let (mut all, mut cursor) = (Vec::new(), cursor);
    let backwards = cursor.is_some_and(|cursor| cursor.backwards);
    loop {
        let page = search.page_of_any(criteria, cursor, size, now).unwrap();
        assert!(page.ids.len() <= size);
        assert!(all.len() < 1_000, "the pages never end");
        if backwards {
            all.splice(0..0, page.ids);
        } else {
            all.extend(page.ids);
        }
        match if backwards { page.previous } else { page.next } {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let last = all.last().copied();
    (all, last)
}

fn name_of(name: u8) -> String {
    if name == 0 { String::new() } else { format!("n{name}") }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn some_tags(tags: &[usize]) -> Vec<IncidentTag> {
    tags.iter()
        .map(|&tag| IncidentTag { tag: Tag::parse(TAGS[tag]).unwrap(), added_by: UserId(1), added_at: at(0) })
        .collect()
}

fn an_incident(start: i64, source: u64) -> Incident {
    Incident { level: Level::LOW, ..Incident::new(IncidentId(0), SourceId(source), at(start)) }
}

fn an_event(incident: &Incident, id: EventId, kind: EventType, text: &str) -> Event {
    Event {
        id,
        incident: incident.id,
        actor: UserId(1),
        timestamp: incident.start,
        received: incident.start,
        kind,
        description: text.to_owned(),
        after: StateAfter {
            open: true,
            acked: false,
            level: incident.level,
            tags_version: incident.tags_version,
            decided: None,
        },
    }
}

fn set_state(incident: &mut Incident, state: &State) {
    incident.end = state.end;
    incident.acked_until = state.acked_until;
    incident.level = Level::new(state.level).unwrap();
    incident.ticket_url = if state.has_ticket { "https://tickets.example.org/1".to_owned() } else { String::new() };
}

fn edited(incident: IncidentId, field: &str) -> ChangeKind {
    let field = FieldChange { field: field.to_owned(), before: String::new(), after: String::new() };
    ChangeKind::IncidentEdited { incident, fields: vec![field], events: Vec::new() }
}

fn a_state() -> impl Strategy<Value = State> {
    let end =
        prop_oneof![Just(EndTime::Stateless), Just(EndTime::Infinity), (0i64..20).prop_map(|end| EndTime::At(at(end)))];
    let acked = prop_oneof![
        2 => Just(AckedUntil::Never),
        1 => Just(AckedUntil::Forever),
        1 => (0i64..20).prop_map(|until| AckedUntil::At(at(until)))
    ];
    (end, acked, 1u8..=5, any::<bool>()).prop_map(|(end, acked_until, level, has_ticket)| State {
        end,
        acked_until,
        level,
        has_ticket,
    })
}

fn a_step() -> impl Strategy<Value = Step> {
    let text = || 0..TEXTS.len();
    let which = || 0usize..50;
    prop_oneof![
        10 => (0i64..20, 1u64..4, option::of(1u8..4), a_state(), tag_set(), text(), text()).prop_map(
            |(start, source, name, state, tags, text, event)| Step::Create { start, source, name, state, tags, text, event }
        ),
        4 => (which(), 0..EventType::ALL.len(), text()).prop_map(|(which, kind, text)| Step::AddEvent { which, kind, text }),
        3 => (which(), a_state()).prop_map(|(which, state)| Step::ChangeState { which, state }),
        3 => (which(), text()).prop_map(|(which, text)| Step::Describe { which, text }),
        4 => (which(), tag_set()).prop_map(|(which, tags)| Step::SetTags { which, tags }),
        2 => which().prop_map(|which| Step::Delete { which }),
        3 => Just(Step::Index),
        1 => Just(Step::Reopen),
        1 => Just(Step::Rebuild),
        20 => (a_question(), a_sort()).prop_map(|(question, sort)| Step::Ask(Box::new(question), sort)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn search_finds_what_reading_all_records_finds(steps in vec(a_step(), 1..80)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        let everything = Question { size: 3, ..Question::default() };
        world.ask(&everything);
        world.ask_in_every_order(&everything);
        prop_assert_eq!(world.search().verify().unwrap(), Vec::<String>::new());
        world.take(Step::Reopen);
        world.ask(&everything);
        prop_assert_eq!(world.search().verify().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn paging_neither_repeats_nor_loses_a_row(
        starts in vec(0i64..20, 1..40),
        later in vec(0i64..20, 0..40),
        size in 1usize..8,
        backwards in any::<bool>(),
        indexed in any::<bool>(),
    ) {
        let mut world = World::new();
        let tagged = |start| Incident { tags: some_tags(&[0]), ..an_incident(start, 1) };
        for start in starts {
            world.create(tagged(start), "");
        }
        if indexed {
            world.take(Step::Index);
        }
        let mut at_first: Vec<u64> = world.model.keys().copied().collect();
        let criteria = Criteria { tags: tag_groups([Tag::parse(TAGS[0]).unwrap()]), ..Criteria::default() };
        let mut later = later.into_iter();
        let mut seen = Vec::new();
        let mut cursor = backwards.then_some(Cursor { start: Timestamp::MIN, id: IncidentId(0), backwards });
        loop {
            let page = world.search().page(&criteria, cursor, size, at(0)).unwrap();
            seen.extend(page.ids.iter().map(|id| id.0));
            assert!(seen.len() < 1_000, "the pages never end");
            cursor = if backwards { page.previous } else { page.next };
            for start in later.by_ref().take(3) {
                world.create(tagged(start), "");
            }
            if cursor.is_none() {
                break;
            }
        }
        seen.sort_unstable();
        let all = seen.len();
        seen.dedup();
        prop_assert_eq!(all, seen.len(), "a row came twice");
        at_first.retain(|id| !seen.contains(id));
        prop_assert_eq!(at_first, Vec::<u64>::new(), "a row was lost");
    }
}

#[test]
fn the_first_and_the_last_page_have_one_neighbor() {
    let mut world = World::new();
    for start in 0..5 {
        world.create(an_incident(start, 1), "");
    }
    let page = |cursor| world.search().page(&Criteria::default(), cursor, 2, at(0)).unwrap();
    let ids = |ids: &[u64]| ids.iter().map(|&id| IncidentId(id)).collect::<Vec<_>>();
    let first = page(None);
    assert_eq!((first.ids.clone(), first.previous), (ids(&[5, 4]), None));
    let second = page(first.next);
    assert_eq!(second.ids, ids(&[3, 2]));
    let third = page(second.next);
    assert_eq!((third.ids.clone(), third.next), (ids(&[1]), None));
    assert_eq!(page(third.previous), second);
    assert_eq!(page(second.previous), first);
}

#[test]
fn a_damaged_or_missing_index_is_rebuilt() {
    let mut world = World::new();
    for start in 0..50 {
        let incident =
            Incident { description: format!("fan {start} failed"), tags: some_tags(&[0]), ..an_incident(start, 1) };
        world.create(incident, "reported by a person");
    }
    let question = Question { tags: vec![0], words: vec![3], size: 7, ..Question::default() };
    world.take(Step::Index);
    world.close();
    let search = world.directory.path().join("search");
    let generation = std::fs::read_dir(&search).unwrap().next().unwrap().unwrap().path();
    for file in std::fs::read_dir(&generation).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| ["term", "idx", "pos", "fast"].iter().any(|e| extension == *e)) {
            let length = std::fs::metadata(&path).unwrap().len();
            std::fs::write(&path, vec![0x5a; length as usize]).unwrap();
        }
    }
    let foreign = search.join("00000000-0000-4000-8000-000000000000");
    std::fs::create_dir(&foreign).unwrap();
    world.open();
    assert!(!foreign.exists(), "other generations are removed");
    world.ask(&question);
    assert!(world.search().wait_until_indexed(PATIENCE));
    assert_eq!(world.search().status(), Status::Ready { behind: 0 });
    world.ask(&question);
    assert_eq!(world.search().verify().unwrap(), Vec::<String>::new());
    world.close();
    std::fs::remove_dir_all(&search).unwrap();
    world.open();
    world.ask(&question);
}

fn a_sort() -> impl Strategy<Value = Sort> {
    (0..SortColumn::ALL.len(), any::<bool>())
        .prop_map(|(column, descending)| Sort { column: SortColumn::ALL[column], descending })
}

fn tag_set() -> impl Strategy<Value = Vec<usize>> {
    subsequence((0..TAGS.len()).collect::<Vec<_>>(), 0..4)
}
