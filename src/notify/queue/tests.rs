//! Tests of the order of messages: hanging transports, failures, storms, and random mixtures.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    ids::{EventId, ProfileId, UserId},
    message::MessageSubject,
};

const START: MonotonicTime = MonotonicTime::from_micros(0);
/// Time of day at the start.
const NOON: Timestamp = Timestamp::saturating_from_micros(1_700_000_000_000_000);
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// Returns the time of both clocks, as long as none of them is set.
fn at(moment: MonotonicTime) -> Now {
    Now { wall: NOON.saturating_add_micros(moment.micros()), moment }
}

fn message(id: u64, destination: u64, incident: u64, now: MonotonicTime) -> Message {
    due(id, destination, incident, at(now).wall)
}

/// Creates a message at that time of day.
fn due(id: u64, destination: u64, incident: u64, now: Timestamp) -> Message {
    Message {
        id: MessageId(id),
        created: now,
        about: MessageSubject::Event { incident: IncidentId(incident), event: EventId(id) },
        route: Route::Destination {
            user: UserId(1),
            profile: ProfileId(1),
            destination: DestinationId(destination),
            medium: "email".to_owned(),
        },
        address: String::new(),
        state: MessageState::Due { at: now, since: now },
        attempts: 0,
        last_attempt: None,
        answer: String::new(),
    }
}

fn queue(storm_limit: usize) -> Queue {
    Queue::new(QueueSettings { storm_limit, retry_micros: 24 * HOUR })
}

fn queue_id(destination: u64) -> DestinationQueueId {
    DestinationQueueId::Destination(DestinationId(destination))
}

fn end(queue: &mut Queue, work: &Work, ended: AttemptEnd, now: MonotonicTime) -> Option<MonotonicTime> {
    let Work::Send(queue_id, message) = work else { panic!("not a message: {work:?}") };
    let retry_at = queue.next_attempt((*queue_id, *message), ended, now, 0.5);
    queue.settle((*queue_id, *message), ended, retry_at, now, 0.5);
    retry_at
}

#[test]
fn a_destination_that_hangs_holds_one_message_and_delays_no_other() {
    let mut queue = queue(0);
    for id in 0..100 {
        queue.note(&message(id, 1, id, START), at(START));
    }
    queue.note(&message(200, 2, 1, START), at(START));
    let taken = queue.take(START);
    assert_eq!(taken, [Work::Send(queue_id(1), MessageId(0)), Work::Send(queue_id(2), MessageId(200))]);
    assert_eq!(queue.take(START), []);
    end(&mut queue, &taken[0], AttemptEnd::Sent, START);
    assert_eq!(queue.take(START).len(), 2, "more at once after a success");
}

#[test]
fn messages_about_one_incident_keep_their_order_through_a_failure() {
    let mut queue = queue(0);
    queue.note(&message(1, 1, 7, START), at(START));
    queue.note(&message(2, 1, 7, START), at(START));
    queue.note(&message(3, 1, 8, START), at(START));
    let first = queue.take(START);
    let Some(again) = end(&mut queue, &first[0], AttemptEnd::Retry, START) else { panic!("given up") };
    let blocked = START.saturating_add_micros(5 * SECOND);
    assert_eq!(queue.take(START), []);
    assert_eq!(queue.next_time(), Some(blocked));
    assert_eq!(queue.take(blocked), [Work::Send(queue_id(1), MessageId(3))], "another incident may go first");
    end(&mut queue, &Work::Send(queue_id(1), MessageId(3)), AttemptEnd::Sent, blocked);
    assert_eq!(queue.take(blocked), []);
    assert_eq!(queue.take(again), [Work::Send(queue_id(1), MessageId(1))]);
}

