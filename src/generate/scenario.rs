//! Kinds of faults that generated incidents are about, each with its text, tags and metadata.

use super::{dice::Dice, words::WORDS};

/// A monitoring system of the generated network.
pub(super) struct SourceKind {
    pub name: &'static str,
    pub source_type: &'static str,
    pub base_url: &'static str,
    /// Share of all incidents, in percent.
    pub share: u64,
    pub troubles: &'static [fn(&mut Dice) -> Fault],
}

pub(super) const SOURCES: &[SourceKind] = &[NAV, ZINO, ZABBIX, ICINGA, PROMETHEUS];

pub(super) const NAV: SourceKind = SourceKind {
    name: "nav-campus",
    source_type: "nav",
    base_url: "https://nav.example.org/",
    share: 40,
    troubles: &[box_down, link_down, link_down, module_down, threshold],
};
const ZINO: SourceKind = SourceKind {
    name: "zino-backbone",
    source_type: "zino",
    base_url: "https://zino.example.org/",
    share: 15,
    troubles: &[link_down, link_flapping, bgp_down, bgp_down],
};
pub(super) const ZABBIX: SourceKind = SourceKind {
    name: "zabbix-servers",
    source_type: "zabbix",
    base_url: "https://zabbix.example.org/",
    share: 20,
    troubles: &[disk_full, service_down, high_load, threshold],
};
pub(super) const ICINGA: SourceKind = SourceKind {
    name: "icinga-services",
    source_type: "icinga",
    base_url: "https://icinga.example.org/icingaweb2/",
    share: 10,
    troubles: &[service_down, certificate, disk_full],
};
pub(super) const PROMETHEUS: SourceKind = SourceKind {
    name: "prometheus-apps",
    source_type: "alertmanager",
    base_url: "https://alerts.example.org/",
    share: 15,
    troubles: &[pods_restarting, error_rate, pods_restarting, certificate],
};

/// Report of a source about one fault.
pub(super) struct Fault {
    pub description: String,
    /// Three to six tags as `key=value`.
    pub tags: Vec<String>,
    pub details_url: String,
    /// Compact JSON.
    pub metadata: Option<String>,
}

fn box_down(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &WORDS.roles);
    let description = format!(
        "{} ({}) does not answer to ping: {} of 5 packets lost, last seen {} min ago",
        site.host,
        site.address(dice),
        dice.between(4, 5),
        dice.between(2, 15)
    );
    site.fault(dice, "box-down", description, &[])
}

fn link_down(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &WORDS.roles);
    let (port, far) = (port(dice), NetworkSite::roll(dice, &WORDS.roles).host);
    let description = format!("{}: interface {port} to {far} is down", site.host);
    let tags = [format!("interface={port}"), format!("neighbour={far}")];
    site.fault(dice, "link-down", description, &tags)
}

fn link_flapping(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &WORDS.roles);
    let port = port(dice);
    let description =
        format!("{}: {port} is flapping, {} changes in {} min", site.host, dice.between(4, 90), dice.between(5, 30));
    site.fault(dice, "flapping", description, &[format!("interface={port}")])
}

fn bgp_down(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &["gw", "core"]);
    let number = dice.between(64_512, 65_534);
    let peer = site.address(dice);
    let description = format!("{}: BGP session to AS{number} ({peer}) is down: hold timer expired", site.host);
    site.fault(dice, "bgp-down", description, &[format!("peer_as={number}")])
}

fn module_down(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &WORDS.roles);
    let (module, slot) = (dice.word(&WORDS.modules), dice.between(1, 8));
    let description = format!(
        "{}: {module} in slot {slot} has failed, serial number FX{:08X}",
        site.host,
        dice.below(u64::from(u32::MAX))
    );
    site.fault(dice, "module-down", description, &[format!("module={module}")])
}

