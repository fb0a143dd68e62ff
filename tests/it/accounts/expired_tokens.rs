//! Tokens while the clock is wrong: refused, but neither deleted nor lost.

use argusd::{clock::Clock, domain::limits::EXPIRED_TOKENS_KEPT, jobs::TokenSweeper};
use serde_json::json;

use crate::support::{App, MINUTE, Reply};

const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

async fn use_token(app: &App, token: &str) -> Reply {
    app.bearing(token).get("/api/v2/auth/user/").await
}

fn rows(app: &App) -> usize {
    app.service.people().tokens(None).len()
}

#[tokio::test]
async fn an_expired_token_is_valid_again_when_the_clock_was_wrong() {
    let app = App::new().await;
    let token = app.new_token("alice").await;
    let mut sweeper = TokenSweeper::new(&app.service);
    let before = rows(&app);
    app.clock.jump_micros(30 * DAY);
    use_token(&app, &token).await.is(401, json!({"detail": "Token has expired."}));
    use_token(&app, &token).await.is(401, json!({"detail": "Invalid token."}));
    for _ in 0..60 {
        app.clock.advance_micros(MINUTE);
        assert_eq!(sweeper.sweep(&app.service).await.unwrap(), 0);
    }
    // Nor does a restart with the wrong clock hurry anything.
    assert_eq!(TokenSweeper::new(&app.service).sweep(&app.service).await.unwrap(), 0);
    app.clock.jump_micros(-30 * DAY);
    assert_eq!(use_token(&app, &token).await.status, 200);
    assert_eq!(rows(&app), before);
    // It says so again when it expires in earnest.
    sweeper.sweep(&app.service).await.unwrap();
    app.clock.advance_micros(14 * DAY);
    use_token(&app, &token).await.is(401, json!({"detail": "Token has expired."}));
}

#[tokio::test]
async fn an_expired_token_is_deleted_after_a_week() {
    let app = App::new().await;
    let token = app.new_token("alice").await;
    let before = rows(&app);
    let mut sweeper = TokenSweeper::new(&app.service);
    let mut day = async || {
        let mut deleted = 0;
        for _ in 0..24 {
            app.clock.advance_micros(HOUR);
            deleted += sweeper.sweep(&app.service).await.unwrap();
        }
        deleted
    };
    for _ in 0..21 {
        assert_eq!(day().await, 0);
    }
    assert_eq!(use_token(&app, &token).await.status, 401);
    assert!(day().await >= 1);
    assert!(rows(&app) < before);
    let stored = app.service.store().counters().expiry_clock;
    assert!(app.clock.now().micros().unsigned_abs() - stored <= 2 * HOUR.unsigned_abs(), "{stored}");
    assert_eq!(app.service.store().verify().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn logging_in_again_and_again_leaves_a_bounded_number_of_expired_tokens() {
    let app = App::new().await;
    let alice = app.service.people().authenticate(&app.new_token("alice").await).await.unwrap();
    let login = async || app.service.people().login_as(&alice).await.unwrap();
    let before = rows(&app);
    for _ in 0..EXPIRED_TOKENS_KEPT + 5 {
        login().await;
    }
    app.clock.jump_micros(30 * DAY);
    login().await;
    assert_eq!(rows(&app), before + EXPIRED_TOKENS_KEPT + 1);
    app.clock.jump_micros(-30 * DAY);
    assert_eq!(rows(&app), before + EXPIRED_TOKENS_KEPT + 1);
}
