//! Tests that the table of channel types is complete, and that the operator's manual has the tables made from it.

use std::{
    collections::BTreeSet,
    fmt::{Display, Write},
    fs,
};

use super::*;
use crate::domain::channel::is_valid_type;

/// Formats words as `a`, `b` in code.
fn code(words: impl IntoIterator<Item = impl Display>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn keys<'a>(settings: impl IntoIterator<Item = &'a Setting>) -> String {
    code(settings.into_iter().map(|setting| setting.key))
}

/// Returns the ending of a template, with its special properties.
fn template(template: &Template) -> String {
    let ending = code([format!(".{}", template.ending)]);
    let is_escaped = template.ending == "html" || markup_of(template.files[0].0) == Markup::Slack;
    match template.files {
        [(only, _)] => format!("{ending} (of {} only)", code(only.split('.').take(1))),
        _ if is_escaped => format!("{ending} (values are escaped)"),
        _ => ending,
    }
}

fn table_of_types() -> String {
    let mut table = "| type | settings of a destination | own templates | what it is |\n|---|---|---|---|\n".to_owned();
    for it in CHANNEL_TYPES {
        let templates: Vec<String> = it.templates.iter().map(template).collect();
        let templates = if templates.is_empty() { "none".to_owned() } else { templates.join(", ") };
        writeln!(table, "| `{}` | {} | {templates} | {} |", it.key, keys(it.of_destination), it.about).unwrap();
    }
    table
}

/// Describes settings that types share only where they occur first.
fn table_of_channel_settings() -> String {
    let mut table = "| type | setting | what it is |\n|---|---|---|\n".to_owned();
    for (index, it) in CHANNEL_TYPES.iter().enumerate() {
        let first = |setting| CHANNEL_TYPES[..index].iter().find(|other| other.of_channel.contains(setting));
        for setting in it.of_channel.iter().filter(|setting| first(setting).is_none()) {
            let mut about = vec![format!("{}.", setting.title)];
            about.extend(Some(setting.description.to_owned()).filter(|text| !text.is_empty()));
            if let Form::OneOf(choices) = setting.form {
                about.push(format!("One of {}.", code(choices)));
            }
            let secret = if setting.secret { " (secret)" } else { "" };
            writeln!(table, "| `{}` | `{}`{secret} | {} |", it.key, setting.key, about.join(" ")).unwrap();
        }
        for other in &CHANNEL_TYPES[..index] {
            let shared = keys(it.of_channel.iter().filter(|setting| first(setting) == Some(other)));
            if !shared.is_empty() {
                writeln!(table, "| `{}` | {shared} | As for `{}`. |", it.key, other.key).unwrap();
            }
        }
    }
    table
}

#[test]
fn each_type_is_there_once_and_has_one_address() {
    for (index, known) in CHANNEL_TYPES.iter().enumerate() {
        assert!(is_valid_type(known.key) && !known.title.is_empty(), "{}", known.key);
        assert!(CHANNEL_TYPES.iter().skip(index + 1).all(|other| other.key != known.key), "{}", known.key);
        assert_eq!(find(known.key), Some(*known));
        let (address, others) = known.of_destination.split_first().unwrap();
        assert_eq!(known.address(), address);
        assert!(!address.secret && others.iter().all(|it| it.secret), "{}", known.key);
    }
    assert_eq!(find("plug-in"), None);
    assert_eq!(address_types().last(), Some(ROCKETCHAT));
}

#[test]
fn keys_are_there_once() {
    for known in CHANNEL_TYPES {
        for settings in [known.of_channel, known.of_destination] {
            let keys: BTreeSet<&str> = settings.iter().map(|it| it.key).collect();
            assert_eq!(keys.len(), settings.len(), "{}", known.key);
        }
        assert!(known.sent_along.iter().all(|key| known.of_channel.iter().any(|it| it.key == *key && it.secret)));
        assert_eq!(known.own_address != OwnAddress::Never, known.address().key == "destination_url", "{}", known.key);
    }
}

#[test]
fn only_addresses_that_let_nobody_in_are_shown() {
    let shown: Vec<&str> = CHANNEL_TYPES.iter().filter(|it| it.shows_settings()).map(|it| it.key).collect();
    assert_eq!(shown, ["email", "sms"]);
}

/// Works like a snapshot test: `INSTA_UPDATE=always` writes the tables into the manual.
#[test]
#[expect(clippy::disallowed_methods, reason = "no setting of the server")]
fn the_manual_names_all_types_and_their_settings() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md");
    let is_written = std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always");
    let mut manual = fs::read_to_string(path).unwrap();
    for (name, table) in [("channel types", table_of_types()), ("channel settings", table_of_channel_settings())] {
        let start = format!("<!-- {name}: made by src/domain/channel_types/tests.rs -->\n\n");
        let (before, rest) = manual.split_once(&start).unwrap();
        let (found, after) = rest.split_once("\n<!-- end -->").unwrap();
        if is_written {
            manual = format!("{before}{start}{table}\n<!-- end -->{after}");
        } else {
            assert_eq!(found, table, "{name}: INSTA_UPDATE=always writes them");
        }
    }
    if is_written {
        fs::write(path, manual).unwrap();
    }
}
