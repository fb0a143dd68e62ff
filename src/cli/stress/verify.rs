//! Verifies that every incident that the server accepted is stored as it was sent.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context, ensure};
use chrono::SecondsFormat;
use serde::Deserialize;
use serde_json::json;

use super::{client::StressTarget, worker::PostedIncident};
use crate::clock::{Clock, SystemClock};

/// Number of incidents in one bulk request.
const BULK: usize = 1_000;

#[derive(Deserialize)]
struct StoredIncident {
    source_incident_id: String,
    description: String,
    level: u8,
    tags: Vec<StoredTag>,
    acked: bool,
}

#[derive(Deserialize)]
struct StoredTag {
    tag: String,
}

/// Returns a line for each incident that cannot be read or differs.
pub(super) async fn verify(
    target: &Arc<StressTarget>,
    incidents: Vec<PostedIncident>,
    workers: u16,
    acked: bool,
) -> anyhow::Result<Vec<String>> {
    let share = incidents.len().div_ceil(usize::from(workers).max(1)).max(1);
    let checkers: Vec<_> = incidents
        .chunks(share)
        .map(|share| tokio::spawn(verify_some(Arc::clone(target), share.to_vec(), acked)))
        .collect();
    let mut wrong = Vec::new();
    for checker in checkers {
        wrong.extend(checker.await.context("a worker ended by an internal error")??);
    }
    Ok(wrong)
}

async fn verify_some(
    target: Arc<StressTarget>,
    incidents: Vec<PostedIncident>,
    acked: bool,
) -> anyhow::Result<Vec<String>> {
    let mut client = target.connect().await?;
    let mut wrong = Vec::new();
    for incident in incidents {
        match client.get(&format!("incidents/{}/", incident.pk)).await {
            Ok(body) => {
                let stored: StoredIncident = serde_json::from_slice(&body)?;
                wrong.extend(difference(&incident, &stored, acked));
            }
            Err(error) => {
                wrong.push(format!("incident {}: {error:#}", incident.pk));
                client = target.connect().await?;
            }
        }
    }
    Ok(wrong)
}

fn difference(sent: &PostedIncident, stored: &StoredIncident, acked: bool) -> Option<String> {
    let sent_tags: BTreeSet<&str> = sent.tags.iter().map(String::as_str).collect();
    let stored_tags: BTreeSet<&str> = stored.tags.iter().map(|tag| tag.tag.as_str()).collect();
    let field = if sent.source_incident_id != stored.source_incident_id {
        "source_incident_id"
    } else if sent.description != stored.description {
        "description"
    } else if sent.level != stored.level {
        "level"
    } else if sent_tags != stored_tags {
        "tags"
    } else if acked && !stored.acked {
        "acked"
    } else {
        return None;
    };
    Some(format!("incident {}: {field} is not what was sent", sent.pk))
}

/// Acknowledges all incidents in bulk requests.
pub(super) async fn acknowledge(target: &StressTarget, incidents: &[PostedIncident]) -> anyhow::Result<()> {
    let mut client = target.connect().await?;
    for chunk in incidents.chunks(BULK) {
        let ids: Vec<u64> = chunk.iter().map(|incident| incident.pk).collect();
        let now = SystemClock.now().to_datetime().to_rfc3339_opts(SecondsFormat::Micros, true);
        let body = json!({ "ids": ids, "ack": { "timestamp": now, "description": "Stress test" } });
        let (status, answer) = client.post("incidents/acks/bulk/", serde_json::to_vec(&body)?).await?;
        let text: String = String::from_utf8_lossy(&answer).chars().take(200).collect();
        ensure!(status.is_success(), "answered {status}: {text}");
    }
    Ok(())
}
