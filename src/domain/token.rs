//! API tokens (contract section 2.1). The secret itself is never kept, only its SHA-256.

use super::{
    ids::{TokenId, UserId},
    time::Timestamp,
};

/// SHA-256 of the secret's text as sent.
pub type TokenHash = [u8; 32];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// 40 hex digits, for programs.
    Classic,
    /// 64 hex digits, made by `auth/token/login/`.
    Login,
    /// What the cookie of a browser that is logged in holds.
    Session,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub user: UserId,
    pub kind: TokenKind,
    pub hash: TokenHash,
    pub created: Timestamp,
    /// `None`: never.
    pub expires: Option<Timestamp>,
    /// Made by `token-auth/`, whose next call replaces it; tokens made otherwise stay.
    pub replaceable: bool,
    /// What it is for, or, of a session, in which browser it was made.
    pub note: String,
}
