//! Declares settings: generates the structs, the code that reads them, and the rows that show them.

use super::{
    ConfigError, Environment, Flags, Origin, Setting,
    setting_kind::{FoundValue, SettingKind, text_of},
};

/// A table of the file, or its top level.
pub(super) trait Section: Sized {
    /// The same section of the file. Every key is optional, and an unknown key is an error.
    type File;

    fn read(sources: &Sources<'_>, file: Self::File) -> Result<Self, ConfigError>;

    /// Adds name, value and origin of each setting, for `argusd config`.
    fn add_rows(&self, rows: &mut Vec<(&'static str, String, Origin)>);

    /// Adds the declaration of each setting.
    fn add_specs(specs: &mut Vec<Spec>);
}

/// Declaration of a setting, without its kind.
pub(super) struct Spec {
    pub name: &'static str,
    /// The first variable that is set applies.
    pub variables: &'static [&'static str],
    /// Returns the default in the format of a variable.
    pub default: fn() -> String,
}

/// Origins of settings besides the file.
pub(super) struct Sources<'a> {
    pub flags: &'a Flags,
    pub environment: &'a Environment,
}

impl Sources<'_> {
    /// Reads a setting from the first origin that has it.
    pub(super) fn read<K: SettingKind>(
        &self,
        Spec { name, variables, default }: Spec,
        in_file: Option<K::InFile>,
    ) -> Result<Setting<K::Value>, ConfigError> {
        let mut found = self.flags.get(name).map(|text| (text, Origin::Flag));
        for &variable in variables {
            let origin = Origin::Environment(variable);
            if let Some(text) = self.environment.get(variable) {
                let text =
                    K::of_variable(variable, text).map_err(|reason| ConfigError::BadValue { name, origin, reason })?;
                found = found.or(text.map(|text| (text.into(), origin)));
            }
        }
        let (text, origin) = found
            .or_else(|| Some((text_of(in_file?).into(), Origin::File)))
            .unwrap_or_else(|| (default().into(), Origin::Default));
        Ok(Setting { value: K::read(FoundValue { name, origin, text })?, origin })
    }
}

/// Declares sections: the struct and the one for the file, the prefix of the names, optionally the setting that is
/// checked `first`, and a line for each setting: `key in the file => field: kind, variables, default`. Nested sections
/// come after the settings, and what is no setting comes last.
macro_rules! sections {
    (@spec $prefix:literal $key:ident $variables:tt $default:expr) => {
        Spec {
            name: concat!($prefix, stringify!($key)),
            variables: &$variables,
            default: || String::from($default),
        }
    };
    ($($(#[$about:meta])* $name:ident, $file:ident, $prefix:literal $(, $first:ident first)? {
        $($(#[$doc:meta])* $key:ident => $field:ident: $kind:ty, $variables:tt, $default:expr;)*
        $([$section:ident]: $config:ident;)*
        $(+ $(#[$extra_doc:meta])* $extra:ident: $extra_type:ty;)?
    })*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $($(#[$doc])* pub $field: Setting<<$kind as SettingKind>::Value>,)*
            $(pub $section: $config,)*
            $($(#[$extra_doc])* pub $extra: $extra_type,)?
        }

        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $file {
            $($key: Option<<$kind as SettingKind>::InFile>,)*
            $(#[serde(default)] $section: <$config as Section>::File,)*
        }

        impl Section for $name {
            type File = $file;

            fn read(sources: &Sources<'_>, file: $file) -> Result<Self, ConfigError> {
                $(let $field = sources.read::<$kind>(sections!(@spec $prefix $key $variables $default), file.$key);)*
                $(let $first = Ok::<_, ConfigError>($first?);)?
                Ok(Self {
                    $($field: $field?,)*
                    $($section: Section::read(sources, file.$section)?,)*
                    $($extra: Default::default(),)?
                })
            }

            fn add_rows(&self, rows: &mut Vec<(&'static str, String, Origin)>) {
                $(
                    let name = <$kind as SettingKind>::shown_name(concat!($prefix, stringify!($key)));
                    rows.push((name, <$kind as SettingKind>::show(&self.$field.value), self.$field.origin));
                )*
                $(self.$section.add_rows(rows);)*
            }

            fn add_specs(specs: &mut Vec<Spec>) {
                $(specs.push(sections!(@spec $prefix $key $variables $default));)*
                $($config::add_specs(specs);)*
            }
        }
    )*};
}

pub(super) use sections;
