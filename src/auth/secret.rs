//! Secrets that the server makes: tokens, and passwords for people who have none yet.

use sha2::{Digest, Sha256};

use crate::{clock::random_bytes, domain::token::TokenHash};

/// The longest secret that can name a token.
const LONGEST: usize = 64;

/// 40 hex digits.
#[must_use]
pub fn classic_token() -> String {
    hex::encode(random_bytes::<20>())
}

/// 64 hex digits.
#[must_use]
pub fn login_token() -> String {
    hex::encode(random_bytes::<32>())
}

/// Does this text look like a classic token?
#[must_use]
pub fn is_classic_token(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Under what a token is stored; `None` for what can be no token. Tokens are random, so a plain hash is enough.
#[must_use]
pub fn token_hash(secret: &str) -> Option<TokenHash> {
    (!secret.is_empty() && secret.len() <= LONGEST).then(|| Sha256::digest(secret.as_bytes()).into())
}

/// 64 hex digits that whoever has the secret of a session can make, and from which it cannot be found out.
#[must_use]
pub fn csrf_token(session: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"csrf of a session: ");
    digest.update(session.as_bytes());
    hex::encode(digest.finalize())
}

/// 100 random bits, without letters that are easily mistaken.
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
}
