//! Stored forms of records, and what the audit trail shows of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{Timestamp, ids::Id};
use crate::store::{StoreError, codec::timestamp};

/// Value in a record.
pub(super) trait Stored: Sized {
    /// Type that is written to the file. Never changes once released.
    type Form: Serialize + DeserializeOwned;

    fn store(&self) -> Self::Form;

    fn restore(stored: Self::Form) -> Result<Self, StoreError>;

    /// Returns the value for the audit trail: the stored one, unless the type shows another.
    fn audit(&self) -> Value {
        serde_json::to_value(self.store()).unwrap_or_default()
    }
}

/// Declares the stored form of a type: the fields that are stored, in the order in which they are written. The field after
/// `by` is not stored; it comes from the key of the record.
///
/// A released form never changes: records are positional, so a field that is added, removed or moved needs a new form.
macro_rules! stored {
    ($(#[$doc:meta])* $record:ident of $thing:ident $(by $key:ident: $key_type:ty)? {
        $($field:ident: $type:ty),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(super) struct $record {
            $($field: <$type as $crate::store::kind::stored::Stored>::Form),+
        }

        impl $record {
            fn of(thing: &$thing) -> Self {
                Self { $($field: $crate::store::kind::stored::Stored::store(&thing.$field)),+ }
            }

            fn restore(self $(, $key: $key_type)?) -> Result<$thing, $crate::store::StoreError> {
                Ok($thing { $($key,)? $($field: $crate::store::kind::stored::Stored::restore(self.$field)?),+ })
            }
        }
    };
}
pub(super) use stored;

/// Declares the fields that the audit text of a record contains. The name after `as` replaces the name of the field.
macro_rules! audited {
    ($($field:ident $(as $name:literal)?),+ $(,)?) => {
        fn audit(&self) -> serde_json::Value {
            serde_json::json!({
                $(([$($name,)? stringify!($field)][0]): $crate::store::kind::stored::Stored::audit(&self.$field)),+
            })
        }
    };
}
pub(super) use audited;

/// Implements [`Stored`] for types that are stored without conversion.
macro_rules! plain {
    ($($type:ty),+) => {$(
        impl Stored for $type {
            type Form = Self;

            fn store(&self) -> Self {
                self.clone()
            }

            fn restore(stored: Self) -> Result<Self, StoreError> {
                Ok(stored)
            }
        }
    )+};
}
plain!(bool, u32, String, BTreeMap<String, String>);

impl<T: Id> Stored for T {
    type Form = u64;

    fn store(&self) -> u64 {
        self.number()
    }

    fn restore(stored: u64) -> Result<Self, StoreError> {
        Ok(Self::numbered(stored))
    }
}

/// In microseconds.
impl Stored for Timestamp {
    type Form = i64;

    fn store(&self) -> i64 {
        self.micros()
    }

    fn restore(stored: i64) -> Result<Self, StoreError> {
        timestamp(stored)
    }

    fn audit(&self) -> Value {
        self.to_datetime().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true).into()
    }
}

impl Stored for Uuid {
    type Form = [u8; 16];

    fn store(&self) -> [u8; 16] {
        self.into_bytes()
    }

    fn restore(stored: [u8; 16]) -> Result<Self, StoreError> {
        Ok(Self::from_bytes(stored))
    }

    fn audit(&self) -> Value {
        self.to_string().into()
    }
}

impl<T: Stored> Stored for Option<T> {
    type Form = Option<T::Form>;

    fn store(&self) -> Self::Form {
        self.as_ref().map(T::store)
    }

    fn restore(stored: Self::Form) -> Result<Self, StoreError> {
        stored.map(T::restore).transpose()
    }

    fn audit(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::audit)
    }
}

macro_rules! lists {
    ($($list:ident<$item:ident $(: $bound:ident)?>),+) => {$(
        impl<$item: Stored $(+ $bound)?> Stored for $list<$item> {
            type Form = Vec<$item::Form>;

            fn store(&self) -> Self::Form {
                self.iter().map($item::store).collect()
            }

            fn restore(stored: Self::Form) -> Result<Self, StoreError> {
                stored.into_iter().map($item::restore).collect()
            }

            fn audit(&self) -> Value {
                self.iter().map($item::audit).collect()
            }
        }
    )+};
}
lists!(Vec<T>, BTreeSet<T: Ord>);