#[test]
fn what_is_over_the_limit_leaves_as_a_summary() {
    let mut queue = queue(3);
    for id in 1..=10 {
        queue.note(&message(id, 1, id, START), at(START));
    }
    let mut sent = 0;
    while let Some(work) = queue.take(START).first().cloned() {
        end(&mut queue, &work, AttemptEnd::Sent, START);
        sent += 1;
    }
    assert_eq!(sent, 2);
    let settled = START.saturating_add_micros(SUMMARY_WAIT_MICROS);
    assert_eq!(queue.next_time(), Some(settled));
    let rest: Vec<MessageId> = (3..=10).map(MessageId).collect();
    assert_eq!(queue.take(settled), [Work::Gather(queue_id(1), rest.clone())]);
    let summary = Message { about: MessageSubject::Summary(rest.clone()), ..message(11, 1, 0, settled) };
    queue.note(&summary, at(settled));
    queue.gathered(queue_id(1), &rest, true);
    let work = queue.take(settled);
    assert_eq!(work, [Work::Send(queue_id(1), MessageId(11))]);
    end(&mut queue, &work[0], AttemptEnd::Sent, settled);
    queue.note(&message(12, 1, 1, settled), at(settled));
    assert_eq!(queue.take(settled), []);
    let minute_later = START.saturating_add_micros(MINUTE_MICROS);
    assert_eq!(queue.next_time(), Some(minute_later));
    assert_eq!(queue.take(minute_later), [Work::Send(queue_id(1), MessageId(12))]);
}

#[test]
fn a_server_that_is_down_is_asked_rarely_and_in_the_end_everything_is_given_up() {
    let mut queue = queue(0);
    for id in 1..=50 {
        queue.note(&message(id, 1, id, START), at(START));
    }
    let (mut now, mut attempts, mut open) = (START, 0, 50);
    while open > 0 {
        for work in queue.take(now) {
            let Work::Send(queue_id, id) = work else { panic!("gathered") };
            attempts += 1;
            let retry_at = queue.next_attempt((queue_id, id), AttemptEnd::Retry, now, 0.5);
            let expired = queue.settle((queue_id, id), AttemptEnd::Retry, retry_at, now, 0.5);
            open -= expired.len() + usize::from(retry_at.is_none());
            queue.gave_up(queue_id, &expired);
        }
        if let Some(next) = queue.next_time() {
            assert!(next > now, "a busy loop");
            now = next;
        }
    }
    assert!(now >= START.saturating_add_micros(24 * HOUR) && now < START.saturating_add_micros(24 * HOUR + HOUR / 2));
    assert!((200..500).contains(&attempts), "{attempts} attempts in a day");
    assert_eq!(queue.take(now.saturating_add_micros(HOUR)), []);
    assert!(queue.queues.is_empty() && queue.timers.is_empty());
}

#[test]
fn a_summary_that_waits_for_a_message_in_flight_does_not_keep_the_loop_busy() {
    let mut queue = queue(0);
    queue.note(&message(1, 1, 0, START), at(START));
    let first = queue.take(START);
    end(&mut queue, &first[0], AttemptEnd::Sent, START);
    queue.note(&message(2, 1, 0, START), at(START));
    let second = queue.take(START);
    queue.note(&Message { about: MessageSubject::Summary(vec![MessageId(9)]), ..message(3, 1, 0, START) }, at(START));
    assert_eq!(queue.take(START), []);
    assert!(queue.next_time().is_none_or(|at| at > START), "a timer that rings at once, again and again");
    end(&mut queue, &second[0], AttemptEnd::Sent, START);
    assert_eq!(queue.take(START), [Work::Send(queue_id(1), MessageId(3))]);
}

const DAY: i64 = 24 * HOUR;
/// Microseconds by which clocks are wrong.
const STEPS: [i64; 9] = [-30 * DAY, -DAY, -HOUR, -60 * SECOND, 0, 60 * SECOND, HOUR, DAY, 30 * DAY];

