//! The use cases. Each checks what the caller may do, and then decides and applies its change in one store command.
//!
//! Does not depend on HTTP or wire formats. Rules are in `domain`, rights in [`policy`]. Decisions that depend on
//! stored state are made inside `Store::write`, so that racing callers cannot bypass them.

mod configuration;
pub mod contacts;
pub mod error;
pub mod incidents;
pub mod live;
pub mod notifications;
pub mod people;
pub mod policy;
pub mod slots;
pub mod sources;
pub mod system;

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrono_tz::Tz;
use tokio::{sync::Semaphore, task};

use crate::auth::{LoginLimits, Passwords, Remembered};
use crate::domain::{
    Directory, MonotonicTime, Poster, Source, Timestamp, TokenHash, User, UserId,
    limits::{LARGE_PAGES_AT_ONCE, PREVIEWS_AT_ONCE},
};
use crate::search::Search;
use crate::store::{Store, WriteError};

pub use crate::domain::channel::ChannelRefusal;
pub use crate::domain::doctor::{Intake, Reached};
pub use crate::{
    search::{Facets, SearchError, Sort, SortColumn, SortedCursor, Status as IndexStatus},
    store::{Command, FileFaults, StoreError, WriterFigures},
};
pub use configuration::Configured;
pub use contacts::channel_types::{AboutType, ChannelType};
pub use contacts::contact::{ContactRefusal, WriteMode, WriteResult};
pub use contacts::lists::{GroupWithUsers, List, ListPage};
pub use error::{Model, NotificationRefusal, ProfileLabel, Refusal, ServiceError};
pub use incidents::acks::{AckList, NewAck};
pub use incidents::bulk::{
    AsOf, BulkAction, BulkEvent, BulkJob, BulkKind, BulkOutcome, BulkRefusal, BulkStatus, BulkSubjects, Selection,
    Undone,
};
pub use incidents::edit::IncidentEdit;
pub use incidents::events::{EventList, NewEvent};
pub use incidents::history::{PastChange, PastEvent, PastIncident, put_past_incident};
pub use incidents::incident::NewIncident;
pub use incidents::listing::{Overview, SortedPage};
pub use incidents::pages::{AllIncidents, Cursor, EventCursor, Page, PageRequest, Turn};
pub use incidents::suggestions::{TagSuggestion, TagSuggestionKind};
pub use incidents::test_incidents::TestIncident;
pub use live::{Live, News};
pub use notifications::decisions::{DecisionRecipient, Decisions, ProfileDecision};
pub use notifications::deliveries::{Messages, Notification, NotificationList};
pub use notifications::first_profile::FirstProfile;
pub use notifications::incident_details::{DecidedEvent, IncidentDetails};
pub use notifications::media::OfferedMedium;
pub use notifications::profile_preview::{DraftFilter, PreviewDraft, ProfilePreview};
pub use notifications::rule_decisions::RuleDecision;
pub use notifications::sender::{MailTest, MessageFigures, MessageSender, TestOutcome};
pub use people::login::{AuthFailure, LoginFailure};
pub use people::sessions::{Browser, PasswordChangeFailure, Session};
pub use people::setup::FirstStart;
pub use people::tokens::TokenLife;
pub use policy::{Action, Forbidden, Permissions};
pub use slots::{NoSlot, Slot, Slots};
pub use sources::overview::{SourceView, TokenState};
pub use system::audit::{AuditFilter, AuditPage};
pub use system::backups::Backups;
pub use system::doctor::{Examiner, missing_plugins, stored_facts};
pub use system::figures::{Figures, ProcessFigures, SourceFigures};
pub use system::health::Health;
pub use system::retention::{RetentionChange, RetentionPlan};
pub use system::self_incidents::Settled;

/// Settings of the use cases, as the operator configured them.
#[derive(Clone, Debug)]
pub struct Settings {
    pub time_zone: Tz,
    /// Lifetime of classic tokens, counted from creation. `None`: they never expire.
    pub token_life: Option<Duration>,
    pub login_token_life: Duration,
    /// Number of days before the expiry of a source's token at which an incident about it is opened.
    pub token_warning_days: u32,
    /// Whether deleting incidents is refused.
    pub indelible_incidents: bool,
    /// Days after which closed incidents are deleted. `None`: never.
    pub retention_days: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            time_zone: Tz::UTC,
            token_life: Some(Duration::from_hours(14 * 24)),
            login_token_life: Duration::from_hours(10),
            token_warning_days: 7,
            indelible_incidents: true,
            retention_days: None,
        }
    }
}

/// State that all use cases share. The use cases are methods of the areas, such as [`Incidents`]. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<ServiceState>,
}

struct ServiceState {
    store: Store,
    search: Search,
    settings: Settings,
    passwords: Passwords,
    login_limits: LoginLimits,
    remembered: Remembered,
    refused_logins: people::passwords::RefusedLogins,
    readiness: system::readiness::Readiness,
    reported: system::self_incidents::Reported,
    retention: system::retention::Retention,
    reported_expiries: people::expired_tokens::ReportedExpiries,
    sender: OnceLock<Arc<dyn MessageSender>>,
    examination: system::doctor::Examination,
    test_limiter: notifications::sender::TestLimiter,
    forecasts: Arc<Semaphore>,
    bulks: incidents::bulk::Bulk,
    large_pages: Arc<Semaphore>,
    started: Timestamp,
    live: Live,
    backups: system::backups::BackupRecord,
}

