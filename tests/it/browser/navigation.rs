//! Logging in again from several tabs without losing anything, where Back and reloading lead, columns of tags, narrow
//! windows, and the words for what became of a message.

use serde_json::json;
use thirtyfour::WindowHandle;

use super::{
    harness::{Server, with_browser},
    session::{Browser, Look, Theme},
};
use crate::support::{PASSWORD, daemon::Client};

const SCRIPTLESS: Look = Look { scripts: false, ..Look::DEFAULT };
const NARROW: Look = Look { size: (360, 740), ..Look::DEFAULT };

fn token(server: &Server, user: &str) -> String {
    server.site.ok(&["token", "create", user]).trim().to_owned()
}

/// The key of a new open incident with these tags.
fn incident(server: &Server, description: &str, tags: &[&str]) -> u64 {
    let mut source = server.daemon.client().with_token(&token(server, "argus"));
    let now = chrono::Utc::now().to_rfc3339();
    let incident = source.incident().starts(now).description(description);
    tags.iter().fold(incident, |incident, tag| incident.tag(*tag)).post()
}

fn admin(server: &Server) -> Client {
    server.daemon.client().with_token(&token(server, "admin"))
}

/// Ends all sessions, as an administrator does.
fn end_sessions(server: &Server) {
    let listed = server.site.ok(&["token", "list", "--json"]);
    let tokens: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let sessions = tokens.as_array().unwrap().iter().filter(|token| token["kind"] == "session");
    let numbers: Vec<String> = sessions.map(|token| token["pk"].to_string()).collect();
    assert!(!numbers.is_empty(), "{listed}");
    for number in numbers {
        server.site.ok(&["token", "revoke", &number]);
    }
}

async fn fill_login(browser: &Browser) {
    browser.fill("input[name=username]", "admin").await;
    browser.fill("input[name=password]", PASSWORD).await;
    browser.click(".login button[type=submit]").await;
}

async fn new_tab(browser: &Browser, path: &str) -> WindowHandle {
    let tab = browser.driver.new_tab().await.unwrap();
    browser.driver.switch_to_window(tab.clone()).await.unwrap();
    browser.goto(path).await;
    tab
}

async fn switch(browser: &Browser, tab: &WindowHandle) {
    browser.driver.switch_to_window(tab.clone()).await.unwrap();
}

async fn is_shown(browser: &Browser, css: &str) -> bool {
    browser.run(&format!("return document.querySelector('{css}')?.checkVisibility() ?? false")).await == true
}

#[test]
fn two_tabs_both_log_in_with_scripts() {
    with_browser("tabs-log-in", Look::DEFAULT, two_tabs_both_log_in);
}

#[test]
fn two_tabs_both_log_in_without_scripts() {
    with_browser("tabs-log-in-scriptless", SCRIPTLESS, two_tabs_both_log_in);
}

async fn two_tabs_both_log_in(browser: &Browser) {
    browser.log_in("admin", PASSWORD).await;
    end_sessions(&browser.server);
    browser.goto("/user/").await;
    let first = browser.driver.window().await.unwrap();
    let second = new_tab(browser, "/notifications/filters/").await;
    let third = new_tab(browser, "/about/").await;
    for (tab, page) in [(first, "/user/"), (third, "/about/"), (second, "/notifications/filters/")] {
        switch(browser, &tab).await;
        assert!(browser.path().await.starts_with("/accounts/login/?next="));
        fill_login(browser).await;
        browser.eventually(page, async || browser.path().await == page).await;
    }
}

