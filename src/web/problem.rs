//! What is wrong with a form and which field it is about, and the marks that a page gets where that field is.

use std::{borrow::Cow, fmt, ops::Range};

use crate::service::{ChannelRefusal, NotificationRefusal, Refusal};

use super::answer::sentence;

/// Begins the message of the template macro `problem`, up to the name of the field.
const MESSAGE: &str = "<p id=\"problem\" data-field=\"";
/// What follows them.
const END: &str = "\" class=\"problem\"";
/// Between the name of the field and its value.
const VALUE: &str = "\" data-value=\"";
const CONTROLS: [&str; 3] = ["<input ", "<select ", "<textarea "];

/// Why a form was not accepted. Displays as the sentence that people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    text: String,
    field: Option<Cow<'static, str>>,
    value: Option<String>,
}

impl Problem {
    /// About the field with this `name`.
    #[must_use]
    pub fn of(field: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::from(text.into()) }
    }

    /// The refusal as a sentence, and the field of our forms that it is about.
    #[must_use]
    pub fn refused(refusal: &Refusal) -> Self {
        Self { field: field_of(refusal), ..Self::from(sentence(refusal)) }
    }

    /// The same about another field.
    #[must_use]
    pub fn at(self, field: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// The same with another text.
    #[must_use]
    pub fn saying(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// The same about the one of several fields of that name that holds this value.
    #[must_use]
    pub fn with_value(self, value: &str) -> Self {
        Self { value: Some(value.to_owned()), ..self }
    }

    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
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

/// Forms name their fields as the API does, but for those that are written here.
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

/// Marks the field that the page's message is about: as invalid, as described by the message, and as the one that gets
/// the focus. That is the first field of this name after the message, or else the first one before it; of several with
/// this name the one with the value in question.
#[must_use]
pub fn mark(mut html: String) -> String {
    if let Some(place) = find(&html) {
        let marked = with_marks(&html[place.clone()]);
        html.replace_range(place, &marked);
    }
    html
}

/// Where the tag of the field is, without its end. User input cannot look like a tag: templates escape `<` and `"`.
fn find(html: &str) -> Option<Range<usize>> {
    let (before, after) = html.split_once(MESSAGE)?;
    let (about, _) = after.split_once(END)?;
    let (field, value) = about.split_once(VALUE).map_or((about, None), |(field, value)| (field, Some(value)));
    let name = format!(" name=\"{field}\"");
    let value = value.map(|value| format!(" value=\"{value}\""));
    let control = |within: &str, value: Option<&str>| {
        let mut tags = within.match_indices(&name).filter_map(|(at, _)| tag_around(within, at));
        tags.find(|tag| value.is_none_or(|value| within[tag.clone()].contains(value)))
    };
    let start = html.len() - after.len();
    control(after, value.as_deref())
        .or_else(|| control(after, None))
        .map(|tag| start + tag.start..start + tag.end)
        .or_else(|| control(before, None))
}

/// The tag of a field that people see, if `at` is within one.
fn tag_around(html: &str, at: usize) -> Option<Range<usize>> {
    let start = html[..at].rfind('<')?;
    let end = at + html[at..].find('>')?;
    let tag = &html[start..end];
    let is_control = CONTROLS.iter().any(|control| tag.starts_with(control)) && !tag.contains(" type=\"hidden\"");
    is_control.then_some(start..end)
}

fn with_marks(tag: &str) -> String {
    const DESCRIBED: &str = " aria-describedby=\"";
    let focus = if tag.contains(" autofocus") { "" } else { " autofocus" };
    // What explains the field is read after the message.
    let described = match tag.split_once(DESCRIBED) {
        Some((before, after)) => format!("{before}{DESCRIBED}problem {after}"),
        None => format!("{tag}{DESCRIBED}problem\""),
    };
    format!("{described} aria-invalid=\"true\"{focus}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(about: &str) -> String {
        format!("{MESSAGE}{about}{END}>No.</p>")
    }

    #[test]
    fn the_first_field_after_the_message_is_marked() {
        let (form, marks) = ("<form><input type=\"hidden\" name=\"a\">", " aria-invalid=\"true\" autofocus>");
        let page = |tag: &str| format!("<input name=\"a\">{}{form}{tag}<input name=\"a\">", message("a"));
        for (tag, marked) in [
            ("<input name=\"a\" value=\"x\">", "<input name=\"a\" value=\"x\" aria-describedby=\"problem\""),
            ("<select name=\"a\">", "<select name=\"a\" aria-describedby=\"problem\""),
            (
                "<textarea name=\"a\" aria-describedby=\"help\" rows=\"2\">",
                "<textarea name=\"a\" aria-describedby=\"problem help\" rows=\"2\"",
            ),
        ] {
            assert_eq!(mark(page(tag)), page(&format!("{marked}{marks}")));
        }
        let page = page("<input name=\"a\" autofocus>");
        assert_eq!(mark(page.clone()).matches("autofocus").count(), 1, "{page}");
    }

    #[test]
    fn of_several_fields_the_one_with_the_value_is_marked() {
        let fields = "<input name=\"t\" value=\"a=b\"><input name=\"t\" value=\"bad\">";
        let marked = mark(message("t\" data-value=\"bad") + fields);
        assert!(
            marked.contains("value=\"bad\" aria-describedby") && !marked.contains("value=\"a=b\" aria"),
            "{marked}"
        );
        let marked = mark(message("t\" data-value=\"gone") + fields);
        assert!(marked.contains("value=\"a=b\" aria-describedby"), "{marked}");
    }

    #[test]
    fn a_field_before_the_message_is_marked_if_there_is_none_after_it() {
        let marked = mark(format!("<input name=\"whom\">{}<button name=\"whom\">", message("whom")));
        assert!(marked.starts_with("<input name=\"whom\" aria-describedby=\"problem\""), "{marked}");
        assert_eq!(marked.matches("aria-invalid").count(), 1);
    }

    #[test]
    fn a_page_without_the_field_stays_as_it_is() {
        for page in ["<p>x</p>".to_owned(), message("a"), message("a") + "<button name=\"a\">"] {
            assert_eq!(mark(page.clone()), page);
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
