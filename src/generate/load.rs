//! Loads generated incidents into the store, hundreds in each command, with several commands in each commit.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    demo::SYSTEMS,
    draft::{Draft, Drafts},
    scenario::SOURCES,
    stage::past,
};
use crate::domain::{Criteria, Source, SourceDraft, Timestamp, UserId};
use crate::service::{Refusal, Service, ServiceError};

const INCIDENTS_PER_COMMAND: usize = 400;
const COMMANDS_IN_FLIGHT: usize = 6;
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("a loader ended by an internal error")]
    Panicked,
}

/// Creates the sources if necessary, then the incidents. Reports progress about once a second. It is refused if there
/// are incidents that somebody posted, unless forced.
pub async fn load(
    service: &Service,
    count: u64,
    seed: u64,
    force: bool,
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<String, GenerateError> {
    if !force && has_posted_incidents(service).await? {
        return Err(ServiceError::from(Refusal::IncidentsAlready).into());
    }
    let began = Instant::now();
    if count == 0 {
        return Ok("0 incidents".to_owned());
    }
    let posters = Arc::new(posters(service).await?);
    let people = Arc::new(people(service));
    let run = run_name(service.now());
    let shared = Arc::new(Mutex::new(Drafts::new(count, seed, service.now())));
    let loaders: Vec<_> = (0..COMMANDS_IN_FLIGHT)
        .map(|_| {
            let service = service.clone();
            let (shared, posters, people, run) =
                (Arc::clone(&shared), Arc::clone(&posters), Arc::clone(&people), Arc::clone(&run));
            tokio::task::spawn_blocking(move || load_some(&service, &shared, &posters, &people, &run))
        })
        .collect();

    let before = service.store().counters().incidents;
    let watch = async {
        loop {
            tokio::time::sleep(PROGRESS_EVERY).await;
            let done = service.store().counters().incidents.saturating_sub(before);
            progress(format!("{done} of {count} incidents, {} per second", rate(done, began.elapsed())));
        }
    };
    let work = async {
        for loader in loaders {
            loader.await.map_err(|_| GenerateError::Panicked)??;
        }
        Ok::<(), GenerateError>(())
    };
    tokio::select! {
        done = work => done?,
        () = watch => {}
    }
    let took = began.elapsed();
    Ok(format!("{count} incidents in {:.1} s, {} per second", took.as_secs_f64(), rate(count, took)))
}

fn rate(done: u64, took: Duration) -> u64 {
    (done as f64 / took.as_secs_f64().max(0.001)) as u64
}

/// Returns whether there are incidents other than the server's own and those that were made up here.
async fn has_posted_incidents(service: &Service) -> Result<bool, GenerateError> {
    let service = service.clone();
    let count = tokio::task::spawn_blocking(move || {
        let directory = service.directory();
        let posting = directory.sources.values().filter(|source| {
            !directory.is_own_source(source.id) && (!is_made_up(source) || !directory.tokens_of(source.user).is_empty())
        });
        let sources = Some(posting.map(|source| source.id).collect());
        let criteria = Criteria { sources, ..Criteria::default() };
        service.search().count(&criteria, service.now()).map_err(ServiceError::from)
    });
    Ok(count.await.map_err(|_| GenerateError::Panicked)?? > 0)
}

/// Returns whether the source has the name and type of one that is created here or by the demo data.
fn is_made_up(source: &Source) -> bool {
    let generated = SOURCES.iter().map(|kind| (kind.source_type, kind.name));
    let demo = SYSTEMS.iter().map(|system| (system.source_type, system.like.name));
    generated.chain(demo).any(|(kind, name)| source.source_type == kind && source.name == name)
}

/// Returns the source that posts for each of [`SOURCES`].
async fn posters(service: &Service) -> Result<Vec<Arc<Source>>, ServiceError> {
    let caller = service.people().local_caller()?;
    let mut posters = Vec::with_capacity(SOURCES.len());
    for kind in SOURCES {
        if !service.directory().source_types.contains(kind.source_type) {
            service.sources().create_source_type(&caller, kind.source_type.to_owned()).await?;
        }
        let there = service.directory().source_named(kind.source_type, kind.name).cloned();
        posters.push(if let Some(source) = there {
            source
        } else {
            let new = SourceDraft {
                name: Some(kind.name.to_owned()),
                source_type: Some(kind.source_type.to_owned()),
                base_url: Some(kind.base_url.to_owned()),
                ..SourceDraft::default()
            };
            service.sources().create_source(&caller, new).await?
        });
    }
    Ok(posters)
}

/// Returns the users who acknowledge: all users who are not sources.
fn people(service: &Service) -> Vec<UserId> {
    let directory = service.directory();
    let mut people: Vec<UserId> =
        directory.users.keys().copied().filter(|user| directory.source_of(*user).is_none()).collect();
    people.sort();
    people
}

/// Returns a part of each source incident id that differs between runs.
fn run_name(now: Timestamp) -> Arc<str> {
    const START_OF_2020_MILLIS: i64 = 1_577_836_800_000;
    format!("{:x}", now.micros() / 1_000 - START_OF_2020_MILLIS).into()
}

fn load_some(
    service: &Service,
    drafts: &Mutex<Drafts>,
    posters: &[Arc<Source>],
    people: &[UserId],
    run: &str,
) -> Result<(), ServiceError> {
    loop {
        let chunk: Vec<Draft> =
            drafts.lock().unwrap_or_else(PoisonError::into_inner).by_ref().take(INCIDENTS_PER_COMMAND).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        let made = |draft: Draft| posters.get(draft.source).map(|source| past(draft, source, people, run));
        service.incidents().add_past_incidents(chunk.into_iter().filter_map(made).collect())?;
    }
}
