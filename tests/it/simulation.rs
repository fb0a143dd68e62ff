//! Days of incidents, acknowledgements, edits, outages and crashes in seconds, from a seed. Nothing due is forgotten,
//! nothing is decided outside its window or during maintenance, and every silence has a reason; an oracle that walks all
//! profiles and rules says what should have been.

mod carrier;
mod dice;
mod edits;
mod oracle;
mod people;
mod world;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use world::World;

const SEEDS: u64 = 200;
const STEPS: usize = 80;
const AT_ONCE: usize = 3;

/// `ARGUSD_TEST_SEED=N` repeats one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[expect(clippy::disallowed_methods, reason = "it says which life, nothing else")]
async fn every_due_message_is_sent_and_every_missing_one_has_a_reason() {
    if let Some(seed) = std::env::var("ARGUSD_TEST_SEED").ok().and_then(|text| text.parse().ok()) {
        live(seed).await;
        return;
    }
    let next = Arc::new(AtomicU64::new(0));
    let lives: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                let (mut events, mut edits, mut notified, mut called, mut repeats) = (0, 0, 0, 0, 0);
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= SEEDS {
                        return (events, edits, notified, called, repeats);
                    }
                    let world = live(seed).await;
                    events += world.judged;
                    edits += world.edits_before_events;
                    notified += world.notified;
                    called += world.called;
                    repeats += world.carrier.repeats();
                }
            })
        })
        .collect();
    let (mut events, mut edits, mut notified, mut called, mut repeats) = (0, 0, 0, 0, 0);
    for life in lives {
        let (judged, edited, messages, calls, sent_again) = life.await.unwrap();
        events += judged;
        edits += edited;
        notified += messages;
        called += calls;
        repeats += sent_again;
    }
    // A simulation in which nothing happens proves nothing.
    let figures = format!(
        "{events} events, {edits} right behind an edit, {notified} messages to users, {called} to contacts, {repeats} repeats"
    );
    assert!(events > 5_000 && edits > 1_000 && notified > 1_000 && called > 1_000 && repeats > 10, "{figures}");
}

async fn live(seed: u64) -> World {
    let mut world = World::new(seed).await;
    for _ in 0..STEPS {
        world.step().await;
    }
    world.end().await;
    world
}
