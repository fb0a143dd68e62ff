//! Origins of the settings that `argusd doctor` examines: files, and variables of older products.

use std::path::{Path, PathBuf};

use super::{Environment, Flags, setting_kind};

/// Facts about the origins of the settings.
#[derive(Clone, Debug, Default)]
pub struct Background {
    /// The settings file. `None`: there is none.
    pub file: Option<PathBuf>,
    /// Whether the settings file contains values that others must not read, such as headers of requests.
    pub has_secrets: bool,
    /// Files with secrets that settings name.
    pub secret_files: Vec<PathBuf>,
    /// Variables of older products that are set.
    pub old_variables: Vec<OldVariable>,
    /// Whether the default of the time zone is UTC because that of the host is not known.
    pub is_zone_unknown: bool,
}

/// A variable that argusd does not use as the older product did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldVariable {
    pub name: &'static str,
    /// Clause that says what happens to it.
    pub effect: &'static str,
    pub fix: &'static str,
}

/// Variables that Argus and Django use, and argusd does not.
const OLD_VARIABLES: &[OldVariable] = &[
    OldVariable {
        name: "DATABASE_URL",
        effect: "argusd ignores it: all data is in one file, the setting data",
        fix: "Remove DATABASE_URL. To choose the file, set ARGUSD_DATA.",
    },
    OldVariable { name: "SECRET_KEY", effect: "argusd ignores it: it needs no secret key", fix: "Remove SECRET_KEY." },
    OldVariable {
        name: "ARGUS_DATAPORTEN_KEY",
        effect: "argusd ignores it: there is no login with Feide or Dataporten",
        fix: "Remove ARGUS_DATAPORTEN_KEY, and give users a password: argusd user password NAME.",
    },
    OldVariable {
        name: "ARGUS_DATAPORTEN_SECRET",
        effect: "argusd ignores it: there is no login with Feide or Dataporten",
        fix: "Remove ARGUS_DATAPORTEN_SECRET, and give users a password: argusd user password NAME.",
    },
    OldVariable {
        name: "ARGUS_COOKIE_DOMAIN",
        effect: "argusd ignores it: its cookies are for its own host only",
        fix: "Remove ARGUS_COOKIE_DOMAIN. Front ends on other hosts are named by ARGUSD_FRONTEND_URLS.",
    },
    OldVariable {
        name: "TEMPLATE_DEBUG",
        effect: "argusd ignores it",
        fix: "Remove TEMPLATE_DEBUG. For more log lines, set ARGUSD_LOG=debug.",
    },
    OldVariable {
        name: "DJANGO_SETTINGS_MODULE",
        effect: "argusd ignores it: it is not a Django program",
        fix: "Remove DJANGO_SETTINGS_MODULE. Settings are in the file that ARGUSD_CONFIG names.",
    },
];

/// Names of keys whose values are secret, in any table of the settings file.
const SECRET_KEYS: &[&str] = &["headers", "body"];

impl Background {
    /// Reads the settings file once more. What is wrong with it was reported when the settings were read.
    pub(super) fn of(flags: &Flags, environment: &Environment) -> Self {
        let file = flags.config.clone().or_else(|| environment.get("ARGUSD_CONFIG").map(PathBuf::from));
        let mut background = Self { file, is_zone_unknown: setting_kind::is_zone_unknown(), ..Self::default() };
        if let Some(table) = background.file.as_deref().and_then(table_of) {
            background.examine(&table);
        }
        for variable in ["ARGUSD_MAIL_PASSWORD_FILE", "ARGUSD_ADMIN_PASSWORD_FILE"] {
            background.secret_files.extend(environment.get(variable).map(PathBuf::from));
        }
        let is_set = |variable: &&OldVariable| environment.get(variable.name).is_some();
        background.old_variables = OLD_VARIABLES.iter().filter(is_set).copied().collect();
        if is_on(environment, "EMAIL_USE_SSL") && is_on(environment, "EMAIL_USE_TLS") {
            background.old_variables.push(OldVariable {
                name: "EMAIL_USE_TLS",
                effect: "so is EMAIL_USE_SSL, which takes precedence: TLS from the first byte",
                fix: "Remove the one that does not fit the mail server, or set ARGUSD_MAIL_TLS instead of both.",
            });
        }
        background
    }

    fn examine(&mut self, table: &toml::Table) {
        for (key, value) in table {
            match value {
                toml::Value::Table(inner) => {
                    self.has_secrets |= SECRET_KEYS.contains(&key.as_str()) && !inner.is_empty();
                    self.examine(inner);
                }
                toml::Value::String(path) if matches!(key.as_str(), "password_file" | "secret_file") => {
                    self.secret_files.extend(Some(path).filter(|path| !path.is_empty()).map(PathBuf::from));
                }
                toml::Value::String(text) => {
                    self.has_secrets |= SECRET_KEYS.contains(&key.as_str()) && !text.is_empty();
                }
                _ => {}
            }
        }
    }
}

fn table_of(path: &Path) -> Option<toml::Table> {
    std::fs::read_to_string(path).ok()?.parse().ok()
}

fn is_on(environment: &Environment, name: &str) -> bool {
    environment.get(name).is_some_and(|text| setting_kind::parse_bool(text.trim()).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<const N: usize>(pairs: [(&str, &str); N]) -> Vec<&'static str> {
        let background = Background::of(&Flags::default(), &Environment::from(pairs));
        background.old_variables.into_iter().map(|variable| variable.name).collect()
    }

    #[test]
    fn old_variables_are_found_and_others_are_not() {
        assert!(of([("ARGUSD_DATA", "x"), ("EMAIL_HOST", "y"), ("DATABASE_URL", "")]).is_empty());
        assert_eq!(of([("SECRET_KEY", "x"), ("DATABASE_URL", "postgres://")]), ["DATABASE_URL", "SECRET_KEY"]);
        assert!(of([("EMAIL_USE_SSL", "1")]).is_empty());
        assert!(of([("EMAIL_USE_SSL", "1"), ("EMAIL_USE_TLS", "0")]).is_empty());
        assert_eq!(of([("EMAIL_USE_SSL", "True"), ("EMAIL_USE_TLS", "1")]), ["EMAIL_USE_TLS"]);
    }

    #[test]
    fn files_with_secrets_are_found_in_the_settings_file() {
        let examined = |text: &str| {
            let mut background = Background::default();
            background.examine(&text.parse().unwrap());
            (background.has_secrets, background.secret_files)
        };
        let none: Vec<PathBuf> = Vec::new();
        assert_eq!(examined("listen = 'x:1'\n[mail]\nca_file = 'ca'\npassword_file = ''"), (false, none.clone()));
        assert_eq!(examined("[mail]\npassword_file = 'p'"), (false, vec![PathBuf::from("p")]));
        assert_eq!(
            examined("[sms.http]\nurl = 'x'\nsecret_file = 's'\nheaders = { Authorization = 'k' }"),
            (true, vec![PathBuf::from("s")])
        );
        assert_eq!(examined("[sms.http]\nurl = 'x'\nbody = 'key=k'"), (true, none));
    }
}
