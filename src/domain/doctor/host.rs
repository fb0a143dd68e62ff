//! Findings about the host and the settings: links, proxies, files, disk, clock, backups, and old variables.

use std::sync::Arc;

use super::{Finding, FindingLevel, bad, good, problem, warning};
use crate::domain::{Directory, Timestamp, User, time::span};

/// Number of open files below which connections may be refused.
const OPEN_FILES: u64 = 4_096;
/// Number of open files that are needed for other purposes than clients.
const OTHER_FILES: u64 = 256;
/// Number of files that can still be created below which there is a warning.
const FEW_INODES: u64 = 1_000;
const DAY: i64 = 86_400 * 1_000_000;
/// Age in microseconds of the newest backup, or of a data file without one, above which there is a finding.
const STALE_BACKUP: i64 = 2 * DAY;

/// Facts about the host and the settings.
#[derive(Clone, Debug, Default)]
pub struct HostFacts {
    pub server: ServerState,
    pub links: LinkFacts,
    pub proxies: ProxyFacts,
    pub files: Vec<FileFacts>,
    pub disk: Option<DiskFacts>,
    /// Limit of open files of the server.
    pub open_files: Option<u64>,
    /// Value of `max_connections`, if it was set.
    pub wanted_connections: Option<u64>,
    /// Whether the clock is synchronized. `None`: not known.
    pub is_synchronized: Option<bool>,
    /// Whether the time zone is a fallback, because that of the host is not known.
    pub is_zone_unknown: bool,
    pub backups: Option<BackupFacts>,
    pub old_variables: Vec<OldVariable>,
}

/// Whether a server runs on the data file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServerState {
    #[default]
    Running,
    Stopped,
    /// There is no data file at this path yet.
    NeverStarted(String),
    /// The data file cannot be read, for this reason.
    Unreadable(String),
}

/// Addresses that links in messages begin with.
#[derive(Clone, Debug, Default)]
pub struct LinkFacts {
    pub public_url: Option<String>,
    /// `HOST:PORT` that is listened on.
    pub listen: String,
    /// Whether more than one person uses the server.
    pub has_others: bool,
}

#[derive(Clone, Debug, Default)]
pub struct ProxyFacts {
    /// Networks of the setting `trusted_proxies`.
    pub trusted: Vec<String>,
    /// Address on this host or in a private network that sends forwarding headers and is not trusted.
    pub untrusted: Option<String>,
    /// Whether a proxy reports that clients use https.
    pub is_https: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Data,
    Index,
    Socket,
    /// The file with the generated first password of `admin`.
    FirstPassword,
    /// A settings file. The flag says whether it contains secrets.
    Settings(bool),
    /// A file with a secret, which a setting names.
    Secret,
}

#[derive(Clone, Debug)]
pub struct FileFacts {
    pub kind: FileKind,
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// User id of the owner.
    pub owner: u32,
    /// User id that should own the file: that of the server, or the owner of the data file.
    pub server: u32,
}

#[derive(Clone, Copy, Debug)]
pub struct DiskFacts {
    /// Number of files that can still be created.
    pub free_inodes: u64,
    /// Number of files that the file system can hold. 0: without a limit.
    pub inodes: u64,
}

#[derive(Clone, Debug)]
pub struct BackupFacts {
    pub directory: String,
    /// Period in microseconds. `None`: no backups are scheduled.
    pub every: Option<i64>,
    /// Time of the last good backup.
    pub newest: Option<Timestamp>,
    /// Reason for which the last attempt failed.
    pub failure: Option<String>,
    /// Time at which the data file was created, if it is known.
    pub data_since: Option<Timestamp>,
}

/// A variable of an older product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldVariable {
    pub name: &'static str,
    /// Clause that says what happens to it.
    pub effect: &'static str,
    pub fix: &'static str,
}

