//! Problem of a form, and the field that it is about. The template macros `mark` and `described` mark that field.

use std::{borrow::Cow, fmt};

use crate::service::{ChannelRefusal, NotificationRefusal, Refusal};

use super::answer::sentence;

/// Reason why a form was refused. Displays as the sentence that users read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    text: String,
    field: Option<Cow<'static, str>>,
    value: Option<String>,
}

impl Problem {
    /// Creates a problem of the field with this `name`.
    #[must_use]
    pub fn of(field: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::from(text.into()) }
    }

    /// Converts a refusal to a sentence, with the field that it is about.
    #[must_use]
    pub fn refused(refusal: &Refusal) -> Self {
        Self { field: field_of(refusal), ..Self::from(sentence(refusal)) }
    }

    /// Returns a problem of the field if its text has more than `limit` characters.
    pub fn check_length(field: &str, name: &str, text: &str, limit: usize) -> Result<(), Self> {
        let is_short = text.chars().nth(limit).is_none();
        if is_short { Ok(()) } else { Err(Self::of(field.to_owned(), format!("{name}: at most {limit} characters."))) }
    }

    /// Moves the problem to another field.
    #[must_use]
    pub fn at(self, field: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// Replaces the text.
    #[must_use]
    pub fn saying(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// Sets the value by which the field is found if there are several with its name.
    #[must_use]
    pub fn with_value(self, value: &str) -> Self {
        Self { value: Some(value.to_owned()), ..self }
    }

    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Returns whether the problem is about `field`, for templates.
    #[must_use]
    pub fn is_about(&self, field: &(impl AsRef<str> + ?Sized)) -> bool {
        self.field() == Some(field.as_ref())
    }

    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self { text, field: None, value: None }
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// Returns the field that a refusal is about. Fields have the names of the API, except for those that are listed here.
fn field_of(refusal: &Refusal) -> Option<Cow<'static, str>> {
    use NotificationRefusal as N;
    Some(Cow::Borrowed(match refusal {
        Refusal::Empty(field) | Refusal::TooLong { field, .. } | Refusal::UnknownKey { field, .. } => field,
        Refusal::UsernameTaken | Refusal::BadUsername => "username",
        Refusal::BadEmail(_) => "email",
        Refusal::Password(_) => "password",
        Refusal::BadHeartbeatFrequency => "frequency",
        Refusal::UnknownSourceType => "type",
        Refusal::SourceExists
        | Refusal::SourceTypeExists
        | Refusal::NotLowercase(_)
        | Refusal::TimeslotExists { .. }
        | Refusal::FilterExists { .. }
        | Refusal::Channel(ChannelRefusal::BadName | ChannelRefusal::NameTaken)
        | Refusal::Notification(N::ProfileExists) => "name",
        Refusal::Channel(ChannelRefusal::BadSetting(bad)) => return Some(format!("set.{}", bad.key).into()),
        Refusal::Notification(N::LabelTaken) => "label",
        Refusal::Notification(N::MaintenanceEndsBeforeStart) => "end",
        Refusal::Notification(N::MaintenanceStarted) => "start",
        Refusal::ForeignTags(_) | Refusal::TooManyTags => "tag",
        Refusal::ExpirationBeforeTimestamp | Refusal::ExpirationNotInFuture(_) => "until",
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;

    #[derive(Template)]
    #[template(
        ext = "html",
        source = r#"{% import "macros.html" as ui %}<input name="a"{{ ui::mark(problem, "a") }}><input name="b"{{ ui::described(problem, "b", "help") }}><input name="c-1"{{ ui::mark(problem, format!("c-{}", 1)) }}>"#
    )]
    struct Form {
        problem: Option<Problem>,
    }

    #[test]
    fn the_field_that_is_wrong_is_marked() {
        let page = |problem: Option<Problem>| Form { problem }.render().unwrap();
        let plain = page(None);
        assert_eq!(plain, "<input name=\"a\"><input name=\"b\" aria-describedby=\"help\"><input name=\"c-1\">");
        assert_eq!(page(Some("about none".into())), plain);
        assert_eq!(page(Some(Problem::of("c", "about none that is here"))), plain);
        let marks = |described: &str| format!(" aria-describedby=\"{described}\" aria-invalid=\"true\" autofocus>");
        for (field, unmarked, described) in
            [("a", ">", "problem"), ("b", " aria-describedby=\"help\">", "problem help"), ("c-1", ">", "problem")]
        {
            let name = format!("name=\"{field}\"");
            let expected = plain.replace(&format!("{name}{unmarked}"), &format!("{name}{}", marks(described)));
            assert_ne!(expected, plain);
            assert_eq!(page(Some(Problem::of(field, "No."))), expected);
        }
    }

    #[test]
    fn refusals_know_their_field() {
        for (refusal, field) in [
            (Refusal::UsernameTaken, Some("username")),
            (Refusal::TooLong { field: "last_name", limit: 1 }, Some("last_name")),
            (NotificationRefusal::ProfileExists.into(), Some("name")),
            (NotificationRefusal::MaintenanceOver.into(), None),
        ] {
            assert_eq!(Problem::refused(&refusal).field(), field, "{refusal}");
        }
    }
}
