//! Administrative commands, carried out within this process.

use argusd::{
    control::{AdminReply, AdminRequest, execute},
    domain::{ids::FilterId, profile::Profile},
};

use crate::support::App;

async fn toggle(app: &App, ids: &[u64]) -> AdminReply {
    execute(&app.service, AdminRequest::ToggleProfiles(ids.to_vec()), &|_| ()).await
}

#[tokio::test]
async fn profiles_are_switched_all_or_none() {
    let app = App::new().await;
    let alice = app.user_id("alice");
    let timeslot = app.timeslot_of("alice");
    app.write(move |command| {
        for active in [true, false] {
            let (id, filters) = (command.new_profile_id(), vec![FilterId(1)]);
            command.put_profile(Profile {
                id,
                owner: alice,
                name: None,
                timeslot,
                filters,
                destinations: vec![],
                active,
            });
        }
    })
    .await;
    let active =
        || app.service.directory().profiles_of(alice).iter().map(|profile| profile.active).collect::<Vec<bool>>();
    let reply = toggle(&app, &[1, 2]).await;
    assert!(
        matches!(&reply, AdminReply::Text(text) if text == "profile 1 is inactive\nprofile 2 is active"),
        "{reply:?}"
    );
    assert_eq!(active(), [false, true]);
    let reply = toggle(&app, &[1, 3]).await;
    assert!(matches!(&reply, AdminReply::Refused(reason) if reason == "there is no profile 3"), "{reply:?}");
    assert_eq!(active(), [false, true]);
}
