//! Routes that name the action that they require, and can be listed. Used for pages and undocumented paths.
//!
//! A route passes its action to the extractors of its handlers, which check it when its turn comes in the order of
//! checks.

use axum::{
    Extension, Router,
    handler::Handler,
    routing::{self, MethodRouter},
};

use crate::service::Action;

/// Extension of a request: the action that its route requires.
#[derive(Clone, Copy, Debug)]
pub struct Needed(pub Action);

/// Method of a path, and the action that it requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// `ANY` stands for all methods.
    pub method: &'static str,
    pub path: String,
    pub action: Action,
}

/// Routes for one action. [`Routes::merge`] combines routes for several.
pub struct Routes<S = ()> {
    action: Action,
    router: Router<S>,
    operations: Vec<Operation>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    #[must_use]
    pub fn of(action: Action) -> Self {
        Self { action, router: Router::new(), operations: Vec::new() }
    }

    #[must_use]
    pub fn route(mut self, path: &str, handlers: Handlers<S>) -> Self {
        let action = self.action;
        let operation = |method| Operation { method, path: path.to_owned(), action };
        self.operations.extend(handlers.methods.into_iter().map(operation));
        self.router = self.router.route(path, handlers.router.layer(Extension(Needed(action))));
        self
    }

    /// Adds the routes of `other`, which keep their actions.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.operations.extend(other.operations);
        self.router = self.router.merge(other.router);
        self
    }

    pub fn into_router(self) -> Router<S> {
        self.router
    }

    #[must_use]
    pub fn into_operations(self) -> Vec<Operation> {
        self.operations
    }
}

/// Handlers of a path, by method.
pub struct Handlers<S> {
    methods: Vec<&'static str>,
    router: MethodRouter<S>,
}

pub fn get<H: Handler<T, S>, T: 'static, S: Clone + Send + Sync + 'static>(handler: H) -> Handlers<S> {
    Handlers { methods: vec!["GET"], router: routing::get(handler) }
}

pub fn post<H: Handler<T, S>, T: 'static, S: Clone + Send + Sync + 'static>(handler: H) -> Handlers<S> {
    Handlers { methods: vec!["POST"], router: routing::post(handler) }
}

pub fn any<H: Handler<T, S>, T: 'static, S: Clone + Send + Sync + 'static>(handler: H) -> Handlers<S> {
    Handlers { methods: vec!["ANY"], router: routing::any(handler) }
}

impl<S: Clone + Send + Sync + 'static> Handlers<S> {
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(mut self, handler: H) -> Self {
        self.methods.push("POST");
        self.router = self.router.post(handler);
        self
    }
}
