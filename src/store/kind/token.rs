//! Stored tokens and sessions, by the hash of their secret. They have no versions, since no decision depends on them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Kind, Record, kept_in, known_as,
    stored::{Stored, audited, stored},
};
use crate::domain::{
    Directory, Timestamp, Token, TokenHash, TokenId, TokenKind, TokenOrigin, UserId,
    agenda::{Task, TaskKind},
    tokens::Tokens,
};
use crate::store::{
    StoreError,
    codec::{decode, encode, unknown_version, versioned},
};

const V1: u8 = 1;
const V2: u8 = 2;
const V3: u8 = 3;

stored! {
    TokenV3 of Token by hash: TokenHash {
        id: TokenId,
        user: UserId,
        kind: TokenKind,
        created: Timestamp,
        expires: Option<Timestamp>,
        replaceable: bool,
        origin: TokenOrigin,
        note: String,
    }
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

    audited!(user, kind, created, expires, replaceable, origin as "by_password", note);

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        encode(V3, &TokenV3::of(self))
    }
}

impl Kind for Token {
    kept_in!("hash_to_token", hash: TokenHash => tokens: Tokens, of user);

    fn decode(hash: TokenHash, value: &[u8]) -> Result<Self, StoreError> {
        let record: TokenV3 = match versioned(value)? {
            (V3, bytes) => decode(bytes)?,
            (V2, bytes) => decode::<TokenV2>(bytes)?.into(),
            (V1, bytes) => TokenV2::from(decode::<TokenV1>(bytes)?).into(),
            (version, _) => return Err(unknown_version("token", version)),
        };
        record.restore(hash)
    }

    fn tasks(&self, directory: &Directory) -> Vec<Task> {
        let source = directory.source_of(self.user).filter(|_| self.kind == TokenKind::Classic);
        source.map(|source| TaskKind::TokenExpiry.of_source(source.id)).into_iter().collect()
    }
}

impl Stored for TokenKind {
    type Form = u8;

    fn store(&self) -> u8 {
        match self {
            Self::Classic => 0,
            Self::Login => 1,
            Self::Session => 2,
        }
    }

    fn restore(stored: u8) -> Result<Self, StoreError> {
        match stored {
            0 => Ok(Self::Classic),
            1 => Ok(Self::Login),
            2 => Ok(Self::Session),
            kind => Err(StoreError::Damaged(format!("{kind} is no kind of token"))),
        }
    }

    fn audit(&self) -> Value {
        match self {
            Self::Classic => "classic",
            Self::Login => "login",
            Self::Session => "session",
        }
        .into()
    }
}

/// Whether a password was sent for it.
impl Stored for TokenOrigin {
    type Form = bool;

    fn store(&self) -> bool {
        *self == Self::Password
    }

    fn restore(stored: bool) -> Result<Self, StoreError> {
        Ok(if stored { Self::Password } else { Self::Hand })
    }
}

impl From<TokenV2> for TokenV3 {
    /// Derives the origin from the kind, since it was not stored in this version. Sessions and tokens of `token-auth/`
    /// come from a password. Login tokens nearly always do, too. They expire after hours and end with the password: one
    /// that ends too early is requested again, but one that stays would still grant access.
    fn from(old: TokenV2) -> Self {
        Self {
            origin: old.kind != 0 || old.replaceable,
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
    use crate::store::codec::timestamp;

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
