//! Background work of the server.

mod agenda;
mod clock_steps;
mod complaints;
mod data_file;
mod dead_letters;
mod housekeeping;
mod token_sweeper;
mod watch;

use std::sync::Arc;

use tokio::sync::watch::Receiver;

use crate::{notify::Health, service::Service};

pub use self::{agenda::Agenda, dead_letters::DeadLetters, token_sweeper::TokenSweeper, watch::Watch};

/// Works until `stopping` turns true.
pub async fn run(service: Service, health: Arc<Health>, stopping: Receiver<bool>) {
    let watch = Watch::new(service.clone(), health);
    let agenda = Agenda::new(service.clone());
    tokio::join!(
        agenda.run(stopping.clone()),
        clock_steps::run(service.clone(), stopping.clone()),
        data_file::run(service.clone(), stopping.clone()),
        housekeeping::run(service, stopping.clone()),
        watch.run(stopping)
    );
}
