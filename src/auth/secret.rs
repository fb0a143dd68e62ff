//! Generates tokens, first passwords and the secrets derived from them, and compares secrets in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock::random_bytes;
use crate::domain::{TokenHash, User};

/// Length of the longest secret of a token, in bytes.
const LONGEST: usize = 64;

/// Returns a new classic token: 40 hex digits.
#[must_use]
pub fn classic_token() -> String {
    hex::encode(random_bytes::<20>())
}

/// Returns a new login token: 64 hex digits.
#[must_use]
pub fn login_token() -> String {
    hex::encode(random_bytes::<32>())
}

/// Returns whether the text has the form of a classic token.
#[must_use]
pub fn is_classic_token(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Returns the hash under which a token is stored. `None`: the text cannot be a token. Tokens are random, so a plain
/// hash is enough.
#[must_use]
pub fn token_hash(secret: &str) -> Option<TokenHash> {
    (!secret.is_empty() && secret.len() <= LONGEST).then(|| Sha256::digest(secret.as_bytes()).into())
}

/// Returns 64 hex digits that require the secret of a session to compute, and do not reveal it.
#[must_use]
pub fn csrf_token(session: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"csrf of a session: ");
    digest.update(session.as_bytes());
    hex::encode(digest.finalize())
}

/// Returns 64 hex digits that prove that the server wrote this text for that session.
#[must_use]
pub fn notice_signature(session: &str, text: &str) -> String {
    hex::encode(signature(session.as_bytes(), &[b"notice: ", text.as_bytes()]))
}

/// Returns a cookie for a browser that logged in to an account, so that it is known later: 64 hex digits, signed with
/// the user's password hash, so a new password invalidates it and nothing has to be stored. `None`: the user has no
/// password.
#[must_use]
pub fn device_cookie(user: &User) -> Option<String> {
    let nonce = random_bytes::<16>();
    let signature = device_signature(user, &nonce)?;
    Some(hex::encode([nonce, signature].concat()))
}

/// Returns an identifier of the browser that has this cookie of the account. `None`: not a cookie of this account.
#[must_use]
pub fn device(user: &User, cookie: &str) -> Option<TokenHash> {
    let bytes = hex::decode(cookie).ok().filter(|bytes| bytes.len() == 32)?;
    let (nonce, sent) = bytes.split_at_checked(16)?;
    is_same(&device_signature(user, nonce)?, sent).then(|| Sha256::digest(nonce).into())
}

fn device_signature(user: &User, nonce: &[u8]) -> Option<[u8; 16]> {
    let key = user.password_hash.as_deref()?;
    let full = signature(key.as_bytes(), &[b"device: ", &user.id.0.to_be_bytes(), nonce]);
    full.first_chunk().copied()
}

fn signature(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return random_bytes() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Compares secrets in a time that does not depend on where they differ.
#[must_use]
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// Returns a new password of 100 random bits, without letters that are easily confused.
#[must_use]
pub fn password() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    random_bytes::<20>()
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
        .map(|b| char::from(*b))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::UserId, time::Timestamp};

    #[test]
    fn tokens_have_the_lengths_of_the_contract() {
        assert!(is_classic_token(&classic_token()));
        assert_eq!(login_token().len(), 64);
        assert_ne!(classic_token(), classic_token());
        assert!(!is_classic_token(&login_token()));
        assert!(!is_classic_token("g000000000000000000000000000000000000000"));
    }

    #[test]
    fn hashes_are_sha_256_of_the_text() {
        let hash = token_hash("abc").unwrap();
        assert_eq!(hex::encode(hash), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(token_hash(""), None);
        assert_eq!(token_hash(&"a".repeat(65)), None);
    }

    #[test]
    fn passwords_are_twenty_letters_and_digits() {
        let password = password();
        assert_eq!(password.len(), 20);
        assert!(password.bytes().all(|b| b.is_ascii_alphanumeric()));
    }

    #[test]
    fn a_device_cookie_is_good_for_one_account_until_its_password_changes() {
        let user = |id, password_hash: &str| User {
            id: UserId(id),
            username: String::new(),
            password_hash: Some(password_hash.to_owned()),
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            is_staff: false,
            is_superuser: false,
            is_active: true,
            created: Timestamp::MAX,
            grants: Vec::new(),
        };
        let ann = user(1, "hash");
        let (one, other) = (device_cookie(&ann).unwrap(), device_cookie(&ann).unwrap());
        assert_eq!(one.len(), 64);
        assert!(device(&ann, &one).is_some() && device(&ann, &one) == device(&ann, &one));
        assert_ne!(device(&ann, &one), device(&ann, &other));
        assert_eq!((device(&user(2, "hash"), &one), device(&user(1, "new hash"), &one)), (None, None));
        let none = User { password_hash: None, ..ann.clone() };
        assert_eq!((device(&none, &one), device_cookie(&none)), (None, None));
        for wrong in ["", "x", &one[2..], &"0".repeat(64), &format!("{one}00")] {
            assert_eq!(device(&ann, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_notice_is_signed_for_one_session() {
        let signed = notice_signature("session", "Saved.");
        assert_ne!(signed, notice_signature("session", "Deleted."));
        assert_ne!(signed, notice_signature("another", "Saved."));
        assert!(is_same(signed.as_bytes(), notice_signature("session", "Saved.").as_bytes()));
        assert!(!is_same(signed.as_bytes(), &signed.as_bytes()[1..]));
    }
}
