//! One browser with a profile of its own, and what tests do with it.

use std::{
    cell::RefCell,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{
    By, CapabilitiesHelper, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver, WebElement,
    error::WebDriverResult,
};

use super::{
    driver::{Driver, chrome},
    harness::Server,
};
use crate::support::eventually::{PATIENCE, eventually_async};

pub type Size = (u32, u32);
pub const PHONE: Size = (390, 844);
pub const DESKTOP: Size = (1280, 800);
pub const WALL: Size = (1920, 1080);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub size: Size,
    pub theme: Theme,
    pub scripts: bool,
}

impl Look {
    pub const DEFAULT: Self = Self { size: DESKTOP, theme: Theme::Light, scripts: true };
}

pub struct Browser {
    pub driver: WebDriver,
    pub server: Rc<Server>,
    look: RefCell<Look>,
    expected: RefCell<Vec<String>>,
    _profile: TempDir,
    _chromedriver: Arc<Driver>,
}

impl Browser {
    pub async fn open(chromedriver: &Arc<Driver>, server: Rc<Server>, look: Look) -> Self {
        // The client asks for the provider of the process.
        drop(rustls::crypto::ring::default_provider().install_default());
        let profile = tempfile::tempdir().unwrap();
        let capabilities = capabilities(&profile, look).unwrap();
        let driver = WebDriver::new(chromedriver.url(), capabilities).await.unwrap();
        driver.set_script_timeout(PATIENCE).await.unwrap();
        driver.set_page_load_timeout(PATIENCE).await.unwrap();
        let chromedriver = Arc::clone(chromedriver);
        let (look, expected) = (RefCell::new(look), RefCell::default());
        let browser = Self { driver, server, look, expected, _profile: profile, _chromedriver: chromedriver };
        browser.apply_look().await;
        browser
    }

    /// Like typing into the address bar: a path of the server.
    pub async fn goto(&self, path: &str) {
        self.driver.goto(format!("http://{}{path}", self.server.daemon.address)).await.unwrap();
    }

    /// Path and query of the page that is shown.
    pub async fn path(&self) -> String {
        let url = self.driver.current_url().await.unwrap();
        url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()
    }

    /// Leads to a page that costs little.
    pub async fn log_in(&self, user: &str, password: &str) {
        self.goto("/accounts/login/?next=/about/").await;
        self.fill("input[name=username]", user).await;
        self.fill("input[name=password]", password).await;
        self.click(".login button[type=submit]").await;
        self.eventually("logged in", async || self.path().await == "/about/").await;
    }

