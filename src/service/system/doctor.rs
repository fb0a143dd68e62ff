//! The findings about this server, from facts of the data file and of what an examiner sees around it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{sync::Mutex as AsyncMutex, time::timeout};

use super::health::Health;
use crate::domain::{
    Directory, Facts, Finding, HostFacts, MonotonicTime, NetworkFacts, NeverReached, StoredFacts, StoredIndex,
    Timestamp,
    channel_types::find,
    fault::{self, FaultFinding, FaultVerdict, Strictness},
    findings,
    limits::{DOCTOR_CACHE, DOCTOR_MESSAGES},
    message::{MessageState, Route, full_answer},
};
use crate::service::{Caller, Service, ServiceError, Settings, System, policy::Action};
use crate::store::{Messages, Snapshot, Store, StoreError};

/// Examines what is around the server: settings, files, names, certificates and the mail server.
pub trait Examiner: Send + Sync {
    /// Reads facts of the host. Blocks for as long as the file system takes.
    fn host(&self) -> HostFacts;

    /// Asks other hosts. Ends within a bounded time.
    fn network(&self) -> BoxFuture<'_, NetworkFacts>;
}

/// The examiner, and what it last learned from other hosts.
#[derive(Default)]
pub(in crate::service) struct Examination {
    examiner: OnceLock<Arc<dyn Examiner>>,
    network: Mutex<Option<(MonotonicTime, Arc<NetworkFacts>)>>,
    /// Held while other hosts are asked, so that they are asked once at a time.
    asking: Arc<AsyncMutex<()>>,
}

impl Examination {
    fn known(&self, now: MonotonicTime) -> Option<Arc<NetworkFacts>> {
        let network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, facts) = network.as_ref()?;
        let age = now.micros().saturating_sub(at.micros());
        (age < i64::try_from(DOCTOR_CACHE.as_micros()).unwrap_or(i64::MAX)).then(|| Arc::clone(facts))
    }
}

impl System {
    /// Sets the examiner. Only the first call has an effect.
    pub fn examine_through(&self, examiner: Arc<dyn Examiner>) {
        if self.inner.examination.examiner.set(examiner).is_err() {
            tracing::warn!("the examiner of this server is already set");
        }
    }

    /// Examines everything, and returns all findings. Takes as long as other hosts take to answer.
    pub async fn examine(&self, caller: &Caller) -> Result<Vec<Finding>, ServiceError> {
        let health = self.health(caller).await?;
        let network = {
            let asking = Arc::clone(&self.inner.examination.asking);
            let _asking = asking.lock().await;
            self.ask_network().await
        };
        self.conclude(&health, network).await
    }

    /// Returns the findings about a state that was read before. Other hosts are asked at most once in [`DOCTOR_CACHE`];
    /// after `patience` their facts are left out, and the second value is true.
    pub async fn known_findings(
        &self,
        caller: &Caller,
        health: &Health,
        patience: Duration,
    ) -> Result<(Vec<Finding>, bool), ServiceError> {
        caller.require(Action::SeeAdministration)?;
        let network = self.network_within(patience).await;
        let is_asking = network.is_none() && self.inner.examination.examiner.get().is_some();
        Ok((self.conclude(health, network).await?, is_asking))
    }

    async fn network_within(&self, patience: Duration) -> Option<Arc<NetworkFacts>> {
        let examination = &self.inner.examination;
        examination.examiner.get()?;
        if let Some(known) = examination.known(self.moment()) {
            return Some(known);
        }
        if patience.is_zero() {
            return None;
        }
        if let Ok(asking) = Arc::clone(&examination.asking).try_lock_owned() {
            let system = self.clone();
            // Goes on if this request does not wait for it.
            let task = tokio::spawn(async move {
                let facts = system.ask_network().await;
                drop(asking);
                facts
            });
            return timeout(patience, task).await.ok()?.ok()?;
        }
        // Somebody else is asking.
        drop(timeout(patience, examination.asking.lock()).await);
        examination.known(self.moment())
    }

    async fn ask_network(&self) -> Option<Arc<NetworkFacts>> {
        let examination = &self.inner.examination;
        let facts = Arc::new(examination.examiner.get()?.network().await);
        let known = Some((self.moment(), Arc::clone(&facts)));
        *examination.network.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Some(facts)
    }

    async fn conclude(
        &self,
        health: &Health,
        network: Option<Arc<NetworkFacts>>,
    ) -> Result<Vec<Finding>, ServiceError> {
        let examiner = self.inner.examination.examiner.get().cloned();
        let (stored, now, backups) = (health.facts.clone(), health.now, self.backups());
        self.blocking(move || {
            let mut host = examiner.map(|examiner| examiner.host());
            if let Some((facts, known)) = host.as_mut().and_then(|host| host.backups.as_mut()).zip(backups) {
                facts.directory = known.directory.display().to_string();
                facts.every = known.every;
                facts.newest = known.newest;
                facts.failure = known.failure.map(|(_, reason)| reason);
            }
            let network = network.map(|network| (*network).clone());
            Ok(findings(&Facts { now, stored: Some(stored), host, network }))
        })
        .await
    }