pub(super) fn server(state: &ServerState) -> Option<Finding> {
    const CHECK: &str = "server";
    const TITLE: &str = "Server";
    Some(match state {
        ServerState::Running => return None,
        ServerState::Stopped => warning(
            CHECK,
            TITLE,
            "the server does not run; the findings are about the settings of this command",
            "Start it with systemctl start argusd, or argusd serve.",
        ),
        ServerState::NeverStarted(path) => warning(
            CHECK,
            TITLE,
            format!("the server does not run, and there is no data file {path} yet"),
            "Start it with systemctl start argusd, or argusd serve. If it should exist, correct data (--data, ARGUSD_DATA).",
        ),
        ServerState::Unreadable(reason) => bad(
            CHECK,
            TITLE,
            format!("the server does not answer, and the data file cannot be read: {reason}"),
            "Run this command as root or as the user of the server. If the file is damaged, restore a backup.",
        ),
    })
}

pub(super) fn findings(facts: &HostFacts, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![links(&facts.links, &facts.proxies), proxies(&facts.proxies)];
    findings.extend(files(&facts.files));
    findings.extend(facts.disk.map(inodes));
    findings.extend(open_files(facts));
    findings.extend(time(facts));
    findings.extend(facts.backups.as_ref().and_then(|backups| backup(backups, now)));
    findings.extend(facts.old_variables.iter().map(old_variable));
    findings
}

/// Returns whether more than one person can log in. Accounts of sources do not count.
#[must_use]
pub fn has_others(directory: &Directory) -> bool {
    let can_log_in =
        |user: &&Arc<User>| user.is_active && user.password_hash.is_some() && directory.source_of(user.id).is_none();
    directory.users.values().filter(can_log_in).nth(1).is_some()
}

/// Returns the address with which links in messages begin, if it leads nowhere for those who receive them.
#[must_use]
pub fn dead_links(facts: &LinkFacts) -> Option<String> {
    let (base, host) = match &facts.public_url {
        Some(url) => (url.clone(), host_of_url(url)),
        None => (format!("http://{}/", facts.listen), host_of(&facts.listen)),
    };
    let is_nowhere = matches!(host, "0.0.0.0" | "::");
    (is_nowhere || (is_loopback(host) && facts.has_others)).then_some(base)
}

fn links(facts: &LinkFacts, proxies: &ProxyFacts) -> Finding {
    const CHECK: &str = "links";
    const TITLE: &str = "Links in messages";
    let is_proxied = proxies.untrusted.is_some() || proxies.is_https;
    let has_others = facts.has_others || is_proxied;
    let judged = LinkFacts { has_others, ..facts.clone() };
    if let Some(base) = dead_links(&judged) {
        let found = format!("they begin with {base}, which leads nowhere on other hosts");
        let fix = "Set public_url to the address that people open, such as public_url = \"https://argus.example.org\" \
                   (ARGUSD_PUBLIC_URL), and restart.";
        return warning(CHECK, TITLE, found, fix);
    }
    match &facts.public_url {
        Some(url) if url.starts_with("http://") && proxies.is_https => warning(
            CHECK,
            TITLE,
            format!("they begin with {url}, but the proxy is reached by https"),
            "Set public_url to the https:// address (ARGUSD_PUBLIC_URL), and restart.",
        ),
        Some(url) => good(CHECK, TITLE, format!("they begin with {url}"), ""),
        None if is_loopback(host_of(&facts.listen)) => {
            let meaning = "Set public_url before others use this server.";
            good(CHECK, TITLE, format!("they begin with http://{}/, for this host only", facts.listen), meaning)
        }
        None => good(CHECK, TITLE, format!("they begin with http://{}/", facts.listen), ""),
    }
}

fn host_of_url(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    host_of(rest.split('/').next().unwrap_or_default())
}

/// Returns the host of `HOST:PORT` or `[HOST]:PORT`.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

