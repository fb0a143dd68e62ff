//! Reads the output of a plug-in: answers, and lines for the log, both within limits.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::AsyncReadExt,
    process::{ChildStderr, ChildStdout},
    sync::mpsc,
    time::Instant,
};
use tracing::{debug, error, info, warn};

use super::{
    process::Calls,
    wire::{self, Decoder, Incoming},
};
use crate::domain::limits::{PLUGIN_LOG_LINE, PLUGIN_LOG_LINES, PLUGIN_OUTPUT_BYTES};
use crate::notify::text::clean;

const PIECE: usize = 16 << 10;
const FLOOD: &str = "it flooded its output";

/// Counts the bytes of both outputs.
pub(super) struct OutputMeter(Mutex<(Instant, usize)>);

impl Default for OutputMeter {
    fn default() -> Self {
        Self(Mutex::new((Instant::now(), 0)))
    }
}

impl OutputMeter {
    /// Counts bytes. Returns whether the output of the current second is within its limit.
    fn allows(&self, bytes: usize) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = &mut *state;
        if since.elapsed() >= Duration::from_secs(1) {
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(bytes);
        *count <= PLUGIN_OUTPUT_BYTES
    }
}

/// Reads messages until the output ends, or returns a reason to stop the plug-in.
pub(super) async fn read_messages(
    mut stdout: ChildStdout,
    calls: Arc<Calls>,
    answers: mpsc::WeakSender<Vec<u8>>,
    meter: Arc<OutputMeter>,
    plugin: Arc<str>,
) -> Option<String> {
    let (mut decoder, mut log, mut buffer) = (Decoder::default(), LineLog::new(plugin), vec![0; PIECE]);
    loop {
        let length = match stdout.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => length,
        };
        if !meter.allows(length) {
            return Some(FLOOD.to_owned());
        }
        let messages = match decoder.push(buffer.get(..length).unwrap_or_default()) {
            Ok(messages) => messages,
            Err(error) => return Some(error.to_string()),
        };
        for message in messages {
            match message {
                Incoming::Answer { id, result } => {
                    if !calls.answer(id, result) {
                        log.line("debug", &format!("answer {id} comes too late, or again"));
                    }
                }
                Incoming::Call { id: None, method, params } if is_log(&method) => log.note(&params),
                Incoming::Call { id: None, method, .. } => {
                    log.line("debug", &format!("sent {method:?}, an unknown method"));
                }
                Incoming::Call { id: Some(id), method, .. } => {
                    let answer = if is_log(&method) {
                        wire::refusal(&id, wire::INVALID_REQUEST, "a log line has no id")
                    } else {
                        wire::refusal(&id, wire::METHOD_NOT_FOUND, "there is no such method")
                    };
                    if answers.upgrade().is_some_and(|answers| answers.try_send(answer).is_err()) {
                        return Some("it asks faster than it reads".to_owned());
                    }
                }
                Incoming::Strange(why) => log.line("warn", &format!("wrote a message of no use: {why}")),
            }
        }
    }
}

/// Logs standard error until it ends, or returns a reason to stop the plug-in.
pub(super) async fn read_log(mut stderr: ChildStderr, meter: Arc<OutputMeter>, plugin: Arc<str>) -> Option<String> {
    let (mut log, mut buffer, mut line) = (LineLog::new(plugin), vec![0; PIECE], Vec::new());
    loop {
        let length = match stderr.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        if !meter.allows(length) {
            return Some(FLOOD.to_owned());
        }
        for &byte in buffer.get(..length).unwrap_or_default() {
            if byte == b'\n' {
                log.line("info", &String::from_utf8_lossy(&line));
                line.clear();
            } else if line.len() < PLUGIN_LOG_LINE * 4 {
                line.push(byte);
            }
        }
    }
    log.line("info", &String::from_utf8_lossy(&line));
    None
}

fn is_log(method: &str) -> bool {
    matches!(method, "channel::Log" | "Log")
}

/// Log of a plug-in: a limited number of lines per minute, each of limited length.
struct LineLog {
    plugin: Arc<str>,
    since: Instant,
    lines: u32,
}

impl LineLog {
    fn new(plugin: Arc<str>) -> Self {
        Self { plugin, since: Instant::now(), lines: 0 }
    }

    /// Logs a message of the form `{"level", "message", "fields": [key, value, …]}`.
    fn note(&mut self, params: &Value) {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut line = params.get("message").map(text).unwrap_or_default();
        for pair in params.get("fields").and_then(Value::as_array).map(|fields| fields.chunks(2)).into_iter().flatten()
        {
            if let [key, value] = pair {
                let _ = write!(line, " {}={}", text(key), text(value));
            }
        }
        self.line(params.get("level").and_then(Value::as_str).unwrap_or("info"), &line);
    }

    fn line(&mut self, level: &str, line: &str) {
        let line = clean(line, PLUGIN_LOG_LINE);
        if line.is_empty() {
            return;
        }
        if self.since.elapsed() >= Duration::from_mins(1) {
            (self.since, self.lines) = (Instant::now(), 0);
        }
        self.lines = self.lines.saturating_add(1);
        let plugin = &*self.plugin;
        if self.lines == PLUGIN_LOG_LINES {
            warn!(plugin, "more lines are left out for a minute");
        }
        if self.lines >= PLUGIN_LOG_LINES {
            return;
        }
        match level {
            "debug" => debug!(plugin, "{line}"),
            "warn" => warn!(plugin, "{line}"),
            "error" => error!(plugin, "{line}"),
            _ => info!(plugin, "{line}"),
        }
    }
}
