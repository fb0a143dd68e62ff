//! Work while the server runs that nobody asks for.

mod data_file;
mod dead_letters;
mod housekeeping;
mod watch;

use std::sync::Arc;

use tokio::sync::watch::Receiver;

use crate::{notify::Health, service::Service};

pub use self::{dead_letters::DeadLetters, watch::Watch};

/// Works until `stopping` turns true.
pub async fn run(service: Service, health: Arc<Health>, stopping: Receiver<bool>) {
    let watch = Watch::new(service.clone(), health);
    tokio::join!(
        housekeeping::run(service.clone(), stopping.clone()),
        data_file::run(service, stopping.clone()),
        watch.run(stopping)
    );
}
