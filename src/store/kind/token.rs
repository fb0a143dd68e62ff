//! Stored tokens and sessions, by the hash of their secret. They have no versions, since no decision depends on them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Kind, Record, kept_in, known_as, moment};
use crate::{
    domain::{
        agenda::{Task, TaskKind},
        directory::Directory,
        ids::{TokenId, UserId},
        time::Timestamp,
        token::{Token, TokenHash, TokenKind, TokenOrigin},
        tokens::Tokens,
    },
    store::{
        StoreError,
        codec::{decode, encode, timestamp, unknown_version, versioned},
    },
};

const V1: u8 = 1;
const V2: u8 = 2;
const V3: u8 = 3;

#[derive(Serialize, Deserialize)]
struct TokenV3 {
    id: u64,
    user: u64,
    kind: u8,
    created: i64,
    expires: Option<i64>,
    replaceable: bool,
    by_password: bool,
    note: String,
}

#[derive(Serialize, Deserialize)]
struct TokenV2 {
    id: u64,
    user: u64,
    kind: u8,
    created: i64,
    expires: Option<i64>,
    replaceable: bool,
    note: String,
}

#[derive(Serialize, Deserialize)]
struct TokenV1 {
    id: u64,
    user: u64,
    login: bool,
    created: i64,
    expires: Option<i64>,
    replaceable: bool,
}

impl Record for Token {
    known_as!(Token, "token");
    const HAS_VERSIONS: bool = false;

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = TokenV3 {
            id: self.id.0,
            user: self.user.0,
            kind: match self.kind {
                TokenKind::Classic => 0,
                TokenKind::Login => 1,
                TokenKind::Session => 2,
            },
            created: self.created.micros(),
            expires: self.expires.map(Timestamp::micros),
            replaceable: self.replaceable,
            by_password: self.origin == TokenOrigin::Password,
            note: self.note.clone(),
        };
        encode(V3, &record)
    }

    fn audit(&self) -> Value {
        json!({
            "user": self.user.0,
            "kind": match self.kind {
                TokenKind::Classic => "classic",
                TokenKind::Login => "login",
                TokenKind::Session => "session",
            },
            "created": moment(self.created),
            "expires": self.expires.map(moment),
            "replaceable": self.replaceable,
            "by_password": self.origin == TokenOrigin::Password,
            "note": self.note,
        })
    }
}

impl Kind for Token {
    kept_in!("hash_to_token", hash: TokenHash => tokens: Tokens);

    fn decode(hash: TokenHash, value: &[u8]) -> Result<Self, StoreError> {
        let record: TokenV3 = match versioned(value)? {
            (V3, bytes) => decode(bytes)?,
            (V2, bytes) => decode::<TokenV2>(bytes)?.into(),
            (V1, bytes) => TokenV2::from(decode::<TokenV1>(bytes)?).into(),
            (version, _) => return Err(unknown_version("token", version)),
        };
        Ok(Self {
            id: TokenId(record.id),
            user: UserId(record.user),
            kind: match record.kind {
                0 => TokenKind::Classic,
                1 => TokenKind::Login,
                2 => TokenKind::Session,
                kind => return Err(StoreError::Damaged(format!("{kind} is no kind of token"))),
            },
            hash,
            created: timestamp(record.created)?,
            expires: record.expires.map(timestamp).transpose()?,
            replaceable: record.replaceable,
            origin: if record.by_password { TokenOrigin::Password } else { TokenOrigin::Hand },
            note: record.note,
        })
    }

    fn tasks(&self, directory: &Directory) -> Vec<Task> {
        let source = directory.source_of(self.user).filter(|_| self.kind == TokenKind::Classic);
        source.map(|source| TaskKind::TokenExpiry.of_source(source.id)).into_iter().collect()
    }

    fn owner(&self) -> Option<(&'static str, UserId)> {
        Some(("user", self.user))
    }
}

impl From<TokenV2> for TokenV3 {
    /// Derives the origin from the kind, since it was not stored in this version. Sessions and tokens of `token-auth/`
    /// come from a password. Login tokens nearly always do, too. They expire after hours and end with the password: one
    /// that ends too early is requested again, but one that stays would still grant access.
    fn from(old: TokenV2) -> Self {
        Self {
            by_password: old.kind != 0 || old.replaceable,
            id: old.id,
            user: old.user,
            kind: old.kind,
            created: old.created,
            expires: old.expires,
            replaceable: old.replaceable,
            note: old.note,
        }
    }
}

impl From<TokenV1> for TokenV2 {
    fn from(old: TokenV1) -> Self {
        Self {
            id: old.id,
            user: old.user,
            kind: u8::from(old.login),
            created: old.created,
            expires: old.expires,
            replaceable: old.replaceable,
            note: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_older_files_are_read_with_an_origin() {
        let v1 = |login, replaceable| {
            let old = TokenV1 { id: 5, user: 7, login, created: 10, expires: Some(20), replaceable };
            Token::decode([3; 32], &encode(V1, &old).unwrap()).unwrap()
        };
        let v2 = |kind, replaceable| {
            let note = "of old".to_owned();
            let old = TokenV2 { id: 5, user: 7, kind, created: 10, expires: Some(20), replaceable, note };
            Token::decode([3; 32], &encode(V2, &old).unwrap()).unwrap()
        };
        for (token, kind, origin) in [
            (v1(false, false), TokenKind::Classic, TokenOrigin::Hand),
            (v1(false, true), TokenKind::Classic, TokenOrigin::Password),
            (v1(true, false), TokenKind::Login, TokenOrigin::Password),
            (v2(0, false), TokenKind::Classic, TokenOrigin::Hand),
            (v2(0, true), TokenKind::Classic, TokenOrigin::Password),
            (v2(1, false), TokenKind::Login, TokenOrigin::Password),
            (v2(2, false), TokenKind::Session, TokenOrigin::Password),
        ] {
            assert_eq!((token.kind, token.origin), (kind, origin), "{token:?}");
            assert_eq!((token.id, token.user, token.expires), (TokenId(5), UserId(7), Some(timestamp(20).unwrap())));
            let derived = Token { kind: TokenKind::Login, origin: TokenOrigin::Hand, ..token };
            for token in [&derived, &Token { origin: TokenOrigin::Password, ..derived.clone() }] {
                assert_eq!(&Token::decode([3; 32], &token.encode().unwrap()).unwrap(), token);
            }
        }
    }
}
