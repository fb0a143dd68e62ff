//! Logs changes of the time of day.
//!
//! Nothing has to be done about them, because waits are measured by the monotonic clock.

use std::time::Duration;

use tokio::sync::watch::Receiver;
use tracing::warn;

use crate::domain::{limits::CLOCK_STEP_MICROS, time::StepDetector};
use crate::service::Service;

const EVERY: Duration = Duration::from_secs(5);

/// Checks the clocks until `stopping` becomes true.
pub(super) async fn run(service: Service, mut stopping: Receiver<bool>) {
    let clock = service.store().clock();
    let mut detector = StepDetector::new(clock.both());
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Some(step) = detector.look(clock.both(), CLOCK_STEP_MICROS) {
            let (direction, seconds) = (if step > 0 { "forward" } else { "back" }, step.unsigned_abs() / 1_000_000);
            warn!("the clock was set {direction} by {seconds} s; retries and watches go on unchanged");
        }
    }
}