#[test]
fn typed_text_survives_the_end_of_the_session() {
    with_browser("expiry", Look::DEFAULT, async |browser| {
        // Of the stream, and of the form that was sent.
        browser.expect_in_console("401");
        let pk = incident(&browser.server, "Uplink lost", &["host=gw1"]);
        browser.log_in("admin", PASSWORD).await;
        let page = format!("/incidents/{pk}/");
        browser.goto("/incidents/?open=true").await;
        browser.eventually_shows("[data-live-state].on").await;
        browser.click(&format!("#i{pk} input[name=pk]")).await;
        browser.fill("#bulk-message", "half a thou").await;
        let list = browser.driver.window().await.unwrap();
        let detail = new_tab(browser, &page).await;
        browser.click("#action-comment summary").await;
        browser.fill("#form-comment textarea", "It was the fan.").await;

        end_sessions(&browser.server);
        browser.eventually_shows("#logged-out").await;
        assert_eq!(browser.path().await, page);
        let field = "return document.querySelector('#form-comment textarea').value";
        assert_eq!(browser.run(field).await, "It was the fan.");
        browser.axe().await;
        // Who sends it nevertheless loses nothing.
        browser.click("#form-comment button").await;
        browser.settled().await;
        assert_eq!((browser.path().await, browser.run(field).await), (page.clone(), json!("It was the fan.")));
        assert!(is_shown(browser, "#logged-out").await);
        switch(browser, &list).await;
        browser.eventually_shows("#logged-out").await;
        browser.eventually("not live", async || browser.texts("[data-live-state]").await == ["not live"]).await;
        let typed = "return document.querySelector('#bulk-message').value";
        assert_eq!(browser.run(typed).await, "half a thou");

        // In a third tab, from the bar.
        switch(browser, &detail).await;
        browser.click("#logged-out a").await;
        browser.eventually("a third tab", async || browser.driver.windows().await.unwrap().len() == 3).await;
        let tabs = browser.driver.windows().await.unwrap();
        let third = tabs.into_iter().find(|tab| *tab != list && *tab != detail).unwrap();
        switch(browser, &third).await;
        fill_login(browser).await;
        browser.eventually("back on the page", async || browser.path().await == page).await;

        switch(browser, &detail).await;
        browser.eventually("the bar is gone", async || !is_shown(browser, "#logged-out").await).await;
        browser.click("#form-comment button").await;
        browser
            .eventually("sent", async || browser.texts("#timeline").await.concat().contains("It was the fan."))
            .await;
        switch(browser, &list).await;
        browser.eventually_shows("[data-live-state].on").await;
        assert!(!is_shown(browser, "#logged-out").await);
        assert_eq!(browser.run(typed).await, "half a thou");
        let new = incident(&browser.server, "After the break", &[]);
        browser.eventually_shows("[data-news]:not([hidden])").await;
        browser.click("[data-news]").await;
        browser.eventually_shows(&format!("#i{new}")).await;
        browser.click("#bulk-bar button[value=comment]").await;
        browser.eventually_shows(".outcome").await;
    });
}

#[test]
fn a_click_after_the_end_of_the_session_leads_to_the_wanted_page() {
    with_browser("expiry-click", Look::DEFAULT, async |browser| {
        browser.expect_in_console("401");
        let pk = incident(&browser.server, "Uplink lost", &[]);
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/incidents/?open=true").await;
        end_sessions(&browser.server);
        browser.click(&format!("#i{pk} .c-description a")).await;
        let login = format!("/accounts/login/?next=%2Fincidents%2F{pk}%2F");
        browser.eventually("asked to log in", async || browser.path().await == login).await;
        fill_login(browser).await;
        let page = format!("/incidents/{pk}/");
        browser.eventually("where one wanted to go", async || browser.path().await == page).await;
    });
}

#[test]
fn a_form_without_a_session_leads_back_to_its_page() {
    with_browser("expiry-form-scriptless", SCRIPTLESS, async |browser| {
        let pk = incident(&browser.server, "Uplink lost", &[]);
        browser.log_in("admin", PASSWORD).await;
        let page = format!("/incidents/{pk}/");
        browser.goto(&page).await;
        end_sessions(&browser.server);
        browser.click("#action-comment summary").await;
        browser.fill("#form-comment textarea", "x").await;
        browser.click("#form-comment button").await;
        browser.eventually("asked to log in", async || browser.path().await.starts_with("/accounts/login/")).await;
        fill_login(browser).await;
        browser.eventually("back on the page", async || browser.path().await == page).await;
    });
}

