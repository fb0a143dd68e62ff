//! Executes an administrative command: in the running server over its socket, or in this process if no server runs.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
};

use anyhow::Context;

use super::output;
use crate::config::Config;
use crate::control::{self, AdminReply, AdminRequest};
use crate::server::{self, Backend};
use crate::telemetry;

pub(super) fn carry_out(config: &Config, request: AdminRequest) -> anyhow::Result<AdminReply> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    match runtime.block_on(server::connect(&config.data.value)) {
        Ok(Some(stream)) => ask(&stream, &request),
        // No process listens, so no server has the file open.
        Ok(None) => carry_out_here(config, request),
        // Another user's process must not get secrets. If a server has the file open, its lock shows that.
        Err(foreign_owner) => {
            output::note(&foreign_owner);
            carry_out_here(config, request)
        }
    }
}

fn ask(mut stream: &UnixStream, request: &AdminRequest) -> anyhow::Result<AdminReply> {
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).context("cannot talk to the running server")?;
    let mut watched = false;
    for line in BufReader::new(stream).lines() {
        let line = line.context("lost the connection to the running server")?;
        match serde_json::from_str(&line).context("the running server is of another version")? {
            AdminReply::Progress(text) => {
                output::progress(&text);
                watched = true;
            }
            reply => {
                if watched {
                    output::end_progress();
                }
                return Ok(reply);
            }
        }
    }
    anyhow::bail!("the server stopped before it answered")
}

fn carry_out_here(config: &Config, request: AdminRequest) -> anyhow::Result<AdminReply> {
    telemetry::start_for_command();
    // These need no data file, and change none.
    match &request {
        AdminRequest::Doctor => return server::doctor(config).map(AdminReply::Doctor),
        AdminRequest::TestMail { address } => {
            return server::test_mail(config, address).map(|tested| AdminReply::MailTest(tested.into()));
        }
        _ => {}
    }
    let creates = request.creates_data_file();
    if !creates {
        require_data_file(config)?;
    }
    let path = &config.data.value;
    if matches!(request, AdminRequest::Check) {
        return server::check_file(path).map(AdminReply::Findings);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let backend = if creates { Backend::open(config).await? } else { Backend::open_existing(config).await? };
        backend.know_plugins(config);
        let watched = std::sync::atomic::AtomicBool::new(false);
        let reply = control::execute(backend.service(), request, &|text: String| {
            output::progress(&text);
            watched.store(true, std::sync::atomic::Ordering::Relaxed);
        })
        .await;
        if watched.into_inner() {
            output::end_progress();
        }
        backend.close().await?;
        Ok(reply)
    })
}

/// Refuses a path without a file. Most commands would otherwise answer about a new, empty data file at a mistyped path.
pub(super) fn require_data_file(config: &Config) -> anyhow::Result<()> {
    let path = std::path::absolute(&config.data.value).unwrap_or_else(|_| config.data.value.clone());
    let exists = path.try_exists().with_context(|| format!("cannot look for the data file {}", path.display()))?;
    anyhow::ensure!(
        exists,
        "there is no data file {}: name it with --data FILE, or with --config FILE the settings file that has its path",
        path.display()
    );
    Ok(())
}