#[test]
fn a_clock_that_is_set_delays_neither_a_retry_nor_what_is_new() {
    for step in STEPS {
        let mut queue = queue(0);
        queue.note(&message(1, 1, 1, START), at(START));
        let first = queue.take(START);
        let Some(again) = end(&mut queue, &first[0], AttemptEnd::Retry, START) else { panic!("given up") };
        assert_eq!(again, START.saturating_add_micros(10 * SECOND));
        let later = START.saturating_add_micros(SECOND);
        let set = Now { wall: at(later).wall.saturating_add_micros(step), moment: later };
        queue.note(&due(2, 1, 2, set.wall), set);
        // As it is read again from the file, with times from before the clock was set.
        let stored = Message { attempts: 1, ..due(1, 1, 1, at(START).wall) };
        let stored = Message { state: MessageState::Due { at: at(again).wall, since: at(START).wall }, ..stored };
        queue.note(&stored, set);
        let blocked = START.saturating_add_micros(5 * SECOND);
        assert_eq!((queue.take(later), queue.next_time()), (vec![], Some(blocked)), "by {step}");
        let new = queue.take(blocked);
        end(&mut queue, &new[0], AttemptEnd::Sent, blocked);
        let retried = queue.take(again);
        assert_eq!(retried.len() + new.len(), 2, "by {step}: {new:?} {retried:?}");
    }
}

#[test]
fn a_clock_that_is_set_lifts_no_storm_guard_and_leaves_none_behind() {
    for step in STEPS {
        let mut queue = queue(1);
        queue.note(&message(1, 1, 1, START), at(START));
        let first = queue.take(START);
        end(&mut queue, &first[0], AttemptEnd::Sent, START);
        let later = START.saturating_add_micros(SECOND);
        let set = Now { wall: at(later).wall.saturating_add_micros(step), moment: later };
        queue.note(&due(2, 1, 2, set.wall), set);
        assert_eq!(queue.take(later), []);
        let minute_later = START.saturating_add_micros(MINUTE_MICROS);
        assert_eq!(queue.next_time(), Some(minute_later), "by {step}");
        assert_eq!(queue.take(minute_later).len(), 1);
    }
}

#[test]
fn what_an_earlier_run_left_waits_no_longer_than_a_retry_and_is_tried_again() {
    for step in STEPS {
        let mut queue = queue(0);
        let now = at(START);
        let stored = now.wall.saturating_add_micros(step);
        let since = stored.saturating_add_micros(-HOUR);
        let left = Message { state: MessageState::Due { at: stored, since }, attempts: 3, ..due(1, 1, 1, since) };
        queue.note(&left, now);
        let longest = START.saturating_add_micros(retry::longest_wait(3));
        let (mut work, mut tried) = (queue.take(START), START);
        if work.is_empty() {
            tried = queue.next_time().unwrap();
            assert!(tried <= longest, "by {step}: {tried:?}");
            work = queue.take(tried);
        }
        let retry_at = end(&mut queue, &work[0], AttemptEnd::Retry, tried);
        let Some(again) = retry_at else { panic!("by {step}: given up after one attempt") };
        assert!(again.micros_since(tried) <= retry::longest_wait(4), "by {step}");
    }
}

#[test]
fn a_destination_that_asks_for_time_is_left_alone_for_so_long() {
    for (asked, granted) in [(45 * SECOND, 45 * SECOND), (HOUR, HOUR), (25 * HOUR, HOUR)] {
        let mut queue = queue(0);
        queue.note(&message(1, 1, 1, START), at(START));
        queue.note(&message(2, 1, 2, START), at(START));
        queue.note(&message(3, 2, 1, START), at(START));
        let work = queue.take(START);
        let retry_at = end(&mut queue, &work[0], AttemptEnd::RetryAfter(asked), START);
        let until = START.saturating_add_micros(granted);
        assert_eq!(retry_at, Some(until));
        end(&mut queue, &work[1], AttemptEnd::Sent, START);
        assert_eq!(queue.take(until.saturating_add_micros(-1)), [], "nor anything else for it");
        assert_eq!(queue.take(until), [Work::Send(queue_id(1), MessageId(1))]);
    }
    // A shorter wait than the usual one changes nothing.
    let mut queue = queue(0);
    queue.note(&message(1, 1, 1, START), at(START));
    let work = queue.take(START);
    let retry_at = end(&mut queue, &work[0], AttemptEnd::RetryAfter(SECOND), START);
    assert_eq!(retry_at, Some(START.saturating_add_micros(10 * SECOND)));
}

