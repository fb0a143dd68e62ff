//! Stored users.

use std::{collections::BTreeMap, sync::Arc};

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Kind, Record, kept_in, known_as, moment};
use crate::{
    domain::{directory::Directory, ids::UserId, user::User},
    store::{
        StoreError,
        codec::{decode_v1, encode, timestamp},
        verify::Findings,
    },
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct UserV1 {
    username: String,
    password_hash: Option<String>,
    first_name: String,
    last_name: String,
    email: String,
    is_staff: bool,
    is_superuser: bool,
    is_active: bool,
    created: i64,
    grants: Vec<String>,
}

impl Record for User {
    known_as!(User, "user");

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = UserV1 {
            username: self.username.clone(),
            password_hash: self.password_hash.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            email: self.email.clone(),
            is_staff: self.is_staff,
            is_superuser: self.is_superuser,
            is_active: self.is_active,
            created: self.created.micros(),
            grants: self.grants.clone(),
        };
        encode(V1, &record)
    }

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
            "created": moment(self.created),
            "grants": self.grants,
        })
    }
}

impl Kind for User {
    kept_in!("user_id_to_user", id: UserId => users: OrdMap<UserId, Arc<Self>>);

    fn decode(id: UserId, value: &[u8]) -> Result<Self, StoreError> {
        let record: UserV1 = decode_v1("user", value)?;
        Ok(Self {
            id,
            username: record.username,
            password_hash: record.password_hash,
            first_name: record.first_name,
            last_name: record.last_name,
            email: record.email,
            is_staff: record.is_staff,
            is_superuser: record.is_superuser,
            is_active: record.is_active,
            created: timestamp(record.created)?,
            grants: record.grants,
        })
    }

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
