//! Says after the start what the retention will delete, and plans its first run if the setting is new.

use std::time::Duration;

use tokio::sync::watch::Receiver;
use tracing::{info, warn};

use crate::domain::retention::shown;
use crate::service::{RetentionChange, Service, ServiceError};

/// Delay before it is tried again if nothing can be read or written.
const AGAIN: Duration = Duration::from_secs(15);

/// Tries until it succeeds or `stopping` becomes true.
pub(super) async fn run(service: Service, mut stopping: Receiver<bool>) {
    let mut last_error = None;
    loop {
        let Err(error) = follow(&service).await else { return };
        let error = Some(error.to_string());
        if last_error != error {
            warn!("the retention of incidents cannot be planned: {}", error.as_deref().unwrap_or_default());
            last_error = error;
        }
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

async fn follow(service: &Service) -> Result<(), ServiceError> {
    let change = service.system().follow_retention().await?;
    let plan = service.system().examine_retention().await?;
    let zone = service.settings().time_zone;
    match (change, plan) {
        (RetentionChange::Set, Some(plan)) => warn!(
            "retention.closed_days is now {}: {} would be deleted with their history, not before {}; \
             \"argusd retention show\" has details",
            plan.closed_days,
            plan.forecast.in_words(zone),
            shown(plan.next_run, zone)
        ),
        (_, Some(plan)) => info!(
            "retention.closed_days is {}: {} will be deleted, not before {}",
            plan.closed_days,
            plan.forecast.in_words(zone),
            shown(plan.next_run, zone)
        ),
        (RetentionChange::SwitchedOff, None) => info!("retention.closed_days is never now: no incidents are deleted"),
        (_, None) => {}
    }
    Ok(())
}