#[test]
fn a_wall_display_says_that_it_is_logged_out_and_recovers() {
    with_browser("expiry-wall", Look::DEFAULT, async |browser| {
        browser.expect_in_console("401");
        incident(&browser.server, "Uplink lost", &[]);
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/incidents/kiosk/?open=true&level=2").await;
        browser.eventually_shows("[data-live-state].on").await;
        end_sessions(&browser.server);
        browser.eventually_shows("#logged-out").await;
        assert_eq!(browser.path().await, "/incidents/kiosk/?open=true&level=2");
        let wall = browser.driver.window().await.unwrap();
        browser.driver.new_tab().await.unwrap();
        browser.click("#logged-out a").await;
        browser.eventually("another tab", async || browser.driver.windows().await.unwrap().len() > 2).await;
        let login = browser.driver.windows().await.unwrap().pop().unwrap();
        switch(browser, &login).await;
        fill_login(browser).await;
        let view = "/incidents/kiosk/?open=true&level=2";
        browser.eventually("the same view", async || browser.path().await == view).await;
        switch(browser, &wall).await;
        browser.eventually_shows("[data-live-state].on").await;
        assert!(!is_shown(browser, "#logged-out").await);
    });
}

#[test]
fn reloading_a_form_shows_a_page_with_scripts() {
    with_browser("reload", Look::DEFAULT, reload);
}

#[test]
fn reloading_a_form_shows_a_page_without_scripts() {
    with_browser("reload-scriptless", SCRIPTLESS, reload);
}

/// The address bar, and Enter: a browser's own reload would ask whether to send the form again.
async fn visit_again(browser: &Browser) {
    let path = browser.path().await;
    browser.goto(&path).await;
}

async fn reload(browser: &Browser) {
    browser.expect_in_console("422");
    browser.log_in("admin", PASSWORD).await;
    browser.goto("/user/").await;
    browser.click("form[action='/user/tokens/'] button[type=submit]").await;
    browser.eventually_shows(".secret").await;
    visit_again(browser).await;
    browser.eventually("the account", async || browser.path().await == "/user/").await;
    assert_eq!(browser.texts("h1").await, ["Your account"]);
    for (name, text) in [("current", "wrong password"), ("new", "one password"), ("again", "other password")] {
        browser.fill(&format!("input[name={name}]"), text).await;
    }
    browser.click("form[action='/user/password/'] button[type=submit]").await;
    browser.eventually_shows(".problem").await;
    visit_again(browser).await;
    browser.eventually("the account again", async || browser.path().await == "/user/").await;
    assert_eq!(browser.texts("h1").await, ["Your account"]);
    browser.expect_in_console("404");
    browser.goto("/nope/").await;
    assert_eq!(browser.texts("h1").await, ["Page not found"]);
    browser.click("main a.button").await;
    browser.eventually_shows("#list").await;
}

#[test]
fn back_leads_from_an_incident_to_the_list() {
    with_browser("back", Look::DEFAULT, async |browser| {
        browser.expect_in_console("422");
        let pk = incident(&browser.server, "Uplink lost", &[]);
        browser.log_in("admin", PASSWORD).await;
        let list = "/incidents/?open=true";
        browser.goto(list).await;
        browser.click(&format!("#i{pk} .c-description a")).await;
        let page = format!("/incidents/{pk}/");
        browser.eventually("the incident", async || browser.path().await == page).await;
        browser.click("#action-acknowledge summary").await;
        browser.click("#form-acknowledge button").await;
        browser.eventually_shows(".states .acked").await;
        browser.click("#action-ticket summary").await;
        browser.fill("#form-ticket input[name=url]", "nonsense:x").await;
        browser.click("#form-ticket button").await;
        browser.eventually_shows("#form-ticket .problem").await;
        assert_eq!(browser.path().await, page, "also a form that is refused stays at the page");
        browser.click("#action-close summary").await;
        browser.click("#form-close button").await;
        browser.eventually_shows(".states .closed").await;
        browser.driver.back().await.unwrap();
        browser.eventually("the list", async || browser.path().await == list).await;
        browser.eventually_shows("#list").await;
    });
}

#[test]
fn a_visit_begins_with_the_last_filter_but_not_with_the_last_search() {
    with_browser("last-view", Look::DEFAULT, async |browser| {
        let pk = incident(&browser.server, "Uplink lost", &[]);
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/incidents/?open=true&acked=false&q=nosuchword").await;
        browser.eventually_shows(".empty").await;
        let restored = "/incidents/?open=true&acked=false&restored=1";
        browser
            .eventually("the filter is restored", async || {
                browser.goto("/incidents/").await;
                browser.path().await == restored
            })
            .await;
        assert_eq!(browser.texts(".restored").await, ["Filter from last time. Clear"]);
        browser.eventually_shows(&format!("#i{pk}")).await;
        browser.axe().await;
        browser.click(".restored a").await;
        browser.eventually("cleared", async || browser.path().await == "/incidents/?open=true").await;
        browser.eventually("not said", async || browser.texts(".restored").await.is_empty()).await;
    });
}

