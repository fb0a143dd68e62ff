//! Reports the state of the server to systemd, or to another service manager that speaks its protocol (`sd_notify(3)`).
//! Without one, nothing is sent.

use std::{io, time::Duration};

use sd_notify::NotifyState;
use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, timeout},
};
use tracing::{debug, error, info};

use super::{Stopping, stopped};
use crate::domain::limits;
use crate::store::Store;

/// Reports that the server accepts connections, or that a reload is over. `status` is shown by `systemctl status`.
pub(super) async fn ready(status: String) {
    report(move || sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&one_line(&status))])).await;
}

/// Reports that settings are being read again. [`ready`] has to follow.
pub(super) async fn reloading() {
    report(|| sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])).await;
}

pub(super) async fn stopping() {
    report(|| sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status("Finishing requests")])).await;
}

/// Permission to send. There is one, so that a manager that does not read holds up one thread only.
static SENDER: Semaphore = Semaphore::const_new(1);

async fn report(send: impl FnOnce() -> io::Result<()> + Send + 'static) {
    let outcome = async {
        let permit = SENDER.acquire().await.map_err(io::Error::other)?;
        let send = move || {
            // Waits while the queue of the receiver is full.
            let outcome = send();
            drop(permit);
            outcome
        };
        tokio::task::spawn_blocking(send).await.map_err(io::Error::other)?
    };
    match timeout(limits::SERVICE_MANAGER_TIMEOUT, outcome).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("the service manager cannot be reached: {error}"),
        Err(_) => debug!("the service manager does not read"),
    }
}

/// The protocol separates values by line breaks.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// Sends signs of life, twice in the time that the service manager allows, as long as the writer makes progress. Ends
/// at once if the service manager expects none.
pub(super) async fn send_signs_of_life(store: Store, mut stopping: Stopping) {
    let Some(allowed) = sd_notify::watchdog_enabled().filter(|allowed| *allowed > Duration::from_millis(1)) else {
        return;
    };
    let every = allowed / 2;
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_stuck = false;
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stopping) => return,
            _ = interval.tick() => {}
        }
        let busy = Duration::from_micros(store.writer_busy_micros().unsigned_abs());
        let is_stuck = !makes_progress(busy, every);
        if is_stuck && !was_stuck {
            error!("writing to the data file makes no progress; the service manager restarts the server if that lasts");
        } else if was_stuck && !is_stuck {
            info!("writing to the data file makes progress again");
        }
        was_stuck = is_stuck;
        if !is_stuck {
            report(|| sd_notify::notify(&[NotifyState::Watchdog])).await;
        }
    }
}

/// Returns whether a writer that has been busy with one batch for this time is not stuck. A batch takes milliseconds.
fn makes_progress(busy: Duration, every: Duration) -> bool {
    busy < every
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::Timestamp;
    use crate::store::{Options, StoreError};

    #[test]
    fn a_writer_is_stuck_if_one_batch_takes_longer_than_the_interval() {
        let every = Duration::from_secs(30);
        assert!(makes_progress(Duration::ZERO, every) && makes_progress(Duration::from_secs(29), every));
        assert!(!makes_progress(every, every) && !makes_progress(Duration::MAX, every));
    }

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line("line 3\nWATCHDOG=trigger\r"), "line 3 WATCHDOG=trigger ");
    }

    #[tokio::test]
    async fn the_store_says_how_long_its_writer_has_been_busy() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::saturating_from_micros(0)));
        let store = Store::open(&folder.path().join("argusd.redb"), Options::default(), clock.clone()).unwrap();
        assert_eq!(store.writer_busy_micros(), 0);
        let ((entered, has_entered), (leave, may_leave)) = (mpsc::channel(), mpsc::channel::<()>());
        let held = tokio::spawn({
            let store = store.clone();
            async move {
                let hold = move |_: &mut crate::store::Command<'_>| {
                    entered.send(()).unwrap();
                    may_leave.recv().unwrap();
                    Ok::<(), StoreError>(())
                };
                store.write(None, hold).await
            }
        });
        tokio::task::spawn_blocking(move || has_entered.recv().unwrap()).await.unwrap();
        clock.advance_micros(31_000_000);
        assert_eq!(store.writer_busy_micros(), 31_000_000);
        leave.send(()).unwrap();
        assert!(held.await.unwrap().is_ok());
        while store.writer_busy_micros() != 0 {
            tokio::task::yield_now().await;
        }
        store.close().unwrap();
    }
}
