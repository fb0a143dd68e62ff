//! `argusd stress`: a load test for servers with the Argus API, with a small HTTP client of its own.

mod client;
mod report;
mod verify;
mod worker;

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use secrecy::ExposeSecret;

use self::{client::StressTarget, report::Latencies, worker::WorkerResult};
use super::{args::Stress, output, secrets};

pub(super) fn run(load: &Stress) -> anyhow::Result<ExitCode> {
    let token = match (&load.token_file, &load.token) {
        (Some(file), _) => secrets::read(file, "Token: ")?,
        (None, token) => token.clone().unwrap_or_default(),
    };
    let target = Arc::new(StressTarget::parse(&load.url, token.expose_secret())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(stress(load, target))
}

async fn stress(load: &Stress, target: Arc<StressTarget>) -> anyhow::Result<ExitCode> {
    output::note(format_args!("posting for {} s over {} connections", load.seconds, load.workers));
    let began = Instant::now();
    let posted = post(load, &target, began + Duration::from_secs(load.seconds)).await?;
    let took = began.elapsed();
    let incidents: Vec<worker::PostedIncident> =
        posted.iter().flat_map(|worker| worker.incidents.iter().cloned()).collect();
    let errors: Vec<&String> = posted.iter().flat_map(|worker| &worker.errors).collect();
    let latencies: Latencies = posted.iter().flat_map(|worker| worker.latencies.iter().copied()).collect();
    report::posted(incidents.len(), took, &latencies, &errors);
    if incidents.is_empty() {
        bail!("nothing was posted: {}", errors.first().map_or("no time was left", |error| error.as_str()));
    }

    let acked = load.bulk;
    if acked {
        let began = Instant::now();
        verify::acknowledge(&target, &incidents).await.context("acknowledging in bulk")?;
        output::say(format_args!("acknowledged   {} in {:.2} s", incidents.len(), began.elapsed().as_secs_f64()));
    }
    let began = Instant::now();
    let wrong = verify::verify(&target, incidents, load.workers, acked).await?;
    report::verified(latencies.len(), began.elapsed(), &wrong);
    Ok(if wrong.is_empty() && errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn post(load: &Stress, target: &Arc<StressTarget>, until: Instant) -> anyhow::Result<Vec<WorkerResult>> {
    let workers: Vec<_> = (0..load.workers)
        .map(|number| tokio::spawn(worker::run(Arc::clone(target), usize::from(number), until)))
        .collect();
    let mut posted = Vec::with_capacity(workers.len());
    for worker in workers {
        posted.push(worker.await.context("a worker ended by an internal error")?);
    }
    Ok(posted)
}
