//! Renders messages with the built-in templates, or with files of an operator that replace them.
//!
//! A broken file is refused at the start. If a template fails later, the built-in one is used, so no message is lost.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde,
};

use super::{
    SetupError, samples,
    text::{self, TextLimit},
    view::MessageView,
};
use crate::domain::{
    channel_types::{CHANNEL_TYPES, Markup, Template, markup_of},
    limits,
};

fn all_templates() -> impl Iterator<Item = Template> {
    CHANNEL_TYPES.iter().flat_map(|known| known.templates).copied()
}

fn built_in_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    all_templates().flat_map(|template| template.files).copied()
}

pub(super) struct Templates {
    built_in: Environment<'static>,
    own: Environment<'static>,
    /// Own templates that have failed, so that each is logged once.
    failed: Mutex<BTreeSet<String>>,
}

impl Templates {
    /// Reads the operator's templates from `directory`.
    pub(super) fn load(directory: Option<&Path>) -> Result<Self, SetupError> {
        let mut built_in = environment();
        for (name, source) in built_in_files() {
            built_in.add_template(name, source).map_err(|error| broken(Path::new(name), &error))?;
        }
        let mut own = environment();
        for (name, path) in directory.map(own_files).transpose()?.unwrap_or_default() {
            let source = read(&path)?;
            own.add_template_owned(name, source).map_err(|error| broken(&path, &error))?;
        }
        let templates = Self { built_in, own, failed: Mutex::default() };
        if let Some(directory) = directory {
            templates.try_out(directory)?;
        }
        Ok(templates)
    }

    pub(super) fn render(&self, template: Template, view: &MessageView) -> String {
        self.render_within(template, view, TextLimit::Bytes(limits::RENDERED_BYTES))
    }

    /// Renders a text, without white space at its end. If a summary is too long, its last notices are left out. A text
    /// that is still too long is cut.
    pub(super) fn render_within(&self, template: Template, view: &MessageView, room: TextLimit) -> String {
        let whole = self.rendered(template, view);
        if whole.fits(room) {
            return whole.text;
        }
        let (mut fits, mut least, mut most) = (None, 0, view.notices());
        while least < most {
            let middle = usize::midpoint(least, most);
            let shorter = self.rendered(template, &view.with_notices(middle));
            if shorter.fits(room) {
                fits = Some(shorter.text);
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        fits.unwrap_or_else(|| if room.holds(&whole.text) { whole.text } else { room.cut(&whole.text) })
    }

    fn rendered(&self, template: Template, view: &MessageView) -> Rendered {
        let name = format!("{}.{}", view.kind(), template.ending);
        match render(&self.own, &name, view) {
            Ok(Some(rendered)) => return rendered,
            Ok(None) => {}
            Err(error) => self.complain(&name, &error),
        }
        match render(&self.built_in, &name, view) {
            Ok(rendered) => rendered.unwrap_or_default(),
            Err(error) => {
                self.complain(&name, &error);
                Rendered::default()
            }
        }
    }

    fn complain(&self, name: &str, error: &Error) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.insert(name.to_owned()) {
            tracing::error!("the built-in template is used instead of {name}: {}", reason(error));
        }
    }

    /// Renders each own template once with sample messages.
    fn try_out(&self, directory: &Path) -> Result<(), SetupError> {
        for view in samples::views() {
            for template in all_templates() {
                let name = format!("{}.{}", view.kind(), template.ending);
                render(&self.own, &name, &view).map_err(|error| broken(&directory.join(&name), &error))?;
            }
        }
        Ok(())
    }
}

/// Output of a template.
#[derive(Default)]
struct Rendered {
    text: String,
    /// Whether the output was longer than [`limits::RENDERED_BYTES`], and `text` is its beginning.
    is_cut: bool,
}

impl Rendered {
    fn fits(&self, room: TextLimit) -> bool {
        !self.is_cut && room.holds(&self.text)
    }
}

/// Templates in settings, which use a few plain values.
pub(super) struct Inline(Environment<'static>);

impl Inline {
    /// Compiles pairs of name and template. The ending of a name decides how values are escaped. Errors name `setting`.
    pub(super) fn new(setting: &'static str, templates: Vec<(String, String)>) -> Result<Self, SetupError> {
        let mut environment = environment();
        for (name, source) in templates {
            environment
                .add_template_owned(name, source)
                .map_err(|error| SetupError::BadSetting { setting, reason: reason(&error) })?;
        }
        Ok(Self(environment))
    }

    pub(super) fn render(&self, name: &str, values: &Value) -> Result<String, String> {
        let template = self.0.get_template(name).map_err(|error| reason(&error))?;
        let rendered = capture(&template, values.clone()).map_err(|error| reason(&error))?;
        Ok(rendered.text)
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(limits::TEMPLATE_FUEL));
    environment.add_filter("cut", |shown: String, most: usize| text::cut(&shown, most));
    environment.set_auto_escape_callback(|name| match name.rsplit_once('.').map_or(name, |(_, ending)| ending) {
        "html" => AutoEscape::Html,
        "json" => AutoEscape::Json,
        "url" => AutoEscape::Custom("url".into()),
        "txt" if markup_of(name) == Markup::Slack => AutoEscape::Custom("slack".into()),
        _ => AutoEscape::None,
    });
    environment.set_formatter(write_value);
    environment
}

fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let AutoEscape::Custom(name) = state.auto_escape() else {
        return minijinja::escape_formatter(out, state, value);
    };
    let shown = value.to_string();
    let escaped = match &**name {
        _ if value.is_safe() => shown,
        "url" => url::form_urlencoded::byte_serialize(shown.as_bytes()).collect::<String>().replace('+', "%20"),
        _ => slack(&shown),
    };
    out.write_str(&escaped).map_err(Error::from)
}

/// Escapes Slack's markup. Also disables words that would notify a whole channel, and Markdown links, which some
/// programs would show with another text than their address.
fn slack(shown: &str) -> String {
    let mut out = String::with_capacity(shown.len());
    let mut rest = shown.chars();
    while let Some(c) = rest.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' if calls_everybody(rest.as_str()) => out.push_str("@\u{200b}"),
            '(' if out.ends_with(']') => out.push_str("\u{200b}("),
            c => out.push(c),
        }
    }
    out
}

