//! All tokens, by hash and by user.

use std::sync::Arc;

use imbl::OrdMap;

use super::{Token, TokenHash, TokenId, TokenKind, UserId};

#[derive(Clone, Debug, Default)]
pub struct Tokens {
    by_hash: OrdMap<TokenHash, Arc<Token>>,
    by_user: OrdMap<(UserId, TokenId), TokenHash>,
}

impl Tokens {
    #[must_use]
    pub fn get(&self, hash: &TokenHash) -> Option<&Arc<Token>> {
        self.by_hash.get(hash)
    }

    #[must_use]
    pub fn contains_key(&self, hash: &TokenHash) -> bool {
        self.by_hash.contains_key(hash)
    }

    pub fn values(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.by_hash.values()
    }

    /// Returns the user's tokens, sorted by id.
    pub fn of_user(&self, user: UserId) -> impl Iterator<Item = &Arc<Token>> {
        let hashes = self.by_user.range((user, TokenId(0))..=(user, TokenId(u64::MAX)));
        hashes.filter_map(|(_, hash)| self.by_hash.get(hash))
    }

    /// Returns the user's tokens for programs, with which sources post, sorted by id.
    pub fn classic_of(&self, user: UserId) -> impl Iterator<Item = &Arc<Token>> {
        self.of_user(user).filter(|token| token.kind == TokenKind::Classic)
    }

    /// Adds or replaces a token. Returns the replaced one.
    pub fn insert(&mut self, hash: TokenHash, token: Arc<Token>) -> Option<Arc<Token>> {
        self.by_user.insert((token.user, token.id), hash);
        self.by_hash.insert(hash, token)
    }

    pub fn remove(&mut self, hash: &TokenHash) -> Option<Arc<Token>> {
        let token = self.by_hash.remove(hash)?;
        self.by_user.remove(&(token.user, token.id));
        Some(token)
    }
}
