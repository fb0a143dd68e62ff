//! Transcript of sending a message, shown with test messages.

use crate::domain::limits;
use crate::notify::text::clean;

/// A limited number of short lines, without control characters and secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript(Vec<String>);

impl Transcript {
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    pub(super) fn note(&mut self, line: &str) {
        if self.0.len() < limits::TRANSCRIPT_LINES {
            self.0.push(clean(line, limits::TRANSCRIPT_LINE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_clean_and_few() {
        let mut transcript = Transcript::default();
        transcript.note(" 250 OK\r\n\0 go \u{1b}[31m");
        assert_eq!(transcript.lines(), ["250 OK go [31m"]);
        for _ in 0..1_000 {
            transcript.note(&"long ".repeat(1_000));
        }
        assert_eq!(transcript.lines().len(), limits::TRANSCRIPT_LINES);
        assert!(transcript.lines().iter().all(|line| line.chars().count() <= limits::TRANSCRIPT_LINE));
    }
}
