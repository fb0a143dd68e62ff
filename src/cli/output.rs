//! Output for users and for programs: tables, JSON and messages.

use std::io::{IsTerminal, Write};

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Table,
    Json,
}

impl Format {
    pub(super) const fn from_flag(json: bool) -> Self {
        if json { Self::Json } else { Self::Table }
    }
}

/// Writes a line to standard output. A reader that has closed the pipe is not an error.
pub(super) fn say(line: impl std::fmt::Display) {
    let ignored = writeln!(std::io::stdout(), "{line}");
    drop(ignored);
}

/// Writes a text to standard output as it is. A reader that has closed the pipe is not an error.
pub(super) fn write(text: &[u8]) {
    let mut stdout = std::io::stdout();
    let ignored = stdout.write_all(text).and_then(|()| stdout.flush());
    drop(ignored);
}

/// Writes a line to standard error.
pub(super) fn note(line: impl std::fmt::Display) {
    let ignored = writeln!(std::io::stderr(), "{line}");
    drop(ignored);
}

/// Writes an error with its causes to standard error, on one line.
pub(super) fn complain(error: &anyhow::Error) {
    note(format_args!("argusd: {}", with_causes(error)));
}

/// Returns the text of an error with its causes. A cause that the text before it ends with is not repeated.
pub(super) fn with_causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Writes a line of progress to standard error. On a terminal it replaces the previous line.
pub(super) fn progress(text: &str) {
    let mut stderr = std::io::stderr();
    let ignored = if stderr.is_terminal() { write!(stderr, "\r{text}\x1b[K") } else { writeln!(stderr, "{text}") };
    drop(ignored);
}

pub(super) fn end_progress() {
    if std::io::stderr().is_terminal() {
        note("");
    }
}

pub(super) fn list<R: Serialize>(format: Format, rows: &[R], header: &[&str], cells: impl Fn(&R) -> Vec<String>) {
    match format {
        Format::Json => say(serde_json::to_string_pretty(rows).unwrap_or_default()),
        Format::Table => say(table(header, &rows.iter().map(cells).collect::<Vec<_>>())),
    }
}

/// Formats a table. Columns are as wide as their widest cell, with two spaces between them.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            std::iter::once(&head)
                .chain(rows)
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let lines: Vec<String> = std::iter::once(&head)
        .chain(rows)
        .map(|row| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let cause = || std::io::Error::other("the disk is full");
        let wrapped = anyhow::Error::new(cause()).context("cannot write a: the disk is full").context("backup");
        assert_eq!(with_causes(&wrapped), "backup: cannot write a: the disk is full");
        let plain = anyhow::Error::new(cause()).context("cannot write a");
        assert_eq!(with_causes(&plain), "cannot write a: the disk is full");
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["1".to_owned(), "æøå".to_owned()], vec!["22".to_owned(), "b".to_owned()]];
        assert_eq!(table(&["PK", "NAME"], &rows), "PK  NAME\n1   æøå\n22  b");
    }
}