#[test]
fn the_last_attempt_too_is_made_when_the_destination_allows_it() {
    let mut queue = queue(0);
    queue.note(&message(1, 1, 1, START), at(START));
    let work = queue.take(START);
    let end_of_time = START.saturating_add_micros(24 * HOUR - SECOND);
    let retry_at = end(&mut queue, &work[0], AttemptEnd::RetryAfter(45 * SECOND), end_of_time);
    let until = end_of_time.saturating_add_micros(45 * SECOND);
    assert_eq!(retry_at, Some(until));
    let work = queue.take(until);
    assert_eq!(end(&mut queue, &work[0], AttemptEnd::RetryAfter(45 * SECOND), until), None);
}

/// Creates a message whose first attempt was ten minutes ago, and whose destination asked for an hour.
fn asked_for_an_hour(id: u64, wall: Timestamp) -> Message {
    let tried = wall.saturating_add_micros(-600 * SECOND);
    let state = MessageState::Due { at: tried.saturating_add_micros(HOUR), since: tried };
    Message { state, attempts: 1, last_attempt: Some(tried), ..due(id, 1, id, tried) }
}

#[test]
fn what_a_destination_asked_for_holds_after_a_restart() {
    let now = at(START);
    let mut queue = queue(0);
    queue.note(&asked_for_an_hour(1, now.wall), now);
    queue.note(&message(2, 1, 2, START), now);
    let until = START.saturating_add_micros(HOUR - 600 * SECOND);
    assert_eq!(queue.take(START), [], "nor anything else for it");
    assert_eq!(queue.take(until.saturating_add_micros(-1)), []);
    assert_eq!(queue.take(until), [Work::Send(queue_id(1), MessageId(1))]);
}

#[test]
fn a_clock_that_was_set_makes_no_wait_longer_than_was_asked_for() {
    for step in STEPS {
        let now = at(START);
        let mut queue = queue(0);
        queue.note(&asked_for_an_hour(1, now.wall.saturating_add_micros(step)), now);
        let hour_later = START.saturating_add_micros(HOUR);
        assert_eq!(queue.take(hour_later), [Work::Send(queue_id(1), MessageId(1))], "by {step}");
    }
    // A message that was sent again by hand since waits for a retry at most.
    let now = at(START);
    let mut queue = queue(0);
    let ahead = now.wall.saturating_add_micros(48 * HOUR);
    let again = Message { state: MessageState::Due { at: ahead, since: ahead }, ..asked_for_an_hour(1, now.wall) };
    queue.note(&again, now);
    assert_eq!(queue.take(START.saturating_add_micros(retry::longest_wait(1))).len(), 1);
}

#[test]
fn a_clock_that_is_set_ahead_makes_nothing_seem_too_old() {
    let mut queue = queue(0);
    for id in 1..=3 {
        queue.note(&message(id, 1, id, START), at(START));
    }
    let mut now = START;
    for _ in 0..6 {
        let work = queue.take(now);
        for work in &work {
            assert!(end(&mut queue, work, AttemptEnd::Retry, now).is_some());
        }
        assert_eq!(queue.take(now), [], "after a failure the destination is left alone");
        now = queue.next_time().unwrap();
        // Read again, a month later by the time of day.
        let month = Now { wall: at(now).wall.saturating_add_micros(30 * DAY), moment: now };
        for id in 1..=3 {
            queue.note(&message(id, 1, id, START), month);
        }
    }
}

/// History of a message in the simulation.
#[derive(Default)]
struct Story {
    sent: Option<MonotonicTime>,
    attempts: u32,
}

