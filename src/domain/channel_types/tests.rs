//! The table has no gaps, and the operator's manual says the same as the table.

use std::collections::BTreeSet;

use super::*;
use crate::domain::channel::is_valid_type;

const MANUAL: &str = include_str!("../../../docs/OPERATIONS.md");

/// The cells of the row for a type in the table whose head begins with `head`.
fn row<'a>(head: &str, key: &str) -> Vec<&'a str> {
    let table = MANUAL.lines().skip_while(|line| !line.starts_with(head)).take_while(|line| line.starts_with('|'));
    let start = format!("| `{key}` |");
    let row = table.clone().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no row for {key}"));
    row.split(" | ").collect()
}

/// What stands between backticks.
fn code(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
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

#[test]
fn the_manual_names_all_types_and_their_settings() {
    for known in CHANNEL_TYPES {
        let keys = |settings: &[Setting]| settings.iter().map(|it| it.key).collect::<BTreeSet<_>>();
        let destination = row("| medium | settings of a destination", known.key);
        assert_eq!(code(destination[1]), keys(known.of_destination), "{}", known.key);
        let described = row("| type | settings", known.key)[1..].join(" ");
        let described = code(&described);
        for setting in known.of_channel {
            let by_reference =
                email::TYPE.of_channel.iter().any(|it| it.key == setting.key) && described.contains("email");
            assert!(described.contains(setting.key) || by_reference, "{}: {}", known.key, setting.key);
        }
        for template in known.templates {
            assert!(MANUAL.contains(&format!("`.{}`", template.ending)), "{}", template.ending);
        }
    }
    let names: Vec<String> = CHANNEL_TYPES.iter().map(|it| format!("`{}`", it.key)).collect();
    assert!(MANUAL.contains(&format!("The type is one of {}, or the name of a plug-in.", names.join(", "))));
    let (last, others) = names.split_last().unwrap();
    let reserved = format!("The types {} and {last} are always argusd's own.", others.join(", "));
    assert!(MANUAL.split_whitespace().collect::<Vec<_>>().join(" ").contains(&reserved), "{reserved}");
}
