//! One running plug-in: its process, its pipes, and its unanswered requests.

use std::{
    collections::HashMap,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, spawn_blocking},
    time,
};
use tracing::debug;

use super::{
    family,
    output::{self, OutputMeter},
    wire::{self, Failure},
};
use crate::domain::limits::{PLUGIN_QUEUE, PLUGIN_STOP};

/// Search path by which scripts find their interpreter. Nothing else is in the environment.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Time limit for reading the rest of the output after the end. A child of the plug-in may keep the output open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A running plug-in. Dropping it stops the process.
pub(super) struct Process {
    requests: mpsc::Sender<Vec<u8>>,
    calls: Arc<Calls>,
    next_id: AtomicU64,
    /// Receives the reason for stopping.
    stop: mpsc::Sender<String>,
    ended: watch::Receiver<bool>,
}

/// Reason for which a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    Refused(Failure),
    /// The process has ended or is about to end. Holds the reason.
    Gone(String),
}

/// Requests that have no answer yet.
#[derive(Default)]
pub(super) struct Calls(Mutex<CallState>);

#[derive(Default)]
struct CallState {
    waiting: HashMap<u64, oneshot::Sender<Result<Value, CallError>>>,
    /// Reason for which there will be no more answers. `None` while the process is running.
    over: Option<String>,
}

impl Process {
    /// Starts an executable, which gets nothing but three pipes.
    pub(super) fn start(path: &Path, kind: &str) -> std::io::Result<Self> {
        let mut command = Command::new(path);
        command
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = family::spawn(&mut command)?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(std::io::Error::other("the process has no pipes"));
        };
        let (requests, to_write) = mpsc::channel(PLUGIN_QUEUE);
        let (stop, stopping) = mpsc::channel(1);
        let (ending, ended) = watch::channel(false);
        let calls = Arc::new(Calls::default());
        let meter = Arc::new(OutputMeter::default());
        let channel: Arc<str> = kind.into();
        let tasks = Tasks {
            writer: tokio::spawn(write(stdin, to_write)),
            reader: tokio::spawn(output::read_messages(
                stdout,
                Arc::clone(&calls),
                requests.downgrade(),
                Arc::clone(&meter),
                Arc::clone(&channel),
            )),
            log: tokio::spawn(output::read_log(stderr, meter, Arc::clone(&channel))),
        };
        debug!(plugin = kind, pid = child.id(), "started");
        tokio::spawn(supervise(child, tasks, stopping, Arc::clone(&calls), ending));
        Ok(Self { requests, calls, next_id: AtomicU64::new(1), stop, ended })
    }

    pub(super) fn is_running(&self) -> bool {
        self.calls.lock().over.is_none()
    }

    /// Calls a method and waits for the result. A plug-in that does not answer within `limit` is stopped.
    pub(super) async fn call(&self, method: &str, params: Option<&Value>, limit: Duration) -> Result<Value, CallError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let answer = self.calls.expect(id)?;
        let request = wire::request(id, method, params);
        let exchange = async {
            // If the process does not read requests anymore, the answer says why.
            let sent = self.requests.send(request).await;
            drop(sent);
            answer.await
        };
        match time::timeout(limit, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CallError::Gone("it ended".to_owned())),
            Err(_) => {
                let reason = format!("it did not answer {method} within {} seconds", limit.as_secs_f32());
                self.stop(&reason);
                Err(CallError::Gone(reason))
            }
        }
    }

    /// Closes the input, asks the process to end, and kills it if it does not. Returns at once.
    pub(super) fn stop(&self, reason: &str) {
        self.calls.end(reason);
        // If the queue is full, the process is about to be stopped already.
        let asked = self.stop.try_send(reason.to_owned());
        drop(asked);
    }

    /// Waits for the end, which comes within seconds after [`Self::stop`].
    pub(super) async fn ended(&self) {
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, CallState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self, id: u64) -> Result<oneshot::Receiver<Result<Value, CallError>>, CallError> {
        let (tell, answer) = oneshot::channel();
        let mut state = self.lock();
        if let Some(reason) = &state.over {
            return Err(CallError::Gone(reason.clone()));
        }
        state.waiting.retain(|_, waiting| !waiting.is_closed());
        state.waiting.insert(id, tell);
        Ok(answer)
    }

    /// Passes on an answer. Returns false if nobody waits for it: it is a second answer, or too late.
    pub(super) fn answer(&self, id: u64, result: Result<Value, Failure>) -> bool {
        let waiting = self.lock().waiting.remove(&id);
        waiting.is_some_and(|tell| tell.send(result.map_err(CallError::Refused)).is_ok())
    }

    /// Ends all waiting requests. Only the first reason counts.
    fn end(&self, reason: &str) {
        let mut state = self.lock();
        let reason = state.over.get_or_insert_with(|| reason.to_owned()).clone();
        for (_, tell) in state.waiting.drain() {
            let said = tell.send(Err(CallError::Gone(reason.clone())));
            drop(said);
        }
    }
}