proptest! {
    /// With any answers of destinations, each message is sent once, in the order of its incident, and no destination gets
    /// more within a minute than the limit.
    #[test]
    fn everything_arrives_in_order_and_within_the_limit(
        arrivals in proptest::collection::vec((0_u64..4, 0_u64..5, 0_i64..20), 1..150),
        answers in proptest::collection::vec((0_u8..10, 0_i64..3), 1..60),
        limit in prop_oneof![Just(0_usize), 1_usize..6],
    ) {
        let mut queue = queue(limit);
        let (mut now, mut next_id, mut asked) = (START, 1_u64, 0_usize);
        let mut arrivals = arrivals.into_iter().map(|(d, i, pause)| (d, i, pause * SECOND)).peekable();
        let mut flights: BTreeMap<(MonotonicTime, u64), (DestinationQueueId, MessageId, AttemptEnd)> = BTreeMap::new();
        let mut members: BTreeMap<MessageId, Vec<MessageId>> = BTreeMap::new();
        let mut about: BTreeMap<MessageId, (u64, u64)> = BTreeMap::new();
        let mut stories: BTreeMap<MessageId, Story> = BTreeMap::new();
        let mut left: BTreeMap<DestinationQueueId, Vec<MonotonicTime>> = BTreeMap::new();
        let mut arrival = START;
        for _ in 0..100_000 {
            while let Some((destination, incident, pause)) = arrivals.next_if(|(_, _, pause)| arrival.saturating_add_micros(*pause) <= now) {
                arrival = arrival.saturating_add_micros(pause);
                queue.note(&message(next_id, destination, incident, now), at(now));
                about.insert(MessageId(next_id), (destination, incident));
                stories.insert(MessageId(next_id), Story::default());
                next_id += 1;
            }
            for work in queue.take(now) {
                match work {
                    Work::Send(queue_id, id) => {
                        let (answer, takes) = answers[asked % answers.len()];
                        asked += 1;
                        let ended = if answer < 3 && asked < 40 { AttemptEnd::Retry } else { AttemptEnd::Sent };
                        flights.insert((now.saturating_add_micros(takes * SECOND), asked as u64), (queue_id, id, ended));
                        stories.entry(id).or_default().attempts += 1;
                    }
                    Work::Gather(queue_id, ids) => {
                        prop_assert!(limit > 0 && ids.len() > 1);
                        let DestinationQueueId::Destination(destination) = queue_id else { panic!("{queue_id:?}") };
                        let summary = Message { about: MessageSubject::Summary(ids.clone()), ..message(next_id, destination.0, 0, now) };
                        members.insert(summary.id, ids.clone());
                        next_id += 1;
                        queue.note(&summary, at(now));
                        queue.gathered(queue_id, &ids, true);
                    }
                }
            }
            let landed: Vec<_> = flights.range(..=(now, u64::MAX)).map(|(key, flight)| (*key, *flight)).collect();
            for (key, (queue_id, id, ended)) in landed {
                flights.remove(&key);
                let retry_at = queue.next_attempt((queue_id, id), ended, now, 0.3);
                prop_assert!(queue.settle((queue_id, id), ended, retry_at, now, 0.3).is_empty());
                if ended == AttemptEnd::Sent {
                    left.entry(queue_id).or_default().push(now);
                    for said in members.get(&id).cloned().unwrap_or_else(|| vec![id]) {
                        prop_assert!(stories.entry(said).or_default().sent.replace(now).is_none(), "sent twice");
                        let earlier = about.iter().filter(|(other, whom)| **other < said && **whom == about[&said]);
                        for (other, _) in earlier {
                            prop_assert!(stories[other].sent.is_some(), "{said} overtook {other}");
                        }
                    }
                }
            }
            let waits = [queue.next_time(), flights.keys().next().map(|(at, _)| *at),
                arrivals.peek().map(|(_, _, pause)| arrival.saturating_add_micros(*pause))];
            match waits.into_iter().flatten().min() {
                Some(next) => now = next.max(now),
                None if queue.ready.is_empty() => break,
                None => {}
            }
        }
        prop_assert!(about.keys().all(|id| stories[id].sent.is_some()), "forgotten");
        for times in left.values().filter(|_| limit > 0) {
            for window in times.windows(limit + 1) {
                prop_assert!(window[limit].micros() - window[0].micros() >= MINUTE_MICROS, "more than {limit} a minute");
            }
        }
    }
}
