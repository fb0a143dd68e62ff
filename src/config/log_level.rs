//! Levels of the log: the names of this program, and those of syslog.

use tracing_subscriber::filter::EnvFilter;

/// Accepted names with the levels that they mean. The first five and `off` are those of the log itself. Syslog has more
/// levels; one that does not exist here means the next one that shows at least as much.
const LEVELS: &[(&str, &str)] = &[
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
    ("trace", "trace"),
    ("off", "off"),
    ("emerg", "error"),
    ("panic", "error"),
    ("alert", "error"),
    ("crit", "error"),
    ("critical", "error"),
    ("err", "error"),
    ("warning", "warn"),
    ("notice", "info"),
    ("informational", "info"),
];

/// Reads a level, or directives such as `info,argusd::store=debug`, and translates the names of syslog.
pub(super) fn parse(text: &str) -> Result<String, String> {
    let directives: Option<Vec<String>> = split(text).map(str::trim).map(directive).collect();
    directives.map(|directives| directives.join(",")).filter(|it| it.parse::<EnvFilter>().is_ok()).ok_or_else(|| {
        format!(
            "{text:?} is no log level: use error, warn, info, debug, trace or off, a level of syslog such as warning, or \
             directives such as info,argusd::store=debug"
        )
    })
}

/// Splits at commas, but not at those in the braces of a span's fields.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

/// Returns the directive with a level of the log. `None`: it has none, and is not the path of a module or a span.
fn directive(text: &str) -> Option<String> {
    if let Some((target, given)) = text.rsplit_once('=').filter(|(_, given)| !given.contains(['}', ']'])) {
        return level(given).map(|level| format!("{}={level}", target.trim_end()));
    }
    let is_path = text.contains("::") || text.contains('[') || text == env!("CARGO_PKG_NAME");
    level(text).map(str::to_owned).or_else(|| is_path.then(|| text.to_owned()))
}

fn level(name: &str) -> Option<&'static str> {
    let found = LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    found.map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_syslog_are_understood() {
        for (given, level) in [
            ("warning", "warn"),
            ("err", "error"),
            ("crit", "error"),
            ("alert", "error"),
            ("emerg", "error"),
            ("notice", "info"),
            ("INFO", "info"),
            ("off", "off"),
            ("warning, argusd::store=notice", "warn,argusd::store=info"),
        ] {
            assert_eq!(parse(given).as_deref(), Ok(level), "{given}");
        }
    }

    #[test]
    fn directives_stay() {
        for given in [
            "info,argusd::store=debug",
            "argusd::store",
            "argusd",
            "warn,argusd[request]=debug",
            "info,[request{id=5}]=trace",
        ] {
            assert_eq!(parse(given).as_deref(), Ok(given));
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_is_possible() {
        for given in ["loud", "", "foo bar", "info,", "info,loud", "argusd=loud", "argusd::store=", "9", "=info=x"] {
            let refused = parse(given).unwrap_err();
            assert!(refused.contains("use error, warn, info, debug, trace or off"), "{given}: {refused}");
        }
    }
}
