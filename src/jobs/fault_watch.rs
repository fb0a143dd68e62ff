//! Opens and closes incidents of the server itself, in rounds (contract section 23).

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch::Receiver},
    time::sleep,
};

use super::{DeadMessages, repeated_errors::RepeatedErrors};
use crate::domain::{
    Committed, Directory, Message, Seq, Timestamp,
    destination::EMAIL,
    fault::{FaultFinding, FaultKind, FaultSubject, FaultVerdict, damaged, undelivered, unreachable, unreached},
};
use crate::notify::{Health, MediumReach};
use crate::service::{Service, ServiceError, Settled};
use crate::store::{Follower, Store, StoreError};

const EVERY: Duration = Duration::from_secs(15);
/// Minimum time between rounds, however much is going on.
const AT_LEAST: Duration = Duration::from_millis(250);

pub struct FaultWatch {
    service: Service,
    health: Arc<Health>,
    alarm: Arc<WatchAlarm>,
}

/// Follower that starts a round early if something changed that concerns it.
#[derive(Default)]
struct WatchAlarm {
    dead: DeadMessages,
    rung: Notify,
}

impl Follower for WatchAlarm {
    fn committed(&self, batch: &[Committed], _: Seq, _: Timestamp) {
        if batch.iter().any(|committed| committed.directory_changed) {
            self.rung.notify_one();
        }
    }

    fn messages(&self, messages: &[Arc<Message>]) {
        if self.dead.note(messages) {
            self.rung.notify_one();
        }
    }

    fn deleted_messages(&self, messages: &[Arc<Message>]) {
        if self.dead.remove(messages) {
            self.rung.notify_one();
        }
    }

    fn reset(&self) {
        self.dead.forget();
        self.rung.notify_one();
    }
}

impl FaultWatch {
    /// Creates the watch, which follows the store from now on.
    #[must_use]
    pub fn new(service: Service, health: Arc<Health>) -> Self {
        let alarm = Arc::new(WatchAlarm::default());
        service.store().follow(Arc::clone(&alarm) as _);
        Self { service, health, alarm }
    }

    pub(super) async fn run(self, mut stopping: Receiver<bool>) {
        let mut repeated_errors = RepeatedErrors::default();
        loop {
            for (what, outcome) in self.round().await {
                repeated_errors.note(what.problem_type(), outcome);
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

    /// Checks everything once.
    pub async fn round(&self) -> [(FaultKind, Result<Settled, ServiceError>); 6] {
        [
            (FaultKind::DeadMessages, self.check_dead_messages().await),
            (FaultKind::MailServer, self.check_mail_server().await),
            (FaultKind::RuleWithoutRecipients, self.service.system().check_rules().await),
            (FaultKind::TooManyRecipients, self.service.system().check_overflows().await),
            (FaultKind::DamagedDataFile, self.check_data_file().await),
            (FaultKind::LateBackup, self.check_backups().await),
        ]
    }

    async fn check_dead_messages(&self) -> Result<Settled, ServiceError> {
        let (alarm, store) = (Arc::clone(&self.alarm), self.service.store().clone());
        let loaded = tokio::task::spawn_blocking(move || {
            alarm.dead.load(|| store.snapshot())?;
            examine(&alarm.dead, &store)
        });
        loaded.await.map_err(|_| ServiceError::Internal("reading dead letters ended early"))??;
        let alarm = Arc::clone(&self.alarm);
        let find = move |directory: &Directory, _| {
            let mut findings = undelivered(directory, alarm.dead.stuck());
            findings.extend(unreached(directory, alarm.dead.unreached()));
            findings
        };
        self.service.system().settle(FaultKind::DeadMessages, find).await
    }

    async fn check_data_file(&self) -> Result<Settled, ServiceError> {
        let (faults, since) = (self.service.store().file_faults(), self.service.started());
        let find = move |_: &Directory, _| damaged(&faults.damage, faults.is_verified, since);
        self.service.system().settle(FaultKind::DamagedDataFile, find).await
    }

    async fn check_backups(&self) -> Result<Settled, ServiceError> {
        let backups = self.service.system().backups();
        let find = move |_: &Directory, now| match &backups {
            Some(backups) => backups.findings(now),
            // The directory was not looked at yet: an open incident stays open.
            None => vec![FaultFinding {
                subject: FaultSubject::Backup,
                about_since: Timestamp::MIN,
                verdict: FaultVerdict::Unknown,
            }],
        };
        self.service.system().settle(FaultKind::LateBackup, find).await
    }

    async fn check_mail_server(&self) -> Result<Settled, ServiceError> {
        // No attempt since the start: an open incident stays open.
        let Some(reach) = self.health.reach(EMAIL) else { return Ok(Settled::default()) };
        let clock = Arc::clone(self.service.store().clock());
        let find = move |now| match reach {
            MediumReach::Reachable => Vec::new(),
            MediumReach::UnreachableSince(since) => vec![unreachable(clock.both().wall_at(since), now)],
        };
        self.service.system().settle(FaultKind::MailServer, move |_, now| find(now)).await
    }
}

/// Removes failed messages that do not count: those to deleted contacts, because that cannot be fixed, and those about
/// failures of the same channel, because otherwise closing that incident by hand would open it again.
fn examine(dead: &DeadMessages, store: &Store) -> Result<(), StoreError> {
    let doubtful = dead.doubtful();
    if doubtful.is_empty() {
        return Ok(());
    }
    let (snapshot, own) = (store.snapshot()?, store.directory().own_source());
    for dead_message in doubtful {
        if snapshot.contact(dead_message.uuid)?.is_none_or(|contact| contact.id != dead_message.contact) {
            dead.is_gone(&dead_message);
            continue;
        }
        let incident = dead_message.incident.map(|id| snapshot.incident(id)).transpose()?.flatten();
        let reports_itself = incident.is_some_and(|incident| {
            Some(incident.source) == own
                && FaultSubject::Channel(dead_message.channel).is_named(&incident.source_incident_id)
        });
        dead.settle(&dead_message, !reports_itself);
    }
    Ok(())
}