fn proxies(facts: &ProxyFacts) -> Finding {
    const CHECK: &str = "proxies";
    const TITLE: &str = "Trusted proxies";
    let bits = |network: &&String| {
        let (address, prefix) = network.split_once('/')?;
        let least = if address.contains(':') { 16 } else { 8 };
        prefix.parse::<u32>().ok().filter(|prefix| *prefix < least)
    };
    if let Some(wide) = facts.trusted.iter().find(|network| bits(network).is_some()) {
        let level = if bits(&wide) == Some(0) { FindingLevel::Bad } else { FindingLevel::Warning };
        let found = format!("trusted_proxies contains {wide}, so anybody can claim any address");
        let fix = "Name only the addresses of your proxies, such as trusted_proxies = [\"127.0.0.1\"] \
                   (ARGUSD_TRUSTED_PROXIES), and restart.";
        return problem(level, CHECK, TITLE, found, fix);
    }
    if let Some(peer) = &facts.untrusted {
        let found = format!("{peer} sends X-Forwarded-For and is not trusted, so all its clients share one address");
        let fix = format!(
            "If that is your proxy, add it: trusted_proxies = [\"{peer}\"] (ARGUSD_TRUSTED_PROXIES), and restart."
        );
        return warning(CHECK, TITLE, found, fix);
    }
    match facts.trusted.as_slice() {
        [] => good(CHECK, TITLE, "none, and no proxy was seen", ""),
        trusted => good(CHECK, TITLE, super::listed(trusted), ""),
    }
}

fn files(files: &[FileFacts]) -> Vec<Finding> {
    let findings: Vec<Finding> =
        files.iter().flat_map(|file| [permissions(file), owner(file), left_over(file)]).flatten().collect();
    if findings.is_empty() && !files.is_empty() {
        return vec![good("files", "Files", "readable only by their owner", "")];
    }
    findings
}

/// Bits of a mode that others should not have.
const GROUP: u32 = 0o070;
const OTHERS: u32 = 0o007;

fn permissions(file: &FileFacts) -> Option<Finding> {
    const CHECK: &str = "files";
    const TITLE: &str = "Files";
    let FileFacts { kind, path, mode, .. } = file;
    let (what, forbidden, fix) = match kind {
        FileKind::Data => ("the data file", GROUP | OTHERS, format!("chmod 600 {path}")),
        FileKind::Index => ("the search index", GROUP | OTHERS, format!("chmod -R go= {path}")),
        FileKind::Socket => ("the admin socket", GROUP | OTHERS, format!("chmod 600 {path}")),
        FileKind::FirstPassword => ("the first password", GROUP | OTHERS, format!("chmod 600 {path}")),
        // Groups are a usual way to let the server read a file of root.
        FileKind::Settings(true) | FileKind::Secret => ("a file with secrets", OTHERS, format!("chmod o= {path}")),
        FileKind::Settings(false) => ("the settings file", 0o022, format!("chmod go-w {path}")),
    };
    let open = mode & forbidden;
    if open == 0 {
        return None;
    }
    let level = if open & (OTHERS | 0o022) == 0 { FindingLevel::Warning } else { FindingLevel::Bad };
    let who = if open & OTHERS == 0 { "its group" } else { "everybody on this host" };
    let found = format!("{path} ({what}) can be read or changed by {who}: mode {:04o}", mode & 0o7777);
    Some(problem(level, CHECK, TITLE, found, format!("Run: {fix}")))
}

fn owner(file: &FileFacts) -> Option<Finding> {
    let FileFacts { kind, path, owner, server, .. } = file;
    let is_own = matches!(kind, FileKind::Data | FileKind::Index | FileKind::FirstPassword | FileKind::Socket);
    if !is_own || owner == server {
        return None;
    }
    let found = format!("{path} belongs to user {owner}, but the server runs as user {server}");
    Some(bad("owners", "Owners of files", found, format!("Run: chown -R {server} {path}")))
}

fn left_over(file: &FileFacts) -> Option<Finding> {
    let path = &file.path;
    (file.kind == FileKind::FirstPassword).then(|| {
        let found = format!("the generated password of user admin is still in {path}");
        let fix = format!("Log in as admin, set another password on the page of your account, and run: rm {path}");
        warning("first_password", "First password", found, fix)
    })
}

fn inodes(disk: DiskFacts) -> Finding {
    const CHECK: &str = "inodes";
    const TITLE: &str = "Inodes";
    // Some file systems have no fixed number.
    if disk.inodes == 0 {
        return good(CHECK, TITLE, "no limit", "");
    }
    let found = format!("{} of {} free", disk.free_inodes, disk.inodes);
    if disk.free_inodes < FEW_INODES {
        let fix =
            "Delete small files on the disk of the data file: df -i shows the disk, du --inodes -x what holds them.";
        let level = if disk.free_inodes == 0 { FindingLevel::Bad } else { FindingLevel::Warning };
        return problem(level, CHECK, TITLE, found, fix);
    }
    good(CHECK, TITLE, found, "")
}

