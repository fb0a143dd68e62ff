//! Waiting until something is true.

use std::time::{Duration, Instant};

/// Ends a test that would wait forever. It says nothing about how long anything may take.
pub const PATIENCE: Duration = Duration::from_mins(1);

const PAUSE: Duration = Duration::from_millis(5);

/// Waits until something is true, asking again and again.
#[track_caller]
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Like [`eventually`], for tests with a runtime.
pub async fn eventually_async(what: &str, check: impl AsyncFnMut() -> bool) {
    eventually_within(PATIENCE, what, check).await;
}

/// Like [`eventually_async`], for what may take longer than others.
pub async fn eventually_within(limit: Duration, what: &str, mut check: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + limit;
    while !check().await {
        assert!(Instant::now() < until, "in vain: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
