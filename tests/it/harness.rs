//! The harness itself: a test fails if it leaves messages of which it did not say so, or if one of its tasks panicked.

use argusd::domain::message::MessageState;
use tokio::task::JoinHandle;

use crate::support::{App, Who};

async fn app_with_a_message() -> App {
    let app = App::new().await;
    let alice = app.of(Who::EndUser);
    let filter = alice.filter("all").everything().post().await;
    alice.profile().filter(filter).post().await;
    app.incident().post().await;
    assert_eq!(app.messages().len(), 1);
    app
}

#[tokio::test]
#[should_panic(expected = "messages are left unsettled: 1 to alice@example.org")]
async fn a_test_fails_if_it_leaves_a_message_unsettled() {
    app_with_a_message().await;
}

#[tokio::test]
async fn a_test_may_leave_settled_messages() {
    let app = app_with_a_message().await;
    let at = app.service.now();
    app.settle(app.messages().remove(0), MessageState::Dead { at }).await;
}

#[tokio::test]
async fn a_test_may_leave_messages_if_it_says_so() {
    app_with_a_message().await.allow_unsent_messages();
}

#[tokio::test]
#[should_panic(expected = "a task panicked")]
async fn a_test_fails_if_a_task_panicked() {
    let _app = App::new().await;
    let task: JoinHandle<()> = tokio::spawn(async { panic!("on purpose") });
    task.await.unwrap_err();
}
