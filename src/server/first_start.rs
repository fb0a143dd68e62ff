//! Output for the operator when the server has created a new data file.

use std::{
    fs::OpenOptions,
    io::{IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use secrecy::ExposeSecret;
use tracing::{error, warn};

use super::backend::beside;
use crate::config::Config;
use crate::service::FirstStart;
use crate::store::Owner;

/// Shows how to post the first incident to a server that listens at `base`.
pub(super) fn explain(config: &Config, base: &str) {
    let public = config.public_url.value.as_ref().map(ToString::to_string);
    let (base, curl) = match (public.as_deref(), base.strip_prefix("unix:")) {
        (None, Some(socket)) => ("http://localhost", format!("curl --unix-socket {socket}")),
        (public, _) => (public.unwrap_or(base).trim_end_matches('/'), "curl".to_owned()),
    };
    let program = std::env::args().next().unwrap_or_else(|| "argusd".to_owned());
    let data = std::path::absolute(&config.data.value).unwrap_or_else(|_| config.data.value.clone());
    let data = data.display();
    say(&format!(
        "Open {base}/ and log in as user admin. The API is described at {base}/api/v2/schema/swagger-ui/\n\
         Post the first incident, from another terminal:\n\n  \
           token=$({program} source create my-monitoring --type test --token --data {data})\n  \
           {curl} -H \"Authorization: Token $token\" -H 'Content-Type: application/json' \\\n    \
             -d '{{\"start_time\": \"'$(date -u +%FT%TZ)'\", \"source_incident_id\": \"1\", \"level\": 2,\n         \
                  \"description\": \"The fan of sw1 has failed\", \"tags\": [{{\"tag\": \"host=sw1\"}}, {{\"tag\": \"location=oslo\"}}]}}' \\\n    \
             {base}/api/v2/incidents/\n"
    ));
}

/// Shows the generated password on a terminal. Otherwise writes it to a file, because others can read the log.
pub(super) fn hand_over_password(first: &FirstStart, data: &Path) {
    let Some(password) = first.admin_password.as_ref().map(ExposeSecret::expose_secret) else { return };
    if std::io::stderr().is_terminal() {
        say(&format!("Log in as user admin with password {password}\nIt is shown only this once.\n"));
        return;
    }
    let path = beside(data, ".admin-password");
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).and_then(|mut file| {
            if let Some(owner) = Owner::of(data) {
                owner.give(&file, &path);
            }
            writeln!(file, "{password}")
        });
    match written {
        Ok(()) => warn!("the password of user admin is in {}; delete that file once you have read it", path.display()),
        Err(reason) => error!(
            "the password of user admin could not be written to {}: {reason}; set one with: argusd user password admin",
            path.display()
        ),
    }
}

fn say(text: &str) {
    let ignored = writeln!(std::io::stderr(), "{text}");
    drop(ignored);
}
