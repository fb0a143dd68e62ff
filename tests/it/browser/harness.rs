//! What stands around a test: a server, its browsers, and the reckoning at the end.

use std::{panic::AssertUnwindSafe, rc::Rc};

use futures_util::FutureExt;

use super::{
    driver::{self, Driver, Permit},
    session::{Browser, Look},
};
use crate::support::daemon::{Daemon, Site};

/// The real program, its data in memory. `admin` has the password [`crate::support::PASSWORD`].
pub struct Server {
    pub site: Site,
    pub daemon: Daemon,
}

impl Server {
    /// Fills it with the demo world.
    pub fn demo(&self) {
        self.site.ok(&["demo"]);
    }
}

/// `name` is that of the picture if it fails.
pub fn with_browser(name: &str, look: Look, test: impl AsyncFnOnce(&Browser)) {
    with_browsers(name, look, 1, async |browsers| {
        let [browser] = browsers else { unreachable!() };
        test(browser).await;
    });
}

/// Two strangers to each other, at the same server.
pub fn with_two(name: &str, look: Look, test: impl AsyncFnOnce(&Browser, &Browser)) {
    with_browsers(name, look, 2, async |browsers| {
        let [first, second] = browsers else { unreachable!() };
        test(first, second).await;
    });
}

fn with_browsers(name: &str, look: Look, count: usize, test: impl AsyncFnOnce(&[Browser])) {
    if let Some(why) = driver::missing() {
        assert!(std::env::var_os("CI").is_none(), "{why}, and CI is set");
        return eprintln!("{why}");
    }
    let _permit = Permit::take(count);
    let driver = Driver::get();
    let site = Site::in_memory();
    let daemon = site.start();
    let server = Rc::new(Server { site, daemon });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut browsers = Vec::new();
        for _ in 0..count {
            browsers.push(Browser::open(&driver, Rc::clone(&server), look).await);
        }
        let outcome = AssertUnwindSafe(test(&browsers)).catch_unwind().await;
        let mut complaints = Vec::new();
        for (number, browser) in (1..).zip(browsers) {
            if outcome.is_err() {
                browser.last_picture(&format!("failed-{name}-{number}")).await;
            }
            complaints.extend(browser.close().await);
        }
        let complaints = complaints.join("\n");
        if let Err(panic) = outcome {
            eprintln!("console of the failed test:\n{complaints}");
            std::panic::resume_unwind(panic);
        }
        assert!(complaints.is_empty(), "in the console:\n{complaints}");
    });
}