fn threshold(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &WORDS.roles);
    let (port, used) = (port(dice), dice.between(80, 99));
    let description = format!(
        "{}: traffic on {port} is {used} % of its capacity for {} min (threshold 80 %)",
        site.host,
        dice.between(5, 60)
    );
    let tags = [format!("interface={port}")];
    let mut fault = site.fault(dice, "threshold", description, &tags);
    fault.metadata = Some(format!(r#"{{"value":{used},"threshold":80,"unit":"%"}}"#));
    fault
}

fn disk_full(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &WORDS.server_roles);
    let (mount, used) = (dice.word(&WORDS.mounts), dice.between(90, 100));
    let description = format!("{}: {mount} is {used} % full, {} MiB left", site.host, dice.between(0, 9_000));
    let mut fault = site.fault(dice, "disk", description, &[format!("mount={mount}")]);
    fault.metadata = Some(format!(r#"{{"check":"disk","mount":"{mount}","used_percent":{used}}}"#));
    fault
}

fn service_down(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &WORDS.server_roles);
    let service = dice.word(&WORDS.services);
    let description = format!(
        "{}: service {service} is not running, exit code {} at its last start",
        site.host,
        dice.between(1, 143)
    );
    site.fault(dice, "service-down", description, &[format!("service={service}")])
}

fn high_load(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &WORDS.server_roles);
    let description = format!(
        "{}: load average {}.{:02} on {} processors for {} min",
        site.host,
        dice.between(8, 90),
        dice.below(100),
        dice.between(2, 64),
        dice.between(5, 45)
    );
    site.fault(dice, "load", description, &[])
}

fn certificate(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &WORDS.server_roles);
    let days = dice.between(1, 29);
    let description = format!("The certificate of https://{}.example.org expires in {days} days", site.host);
    let mut fault = site.fault(dice, "certificate", description, &[]);
    fault.metadata = Some(format!(r#"{{"days_left":{days}}}"#));
    fault
}

fn pods_restarting(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &["k8s"]);
    let (namespace, service) = (dice.word(&WORDS.namespaces), dice.word(&WORDS.services));
    let description = format!(
        "KubePodCrashLooping: {namespace}/{service}-{:x} restarted {} times within 10 min",
        dice.below(0xff_ffff),
        dice.between(3, 40)
    );
    let tags = [format!("namespace={namespace}"), format!("service={service}")];
    site.fault(dice, "crash-loop", description, &tags)
}

fn error_rate(dice: &mut Dice) -> Fault {
    let site = NetworkSite::roll(dice, &["k8s"]);
    let (namespace, rate) = (dice.word(&WORDS.namespaces), dice.between(2, 60));
    let description = format!(
        "HighErrorRate: {rate} % of requests to {namespace} fail with status 5{:02}, {} requests/s",
        dice.below(5),
        dice.between(1, 900)
    );
    let mut fault = site.fault(dice, "error-rate", description, &[format!("namespace={namespace}")]);
    fault.metadata = Some(format!(r#"{{"alertname":"HighErrorRate","value":{rate}}}"#));
    fault
}

/// Place and host of a fault.
struct NetworkSite {
    place: &'static str,
    host: String,
}

impl NetworkSite {
    fn roll(dice: &mut Dice, roles: &[&'static str]) -> Self {
        let (place, role) = (dice.word(&WORDS.places), dice.word(roles));
        Self { place, host: format!("{place}-{role}{}", dice.skewed(8, 5)) }
    }

    fn address(&self, dice: &mut Dice) -> String {
        format!("10.{}.{}.{}", self.place.len(), dice.below(256), dice.between(1, 254))
    }

    fn fault(&self, dice: &mut Dice, problem: &str, description: String, more: &[String]) -> Fault {
        let mut tags = vec![format!("host={}", self.host), format!("problem_type={problem}")];
        tags.extend_from_slice(more);
        tags.push(format!("location={}-{}", self.place, dice.word(&WORDS.buildings)));
        if dice.percent(60) {
            tags.push(format!("customer={}-{}", dice.word(&WORDS.customers), dice.between(1, 30)));
        }
        let details_url = format!("/device/{}/{problem}/{}", self.host, dice.between(1_000, 999_999));
        Fault { description, tags, details_url, metadata: None }
    }
}

fn port(dice: &mut Dice) -> String {
    format!("{}{}", dice.word(&WORDS.port_kinds), dice.between(0, 47))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tag::Tag;

    #[test]
    fn every_trouble_has_three_to_six_good_tags_and_good_metadata() {
        let mut dice = Dice::new(3);
        for _ in 0..200 {
            for fault in SOURCES.iter().flat_map(|source| source.troubles) {
                let fault = fault(&mut dice);
                assert!((3..=6).contains(&fault.tags.len()), "{:?}", fault.tags);
                assert!(fault.tags.iter().all(|tag| Tag::parse(tag).is_ok()), "{:?}", fault.tags);
                if let Some(metadata) = fault.metadata {
                    assert!(serde_json::from_str::<serde_json::Value>(&metadata).is_ok(), "{metadata}");
                }
            }
        }
    }

    #[test]
    fn the_shares_make_a_hundred() {
        assert_eq!(SOURCES.iter().map(|source| source.share).sum::<u64>(), 100);
    }
}
