//! The environment of the process, or a fake one for tests.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Settings of an installed program. Packages put the file there.
const INSTALLED_FILE: &str = "/etc/argusd/argusd.toml";

#[derive(Clone, Debug)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    installed_file: Option<PathBuf>,
}

impl Environment {
    /// Returns the environment with which this process was started.
    #[must_use]
    pub fn of_process() -> Self {
        let program = std::env::current_exe().unwrap_or_default();
        Self { variables: std::env::vars_os().collect(), installed_file: installed_file(&program, INSTALLED_FILE) }
    }

    /// Returns the settings file that is read if no other is named. `None` if it does not exist.
    #[must_use]
    pub fn installed_file(&self) -> Option<&Path> {
        self.installed_file.as_deref()
    }

    /// Returns the value. `None` if unset or empty. Bytes that are not UTF-8 are replaced, so such values are refused
    /// where it matters.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let value = self.variables.get(std::ffi::OsStr::new(name))?;
        (!value.is_empty()).then(|| value.to_string_lossy().into_owned())
    }

    /// Returns the names of all variables that are set to something, except those that are not UTF-8.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().filter(|(_, value)| !value.is_empty()).filter_map(|(name, _)| name.to_str())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, installed_file: None }
    }
}

/// Returns the settings file if it exists. `None` for a `program` that runs where cargo built it, because tests and
/// people who work on argusd do not want the settings of a server that is installed on the same host.
fn installed_file(program: &Path, file: impl Into<PathBuf>) -> Option<PathBuf> {
    let is_built_here = program.parent().is_some_and(|directory| directory.join(".cargo-lock").exists());
    Some(file.into()).filter(|file| !is_built_here && file.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installed_settings_are_read_if_they_exist_but_not_where_the_program_was_built() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("argusd");
        let file = directory.path().join("argusd.toml");
        assert_eq!(installed_file(&program, &file), None);
        std::fs::write(&file, "").unwrap();
        assert_eq!(installed_file(&program, &file), Some(file.clone()));
        // Without /proc a program does not know where it is.
        assert_eq!(installed_file(Path::new(""), &file), Some(file.clone()));
        std::fs::write(directory.path().join(".cargo-lock"), "").unwrap();
        assert_eq!(installed_file(&program, &file), None);
        assert_eq!(Environment::of_process().installed_file(), None, "tests do not depend on the host");
    }
}
