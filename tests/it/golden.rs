//! What earlier releases stored is read as ever: the data files of `tests/golden` (its README.md says what they hold) give
//! the recorded answers, and so do backups of them.
//!
//! A request that has no recorded answer yet gets one: the test writes it, fails, and leaves the rest to a look at the
//! difference. A recorded answer is never written again.

mod requests;
mod stored;
mod tables;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use argusd::{
    clock::ManualClock,
    control::{AdminReply, AdminRequest, execute},
    domain::{channel_types::CHANNEL_TYPES, datetime::parse},
    http::HttpSettings,
    search::Search,
    service::{Service, Settings},
    web::{self, WebSettings},
};
use axum::Router;
use chrono_tz::Tz;
use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;

use crate::{
    resource::{self, Resource},
    support::{Client, in_memory, open_store},
};

/// Tables that are younger than the last golden file and of no resource. The next file has them.
const YOUNGER_TABLES: &[&str] = &["due_to_task", "task_to_due"];

/// The built-in channel types that the files know.
const CHANNEL_TYPES_THEN: [&str; 5] = ["email", "sms", "slack", "webhook", "ntfy"];

/// A week after the files were written, so that all that is kept until 2088 and later is not over.
const NOW: &str = "2026-12-05T12:00:00Z";
/// In the order they were written; each is the one before, used on by a later release.
const FILES: [&str; 4] = ["1-incidents", "2-profiles", "3-pages", "4-rules"];
/// The tokens that `make.py` made, which are no secrets.
const TOKENS: [(&str, &str); 4] = [("admin", "ad"), ("alice", "a1"), ("stan", "57"), ("nav", "0a")];

/// All that are younger than the last golden file, so it has nothing of them.
fn younger_tables() -> Vec<&'static str> {
    resource::all().flat_map(|it| it.younger_tables).chain(YOUNGER_TABLES).copied().collect()
}

/// What can be read of resources with such tables.
fn younger_paths() -> Vec<String> {
    let documented = resource::all().filter(|it| !it.younger_tables.is_empty()).flat_map(Resource::documented);
    documented.filter(|(_, _, row)| row.method == "GET").map(|(_, path, _)| path).collect()
}

/// A server over a data file, as far as it has no network and sends nothing.
struct OpenedFile {
    service: Service,
    router: Router,
    data: PathBuf,
}

impl OpenedFile {
    fn open(data: PathBuf) -> Self {
        let clock = Arc::new(ManualClock::new(parse(NOW, Tz::UTC).unwrap()));
        let store = open_store(&data, clock);
        let search = Search::open(&store, &data.with_extension("search")).unwrap();
        assert!(search.wait_until_indexed(Duration::from_mins(1)));
        let service = Service::new(store, search, Settings { time_zone: Tz::Europe__Oslo, ..Settings::default() });
        let router = web::with_pages(service.clone(), HttpSettings::default(), WebSettings::default());
        Self { service, router, data }
    }

    /// Blocks.
    fn close(self) -> PathBuf {
        self.service.search().close();
        self.service.store().close().unwrap();
        self.data
    }

    fn client(&self, username: &str) -> Client {
        let token = TOKENS.iter().find(|(name, _)| *name == username).map(|(_, byte)| byte.repeat(20));
        Client::new(self.router.clone(), token)
    }

    async fn command(&self, request: AdminRequest) -> AdminReply {
        execute(&self.service, request, &|_| ()).await
    }

