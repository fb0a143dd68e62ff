//! Stored users.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    Kind, Record, kept_in, known_as,
    stored::{Stored, stored},
};
use crate::domain::{Directory, Timestamp, User, UserId};
use crate::store::verify::Findings;

stored! {
    UserV1 of User by id: UserId {
        username: String,
        password_hash: Option<String>,
        first_name: String,
        last_name: String,
        email: String,
        is_staff: bool,
        is_superuser: bool,
        is_active: bool,
        created: Timestamp,
        grants: Vec<String>,
    }
}

impl Record for User {
    known_as!(User, "user" as UserV1);

    fn without_secrets(&self) -> Option<Self> {
        Some(Self { password_hash: None, ..self.clone() })
    }

    fn audit(&self) -> Value {
        json!({
            "username": self.username,
            "password": self.password_hash.is_some(),
            "first_name": self.first_name,
            "last_name": self.last_name,
            "email": self.email,
            "is_staff": self.is_staff,
            "is_superuser": self.is_superuser,
            "is_active": self.is_active,
            "created": self.created.audit(),
            "grants": self.grants,
        })
    }
}

impl Kind for User {
    kept_in!("user_id_to_user" as UserV1, id: UserId => users);

    fn place(self: Arc<Self>, directory: &mut Directory) -> Option<Arc<Self>> {
        directory.put_user(self)
    }

    fn check_all(directory: &Directory, findings: &mut Findings) {
        let mut names = BTreeMap::new();
        for user in directory.users.values() {
            if let Some(other) = names.insert(&user.username, user.id) {
                findings.add(format!("users {other} and {} have the same name", user.id));
            }
        }
    }
}