/// The tasks that serve the three pipes.
struct Tasks {
    writer: JoinHandle<()>,
    /// Returns the reason for which reading ended. `None`: the output has ended.
    reader: JoinHandle<Option<String>>,
    log: JoinHandle<Option<String>>,
}

async fn supervise(
    mut child: Child,
    mut tasks: Tasks,
    mut stopping: mpsc::Receiver<String>,
    calls: Arc<Calls>,
    ending: watch::Sender<bool>,
) {
    let group = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    let reason = tokio::select! {
        status = child.wait() => exit_text(status),
        reason = stopping.recv() => reason.unwrap_or_else(|| "it is no longer needed".to_owned()),
        ended = &mut tasks.reader => match ended.ok().flatten() {
            Some(reason) => reason,
            None => time::timeout(LAST_WORDS, child.wait())
                .await
                .map_or_else(|_| "it closed its output".to_owned(), exit_text),
        },
        Some(reason) = flooded(&mut tasks.log) => reason,
    };
    if !tasks.reader.is_finished() && matches!(child.try_wait(), Ok(Some(_))) {
        let read = time::timeout(LAST_WORDS, &mut tasks.reader).await;
        drop(read);
    }
    calls.end(&reason);
    // Closes the input of the process.
    tasks.writer.abort();
    // While its parents exist, processes can be attributed to the plug-in.
    off_the_loop(family::look).await;
    signal(group, Signal::TERM);
    if time::timeout(PLUGIN_STOP, child.wait()).await.is_err() {
        debug!("a plug-in does not end when it is asked to");
        off_the_loop(family::look).await;
    }
    // Includes the processes that it started.
    signal(group, Signal::KILL);
    let reaped = child.wait().await;
    drop(reaped);
    if let Some(plugin) = group {
        off_the_loop(move || family::end(plugin.as_raw_nonzero().get())).await;
    }
    tasks.reader.abort();
    tasks.log.abort();
    ending.send_replace(true);
}

async fn off_the_loop(work: impl FnOnce() + Send + 'static) {
    let done = spawn_blocking(work).await;
    drop(done);
}

/// Returns the reason if standard error is flooded. Otherwise never completes: a plug-in may close standard error.
async fn flooded(log: &mut JoinHandle<Option<String>>) -> Option<String> {
    if log.is_finished() {
        return std::future::pending().await;
    }
    match log.await {
        Ok(Some(reason)) => Some(reason),
        _ => std::future::pending().await,
    }
}

fn exit_text(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("it ended by itself ({status})"),
        Err(failure) => format!("it is not known how it ended: {failure}"),
    }
}

/// Sends a signal to the process group. It may be empty already.
fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        let _ = kill_process_group(group, signal);
    }
}

async fn write(mut stdin: ChildStdin, mut requests: mpsc::Receiver<Vec<u8>>) {
    while let Some(request) = requests.recv().await {
        if stdin.write_all(&request).await.is_err() || stdin.flush().await.is_err() {
            // The end of the process, or the time limit, reports the failure.
            return;
        }
    }
}