    /// `GET PATH as USERNAME`, words of the command line, or what no list shows.
    async fn answer(&self, request: &str) -> Value {
        if request.starts_with("stored ") {
            return stored::answer(request, &self.service);
        }
        let Some((path, username)) = request.strip_prefix("GET ").and_then(|rest| rest.split_once(" as ")) else {
            return serde_json::to_value(self.command(requests::of_command_line(request)).await).unwrap();
        };
        let reply = self.client(username).get(path).await;
        let body = serde_json::from_str(&reply.text).unwrap_or(Value::String(reply.text));
        if reply.status == 200 { body } else { json!({"status": reply.status, "body": body}) }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A copy of a golden file.
fn copy_of(name: &str, into: &Path) -> PathBuf {
    let copy = into.join("copy.redb");
    fs::copy(folder().join(name).with_extension("redb"), &copy).unwrap();
    copy
}

/// What is recorded of one file, in two parts: lists, and decisions.
struct Recorded {
    path: PathBuf,
    answers: Map<String, Value>,
    /// Number of answers that were not recorded yet.
    new: usize,
    different: Vec<String>,
    asked: BTreeSet<String>,
}

impl Recorded {
    fn read(name: &str, part: &str) -> Self {
        let path = folder().join(format!("{name}.{part}.json"));
        let answers = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).unwrap(),
            Err(_) => Map::new(),
        };
        Self { path, answers, new: 0, different: Vec::new(), asked: BTreeSet::new() }
    }

    /// The order of fields counts, too.
    fn compare(&mut self, request: &str, actual: Value) {
        self.asked.insert(request.to_owned());
        let text = |value: &Value| lines(value, 1);
        let actual = without_younger_types(actual);
        match self.answers.get(request) {
            None => {
                self.new += 1;
                self.answers.insert(request.to_owned(), actual);
            }
            Some(recorded) if text(recorded) != text(&actual) => {
                self.different.push(format!("{request}\n{}", first_difference(&text(recorded), &text(&actual))));
            }
            Some(_) => {}
        }
    }

    fn finish(self, of: &str) {
        let shown = self.path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display();
        let count = self.different.len();
        assert!(count == 0, "{of}: {count} answers are not those of {shown}:\n{}", self.different.join("\n"));
        let unasked: Vec<&String> = self.answers.keys().filter(|request| !self.asked.contains(*request)).collect();
        assert!(unasked.is_empty(), "{of}: recorded in {shown}, but not asked for: {unasked:#?}");
        if self.new > 0 {
            fs::write(&self.path, lines(&Value::Object(self.answers), 0) + "\n").unwrap();
            panic!(
                "{} answers were not recorded in {shown} yet. They are now: look at them, and commit them.",
                self.new
            );
        }
    }
}

/// Drops the rows of built-in channel types that are younger than the files.
fn without_younger_types(mut answer: Value) -> Value {
    let is_younger = |row: &Value| {
        let mut younger = CHANNEL_TYPES.iter().map(|it| it.key).filter(|key| !CHANNEL_TYPES_THEN.contains(key));
        younger.any(|key| row["slug"] == key || row["type"] == key)
    };
    if let Value::Array(rows) = &mut answer {
        rows.retain(|row| !is_younger(row));
    }
    answer
}

/// JSON with a line for each answer, each of its fields and each row of a list.
fn lines(value: &Value, depth: usize) -> String {
    let list = |open: char, close: char, items: Vec<String>| {
        let (outer, inner) = (" ".repeat(depth), " ".repeat(depth + 1));
        format!("{open}\n{inner}{}\n{outer}{close}", items.join(&format!(",\n{inner}")))
    };
    match value {
        Value::Object(fields) if depth < 2 && !fields.is_empty() => {
            let field = |(name, value): (&String, &Value)| format!("{}: {}", json!(name), lines(value, depth + 1));
            list('{', '}', fields.iter().map(field).collect())
        }
        Value::Array(rows) if depth < 3 && !rows.is_empty() => {
            list('[', ']', rows.iter().map(|row| lines(row, depth + 1)).collect())
        }
        other => other.to_string(),
    }
}

