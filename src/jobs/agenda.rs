//! Executes tasks of the agenda when they are due.

use std::time::Duration;

use tokio::{sync::watch::Receiver, time::sleep};

use super::repeated_errors::RepeatedErrors;
use crate::domain::{MonotonicTime, agenda::TaskKind};
use crate::service::{Service, ServiceError, Settled};

/// Maximum time until a row that stays due is checked again, and until a change of the time of day is noticed.
const EVERY: Duration = Duration::from_secs(15);
/// Minimum time between rounds, however much is due.
const AT_LEAST: Duration = Duration::from_millis(250);

pub struct Agenda {
    service: Service,
    started: MonotonicTime,
}

impl Agenda {
    /// Creates the job. From now on heartbeats of sources can be received.
    #[must_use]
    pub fn new(service: Service) -> Self {
        let started = service.store().clock().moment();
        Self { service, started }
    }

    pub(super) async fn run(self, mut stopping: Receiver<bool>) {
        let mut repeated_errors = RepeatedErrors::default();
        loop {
            for (kind, outcome) in self.round().await {
                repeated_errors.note(kind.name(), outcome);
            }
            let next = async {
                sleep(AT_LEAST).await;
                let agenda = self.service.store().agenda();
                tokio::select! {
                    () = agenda.changed() => {}
                    () = sleep(agenda.next().map_or(EVERY, |next| next.min(EVERY))) => {}
                }
            };
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                () = next => {}
            }
        }
    }

    /// Executes all due tasks once. Returns the results by kind.
    pub async fn round(&self) -> Vec<(TaskKind, Result<Settled, ServiceError>)> {
        let mut outcomes = Vec::new();
        for kind in TaskKind::ALL {
            outcomes.push((kind, self.service.system().run_due(kind, Some(self.started)).await));
        }
        outcomes
    }
}
