//! Previews read a limited number of events, and say so.

use chrono_tz::Tz;

use super::{Rig, START, seconds};
use crate::{
    domain::{ids::TimeslotId, incident::EndTime, limits::PREVIEW_BATCH, stored_filter::FilterBlob, time::Timestamp},
    service::{DraftFilter, NewIncident, PreviewDraft, ProfilePreview, notifications::profile_preview::PreviewMatcher},
};

async fn preview(rig: &Rig) -> PreviewMatcher {
    let caller = rig.person("ann").await;
    let timeslot: TimeslotId = rig.directory().timeslots_of(caller.id())[0].id;
    let everything = FilterBlob { stateful: Some(true), ..FilterBlob::default() };
    let filters = vec![DraftFilter::Inline(everything)];
    let draft = PreviewDraft { timeslot, filters, destinations: Vec::new(), active: true };
    PreviewMatcher::new(&rig.directory(), &caller, draft, Tz::UTC).unwrap()
}

fn seen(forecast: &ProfilePreview) -> u64 {
    forecast.silent.values().sum()
}

#[tokio::test]
async fn the_newest_are_looked_at() {
    let rig = Rig::new().await;
    let source = rig.source("nav").await;
    for second in 0..10 {
        let new = NewIncident { start: seconds(second), end: EndTime::Infinity, ..super::new_incident() };
        rig.incidents().create_incident(&source, new).await.unwrap();
    }
    let preview = preview(&rig).await;
    let walk = |from: Timestamp, most| preview.walk(rig.store(), (from, seconds(9)), most).unwrap();
    for (from, most, count, truncated) in [
        (START, 100, 10, false),
        (START, 10, 10, false),
        (START, 9, 9, true),
        (START, 1, 1, true),
        (seconds(4), 100, 6, false),
        (seconds(4), 6, 6, false),
        (seconds(4), 5, 5, true),
        (seconds(20), 5, 0, false),
    ] {
        let forecast = walk(from, most);
        assert_eq!((seen(&forecast), forecast.truncated), (count, truncated), "{from:?} {most}");
        let since = if truncated { seconds(10 - count as i64) } else { from };
        assert_eq!(forecast.since, since);
    }
}

#[tokio::test]
async fn batches_join_without_a_gap() {
    let rig = Rig::new().await;
    let source = rig.source("nav").await;
    let count = 2 * PREVIEW_BATCH as i64 + 7;
    for index in 0..count {
        // Many events have the same time.
        let new = NewIncident { start: seconds(index / 100), end: EndTime::Infinity, ..super::new_incident() };
        rig.incidents().create_incident(&source, new).await.unwrap();
    }
    let preview = preview(&rig).await;
    for (most, expected, truncated) in [
        (usize::MAX, count as u64, false),
        (2 * PREVIEW_BATCH, 2 * PREVIEW_BATCH as u64, true),
        (PREVIEW_BATCH + 1, PREVIEW_BATCH as u64 + 1, true),
    ] {
        let forecast = preview.walk(rig.store(), (START, seconds(count)), most).unwrap();
        assert_eq!((seen(&forecast), forecast.truncated), (expected, truncated), "{most}");
    }
}
