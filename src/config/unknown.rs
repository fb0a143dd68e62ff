//! Variables with the program's prefix that are no settings: mistyped ones would be ignored silently.

use std::fmt;

use super::{
    Config, Environment,
    section::{Section, Spec},
};

const PREFIX: &str = "ARGUSD_";

/// Variables that are read elsewhere than as settings.
const OTHERS: &[&str] = &["ARGUSD_CONFIG"];

/// Beginnings of the variables that Kubernetes and Docker set by themselves for a service of this name.
const OF_PLATFORMS: &[&str] = &["ARGUSD_SERVICE_", "ARGUSD_PORT"];

/// A variable that has the program's prefix, but is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct UnknownVariable {
    name: String,
    nearest: Option<&'static str>,
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no setting {}", self.name)?;
        match self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => f.write_str("; `argusd config` and docs/OPERATIONS.md list all settings"),
        }
    }
}

impl Environment {
    /// Fails if a variable has the program's prefix, but is not known.
    pub fn refuse_unknown(&self) -> Result<(), UnknownVariable> {
        let mut specs = Vec::new();
        Config::add_specs(&mut specs);
        let of_settings = specs.iter().flat_map(|Spec { variables, .. }| variables.iter().copied());
        let known: Vec<&'static str> = of_settings.chain(OTHERS.iter().copied()).collect();
        let is_unknown = |name: &&str| {
            name.starts_with(PREFIX)
                && !known.contains(name)
                && !OF_PLATFORMS.iter().any(|beginning| name.starts_with(beginning))
        };
        match self.names().find(is_unknown) {
            None => Ok(()),
            Some(name) => Err(UnknownVariable { name: name.to_owned(), nearest: nearest(name, &known) }),
        }
    }
}

/// Returns the known name that differs least. `None`: all differ in more than a third of the letters.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let own = name.strip_prefix(PREFIX)?;
    let candidates = known.iter().filter_map(|known| Some((distance(own, known.strip_prefix(PREFIX)?), *known)));
    let (distance, nearest) = candidates.min()?;
    (distance <= own.len().div_ceil(3)).then_some(nearest)
}

/// Returns how many letters have to be inserted, deleted or replaced to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut above_left = line;
        let mut left = line + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&other) {
            let replaced = above_left + usize::from(a != *b);
            above_left = *cell;
            left = replaced.min(left + 1).min(above_left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> Option<String> {
        Environment::from([(name, "x")]).refuse_unknown().err().map(|error| error.to_string())
    }

    #[test]
    fn the_nearest_known_variable_is_named() {
        for (name, nearest) in [
            ("ARGUSD_LISTENN", "ARGUSD_LISTEN"),
            ("ARGUSD_PUBLICURL", "ARGUSD_PUBLIC_URL"),
            ("ARGUSD_CONFG", "ARGUSD_CONFIG"),
        ] {
            assert_eq!(refused(name), Some(format!("there is no setting {name}; did you mean {nearest}?")));
        }
        assert!(refused("ARGUSD_SOMETHING_ELSE").unwrap().contains("list all settings"));
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        for name in ["ARGUSD_DATA", "ARGUSD_CONFIG", "ARGUSD_SERVICE_HOST", "ARGUSD_PORT_8000_TCP", "ARGUS_X", "HOME"] {
            assert_eq!(refused(name), None, "{name}");
        }
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (one, other, letters) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("LISTEN", "LISTENN", 1)] {
            assert_eq!((distance(one, other), distance(other, one)), (letters, letters));
        }
    }
}
