//! Checks that the path of the data file still leads to the open file, and that its pages are as they were written.

use std::{io, thread, time::Duration};

use tokio::{sync::watch::Receiver, task::spawn_blocking, time::Instant};
use tracing::{info, warn};

use crate::service::Service;

/// Maximum time until it is noticed that the file was removed or replaced.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Delay after the start before all pages are verified, and the interval after that.
const FIRST_VERIFICATION: Duration = Duration::from_secs(2);
const VERIFY_EVERY: Duration = Duration::from_hours(24);
/// Pages after which there is a pause, so that requests do not wait for the disk.
const PAGES_AT_ONCE: u32 = 64;
const PAUSE: Duration = Duration::from_millis(1);

/// Runs both checks until `stopping` becomes true.
pub(super) async fn run(service: Service, stopping: Receiver<bool>) {
    tokio::join!(look(service.clone(), stopping.clone()), verify(service, stopping));
}

async fn look(service: Service, mut stopping: Receiver<bool>) {
    let mut interval = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            _ = interval.tick() => {}
        }
        let store = service.store().clone();
        // The store logs, keeps and shows the result.
        let looked = spawn_blocking(move || store.look_at_file()).await;
        drop(looked);
    }
}

async fn verify(service: Service, mut stopping: Receiver<bool>) {
    let mut interval = tokio::time::interval_at(Instant::now() + FIRST_VERIFICATION, VERIFY_EVERY);
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            _ = interval.tick() => {}
        }
        let (store, stop) = (service.store().clone(), stopping.clone());
        let mut pages = 0_u32;
        let mut pause = move || {
            pages = pages.wrapping_add(1);
            if pages.is_multiple_of(PAGES_AT_ONCE) {
                thread::sleep(PAUSE);
            }
            if *stop.borrow() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        };
        let verified = spawn_blocking(move || store.verify_pages(&mut pause)).await;
        match verified {
            Ok(Ok(findings)) if findings.is_empty() => info!("verified all pages of the data file"),
            // The store logged the damage when it was found.
            Ok(Ok(_)) => {}
            Ok(Err(_)) if *stopping.borrow() => return,
            Ok(Err(error)) => warn!("the pages of the data file could not be verified: {error}"),
            Err(error) => warn!("the pages of the data file could not be verified: {error}"),
        }
    }
}
