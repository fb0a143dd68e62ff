//! Logging in and out, and the page of the user's own account.

pub mod login;
pub mod own;

use crate::http::routes::{Routes, get, post};
use crate::service::Action;
use crate::web::Site;

pub(super) fn routes() -> Routes<Site> {
    Routes::of(Action::UseDesk)
        .route("/", get(own::home))
        .route("/accounts/logout/", post(login::log_out))
        .route("/user/", get(own::show))
        .route("/user/preferences/", post(own::save_preferences))
        .route("/user/details/", post(own::save_details))
        .route("/user/password/", post(own::change_password))
        .route("/user/tokens/", post(own::create_token))
        .route("/user/tokens/{id}/revoke/", post(own::revoke))
        .route("/user/sessions/end/", post(own::end_sessions))
        .route("/about/", get(own::about))
        .merge(Routes::of(Action::UsePublic).route("/accounts/login/", get(login::form).post(login::log_in)))
}
