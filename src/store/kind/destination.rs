//! Stored destinations of users.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Kind, Record, kept_in, known_as, stored::stored};
use crate::domain::{Destination, DestinationId, UserId, destination::shows_settings};

stored! {
    DestinationV1 of Destination by id: DestinationId {
        owner: UserId,
        medium: String,
        label: Option<String>,
        settings: BTreeMap<String, String>,
        synced: bool,
    }
}

impl Record for Destination {
    known_as!(Destination, "destination" as DestinationV1);

    /// Removes the settings of media other than e-mail and SMS, which may contain secrets.
    fn without_secrets(&self) -> Option<Self> {
        (!shows_settings(&self.medium)).then(|| Self { settings: BTreeMap::new(), ..self.clone() })
    }

    /// Contains only the names of settings that may contain secrets.
    fn audit(&self) -> Value {
        let settings: serde_json::Map<String, Value> = self
            .settings
            .iter()
            .map(|(key, value)| {
                let open = shows_settings(&self.medium);
                (key.clone(), if open { value.clone().into() } else { Value::Bool(true) })
            })
            .collect();
        json!({
            "owner": self.owner.0,
            "medium": self.medium,
            "label": self.label,
            "settings": settings,
            "synced": self.synced,
        })
    }
}

impl Kind for Destination {
    kept_in!("destination_id_to_destination" as DestinationV1, id: DestinationId => destinations, of owner);
}
