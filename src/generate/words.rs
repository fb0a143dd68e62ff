//! Names of places, devices and faults of the generated network.

pub(super) const PLACES: &[&str] = &[
    "oslo",
    "bergen",
    "trondheim",
    "stavanger",
    "tromso",
    "kristiansand",
    "drammen",
    "bodo",
    "alesund",
    "hamar",
    "lillehammer",
    "gjovik",
    "molde",
    "narvik",
    "alta",
    "kirkenes",
    "longyearbyen",
    "horten",
    "kongsberg",
    "porsgrunn",
    "stord",
    "volda",
    "sogndal",
    "levanger",
    "steinkjer",
    "namsos",
    "harstad",
    "mosjoen",
    "rena",
    "evenstad",
];
pub(super) const BUILDINGS: &[&str] =
    &["main", "library", "physics", "chemistry", "medicine", "datacentre", "sports", "admin", "workshop", "annex"];
pub(super) const ROLES: &[&str] = &["gw", "core", "sw", "ap", "fw", "dist"];
pub(super) const SERVER_ROLES: &[&str] =
    &["web", "db", "mail", "dns", "backup", "ldap", "proxy", "build", "storage", "monitor", "queue", "cache"];
pub(super) const CUSTOMERS: &[&str] = &[
    "university",
    "college",
    "library",
    "hospital",
    "research",
    "museum",
    "archive",
    "institute",
    "observatory",
    "school",
    "academy",
    "laboratory",
];
pub(super) const SERVICES: &[&str] = &[
    "nginx",
    "postgresql",
    "postfix",
    "slapd",
    "named",
    "sshd",
    "redis",
    "rabbitmq",
    "haproxy",
    "chronyd",
    "nfsd",
    "cron",
    "keycloak",
    "gitlab",
    "grafana",
    "elasticsearch",
];
pub(super) const NAMESPACES: &[&str] =
    &["billing", "identity", "portal", "search", "media", "learning", "exams", "storage", "mail", "monitoring"];
pub(super) const MOUNTS: &[&str] = &["/", "/var", "/home", "/srv", "/var/log", "/data", "/backup", "/tmp"];
pub(super) const PORT_KINDS: &[&str] = &[
    "GigabitEthernet1/0/",
    "TenGigabitEthernet1/1/",
    "xe-0/0/",
    "et-0/0/",
    "ge-0/0/",
    "Ethernet",
    "HundredGigE0/0/0/",
];
pub(super) const MODULES: &[&str] =
    &["power supply", "fan tray", "line card", "supervisor", "transceiver", "fabric module"];
pub(super) const END_TEXTS: &[&str] =
    &["", "Back to normal", "Recovered", "Resolved by itself", "The check succeeds again", "Link is up again"];
pub(super) const ACK_TEXTS: &[&str] = &[
    "",
    "Looking into it",
    "Known problem, a replacement is on its way",
    "Planned work, see the calendar",
    "Reported to the carrier",
    "Waiting for the site contact",
    "Will be fixed on Monday",
];
