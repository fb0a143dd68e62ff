//! One worker of `argusd stress`: posts incidents over one connection until the time is over.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::client::{StressClient, StressTarget};
use crate::clock::{Clock, SystemClock, random_bytes};

/// Number of consecutive errors after which a worker stops.
const ERRORS_IN_A_ROW: usize = 5;

/// Everything that one worker posted, with latencies and errors.
#[derive(Default)]
pub(super) struct WorkerResult {
    pub incidents: Vec<PostedIncident>,
    pub latencies: Vec<Duration>,
    pub errors: Vec<String>,
}

/// Incident as it was posted, to be compared with the stored one.
#[derive(Clone, Debug)]
pub(super) struct PostedIncident {
    pub pk: u64,
    pub source_incident_id: String,
    pub description: String,
    pub level: u8,
    pub tags: Vec<String>,
}

pub(super) async fn run(target: Arc<StressTarget>, number: usize, until: Instant) -> WorkerResult {
    let mut posted = WorkerResult::default();
    let run = hex::encode(random_bytes::<4>());
    let mut connection: Option<StressClient<'_>> = None;
    let (mut serial, mut errors_in_a_row) = (0_u64, 0);
    while Instant::now() < until && errors_in_a_row < ERRORS_IN_A_ROW {
        let client = match connection.as_mut() {
            Some(client) => client,
            None => match target.connect().await {
                Ok(client) => connection.insert(client),
                Err(error) => {
                    posted.errors.push(format!("{error:#}"));
                    errors_in_a_row += 1;
                    continue;
                }
            },
        };
        serial += 1;
        let began = Instant::now();
        match post_one(client, &format!("{run}-{number}-{serial}"), serial).await {
            Ok(incident) => {
                posted.latencies.push(began.elapsed());
                posted.incidents.push(incident);
                errors_in_a_row = 0;
            }
            Err(error) => {
                posted.errors.push(format!("{error:#}"));
                errors_in_a_row += 1;
                connection = None;
            }
        }
    }
    posted
}

async fn post_one(client: &mut StressClient<'_>, id: &str, serial: u64) -> anyhow::Result<PostedIncident> {
    #[derive(Deserialize)]
    struct ServerAnswer {
        pk: u64,
    }
    let now: DateTime<Utc> = SystemClock.now().to_datetime();
    let mut incident = PostedIncident {
        pk: 0,
        source_incident_id: id.to_owned(),
        description: format!("Stress test: interface xe-0/0/{} of stress-sw{} is down", serial % 48, serial % 997),
        level: 1 + (serial % 5) as u8,
        tags: vec![
            format!("host=stress-sw{}", serial % 997),
            format!("interface=xe-0/0/{}", serial % 48),
            "location=stressville".to_owned(),
            "problem_type=stress".to_owned(),
        ],
    };
    let tags: Vec<_> = incident.tags.iter().map(|tag| json!({ "tag": tag })).collect();
    let body = json!({
        "start_time": now.to_rfc3339_opts(SecondsFormat::Micros, true),
        "end_time": "infinity",
        "source_incident_id": incident.source_incident_id,
        "description": incident.description,
        "details_url": "",
        "level": incident.level,
        "tags": tags,
    });
    let (status, answer) = client.post("incidents/", serde_json::to_vec(&body)?).await?;
    if status != StatusCode::CREATED {
        let text: String = String::from_utf8_lossy(&answer).chars().take(200).collect();
        anyhow::bail!("answered {status}: {text}");
    }
    incident.pk = serde_json::from_slice::<ServerAnswer>(&answer)?.pk;
    Ok(incident)
}
