//! Opens and closes incidents of the server itself, in rounds (contract section 23).

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch::Receiver},
    time::sleep,
};

use super::{DeadLetters, complaints::Complaints};
use crate::{
    domain::{
        change::Committed,
        destination::EMAIL,
        directory::Directory,
        ids::Seq,
        message::Message,
        time::Timestamp,
        trouble::{Kind, Matter, damaged, undelivered, unreachable, unreached},
    },
    notify::{Health, Reach},
    service::{Service, ServiceError, Settled},
    store::{Follower, Store, StoreError},
};

const EVERY: Duration = Duration::from_secs(15);
/// Between rounds, however much is going on.
const AT_LEAST: Duration = Duration::from_millis(250);

pub struct Watch {
    service: Service,
    health: Arc<Health>,
    alarm: Arc<Alarm>,
}

/// Hears what makes a look worth while before the next one is due.
#[derive(Default)]
struct Alarm {
    letters: DeadLetters,
    rung: Notify,
}

impl Follower for Alarm {
    fn committed(&self, batch: &[Committed], _: Seq, _: Timestamp) {
        if batch.iter().any(|committed| committed.directory_changed) {
            self.rung.notify_one();
        }
    }

    fn messages(&self, messages: &[Arc<Message>]) {
        if self.letters.note(messages) {
            self.rung.notify_one();
        }
    }

    fn reset(&self) {
        self.letters.forget();
        self.rung.notify_one();
    }
}

impl Watch {
    /// Follows the store from here on.
    #[must_use]
    pub fn new(service: Service, health: Arc<Health>) -> Self {
        let alarm = Arc::new(Alarm::default());
        service.store().follow(Arc::clone(&alarm) as _);
        Self { service, health, alarm }
    }

    pub(super) async fn run(self, mut stopping: Receiver<bool>) {
        let mut complaints = Complaints::default();
        loop {
            for (what, outcome) in self.round().await {
                complaints.hear(what.problem_type(), outcome);
            }
            let next = async {
                sleep(AT_LEAST).await;
                tokio::select! {
                    () = self.alarm.rung.notified() => {}
                    () = sleep(EVERY) => {}
                }
            };
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                () = next => {}
            }
        }
    }

    /// Looks at everything once.
    pub async fn round(&self) -> [(Kind, Result<Settled, ServiceError>); 5] {
        [
            (Kind::DeadLetters, self.check_dead_letters().await),
            (Kind::MailServer, self.check_mail_server().await),
            (Kind::RuleWithoutRecipients, self.service.system().check_rules().await),
            (Kind::TooManyRecipients, self.service.system().check_overflows().await),
            (Kind::DamagedDataFile, self.check_data_file().await),
        ]
    }

    async fn check_dead_letters(&self) -> Result<Settled, ServiceError> {
        let (alarm, store) = (Arc::clone(&self.alarm), self.service.store().clone());
        let loaded = tokio::task::spawn_blocking(move || {
            alarm.letters.load(|| store.snapshot())?;
            examine(&alarm.letters, &store)
        });
        loaded.await.map_err(|_| ServiceError::Internal("reading dead letters ended early"))??;
        let alarm = Arc::clone(&self.alarm);
        let find = move |directory: &Directory, _| {
            let mut findings = undelivered(directory, alarm.letters.stuck());
            findings.extend(unreached(directory, alarm.letters.unreached()));
            findings
        };
        self.service.system().settle(Kind::DeadLetters, find).await
    }

    async fn check_data_file(&self) -> Result<Settled, ServiceError> {
        let (troubles, since) = (self.service.store().file_troubles(), self.service.started());
        let find = move |_: &Directory, _| damaged(&troubles.damage, troubles.is_verified, since);
        self.service.system().settle(Kind::DamagedDataFile, find).await
    }

    async fn check_mail_server(&self) -> Result<Settled, ServiceError> {
        // Not tried since the start: whatever was said stands.
        let Some(reach) = self.health.reach(EMAIL) else { return Ok(Settled::default()) };
        let clock = Arc::clone(self.service.store().clock());
        let find = move |now| match reach {
            Reach::Reachable => Vec::new(),
            Reach::UnreachableSince(since) => vec![unreachable(clock.both().wall_at(since), now)],
        };
        self.service.system().settle(Kind::MailServer, move |_, now| find(now)).await
    }
}

/// Letters to contacts that are there no more do not count: nothing can mend that. Nor do those that were to tell of
/// trouble with the same channel, or else closing that incident by hand would open it again.
fn examine(letters: &DeadLetters, store: &Store) -> Result<(), StoreError> {
    let doubtful = letters.doubtful();
    if doubtful.is_empty() {
        return Ok(());
    }
    let (snapshot, own) = (store.snapshot()?, store.directory().own_source());
    for letter in doubtful {
        if snapshot.contact(letter.uuid)?.is_none_or(|contact| contact.id != letter.contact) {
            letters.is_gone(&letter);
            continue;
        }
        let incident = letter.incident.map(|id| snapshot.incident(id)).transpose()?.flatten();
        let reports_itself = incident.is_some_and(|incident| {
            Some(incident.source) == own && Matter::Channel(letter.channel).is_named(&incident.source_incident_id)
        });
        letters.settle(&letter, !reports_itself);
    }
    Ok(())
}