fn open_files(facts: &HostFacts) -> Option<Finding> {
    const CHECK: &str = "open_files";
    const TITLE: &str = "Open files";
    let limit = facts.open_files?;
    let needed = facts.wanted_connections.unwrap_or_default().saturating_add(OTHER_FILES).max(OPEN_FILES);
    if limit >= needed {
        return Some(good(CHECK, TITLE, format!("up to {limit}"), ""));
    }
    let found = format!("up to {limit}, which is enough for {} connections", limit.saturating_sub(OTHER_FILES));
    let fix = format!(
        "Run systemctl edit argusd, and add LimitNOFILE={needed} below [Service]; in a shell: ulimit -n {needed}."
    );
    Some(warning(CHECK, TITLE, found, fix))
}

fn time(facts: &HostFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    match facts.is_synchronized {
        Some(true) => findings.push(good("clock_sync", "Clock synchronization", "synchronized", "")),
        Some(false) => findings.push(warning(
            "clock_sync",
            "Clock synchronization",
            "the time service runs, but the clock is not synchronized",
            "Run: timedatectl timesync-status. Correct the servers in /etc/systemd/timesyncd.conf, or let port 123/udp \
             through the firewall.",
        )),
        None => {}
    }
    if facts.is_zone_unknown {
        findings.push(warning(
            "time_zone",
            "Time zone",
            "the time zone of this host is not known, so UTC is used",
            "Set time_zone, such as time_zone = \"Europe/Oslo\" (TIME_ZONE), and restart. Timeslots depend on it.",
        ));
    }
    findings
}

fn backup(facts: &BackupFacts, now: Timestamp) -> Option<Finding> {
    const CHECK: &str = "backups";
    const TITLE: &str = "Backups";
    let BackupFacts { directory, every, newest, failure, data_since } = facts;
    let age = |at: &Timestamp| now.micros().saturating_sub(at.micros()).max(0);
    let Some(every) = every else {
        let fix = "Set backup.every, such as 24h, or make sure that something else runs argusd backup every night.";
        return Some(warning(CHECK, TITLE, "switched off", fix));
    };
    let last = match newest {
        Some(newest) => format!("the newest one in {directory} is {} old", span(age(newest))),
        None => format!("there is none in {directory}"),
    };
    let is_late = newest.as_ref().map(age).is_none_or(|age| age > every.saturating_mul(2));
    let fix = format!("Run argusd backup {directory}/now.redb by hand to see why, and look at the log.");
    if let Some(reason) = failure {
        let found = format!("{last}; the last attempt failed: {reason}");
        let fix = format!("Fix the cause; it is tried again every hour. {fix}");
        return Some(problem(
            if is_late { FindingLevel::Bad } else { FindingLevel::Warning },
            CHECK,
            TITLE,
            found,
            fix,
        ));
    }
    match newest {
        Some(_) if is_late => Some(bad(CHECK, TITLE, last, fix)),
        Some(_) => {
            let meaning = format!("Verified after it was written. Copy the files in {directory} to another host.");
            Some(good(CHECK, TITLE, last, meaning))
        }
        None if data_since.as_ref().map(age).is_some_and(|age| age > STALE_BACKUP) => {
            Some(warning(CHECK, TITLE, last, fix))
        }
        None => None,
    }
}

