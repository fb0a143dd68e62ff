//! Inputs of forms: a form declares them, and `web/templates/inputs.html` writes them.

use std::borrow::Cow;

use super::FormFields;

/// Input of a form, with its value.
#[expect(clippy::struct_excessive_bools, reason = "the template asks each by itself")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormInput {
    /// Name of the field that is sent.
    pub name: Cow<'static, str>,
    pub title: Cow<'static, str>,
    pub kind: InputKind,
    /// Current value. Always empty for secrets and for check boxes that are not checked.
    pub value: String,
    /// Value and title of each choice.
    pub choices: Vec<(String, String)>,
    /// Minimum length in characters.
    pub shortest: usize,
    /// Maximum length in characters; 0: no bound.
    pub longest: usize,
    pub required: bool,
    pub secret: bool,
    /// Whether a secret is stored.
    pub is_set: bool,
    pub placeholder: &'static str,
    /// Id of the element with the help, which may be the help of another input.
    pub help_id: &'static str,
    pub help: Cow<'static, str>,
    /// Value that is shown as code after the help; empty: none.
    pub example: &'static str,
    /// Name of the group that begins with this input; empty: none.
    pub legend: &'static str,
    /// Whether the group ends with this input.
    pub ends_group: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputKind {
    #[default]
    Line,
    /// A name or an address, which a keyboard must not begin with a capital letter.
    Word,
    Email,
    Url,
    Number,
    Area,
    /// `Name: value`, one per line.
    Headers,
    /// A JSON object.
    Json,
    Choice,
    /// A check box beside its title.
    Check,
    /// A check box below its title, sent as "yes".
    Flag,
    Hidden,
}

pub use InputKind::{Area, Check, Choice, Email, Hidden, Line, Number, Url, Word};

impl FormInput {
    pub(super) fn new(
        kind: InputKind,
        name: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { name: name.into(), title: title.into(), kind, ..Self::default() }
    }

    pub(super) fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) fn up_to(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    pub(super) fn holding(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    pub(super) fn checked(self, is_checked: bool) -> Self {
        self.holding(if is_checked { "on" } else { "" })
    }

    pub(super) fn placeholder(self, placeholder: &'static str) -> Self {
        Self { placeholder, ..self }
    }

    /// Adds help. If the text is empty, the help of another input is used.
    pub(super) fn help(self, help_id: &'static str, help: impl Into<Cow<'static, str>>) -> Self {
        Self { help_id, help: help.into(), ..self }
    }

    /// Whether the input is of this kind. For templates.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        let own = match self.kind {
            InputKind::Line => "line",
            InputKind::Word => "word",
            InputKind::Email => "email",
            InputKind::Url => "url",
            InputKind::Number => "number",
            InputKind::Area | InputKind::Headers | InputKind::Json => "area",
            InputKind::Choice => "choice",
            InputKind::Check => "check",
            InputKind::Flag => "flag",
            InputKind::Hidden => "hidden",
        };
        own == kind
    }

    /// Returns the name of the check box that deletes the secret: `clear.x` for `set.x`.
    #[must_use]
    pub fn clear_name(&self) -> String {
        self.name.replacen("set", "clear", 1)
    }
}

/// Makes a group with a name of the inputs.
pub(super) fn group(legend: &'static str, mut inputs: Vec<FormInput>) -> Vec<FormInput> {
    if let Some(first) = inputs.first_mut() {
        first.legend = legend;
    }
    if let Some(last) = inputs.last_mut() {
        last.ends_group = true;
    }
    inputs
}

/// Returns the inputs with what was typed, except secrets. `None` if the form was not sent.
pub(super) fn filled(mut inputs: Vec<FormInput>, typed: Option<&FormFields>) -> Vec<FormInput> {
    let Some(typed) = typed else { return inputs };
    for input in inputs.iter_mut().filter(|input| !input.secret && input.kind != InputKind::Hidden) {
        input.value = match input.kind {
            InputKind::Check if typed.ticked(&input.name) => "on".to_owned(),
            _ => typed.text(&input.name),
        };
    }
    inputs
}