    /// Adds facts that only a running server has.
    pub(super) fn add_running_facts(&self, facts: &mut StoredFacts) {
        let service: &Service = self;
        facts.index = Some(match service.search().status() {
            crate::search::Status::Rebuilding => StoredIndex::Rebuilding,
            crate::search::Status::Ready { behind } => StoredIndex::Ready { behind },
        });
        facts.retention = self.retention_plan().map(|plan| plan.in_words(service.settings().time_zone));
        let Some(sender) = service.inner.sender.get() else { return };
        facts.reached = sender.reached();
        facts.failed_plugins =
            sender.plugins().iter().filter_map(|kind| Some((kind.clone(), sender.plugin(kind)?.err()?))).collect();
        facts.missing_plugins = missing_plugins(&service.directory(), sender.plugins());
    }
}

/// Returns channels whose plug-in is not installed, with the name of the plug-in.
#[must_use]
pub fn missing_plugins(directory: &Directory, installed: &[String]) -> Vec<(String, String)> {
    let channels = directory.channels.values();
    let missing = channels.filter(|channel| find(&channel.kind).is_none() && !installed.contains(&channel.kind));
    missing.map(|channel| (channel.name.clone(), channel.kind.clone())).collect()
}

/// Reads the facts that the data file has, whether a server runs or not. Reads a bounded number of messages.
pub fn stored_facts(store: &Store, settings: &Settings, now: Timestamp) -> Result<StoredFacts, StoreError> {
    let snapshot = store.snapshot()?;
    let (data_bytes, free_bytes) = store.disk()?;
    let faults = store.file_faults();
    let counters = snapshot.counters()?;
    let (due, dead) = snapshot.outbox_depth()?;
    let directory = store.directory();
    let oldest = snapshot.oldest_due_messages(crate::domain::limits::QUEUE_LOOKS)?;
    let listening_since = Some(store.clock().both().wall_at(MonotonicTime::from_micros(0)));
    let days = settings.token_warning_days;
    Ok(StoredFacts {
        data_bytes,
        free_bytes,
        misplaced: faults.misplaced,
        damage: faults.damage,
        is_verified: faults.is_verified,
        incidents: counters.incidents,
        events: counters.events,
        due,
        dead,
        oldest_due: oldest.first().map(|message| message.created),
        refused: super::health::refused(&oldest),
        never_reached: never_reached(&snapshot, &directory)?,
        newest_change: snapshot.change(crate::domain::Seq(counters.last_seq))?.map(|change| change.at),
        sends: directory.settings.send,
        expiring_tokens: sentences(fault::expiring_tokens(
            &directory,
            settings.time_zone,
            days,
            Strictness::Strict,
            now,
        )),
        silent_sources: sentences(fault::missing_heartbeats(
            &directory,
            |source| store.silent_since(source),
            listening_since,
            now,
        )),
        ..StoredFacts::default()
    })
}

fn sentences(findings: Vec<FaultFinding>) -> Vec<String> {
    let sentences = findings.into_iter().filter_map(|finding| match finding.verdict {
        FaultVerdict::Fault { description, .. } => Some(description),
        FaultVerdict::Unknown => None,
    });
    sentences.collect()
}

/// Returns the recipients to whom messages have failed and none was sent, among the newest [`DOCTOR_MESSAGES`].
fn never_reached(snapshot: &Snapshot, directory: &Directory) -> Result<Vec<NeverReached>, StoreError> {
    let mut read = 0;
    let mut failed: BTreeMap<String, NeverReached> = BTreeMap::new();
    let mut sent = std::collections::BTreeSet::new();
    snapshot.for_each_message_back(Messages::All, None, &mut |message| {
        read += 1;
        let whose = match &message.route {
            Route::Destination { user, destination, medium, .. } => {
                let address = directory.destinations.get(destination).map(|it| it.shown()).unwrap_or_default();
                format!("{} ({medium} {address})", directory.username(*user))
            }
            Route::Contact { full_name, medium, .. } => format!("{full_name} ({medium})"),
        };
        match message.state {
            MessageState::Delivered { .. } => {
                sent.insert(whose);
            }
            MessageState::Dead { .. } => {
                let new = || NeverReached {
                    whose: whose.clone(),
                    failed: 0,
                    answer: full_answer(&message.answer).to_owned(),
                };
                failed.entry(whose.clone()).or_insert_with(new).failed += 1;
            }
            MessageState::Due { .. } | MessageState::Gathered { .. } => {}
        }
        let goes_on = read < DOCTOR_MESSAGES;
        Ok(if goes_on { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) })
    })?;
    failed.retain(|whose, _| !sent.contains(whose));
    Ok(failed.into_values().collect())
}
