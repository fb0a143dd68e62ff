//! Every page at every width in both themes, on demo data.

use super::{
    harness::with_browser,
    session::{DESKTOP, Look, PHONE, Theme, WALL},
};

/// What is photographed: the name of the picture and the path.
const PAGES: &[(&str, &str)] = &[("swagger", "/api/schema/swagger-ui/")];

#[test]
fn gallery() {
    with_browser("gallery", Look::default(), async |browser| {
        let mut wide = Vec::new();
        for (name, path) in PAGES {
            for size in [PHONE, DESKTOP, WALL] {
                browser.set_size(size).await;
                for theme in [Theme::Light, Theme::Dark] {
                    browser.set_theme(theme).await;
                    browser.goto(path).await;
                    browser.settled().await;
                    browser.picture(&format!("{name}-{}-{}", size.0, theme.name())).await;
                }
                let overflow = browser.overflow().await;
                if overflow > 0 {
                    wide.push(format!("{path} at {} pixels is {overflow} too wide", size.0));
                }
            }
        }
        assert!(wide.is_empty(), "{}", wide.join("\n"));
    });
}
