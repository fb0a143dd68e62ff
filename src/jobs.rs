//! Background jobs of the server: housekeeping, the agenda, and the watch over faults of the server itself.

mod agenda;
mod backups;
mod clock_steps;
mod data_file;
mod dead_messages;
mod fault_watch;
mod housekeeping;
mod ping;
mod repeated_errors;
mod retention;
mod token_sweeper;

use std::{sync::Arc, time::Duration};

use tokio::sync::watch::Receiver;

use crate::notify::{Health, Pinger};
use crate::service::Service;

pub use self::{
    agenda::Agenda,
    backups::{BackupPlan, ScheduledBackups},
    dead_messages::DeadMessages,
    fault_watch::FaultWatch,
    token_sweeper::TokenSweeper,
};

/// Runs all background jobs until `stopping` becomes true. `ping` are the outgoing pings, with the time between two.
pub async fn run(
    service: Service,
    health: Arc<Health>,
    backups: BackupPlan,
    ping: Option<(Pinger, Duration)>,
    stopping: Receiver<bool>,
) {
    let watch = FaultWatch::new(service.clone(), Arc::clone(&health));
    let agenda = Agenda::new(service.clone());
    let backups = ScheduledBackups::new(service.clone(), backups);
    tokio::join!(
        agenda.run(stopping.clone()),
        backups.run(stopping.clone()),
        clock_steps::run(service.clone(), stopping.clone()),
        data_file::run(service.clone(), stopping.clone()),
        housekeeping::run(service.clone(), stopping.clone()),
        ping::run(service.clone(), health, ping, stopping.clone()),
        retention::run(service, stopping.clone()),
        watch.run(stopping)
    );
}