fn calls_everybody(after_at: &str) -> bool {
    ["all", "channel", "everyone", "here"]
        .iter()
        .any(|word| after_at.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
}

/// Renders a template. `None`: there is no template of that name.
fn render(environment: &Environment<'_>, name: &str, view: &MessageView) -> Result<Option<Rendered>, Error> {
    match environment.get_template(name) {
        Ok(template) => capture(&template, Value::from(Serde(view))).map(Some),
        Err(error) if error.kind() == minijinja::ErrorKind::TemplateNotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn capture(template: &minijinja::Template<'_, '_>, values: Value) -> Result<Rendered, Error> {
    let mut bounded = Bounded::default();
    template.render_captured_to(values, &mut bounded)?;
    let text = String::from_utf8_lossy(&bounded.kept);
    Ok(Rendered { text: text::printable(text.trim_end_matches('\u{fffd}')), is_cut: bounded.is_cut })
}

/// Writer that accepts everything and keeps the beginning.
#[derive(Default)]
struct Bounded {
    kept: Vec<u8>,
    is_cut: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = limits::RENDERED_BYTES.saturating_sub(self.kept.len());
        self.is_cut |= bytes.len() > room;
        self.kept.extend(bytes.iter().take(room));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lists the operator's files that have the name of a template.
fn own_files(directory: &Path) -> Result<Vec<(String, PathBuf)>, SetupError> {
    let unreadable = |error: io::Error| SetupError::BadSetting {
        setting: "notifications.templates",
        reason: format!("cannot read {}: {error}", directory.display()),
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if built_in_files().any(|(known, _)| known == name) {
            files.push((name, entry.path()));
        } else {
            tracing::warn!("{} is no template of a known name, and not used", entry.path().display());
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String, SetupError> {
    let bad = |reason: String| SetupError::BadTemplate { place: path.display().to_string(), reason };
    let length = fs::metadata(path).map_err(|error| bad(error.to_string()))?.len();
    if length > limits::TEMPLATE_BYTES {
        return Err(bad(format!("longer than {} bytes", limits::TEMPLATE_BYTES)));
    }
    fs::read_to_string(path).map_err(|error| bad(error.to_string()))
}

fn broken(path: &Path, error: &Error) -> SetupError {
    let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    SetupError::BadTemplate { place: format!("{}{line}", path.display()), reason: reason(error) }
}

fn reason(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests;
