//! The HTTP APIs: Argus v1 and v2, the contact API, and argusd's own. Converts between wire shapes and domain values,
//! and chooses texts and status codes. Has no rules of incident handling and does not access the store.
//!
//! [`router`] lists all routes.

pub mod answers;
pub mod argus;
pub mod auth;
pub mod body;
pub mod cookies;
pub mod cors;
pub mod cursor;
pub mod docs;
pub mod error;
mod exposition;
pub mod fields;
pub mod forwarding;
pub mod host;
pub mod icinga;
pub mod native;
pub mod negotiate;
pub mod page;
pub mod params;
pub mod peer;
pub mod probes;
pub mod query;
pub mod reply;
pub mod request;
pub mod router;
pub mod routes;
pub mod slash;
pub mod stream;
pub mod traffic;

use std::{sync::Arc, time::Duration};

use url::Url;

use crate::domain::{Zoned, limits};
use crate::service::Service;

pub use argus::{
    keys::{Key, KeyPair},
    shared::blob::parse_blob,
    version::Version,
};
pub use auth::Call;
pub use body::Payload;
pub use docs::{native_openapi, openapi};
pub use error::ApiError;
pub use fields::{BodyFields, TextRule};
pub use forwarding::Forwarding;
pub use icinga::Dialect as IcingaDialect;
pub use page::Location;
pub use params::Params;
pub use peer::{Client, Network};
pub(crate) use request::request;
pub use request::{Named, Request};
pub use router::router;

/// Result of a handler.
pub type HandlerResult = Result<axum::response::Response, ApiError>;

/// Settings of the HTTP APIs that the operator chooses.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Public base URL of this server. `None`: taken from the headers of each request, `Host` or, from a trusted proxy,
    /// `X-Forwarded-*`.
    pub public_url: Option<Url>,
    /// Front ends on other hosts whose pages may use the API.
    pub frontends: Vec<Url>,
    /// Proxies whose `X-Forwarded-*` headers are trusted.
    pub trusted_proxies: Vec<Network>,
    /// Forwarding headers that were seen.
    pub forwarding: Arc<Forwarding>,
    /// Whether these headers are trusted from clients of the Unix socket.
    pub trusts_unix_socket: bool,
    /// Dialect of the contact API where the path does not name one.
    pub icinga_dialect: IcingaDialect,
    /// Time limit for receiving the body of a request.
    pub body_timeout: Duration,
    /// Whether each request is logged.
    pub access_log: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            public_url: None,
            frontends: Vec::new(),
            trusted_proxies: Vec::new(),
            forwarding: Arc::default(),
            trusts_unix_socket: false,
            icinga_dialect: IcingaDialect::default(),
            body_timeout: limits::BODY_TIMEOUT,
            access_log: false,
        }
    }
}

/// State that handlers share: the service, the version of the API, and the settings.
#[derive(Clone)]
pub struct Api {
    pub service: Service,
    pub version: Version,
    shared: Arc<ApiState>,
}

struct ApiState {
    settings: HttpSettings,
    zoned: Zoned,
    surface: negotiate::Surface,
    /// Bounds of answers that are being sent.
    answers: answers::Answers,
    /// Memory budget of the bodies of all requests.
    bodies: body::budget::Budget,
    /// Requests since the start.
    traffic: traffic::Traffic,
}

impl Api {
    fn new(service: Service, settings: HttpSettings) -> Self {
        let zoned = Zoned::new(service.settings().time_zone);
        let surface = negotiate::Surface::new();
        let (answers, bodies) = (answers::Answers::default(), body::budget::Budget::default());
        let traffic = traffic::Traffic::default();
        let shared = ApiState { settings, zoned, surface, answers, bodies, traffic };
        Self { service, version: Version::V2, shared: Arc::new(shared) }
    }

    fn of_version(&self, version: Version) -> Self {
        Self { version, ..self.clone() }
    }

    #[must_use]
    pub fn settings(&self) -> &HttpSettings {
        &self.shared.settings
    }

    /// Returns the formatter that writes times in the time zone of the server.
    #[must_use]
    pub fn zoned(&self) -> &Zoned {
        &self.shared.zoned
    }
}
