//! Sources for administrators: with tokens, time of the last sign of life, and numbers of incidents.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::domain::{
    Criteria, Directory, Source, SourceId, Timestamp, Token, TokenKind, User, directory::OWN_SOURCE,
    limits::HEARTBEAT_GRACE_MICROS,
};
use crate::service::{Caller, Model, ServiceError, Sources, policy::Action};

const DAY: i64 = 86_400 * 1_000_000;

#[derive(Clone, Debug)]
pub struct SourceView {
    pub source: Arc<Source>,
    /// Source user.
    pub user: Option<Arc<User>>,
    /// Classic tokens, oldest first.
    pub tokens: Vec<Arc<Token>>,
    pub token_state: TokenState,
    pub last_seen: Option<Timestamp>,
    /// Whether the source is watched and has been silent for longer than permitted.
    pub overdue: bool,
    /// Numbers of all incidents and of open incidents.
    pub total: u64,
    pub open: u64,
}

/// Whether a source can post. If it has several tokens, the one that expires last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    None,
    /// `None`: no expiry.
    Valid(Option<Timestamp>),
    /// Expires within the number of days in the setting `tokens.warning_days`.
    Expiring(Timestamp),
    Expired(Timestamp),
}

impl SourceView {
    /// Returns whether this is the source `argus`, which posts without a token.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.source.name == OWN_SOURCE && self.source.source_type == OWN_SOURCE
    }
}

impl Sources {
    /// Lists all sources by type and name, with token state, signs of life and counts. For staff.
    pub async fn source_views(&self, caller: &Caller) -> Result<Vec<SourceView>, ServiceError> {
        caller.require(Action::SeeAdministration)?;
        let service = self.clone();
        self.blocking(move || {
            let directory = service.directory();
            let mut sources: Vec<Arc<Source>> = directory.sources.values().cloned().collect();
            sources.sort_by(|one, other| (&one.source_type, &one.name).cmp(&(&other.source_type, &other.name)));
            let counts = service.counts(None)?;
            Ok(sources.into_iter().map(|source| service.source_view_of(&directory, source, &counts)).collect())
        })
        .await
    }

    /// Returns one source, for staff.
    pub async fn source_view(&self, caller: &Caller, id: SourceId) -> Result<SourceView, ServiceError> {
        caller.require(Action::SeeAdministration)?;
        let service = self.clone();
        self.blocking(move || {
            let directory = service.directory();
            let source = directory.source(id).cloned().ok_or(ServiceError::NotFound(Model::Source))?;
            let counts = service.counts(Some(id))?;
            Ok(service.source_view_of(&directory, source, &counts))
        })
        .await
    }

    /// Counts the incidents of all sources, or of one.
    fn counts(&self, source: Option<SourceId>) -> Result<Counts, ServiceError> {
        let (search, now) = (self.search(), self.now());
        let all = Criteria { sources: source.map(|id| [id].into()), ..Criteria::default() };
        let open = Criteria { open: Some(true), ..all.clone() };
        let by_source = |criteria| -> Result<FxHashMap<SourceId, u64>, ServiceError> {
            Ok(match source {
                Some(id) => [(id, search.count(&criteria, now)?)].into_iter().collect(),
                None => search.facets(&criteria, now)?.by_source.into_iter().collect(),
            })
        };
        Ok(Counts { total: by_source(all)?, open: by_source(open)? })
    }

    fn source_view_of(&self, directory: &Directory, source: Arc<Source>, counts: &Counts) -> SourceView {
        let now = self.now();
        let tokens: Vec<Arc<Token>> = directory
            .tokens_of(source.user)
            .into_iter()
            .filter(|token| token.kind == TokenKind::Classic)
            .cloned()
            .collect();
        let last_seen = self.store().last_seen(source.id);
        SourceView {
            user: directory.user(source.user).cloned(),
            token_state: token_state(&tokens, self.settings().token_warning_days, now),
            tokens,
            last_seen,
            overdue: is_overdue(&source, last_seen, now),
            total: counts.total.get(&source.id).copied().unwrap_or_default(),
            open: counts.open.get(&source.id).copied().unwrap_or_default(),
            source,
        }
    }
}

struct Counts {
    total: FxHashMap<SourceId, u64>,
    open: FxHashMap<SourceId, u64>,
}

fn token_state(tokens: &[Arc<Token>], warning_days: u32, now: Timestamp) -> TokenState {
    let Some(last) = tokens.iter().map(|token| (token.expires.is_none(), token.expires)).max() else {
        return TokenState::None;
    };
    match last.1 {
        None => TokenState::Valid(None),
        Some(expires) if expires <= now => TokenState::Expired(expires),
        Some(expires) if expires < now.saturating_add_micros(i64::from(warning_days).saturating_mul(DAY)) => {
            TokenState::Expiring(expires)
        }
        Some(expires) => TokenState::Valid(Some(expires)),
    }
}

fn is_overdue(source: &Source, last_seen: Option<Timestamp>, now: Timestamp) -> bool {
    let (Some(frequency), Some(seen)) = (source.heartbeat_frequency, last_seen) else { return false };
    now > seen.saturating_add_micros(i64::from(frequency) * 1_000_000 + HEARTBEAT_GRACE_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::{TokenId, UserId},
        token::TokenOrigin,
    };

    const NOW: Timestamp = Timestamp::saturating_from_micros(100 * DAY);

    fn token(days: Option<i64>) -> Arc<Token> {
        Arc::new(Token {
            id: TokenId(1),
            user: UserId(1),
            kind: TokenKind::Classic,
            hash: [0; 32],
            created: NOW,
            expires: days.map(|days| NOW.saturating_add_micros(days * DAY)),
            replaceable: false,
            origin: TokenOrigin::Hand,
            note: String::new(),
        })
    }

    #[test]
    fn the_token_that_lasts_longest_counts() {
        let at = |days| NOW.saturating_add_micros(days * DAY);
        for (tokens, state) in [
            (vec![], TokenState::None),
            (vec![Some(-1), Some(-2)], TokenState::Expired(at(-1))),
            (vec![Some(-1), Some(3)], TokenState::Expiring(at(3))),
            (vec![Some(3), Some(30)], TokenState::Valid(Some(at(30)))),
            (vec![Some(30), None], TokenState::Valid(None)),
        ] {
            let tokens: Vec<_> = tokens.into_iter().map(token).collect();
            assert_eq!(token_state(&tokens, 7, NOW), state);
        }
    }

    #[test]
    fn who_is_watched_and_silent_is_overdue() {
        let source = |heartbeat_frequency| Source {
            id: SourceId(1),
            name: "nav".to_owned(),
            source_type: "nav".to_owned(),
            user: UserId(1),
            base_url: String::new(),
            heartbeat_frequency,
        };
        let ago = |seconds: i64| Some(NOW.saturating_add_micros(-seconds * 1_000_000));
        assert!(is_overdue(&source(Some(60)), ago(71), NOW));
        assert!(!is_overdue(&source(Some(60)), ago(70), NOW));
        assert!(!is_overdue(&source(Some(60)), None, NOW));
        assert!(!is_overdue(&source(None), ago(1_000_000), NOW));
    }
}