impl Service {
    #[must_use]
    pub fn new(store: Store, search: Search, settings: Settings) -> Self {
        let started = store.clock().now();
        let live = Live::new(&store);
        Self {
            inner: Arc::new(ServiceState {
                live,
                store,
                search,
                settings,
                passwords: Passwords::default(),
                login_limits: LoginLimits::default(),
                remembered: Remembered::default(),
                refused_logins: people::passwords::RefusedLogins::default(),
                readiness: system::readiness::Readiness::default(),
                reported: system::self_incidents::Reported::default(),
                retention: system::retention::Retention::default(),
                reported_expiries: people::expired_tokens::ReportedExpiries::default(),
                sender: OnceLock::new(),
                examination: system::doctor::Examination::default(),
                test_limiter: notifications::sender::TestLimiter::default(),
                forecasts: Arc::new(Semaphore::new(PREVIEWS_AT_ONCE)),
                bulks: incidents::bulk::Bulk::default(),
                large_pages: Arc::new(Semaphore::new(LARGE_PAGES_AT_ONCE)),
                started,
                backups: system::backups::BackupRecord::default(),
            }),
        }
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    #[must_use]
    pub fn search(&self) -> &Search {
        &self.inner.search
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        self.store().directory()
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store().clock().now()
    }

    /// Returns the monotonic time, by which waits are measured, rather than the time of day.
    #[must_use]
    pub fn moment(&self) -> MonotonicTime {
        self.store().clock().moment()
    }

    /// Returns the time at which this process opened the data file.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        self.inner.started
    }

    /// Returns the recent changes, for pages that receive live updates.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.inner.live
    }

    /// Carries out a command; `actor` is who the change log will name. See [`Store::write`].
    pub(crate) async fn write<T, E>(
        &self,
        actor: Option<UserId>,
        command: impl FnOnce(&mut Command<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.store().write(actor, command).await.map_err(WriteError::into_error)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        task::spawn_blocking(work).await.map_err(|_| ServiceError::Internal("a read ended early"))?
    }
}

macro_rules! areas {
    ($($(#[$doc:meta])* $method:ident: $Area:ident),+ $(,)?) => {
        impl Service {$(
            $(#[$doc])*
            #[must_use]
            pub fn $method(&self) -> $Area {
                $Area(self.clone())
            }
        )+}
        $(
            $(#[$doc])*
            #[derive(Clone)]
            pub struct $Area(Service);

            impl Deref for $Area {
                type Target = Service;

                fn deref(&self) -> &Service {
                    &self.0
                }
            }
        )+
    };
}

areas! {
    /// Incidents: posting, listing, events, acknowledgements, tickets, tags, and changes of many at once.
    incidents: Incidents,
    /// Notifications: profiles, rules, filters, timeslots, destinations, maintenance, and the delivery of messages.
    notifications: Notifications,
    /// Users: accounts, logins, sessions, tokens and preferences.
    people: People,
    /// Contacts, contact groups and channels.
    contacts: Contacts,
    /// Monitoring systems that post incidents, and their heartbeats.
    sources: Sources,
    /// The server itself: health, audit trail, incidents of its own, and tasks that are due.
    system: System,
}

/// The user who makes a request, with their credential.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user: Arc<User>,
    /// Source that the user posts for. `None` for callers without a source.
    pub source: Option<Arc<Source>>,
    pub credential: Credential,
}

/// Credential with which the caller authenticated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    Classic(TokenHash),
    Login(TokenHash),
    /// Session cookie of a browser.
    Session(TokenHash),
    /// Username and password, sent with the request.
    Password,
    /// The admin socket, or a command that has the data file to itself.
    Local,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Classic(_) => "Classic",
            Self::Login(_) => "Login",
            Self::Session(_) => "Session",
            Self::Password => "Password",
            Self::Local => "Local",
        })
    }
}

impl Caller {
    #[must_use]
    pub fn id(&self) -> UserId {
        self.user.id
    }

    /// Returns the caller with the current state of their account. `None` if they were deactivated, or if their
    /// session, token or password has ended since. Commands that grant or revoke access need this: a caller who was
    /// locked out while a password was hashed may do neither.
    #[must_use]
    pub fn still(&self, directory: &Directory) -> Option<Self> {
        let user = directory.user(self.user.id)?;
        let has_ended = match self.credential {
            Credential::Classic(hash) | Credential::Login(hash) | Credential::Session(hash) => {
                !directory.tokens.contains_key(&hash)
            }
            Credential::Password => user.password_hash != self.user.password_hash,
            Credential::Local => false,
        };
        let may_act = user.is_active || self.credential == Credential::Local;
        (may_act && !has_ended).then(|| Self {
            user: Arc::clone(user),
            source: directory.source_of(user.id).cloned(),
            credential: self.credential,
        })
    }

    #[must_use]
    pub fn poster(&self) -> Poster {
        if self.source.is_some() { Poster::Source } else { Poster::EndUser }
    }
}

#[cfg(test)]
mod tests;