    /// The first that matches, once there is one.
    pub async fn find(&self, css: &str) -> WebElement {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.driver.find(By::Css(css)).await {
                Ok(element) => return element,
                Err(error) => assert!(Instant::now() < until, "no {css}: {error}"),
            }
            pause().await;
        }
    }

    pub async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Replaces what is in the field.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// What people read of all that match.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.driver.find_all(By::Css(css)).await.unwrap() {
            // An element that a live update replaced meanwhile has none.
            texts.extend(element.text().await);
        }
        texts
    }

    /// JavaScript in the page; what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    pub async fn eventually(&self, what: &str, check: impl AsyncFnMut() -> bool) {
        eventually_async(what, check).await;
    }

    pub async fn eventually_shows(&self, css: &str) {
        self.eventually(css, async || {
            let found = self.driver.find(By::Css(css)).await;
            matches!(found, Ok(element) if element.is_displayed().await.unwrap_or(false))
        })
        .await;
    }

    /// Fonts are there, and nothing has changed for a while.
    pub async fn settled(&self) {
        const SCRIPT: &str = "const done = arguments[0]; let timer;
            const watch = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, 300); });
            watch.observe(document, {attributes: true, childList: true, characterData: true, subtree: true});
            document.fonts.ready.then(() => { timer = setTimeout(done, 300); });
            setTimeout(done, 5000);";
        self.driver.execute_async(SCRIPT, Vec::new()).await.unwrap();
    }

    /// As the operating system would ask for it.
    pub async fn set_theme(&self, theme: Theme) {
        self.look.borrow_mut().theme = theme;
        self.apply_look().await;
    }

    pub async fn set_size(&self, size: Size) {
        self.look.borrow_mut().size = size;
        self.apply_look().await;
    }

    /// By how many pixels the page is wider than the window.
    pub async fn overflow(&self) -> i64 {
        let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.run(script).await.as_i64().unwrap()
    }

    /// The elements that stick out on the right, by their tag, id and classes.
    pub async fn too_wide(&self) -> Value {
        const SCRIPT: &str = "const wide = document.documentElement.clientWidth;
            return [...document.body.querySelectorAll('*')].filter((it) => it.getBoundingClientRect().right > wide + 1)
                .slice(0, 8).map((it) => `${it.tagName.toLowerCase()}#${it.id}.${it.className}`);";
        self.run(SCRIPT).await
    }

    /// The colour behind everything, as CSS says it.
    pub async fn background(&self) -> Value {
        self.run("return getComputedStyle(document.documentElement).backgroundColor").await
    }

    /// An error in the console that this test provokes: any that contains `part`.
    pub fn expect_in_console(&self, part: &str) {
        self.expected.borrow_mut().push(part.to_owned());
    }

    /// Of the whole page, into `ARGUSD_SCREENSHOTS` if that is set.
    pub async fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("ARGUSD_SCREENSHOTS").map(PathBuf::from) else { return };
        let parameters = json!({"format": "png", "captureBeyondViewport": true, "clip": self.extent().await});
        let taken = self.driver.cdp().send_raw("Page.captureScreenshot", parameters).await.unwrap();
        let png = BASE64_STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(format!("{name}.png")), png).unwrap();
    }

    async fn extent(&self) -> Value {
        let metrics = self.driver.cdp().send_raw("Page.getLayoutMetrics", json!({})).await.unwrap();
        let size = &metrics["cssContentSize"];
        json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
    }

    /// Of what the window shows, as good as it can be had.
    pub async fn last_picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("ARGUSD_SCREENSHOTS").map(PathBuf::from) else { return };
        let written = std::fs::create_dir_all(&directory);
        drop((written, self.driver.screenshot(&directory.join(format!("{name}.png"))).await));
    }

    /// Errors in the console that nobody expected. Whatever else goes wrong here is one more.
    pub async fn close(self) -> Vec<String> {
        let expected = self.expected.take();
        let mut complaints = match self.driver.browser_log().await {
            Ok(entries) => entries.into_iter().filter(|it| it.level == "SEVERE").map(|it| it.message).collect(),
            Err(error) => vec![format!("the console cannot be read: {error}")],
        };
        complaints.retain(|message| !expected.iter().any(|part| message.contains(part)));
        complaints.extend(self.driver.quit().await.err().map(|error| format!("the browser does not end: {error}")));
        complaints
    }

    async fn apply_look(&self) {
        let Look { size: (width, height), theme, .. } = *self.look.borrow();
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": theme.name()}]});
        let devtools = self.driver.cdp();
        devtools.send_raw("Emulation.setDeviceMetricsOverride", screen).await.unwrap();
        devtools.send_raw("Emulation.setScrollbarsHidden", json!({"hidden": true})).await.unwrap();
        devtools.send_raw("Emulation.setEmulatedMedia", media).await.unwrap();
    }
}

fn capabilities(profile: &TempDir, look: Look) -> WebDriverResult<impl Into<thirtyfour::Capabilities> + use<>> {
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.set_binary(&chrome().unwrap().to_string_lossy())?;
    let (width, height) = look.size;
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-extensions",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--mute-audio",
        "--force-color-profile=srgb",
        "--lang=en-GB",
        "--remote-debugging-pipe",
        &format!("--window-size={width},{height}"),
        &format!("--user-data-dir={}", profile.path().display()),
    ] {
        capabilities.add_arg(argument)?;
    }
    if !look.scripts {
        let off = json!({"profile.managed_default_content_settings.javascript": 2});
        capabilities.add_experimental_option("prefs", off)?;
    }
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All)?;
    capabilities.set("unhandledPromptBehavior", "ignore")?;
    Ok(capabilities)
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