/// From the first line on that is not the same, a few of either.
fn first_difference(recorded: &str, actual: &str) -> String {
    let (recorded, actual): (Vec<&str>, Vec<&str>) = (recorded.lines().collect(), actual.lines().collect());
    let at = recorded.iter().zip(&actual).take_while(|(one, other)| one == other).count();
    let few = |lines: &[&str], sign: char| -> Vec<String> {
        lines.iter().skip(at.saturating_sub(2)).take(6).map(|line| format!("    {sign} {line}")).collect()
    };
    [few(&recorded, '-'), few(&actual, '+')].concat().join("\n")
}

async fn compare(site: &OpenedFile, name: &str, of: &str) {
    let mut lists = Recorded::read(name, "lists");
    let changes = (name == FILES[FILES.len() - 1]).then(|| stored::CHANGES.to_owned());
    for request in requests::lists(&site.service).into_iter().chain(changes) {
        let mut next = Some(request);
        while let Some(request) = next {
            let answer = site.answer(&request).await;
            next = requests::next_page(&request, &answer);
            lists.compare(&request, answer);
        }
    }
    let mut decisions = Recorded::read(name, "decisions");
    for request in requests::decisions(&site.service) {
        let answer = site.answer(&request).await;
        decisions.compare(&request, answer);
    }
    lists.finish(of);
    decisions.finish(of);
}

/// The file itself, and its backup. The backup comes first, since a request of a source leaves a sign of life.
async fn answers_as_recorded(name: &str) {
    let directory = in_memory();
    let site = OpenedFile::open(copy_of(name, directory.path()));
    let backup = directory.path().join("backup.redb");
    let (store, to) = (site.service.store().clone(), backup.clone());
    assert_eq!(spawn_blocking(move || store.backup(&to)).await.unwrap().unwrap(), Vec::<String>::new());
    let data = spawn_blocking(|| site.close()).await.unwrap();
    tables::assert_same(&tables::read(&data), &tables::read(&backup));
    for (path, of) in [(data, name.to_owned()), (backup, format!("the backup of {name}"))] {
        let site = OpenedFile::open(path);
        compare(&site, name, &of).await;
        spawn_blocking(|| site.close()).await.unwrap();
    }
}

#[tokio::test]
async fn incidents_of_the_first_release_answer_as_recorded() {
    answers_as_recorded(FILES[0]).await;
}

#[tokio::test]
async fn profiles_from_before_there_were_rules_answer_as_recorded() {
    answers_as_recorded(FILES[1]).await;
}

#[tokio::test]
async fn sessions_without_an_origin_answer_as_recorded() {
    answers_as_recorded(FILES[2]).await;
}

#[tokio::test]
async fn rules_and_summaries_answer_as_recorded() {
    answers_as_recorded(FILES[3]).await;
}

#[test]
fn every_table_and_every_version_of_a_record_is_in_a_golden_file() {
    let directory = in_memory();
    let mut found = tables::Coverage::default();
    for name in FILES {
        found.add(&tables::read(&copy_of(name, directory.path())));
    }
    found.check();
    // Opening the last one once more makes the tables that are younger.
    let data = OpenedFile::open(copy_of(FILES[3], directory.path())).close();
    found.check_names(&tables::read(&data));
}

/// What else there is to a record: each kind of event, state of a message, reason of a near miss, kind of change.
#[test]
fn every_variant_is_in_the_last_golden_file() {
    let directory = in_memory();
    let site = OpenedFile::open(copy_of(FILES[3], directory.path()));
    let found = requests::variants(&site.service);
    let of_configuration = requests::CONFIGURATION
        .iter()
        .flat_map(|(subject, done)| done.iter().map(move |done| format!("{subject} {done}")));
    let wanted = requests::VARIANTS.map(str::to_owned).into_iter().chain(of_configuration);
    let missing: Vec<String> = wanted.filter(|variant| !found.contains(variant)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    site.close();
}

#[test]
fn every_documented_list_is_recorded() {
    let directory = in_memory();
    let site = OpenedFile::open(copy_of(FILES[3], directory.path()));
    let missing = requests::documented_without_request(&site.service);
    assert!(missing.is_empty(), "{missing:#?}");
    site.close();
}
