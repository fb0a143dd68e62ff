//! Counts requests and their durations by route, gives each request an id, and writes the access log.
//!
//! The label of a request is the template of its route. Requests to unknown paths have one label together, so clients
//! cannot create labels.

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    middleware::Next,
    response::Response,
};
use rustc_hash::FxHashMap;
use uuid::Uuid;

use super::{Api, HttpSettings, peer};
use crate::metrics::{Counter, DURATIONS, Histogram};
use crate::telemetry::{ACCESS, RequestId, in_request};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Label of requests to unknown paths.
pub const UNMATCHED: &str = "unmatched";

/// Labels of methods. The last one stands for all others.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
/// Statuses with a counter of their own. All others are counted as 0.
const STATUSES: [u16; 34] = [
    0, 101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411,
    413, 414, 415, 422, 429, 431, 500, 501, 502, 503, 507,
];

/// Requests since the start, by route.
pub struct Traffic {
    routes: RwLock<FxHashMap<Box<str>, Arc<RouteTraffic>>>,
    unmatched: Arc<RouteTraffic>,
    /// Ids of requests are the seed and a number, so they are unique without a call of the system for each.
    seed: u128,
    number: AtomicU64,
}

/// Requests to one route.
pub struct RouteTraffic {
    /// Numbers by method and status. Methods that are not used take no memory.
    answers: [OnceLock<Box<[Counter; STATUSES.len()]>>; METHODS.len()],
    /// Time until the answer begins, in microseconds.
    pub durations: Histogram,
}

impl Default for RouteTraffic {
    fn default() -> Self {
        Self { answers: Default::default(), durations: Histogram::new(DURATIONS) }
    }
}

impl RouteTraffic {
    fn count(&self, method: &Method, status: StatusCode, micros: i64) {
        let method = METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(METHODS.len() - 1);
        let status = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or_default();
        if let Some(answers) = self.answers.get(method) {
            let answers = answers.get_or_init(|| Box::new(std::array::from_fn(|_| Counter::default())));
            if let Some(counter) = answers.get(status) {
                counter.add(1);
            }
        }
        self.durations.observe_micros(micros);
    }

    /// Returns the numbers that are not zero, with method and status.
    pub fn answers(&self) -> impl Iterator<Item = (&'static str, u16, u64)> {
        METHODS.iter().zip(&self.answers).flat_map(|(method, answers)| {
            let counters = answers.get().into_iter().flat_map(|counters| STATUSES.iter().zip(counters.iter()));
            counters.map(|(status, counter)| (*method, *status, counter.get())).filter(|(.., number)| *number > 0)
        })
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            routes: RwLock::default(),
            unmatched: Arc::default(),
            seed: Uuid::new_v4().as_u128(),
            number: AtomicU64::new(0),
        }
    }
}

impl Traffic {
    fn count(&self, route: Option<&MatchedPath>, method: &Method, status: StatusCode, micros: i64) {
        let Some(route) = route else { return self.unmatched.count(method, status, micros) };
        if let Some(known) = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(route.as_str()) {
            return known.count(method, status, micros);
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.entry(route.as_str().into()).or_default().count(method, status, micros);
    }

    /// Returns all routes that were requested, by name.
    #[must_use]
    pub fn routes(&self) -> Vec<(Box<str>, Arc<RouteTraffic>)> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let mut routes: Vec<_> = routes.iter().map(|(route, figures)| (route.clone(), Arc::clone(figures))).collect();
        routes.push((UNMATCHED.into(), Arc::clone(&self.unmatched)));
        routes.sort_by(|(one, _), (other, _)| one.cmp(other));
        routes
    }

    /// Returns a new id. The numbers of requests cannot be read from it.
    fn new_id(&self) -> RequestId {
        let number = u128::from(self.number.fetch_add(1, Ordering::Relaxed));
        // Multiplication by an odd number maps different numbers to different ones.
        RequestId::from_number(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    /// Returns the id that a trusted proxy sent, or a new one.
    fn id_of(&self, settings: &HttpSettings, request: &Request) -> RequestId {
        let sent = request.headers().get(&REQUEST_ID).filter(|_| peer::is_from_proxy(settings, request.extensions()));
        sent.and_then(|id| RequestId::parse(id.as_bytes())).unwrap_or_else(|| self.new_id())
    }
}

/// Gives an id to an answer to a request that never reached the routes.
pub fn stamp_new(response: &mut Response) {
    stamp(response, RequestId::from_number(Uuid::new_v4().as_u128()));
}

fn stamp(response: &mut Response, id: RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

/// Line of the access log, without what only the answer says. The query is left out, because it may be long and may
/// contain search words.
struct AccessLine {
    client: Option<IpAddr>,
    path: String,
}

/// Observes all requests. Wraps all routes.
pub async fn observe(State(api): State<Api>, request: Request, next: Next) -> Response {
    let started = api.service.moment();
    let traffic = &api.shared.traffic;
    let id = traffic.id_of(api.settings(), &request);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let (line, request) = if api.settings().access_log {
        let (parts, body) = request.into_parts();
        let client = peer::client(api.settings(), &parts);
        let line = AccessLine { client, path: parts.uri.path().to_owned() };
        (Some(line), Request::from_parts(parts, body))
    } else {
        (None, request)
    };
    in_request(id, async {
        let mut response = next.run(request).await;
        let (micros, status) = (api.service.moment().micros_since(started), response.status());
        traffic.count(route.as_ref(), &method, status, micros);
        if let Some(AccessLine { client, path }) = line {
            let client = client.map_or_else(|| "local".to_owned(), |client| client.to_string());
            let ms = micros as f64 / 1000.0;
            tracing::info!(target: ACCESS, %client, %method, path, status = status.as_u16(), ms, "request");
        }
        stamp(&mut response, id);
        response
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_method_and_status() {
        let route = RouteTraffic::default();
        for (method, status) in [("GET", 200), ("GET", 200), ("POST", 201), ("PURGE", 405), ("GET", 299)] {
            route.count(&method.parse().unwrap(), StatusCode::from_u16(status).unwrap(), 700);
        }
        let answers: Vec<_> = route.answers().collect();
        assert_eq!(answers, [("GET", 0, 1), ("GET", 200, 2), ("POST", 201, 1), ("other", 405, 1)]);
        assert_eq!(route.durations.distribution().total(), 5);
    }

    #[test]
    fn unknown_paths_have_one_label() {
        let traffic = Traffic::default();
        for _ in 0..1_000 {
            traffic.count(None, &Method::GET, StatusCode::NOT_FOUND, 1);
        }
        let routes = traffic.routes();
        assert_eq!(routes.len(), 1);
        assert_eq!((&*routes[0].0, routes[0].1.answers().next()), (UNMATCHED, Some(("GET", 404, 1_000))));
    }

    #[test]
    fn ids_are_different() {
        let traffic = Traffic::default();
        let ids: std::collections::BTreeSet<String> =
            (0..10_000).map(|_| traffic.new_id().as_str().to_owned()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