#[test]
fn tags_are_readable_in_every_preset_at_every_width() {
    with_browser("tags-column", Look::DEFAULT, async |browser| {
        let long = format!("note={}", "long-value-".repeat(15));
        let tags = ["host=core-router-1.example.org", "site=trondheim", "service=routing", "url=https://a.example/b"];
        for number in 0..4 {
            incident(&browser.server, &format!("Uplink {number} of the core router lost, since noon"), &tags);
        }
        incident(&browser.server, "Something long", &[&long, "host=gw1"]);
        browser.log_in("admin", PASSWORD).await;
        for preset in ["notifications", "maintenance"] {
            browser.set_size((1280, 800)).await;
            browser.goto("/incidents/?open=true&choose=1").await;
            browser.click(&format!("button[name=preset][value={preset}]")).await;
            browser.eventually_shows("th.c-tags").await;
            for width in [701, 800, 1024, 1100, 1280, 1366, 1440, 1500, 1920, 2560] {
                for density in ["compact", "standard"] {
                    browser.set_size((width, 800)).await;
                    browser.goto("/incidents/?open=true").await;
                    browser
                        .run(&format!("document.querySelector('.incidents').className = 'incidents {density}'"))
                        .await;
                    let place = format!("{preset} {width} {density}");
                    let heights =
                        "return Math.max(...[...document.querySelectorAll('#rows > tr')].map((it) => it.offsetHeight))";
                    let highest = browser.run(heights).await.as_f64().unwrap();
                    assert!(highest <= 82.0, "{place}: rows of {highest} px");
                    let wide =
                        "return Math.min(...[...document.querySelectorAll('td.c-tags')].map((it) => it.offsetWidth))";
                    assert!(browser.run(wide).await.as_f64().unwrap() >= 149.0, "{place}");
                    let cut = "return [...document.querySelectorAll('td.c-tags')].filter((it) => it.scrollWidth > it.clientWidth + 1).map((it) => it.textContent)";
                    assert_eq!(browser.run(cut).await, json!([]), "{place}");
                    assert!(width < 1024 || browser.overflow().await <= 0, "{place}: {}", browser.too_wide().await);
                }
            }
            browser.set_size((390, 844)).await;
            browser.goto("/incidents/?open=true").await;
            assert!(browser.overflow().await <= 0, "{preset} 390: {}", browser.too_wide().await);
        }
        browser.picture("list-tags").await;
    });
}

#[test]
fn nothing_is_wider_than_a_narrow_window() {
    with_browser("narrow", NARROW, async |browser| {
        let mut admin = admin(&browser.server);
        let mut filter = |name: &str, tag: &str| admin.filter(name).matching(json!({"tags": [tag]})).post();
        let long = filter("Long", &format!("host={}", "x".repeat(200)));
        let named = filter(&"n".repeat(40), "host=a");
        let maintenance = json!({
            "start_time": "2099-01-01T00:00:00Z", "end_time": "2099-01-02T00:00:00Z",
            "description": "d".repeat(255), "filters": [long],
        });
        let task = admin.post("/api/v2/plannedmaintenance/", &maintenance).pk();
        let destination = admin.destination("email", "email_address", "a-rather-long-name@example.org").post();
        browser.log_in("admin", PASSWORD).await;
        browser.goto(&format!("/incidents/?filter={named}")).await;
        let mut wide = Vec::new();
        for path in [
            "/notifications/filters/".to_owned(),
            format!("/notifications/filters/{long}/"),
            "/notifications/filters/new/".to_owned(),
            "/plannedmaintenance/upcoming/".to_owned(),
            format!("/plannedmaintenance/{task}/"),
            format!("/plannedmaintenance/{task}/edit/"),
            "/plannedmaintenance/new/".to_owned(),
            format!("/incidents/?filter={named}"),
            format!("/incidents/?filter={named}&open=true"),
            format!("/incidents/kiosk/?filter={named}"),
            "/notifications/destinations/".to_owned(),
            format!("/notifications/destinations/{destination}/"),
            "/notifications/timeslots/".to_owned(),
            "/notifications/timeslots/new/".to_owned(),
            "/notifications/profiles/".to_owned(),
            "/notifications/profiles/new/".to_owned(),
            "/user/".to_owned(),
            "/sources/".to_owned(),
            "/admin/".to_owned(),
            "/admin/health/".to_owned(),
            "/admin/users/1/".to_owned(),
            "/admin/audit/".to_owned(),
        ] {
            browser.goto(&path).await;
            browser.settled().await;
            if browser.overflow().await > 0 {
                wide.push(format!("{path}: {} px, {}", browser.overflow().await, browser.too_wide().await));
            }
        }
        assert!(wide.is_empty(), "{}", wide.join("\n"));
    });
}

