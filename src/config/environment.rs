//! The environment of the process, or a fake one for tests.

use std::{collections::BTreeMap, ffi::OsString};

#[derive(Clone, Debug)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Returns the environment with which this process was started.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// Returns the value. `None` if unset or empty. Bytes that are not UTF-8 are replaced, so such values are refused
    /// where it matters.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let value = self.0.get(std::ffi::OsStr::new(name))?;
        (!value.is_empty()).then(|| value.to_string_lossy().into_owned())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
