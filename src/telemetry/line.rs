//! Writes a log line, as text or as JSON. A line never has a line break or another control character, whatever its
//! values are.

use std::fmt::{self, Write};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use super::current_request;

/// Format of all lines.
#[derive(Clone, Copy, Debug)]
pub struct LineFormat {
    pub json: bool,
    pub colors: bool,
    /// Whether lines go to the journal, which has time and priority of its own: lines begin with `<PRIORITY>`, and those
    /// of text have neither time nor level.
    pub journal: bool,
}

/// Name of the field with the id of the request.
const REQUEST_ID: &str = "request_id";

/// Message and fields of a line, in order.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, LogValue)>,
}

enum LogValue {
    /// Text of unknown origin, which is quoted.
    Quoted(String),
    /// Anything else, in the form of a JSON value if `is_json`.
    Plain { text: String, is_json: bool },
}

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Some(id) = current_request().filter(|_| !fields.others.iter().any(|(name, _)| *name == REQUEST_ID)) {
            fields.others.push((REQUEST_ID, LogValue::Plain { text: id.as_str().to_owned(), is_json: false }));
        }
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        self.write(&mut writer, *event.metadata().level(), &time, &fields)
    }
}

impl LineFormat {
    fn write(self, writer: &mut dyn Write, level: Level, time: &str, fields: &Fields) -> fmt::Result {
        if self.journal {
            write!(writer, "<{}>", priority(level))?;
        }
        if self.json {
            write_json(writer, level, time, fields)?;
        } else {
            self.write_text(writer, level, time, fields)?;
        }
        writer.write_str("\n")
    }

    fn write_text(self, writer: &mut dyn Write, level: Level, time: &str, fields: &Fields) -> fmt::Result {
        if !self.journal {
            if self.colors {
                write!(writer, "\x1b[2m{time}\x1b[0m \x1b[{}m{level:>5}\x1b[0m ", color(level))?;
            } else {
                write!(writer, "{time} {level:>5} ")?;
            }
        }
        write_escaped(writer, &fields.message)?;
        for (at, (name, value)) in fields.others.iter().enumerate() {
            let space = if at == 0 && fields.message.is_empty() { "" } else { " " };
            write!(writer, "{space}{name}=")?;
            match value {
                LogValue::Quoted(text) => write_escaped(writer, &format!("{text:?}"))?,
                LogValue::Plain { text, .. } => write_escaped(writer, text)?,
            }
        }
        Ok(())
    }
}

fn write_json(writer: &mut dyn Write, level: Level, time: &str, fields: &Fields) -> fmt::Result {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    write!(writer, "{{\"timestamp\":{},\"level\":\"{level}\",\"message\":", text(time))?;
    write_escaped(writer, &text(&fields.message))?;
    for (name, value) in &fields.others {
        write!(writer, ",{}:", text(name))?;
        match value {
            LogValue::Plain { text, is_json: true } => writer.write_str(text)?,
            LogValue::Quoted(value) | LogValue::Plain { text: value, .. } => write_escaped(writer, &text(value))?,
        }
    }
    writer.write_str("}")
}

/// Writes text with control characters, and those that change the direction of text, as `\u{…}` or, within JSON, as the
/// four digits that JSON has for them.
fn write_escaped(writer: &mut dyn Write, text: &str) -> fmt::Result {
    for character in text.chars() {
        match character {
            '\n' => writer.write_str("\\n")?,
            '\r' => writer.write_str("\\r")?,
            '\t' => writer.write_str("\\t")?,
            _ if is_harmful(character) => write!(writer, "\\u{:04x}", u32::from(character))?,
            _ => writer.write_char(character)?,
        }
    }
    Ok(())
}

/// Returns whether a character could start another line, control a terminal or change the direction of text.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns the priority of syslog.
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// Returns the color of a level on a terminal.
const fn color(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

impl Fields {
    fn add(&mut self, field: &Field, value: LogValue) {
        // The bridge from the crate `log` adds fields about the place in the program.
        if !field.name().starts_with("log.") {
            self.others.push((field.name(), value));
        }
    }

    fn add_number(&mut self, field: &Field, number: &dyn fmt::Display) {
        self.add(field, LogValue::Plain { text: number.to_string(), is_json: true });
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.add(field, LogValue::Quoted(value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.add(field, LogValue::Plain { text: format!("{value:?}"), is_json: false });
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add_number(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add_number(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add_number(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.add_number(field, &value);
        } else {
            self.record_debug(field, &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: LineFormat = LineFormat { json: false, colors: false, journal: false };

    fn line(format: LineFormat, fields: &Fields) -> String {
        let mut line = String::new();
        format.write(&mut line, Level::WARN, "2026-01-15T12:00:00.000000Z", fields).unwrap();
        line
    }

    fn fields(message: &str, name: &str) -> Fields {
        let plain = |text: &str, is_json| LogValue::Plain { text: text.to_owned(), is_json };
        let others = vec![
            ("client", plain("192.0.2.7", false)),
            ("user", LogValue::Quoted(name.to_owned())),
            ("count", plain("3", true)),
        ];
        Fields { message: message.to_owned(), others }
    }

    #[test]
    fn a_line_has_time_level_message_and_fields() {
        assert_eq!(
            line(TEXT, &fields("login refused", "ann")),
            "2026-01-15T12:00:00.000000Z  WARN login refused client=192.0.2.7 user=\"ann\" count=3\n"
        );
        let colored = line(LineFormat { colors: true, ..TEXT }, &fields("x", "ann"));
        assert!(colored.contains("\u{1b}[33m WARN\u{1b}[0m x client"), "{colored}");
    }

    #[test]
    fn the_journal_gets_a_priority_and_no_second_time() {
        let journal = LineFormat { journal: true, ..TEXT };
        assert_eq!(
            line(journal, &fields("login refused", "ann")),
            "<4>login refused client=192.0.2.7 user=\"ann\" count=3\n"
        );
        assert!(line(LineFormat { json: true, ..journal }, &fields("x", "ann")).starts_with("<4>{\"timestamp\":"));
    }

    #[test]
    fn json_has_one_object_in_each_line() {
        let written = line(LineFormat { json: true, ..TEXT }, &fields("a \"b\"", "c\n"));
        let value: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"timestamp": "2026-01-15T12:00:00.000000Z", "level": "WARN", "message": "a \"b\"",
                "client": "192.0.2.7", "user": "c\n", "count": 3})
        );
    }

    #[test]
    fn no_value_begins_a_line_or_controls_a_terminal() {
        let evil = "x\n2026 WARN forged\r\t\u{1b}[2J\u{7}\u{85}\u{2028}\u{202e}\" client=1.2.3.4";
        for format in [TEXT, LineFormat { json: true, ..TEXT }, LineFormat { journal: true, ..TEXT }] {
            let written = line(format, &fields(evil, evil));
            assert_eq!(written.matches('\n').count(), 1, "{written}");
            assert!(!written.trim_end_matches('\n').chars().any(is_harmful), "{written:?}");
            assert!(!written.contains("\" client=1.2.3.4") || written.contains("\\\" client=1.2.3.4"), "{written}");
        }
        let value: serde_json::Value =
            serde_json::from_str(&line(LineFormat { json: true, ..TEXT }, &fields(evil, evil))).unwrap();
        assert_eq!((value["message"].as_str(), value["user"].as_str()), (Some(evil), Some(evil)));
    }
}