fn old_variable(variable: &OldVariable) -> Finding {
    let OldVariable { name, effect, fix } = variable;
    warning("old_variables", "Old variables", format!("{name} is set, and {effect}"), *fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(public_url: Option<&str>, listen: &str, has_others: bool) -> LinkFacts {
        LinkFacts { public_url: public_url.map(str::to_owned), listen: listen.to_owned(), has_others }
    }

    #[test]
    fn links_lead_nowhere_from_wildcards_and_for_others_from_loopback() {
        let base = |public_url, listen, has_others| dead_links(&link(public_url, listen, has_others));
        for listen in ["0.0.0.0:8000", "[::]:8000"] {
            assert_eq!(base(None, listen, false), Some(format!("http://{listen}/")));
        }
        for listen in ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "[::ffff:127.0.0.1]:8000"] {
            assert_eq!(base(None, listen, false), None, "{listen}: a try-out");
            assert_eq!(base(None, listen, true), Some(format!("http://{listen}/")));
        }
        assert_eq!(base(None, "192.0.2.1:8000", true), None);
        assert_eq!(base(Some("https://argus.example.org/"), "0.0.0.0:8000", true), None);
        assert_eq!(
            base(Some("http://localhost:8000/"), "0.0.0.0:8000", true),
            Some("http://localhost:8000/".to_owned())
        );
    }

    #[test]
    fn a_proxy_makes_loopback_public() {
        let no_proxy = ProxyFacts::default();
        let proxy = ProxyFacts { untrusted: Some("127.0.0.1".to_owned()), is_https: true, ..no_proxy.clone() };
        let here = link(None, "127.0.0.1:8000", false);
        assert_eq!(links(&here, &no_proxy).level, FindingLevel::Good);
        assert_eq!(links(&here, &proxy).level, FindingLevel::Warning);
        let http = link(Some("http://argus.example.org/"), "127.0.0.1:8000", true);
        assert_eq!(links(&http, &no_proxy).level, FindingLevel::Good);
        let finding = links(&http, &proxy);
        assert!(finding.level == FindingLevel::Warning && finding.fix.contains("https://"), "{finding:?}");
    }

    #[test]
    fn proxies_are_neither_forgotten_nor_everybody() {
        let level = |trusted: &[&str], untrusted: Option<&str>| {
            let trusted = trusted.iter().map(|it| (*it).to_owned()).collect();
            let finding = proxies(&ProxyFacts { trusted, untrusted: untrusted.map(str::to_owned), is_https: false });
            assert_eq!(finding.fix.is_empty(), finding.level == FindingLevel::Good);
            finding.level
        };
        assert_eq!(level(&[], None), FindingLevel::Good);
        assert_eq!(level(&["127.0.0.1", "10.0.0.0/8", "fd00::/16"], None), FindingLevel::Good);
        assert_eq!(level(&[], Some("10.0.0.1")), FindingLevel::Warning);
        assert_eq!(level(&["10.0.0.0/7"], None), FindingLevel::Warning);
        assert_eq!(level(&["127.0.0.1", "0.0.0.0/0"], None), FindingLevel::Bad);
        assert_eq!(level(&["::/0"], None), FindingLevel::Bad);
    }

    #[test]
    fn files_are_private() {
        use FileKind::{Data, FirstPassword, Index, Secret, Settings, Socket};
        let level = |kind, mode| {
            let file = FileFacts { kind, path: "/x".to_owned(), mode, owner: 5, server: 5 };
            permissions(&file).map_or(FindingLevel::Good, |finding| {
                assert!(finding.fix.contains("chmod"), "{finding:?}");
                finding.level
            })
        };
        for (kind, good, warned, bad) in [
            (Data, 0o600, 0o640, 0o644),
            (Index, 0o700, 0o750, 0o755),
            (Socket, 0o600, 0o640, 0o666),
            (FirstPassword, 0o600, 0o640, 0o644),
        ] {
            assert_eq!(level(kind, good), FindingLevel::Good, "{kind:?}");
            assert_eq!(level(kind, warned), FindingLevel::Warning, "{kind:?}");
            assert_eq!(level(kind, bad), FindingLevel::Bad, "{kind:?}");
        }
        assert_eq!(
            (level(Settings(false), 0o644), level(Settings(false), 0o664)),
            (FindingLevel::Good, FindingLevel::Bad)
        );
        assert_eq!(
            (level(Settings(true), 0o640), level(Settings(true), 0o644)),
            (FindingLevel::Good, FindingLevel::Bad)
        );
        assert_eq!((level(Secret, 0o440), level(Secret, 0o604)), (FindingLevel::Good, FindingLevel::Bad));
    }

    #[test]
    fn files_of_others_and_the_first_password_are_found() {
        let file = |kind, owner| FileFacts { kind, path: "/x".to_owned(), mode: 0o600, owner, server: 5 };
        assert_eq!(files(&[file(FileKind::Data, 5)])[0].level, FindingLevel::Good);
        assert_eq!(files(&[file(FileKind::Secret, 0)])[0].level, FindingLevel::Good);
        let found = files(&[file(FileKind::Index, 0)]);
        assert!(found.len() == 1 && found[0].fix == "Run: chown -R 5 /x", "{found:?}");
        let found = files(&[file(FileKind::FirstPassword, 5)]);
        assert!(found.len() == 1 && found[0].level == FindingLevel::Warning, "{found:?}");
        assert!(files(&[]).is_empty());
    }

    #[test]
    fn limits_of_the_host_are_compared_with_what_is_needed() {
        let disk = |free_inodes, inodes| inodes_level(DiskFacts { free_inodes, inodes });
        assert_eq!(disk(5_000, 10_000), FindingLevel::Good);
        assert_eq!(disk(0, 0), FindingLevel::Good);
        assert_eq!(disk(10, 10_000), FindingLevel::Warning);
        assert_eq!(disk(0, 10_000), FindingLevel::Bad);
        let limit = |open_files, wanted_connections| {
            open_files_level(&HostFacts { open_files: Some(open_files), wanted_connections, ..HostFacts::default() })
        };
        assert_eq!(limit(20_000, None), FindingLevel::Good);
        assert_eq!(limit(1_024, None), FindingLevel::Warning);
        assert_eq!(limit(20_000, Some(50_000)), FindingLevel::Warning);
    }

    fn inodes_level(disk: DiskFacts) -> FindingLevel {
        inodes(disk).level
    }

    fn open_files_level(facts: &HostFacts) -> FindingLevel {
        open_files(facts).unwrap().level
    }

    #[test]
    fn clock_and_zone_are_judged_only_if_they_are_known() {
        let count = |is_synchronized, is_zone_unknown| {
            let facts = HostFacts { is_synchronized, is_zone_unknown, ..HostFacts::default() };
            time(&facts).iter().filter(|finding| finding.level == FindingLevel::Warning).count()
        };
        assert_eq!((count(None, false), count(Some(true), false)), (0, 0));
        assert_eq!((count(Some(false), false), count(None, true)), (1, 1));
    }

    #[test]
    fn backups_are_recent() {
        let now = Timestamp::saturating_from_micros(100 * DAY);
        let ago = |days: i64| now.saturating_add_micros(-days * DAY);
        let nightly = BackupFacts {
            directory: "/b".to_owned(),
            every: Some(DAY),
            newest: Some(ago(1)),
            failure: None,
            data_since: Some(ago(50)),
        };
        let level = |facts: &BackupFacts| backup(facts, now).map(|finding| finding.level);
        assert_eq!(level(&nightly), Some(FindingLevel::Good));
        assert_eq!(level(&BackupFacts { newest: Some(ago(3)), ..nightly.clone() }), Some(FindingLevel::Bad));
        assert_eq!(level(&BackupFacts { newest: None, ..nightly.clone() }), Some(FindingLevel::Warning));
        for data_since in [Some(ago(1)), None] {
            assert_eq!(level(&BackupFacts { newest: None, data_since, ..nightly.clone() }), None);
        }
        assert_eq!(level(&BackupFacts { every: None, ..nightly.clone() }), Some(FindingLevel::Warning));
        let failed = BackupFacts { failure: Some("the disk is full".to_owned()), ..nightly };
        assert_eq!(level(&failed), Some(FindingLevel::Warning));
        assert!(backup(&failed, now).unwrap().found.ends_with("1 d old; the last attempt failed: the disk is full"));
        assert_eq!(level(&BackupFacts { newest: Some(ago(3)), ..failed.clone() }), Some(FindingLevel::Bad));
        assert_eq!(level(&BackupFacts { newest: None, ..failed }), Some(FindingLevel::Bad));
    }

    #[test]
    fn a_server_that_does_not_run_is_mentioned() {
        assert_eq!(server(&ServerState::Running), None);
        let level = |state| server(&state).unwrap().level;
        assert_eq!(level(ServerState::Stopped), FindingLevel::Warning);
        assert_eq!(level(ServerState::NeverStarted("/x".to_owned())), FindingLevel::Warning);
        assert_eq!(level(ServerState::Unreadable("x".to_owned())), FindingLevel::Bad);
    }
}