#[test]
fn sessions_can_be_ended_without_scrolling() {
    with_browser("sessions", Look::DEFAULT, async |browser| {
        for _ in 0..2 {
            browser.log_in("admin", PASSWORD).await;
            browser.driver.delete_all_cookies().await.unwrap();
        }
        browser.log_in("admin", PASSWORD).await;
        for size in [(1280, 760), (1920, 1080), (390, 844)] {
            browser.set_size(size).await;
            browser.goto("/user/").await;
            browser.settled().await;
            let cut = "return [...document.querySelectorAll('form[action*=revoke] button')]
                .filter((it) => it.getBoundingClientRect().right > it.closest('.card').getBoundingClientRect().right).length";
            assert_eq!(browser.run(cut).await, 0, "{size:?}");
        }
    });
}

#[test]
fn forced_colors_show_which_tab_is_current() {
    with_browser("forced-colors", Look::DEFAULT, async |browser| {
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/notifications/filters/").await;
        let forced = json!({"features": [{"name": "forced-colors", "value": "active"}]});
        browser.driver.cdp().send_raw("Emulation.setEmulatedMedia", forced).await.unwrap();
        for menu in [".main-menu", ".tabs"] {
            let border =
                |which: &str| format!("getComputedStyle(document.querySelector('{menu} a{which}')).borderBottomColor");
            let script = format!("return {} !== {}", border("[aria-current]"), border(":not([aria-current])"));
            assert_eq!(browser.run(&script).await, true, "{menu}");
        }
        browser.set_theme(Theme::Light).await;
    });
}

/// The mail server refuses: page, explanation, deliveries and health say the same.
#[test]
fn a_refused_message_is_shown_as_queued_everywhere() {
    with_browser("refused", Look::DEFAULT, async |browser| {
        let mut admin = admin(&browser.server);
        let filter = admin.filter("all").everything().post();
        // Nobody listens there.
        let destination = admin.destination("webhook", "destination_url", "http://127.0.0.1:9/x").post();
        admin.profile().name("All").filter(filter).destination(destination).post();
        let pk = incident(&browser.server, "Uplink lost", &[]);
        browser.log_in("admin", PASSWORD).await;
        browser
            .eventually("tried in vain", async || {
                browser.goto(&format!("/incidents/{pk}/?me=1")).await;
                browser.texts("#told").await.concat().contains("tried 1×")
                    || browser.texts("#told").await.concat().contains("tried 2×")
            })
            .await;
        let notified = browser.texts("#told").await.concat();
        assert!(notified.contains("admin: 1 message queued, not sent yet ("), "{notified}");
        assert_eq!(browser.texts("#told .told .badge").await, ["queued"]);
        assert!(browser.texts(".answered .badge").await[0].starts_with("queued: "), "{notified}");
        for lie in ["was told", "told:", "delivered", "notified through"] {
            assert!(!notified.contains(lie), "{notified}");
        }
        assert!(!is_shown(browser, ".answered.yes").await && !is_shown(browser, "#told .badge.good").await);
        browser.goto("/admin/deliveries/").await;
        assert_eq!(browser.texts("tbody .badge").await, ["queued"]);
        browser.goto("/admin/health/").await;
        let checks = browser.texts(".check.warn, .check.bad").await.join("\n");
        assert!(checks.contains("Queued messages") && checks.contains("1 message queued, not sent yet ("), "{checks}");
    });
}
