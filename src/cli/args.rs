//! The grammar of the command line.
#![expect(clippy::doc_markdown, reason = "help texts are shown as they stand")]

mod accounts;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

pub(super) use self::accounts::{Heartbeat, SourceCommand, TokenCommand, UserCommand};
use crate::config::Flags;
use crate::control::built_in_channel_types;

const CHANNEL_CONFIG: &str = "settings";

/// Behind the word `channel` the flag `--config` names the settings of the channel, not those of the server, which are
/// named before it then.
pub(super) fn of_channels(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut at = 1;
    while let Some(flag) = arguments.get(at).filter(|flag| flag.as_encoded_bytes().starts_with(b"--")) {
        let takes_next =
            ["--data", "--listen", "--tls-cert", "--tls-key", "--config"].iter().any(|known| flag == known);
        at += if takes_next { 2 } else { 1 };
    }
    if arguments.get(at).is_none_or(|command| command != "channel") {
        return arguments;
    }
    for argument in arguments.iter_mut().skip(at) {
        if argument == "--config" {
            *argument = format!("--{CHANNEL_CONFIG}").into();
        } else if let Some(file) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            *argument = format!("--{CHANNEL_CONFIG}={file}").into();
        }
    }
    arguments
}

/// The incident desk of a monitoring team as one program and one file.
///
/// Without a command it runs the server.
#[derive(Debug, Parser)]
#[command(name = "argusd", version = super::version::TEXT, max_term_width = 100)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub settings: SettingArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Args)]
pub(super) struct SettingArgs {
    /// The data file; also ARGUSD_DATA [default: ./argusd.redb]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    data: Option<PathBuf>,
    /// Where to listen, HOST:PORT or unix:PATH; also ARGUSD_LISTEN [default: 127.0.0.1:8000]
    #[arg(long, global = true, value_name = "WHERE", help_heading = "Settings")]
    listen: Option<String>,
    /// The server's certificate and its chain in PEM, for HTTPS; also ARGUSD_TLS_CERT
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate; also ARGUSD_TLS_KEY
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    tls_key: Option<PathBuf>,
    /// The settings file; also ARGUSD_CONFIG [default: /etc/argusd/argusd.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    config: Option<PathBuf>,
}

impl From<SettingArgs> for Flags {
    fn from(args: SettingArgs) -> Self {
        let SettingArgs { data, listen, tls_cert, tls_key, config } = args;
        Self { data, listen, tls_cert, tls_key, config }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server (the default without a command)
    Serve,
    /// Users and the accounts of sources
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// API tokens
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Monitoring systems that post incidents
    Source {
        #[command(subcommand)]
        command: SourceCommand,
    },
    /// Ways to notify contacts
    Channel {
        #[command(subcommand)]
        command: ChannelCommand,
    },
    /// Saved filters
    Filter {
        #[command(subcommand)]
        command: FilterCommand,
    },
    /// Notification profiles
    Profile {
        #[command(subcommand)]
        command: ProfileCommand,
    },
    /// Create test incidents, close incidents
    Incident {
        #[command(subcommand)]
        command: IncidentCommand,
    },
    /// Deletion of old incidents: see what will be deleted, and when
    Retention {
        #[command(subcommand)]
        command: RetentionCommand,
    },
    /// Load realistic incidents, for demonstrations and benchmarks
    Generate(Generate),
    /// Create demo data: incidents, people, profiles, maintenance, contacts. Nobody is notified
    Demo(Demo),
    /// Load test an Argus-compatible server: post incidents, verify them, print rates and latencies
    Stress(Stress),
    /// Verify the data file or a backup, its indexes and counters; exits with 1 if something is wrong. Nothing is changed
    Check {
        /// A data file that no server has open, such as a backup [default: the data file]
        file: Option<PathBuf>,
    },
    /// Examine mail, names, certificates, files, backups and settings, and say how to fix what is wrong.
    ///
    /// Exits with 0 if nothing is bad, and with 1 otherwise. Nothing is changed, and no mail is sent.
    Doctor(Doctor),
    /// Test the mail server
    Mail {
        #[command(subcommand)]
        command: MailCommand,
    },
    /// Rebuild the text index
    Reindex,
    /// Write a complete, consistent, compacted copy of the data file, while the server runs or not
    Backup {
        /// Where to write it, - for standard output; an existing file is replaced once the copy is complete and verified
        file: PathBuf,
    },
    /// Put a backup in the place of the data file, while no server runs
    Restore {
        /// The backup
        file: PathBuf,
        /// Replace an existing data file, which is kept beside
        #[arg(long)]
        force: bool,
    },
    /// Print the OpenAPI document of an API version
    Openapi { version: ApiVersion },
    /// Show the settings in force, and where each came from
    Config {
        /// Only check them: fails where `serve` would refuse to start. Opens neither the data file nor a port
        #[arg(long)]
        check: bool,
    },
    /// Ask the running server whether it is ready; exits with 1 if it is not
    Health {
        /// Its address, such as http://127.0.0.1:8000 [default: as `listen` says]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Show version, commit and build
    Version,
    /// Print a completion script
    Completions { shell: Shell },
    /// Print the manual page; `argusd man | man -l -` shows it
    Man,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ApiVersion {
    V1,
    V2,
    /// What the Argus API does not have
    Native,
}

#[derive(Debug, Subcommand)]
pub(super) enum FilterCommand {
    /// Show the filters of all users
    List {
        /// Only this one
        #[arg(short, long)]
        pk: Option<u64>,
        /// Only those of this name
        #[arg(short, long)]
        name: Option<String>,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ProfileCommand {
    /// Show the profiles of all users
    List {
        /// Only those of this user
        #[arg(long)]
        user: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Switch profiles on that are off, and off that are on
    Toggle {
        #[arg(required = true, value_name = "ID")]
        ids: Vec<u64>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ChannelCommand {
    /// Create a channel and print its UUID
    Create {
        #[arg(long)]
        name: String,
        #[arg(long = "type", value_name = "TYPE", help = channel_types_help())]
        channel_type: String,
        /// Its UUID [default: a random one]
        #[arg(long, value_name = "UUID")]
        id: Option<String>,
        /// The file with its settings, a JSON object, `-` for standard input; here --config means the same
        #[arg(long = CHANNEL_CONFIG, value_name = "FILE")]
        settings: Option<PathBuf>,
        /// Everybody may have destinations of this type
        #[arg(long)]
        offered: bool,
        /// Succeed if there is a channel of this name already, change nothing, and print its UUID
        #[arg(long)]
        if_missing: bool,
    },
    /// Show all channels, without the values of their settings
    List {
        #[arg(long)]
        json: bool,
    },
    /// Change a channel; what is not named stays as it is
    #[command(override_usage = "argusd channel change <CHANNEL> <OPTIONS>")]
    #[command(group(clap::ArgGroup::new("change").required(true).multiple(true).args([
        "name", "channel_type", "settings", "offered",
    ])))]
    Change {
        /// Its name or its UUID
        channel: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long = "type", value_name = "TYPE")]
        channel_type: Option<String>,
        /// The file with all its settings, a JSON object, `-` for standard input; here --config means the same
        #[arg(long = CHANNEL_CONFIG, value_name = "FILE")]
        settings: Option<PathBuf>,
        /// `--offered` or `--offered false`
        #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
        offered: Option<bool>,
    },
    /// Show the channel plug-ins that are installed
    Types {
        #[arg(long)]
        json: bool,
    },
    /// Delete a channel that is not the default of a contact
    Delete {
        /// Its name or its UUID
        channel: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum IncidentCommand {
    /// Create test incidents and print their numbers
    Create {
        /// How many
        #[arg(short = 'b', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        count: u32,
        #[arg(short, long)]
        description: Option<String>,
        /// 1 (critical) to 5 (information)
        #[arg(short, long, value_parser = clap::value_parser!(u8).range(1..=5))]
        level: Option<u8>,
        /// `key=value`; may be repeated
        #[arg(short, long = "tag", value_name = "TAG")]
        tags: Vec<String>,
        /// The name of the source [default: argus]
        #[arg(short, long)]
        source: Option<String>,
        #[arg(long, value_name = "TYPE")]
        source_type: Option<String>,
        #[arg(long)]
        stateless: bool,
        #[arg(long, value_name = "JSON")]
        metadata: Option<String>,
        #[arg(long, value_name = "FILE", conflicts_with = "metadata")]
        metadata_file: Option<PathBuf>,
    },
    /// Close an incident
    #[command(group(clap::ArgGroup::new("which").required(true).args(["id", "source"])))]
    Close {
        #[arg(long)]
        id: Option<u64>,
        /// The name of the source
        #[arg(long, requires = "source_incident_id")]
        source: Option<String>,
        #[arg(long, requires = "source")]
        source_incident_id: Option<String>,
        /// How long it lasted, as "DD HH:MM:SS" [default: until now]
        #[arg(long, value_parser = super::requests::duration_micros)]
        duration: Option<i64>,
        #[arg(long, value_name = "TEXT")]
        closing_message: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum RetentionCommand {
    /// Show which closed incidents will be deleted next, and when. Deletes nothing
    Show {
        /// Show what this number of days would delete [default: the setting retention.closed_days]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=365_000))]
        days: Option<u32>,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print the findings as a JSON list with check, level, title, found, meaning and fix
    #[arg(long)]
    pub json: bool,
    /// Exit with 1 for warnings, too
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum MailCommand {
    /// Send a test mail, and show each step and the answer of the mail server; exits with 1 if it is not accepted
    Test {
        /// The recipient
        address: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Generate {
    /// Number of incidents
    #[arg(value_name = "N")]
    pub count: u64,
    /// The same seed creates the same incidents
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Load them even if there are real incidents
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The same seed creates the same data
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Create it even if there are incidents already
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("secret").required(true).args(["token", "token_file"])))]
pub(super) struct Stress {
    /// The server's address, such as http://127.0.0.1:8000
    pub url: String,
    /// The token of a source's user. Other users of this host can see it in the list of processes; better use
    /// --token-file
    pub token: Option<SecretString>,
    /// The file whose first line is that token; `-` for standard input, or to be asked on a terminal
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Connections that post at the same time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub workers: u16,
    /// Acknowledge everything in bulk afterwards, and verify that too
    #[arg(long)]
    pub bulk: bool,
}

fn channel_types_help() -> String {
    format!("{}, or the name of a plug-in", built_in_channel_types().join(", "))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn settings_stand_before_and_after_any_command() {
        for line in [
            &["argusd", "--data", "x", "--listen", "h:1", "--config", "c"][..],
            &["argusd", "--data", "x", "--listen", "h:1", "--config", "c", "serve"],
            &["argusd", "serve", "--data", "x", "--listen", "h:1", "--config", "c"],
            &["argusd", "--data", "x", "user", "--listen", "h:1", "list", "--config", "c"],
            &["argusd", "generate", "5", "--data", "x", "--listen", "h:1", "--config", "c"],
        ] {
            let flags = Flags::from(Arguments::try_parse_from(line).unwrap().settings);
            assert_eq!(flags.data, Some(PathBuf::from("x")), "{line:?}");
            assert_eq!(flags.listen.as_deref(), Some("h:1"), "{line:?}");
            assert_eq!(flags.config, Some(PathBuf::from("c")), "{line:?}");
        }
    }

    #[test]
    fn a_channel_has_settings_of_its_own() {
        let parse = |line: &str| Arguments::try_parse_from(of_channels(line.split(' ').map(OsString::from))).unwrap();
        for line in [
            "argusd --config c channel create --name n --type t --config f",
            "argusd --config c --data=d channel create --name n --type t --config=f",
        ] {
            let parsed = parse(line);
            let Some(Command::Channel { command: ChannelCommand::Create { settings, .. } }) = parsed.command else {
                panic!("{line}")
            };
            assert_eq!(settings, Some(PathBuf::from("f")), "{line}");
            assert_eq!(Flags::from(parsed.settings).config, Some(PathBuf::from("c")), "{line}");
        }
        assert_eq!(Flags::from(parse("argusd user list --config c").settings).config, Some(PathBuf::from("c")));
    }

    #[test]
    fn an_incident_to_close_is_named_in_one_way() {
        let parse = |args: &[&str]| Arguments::try_parse_from([&["argusd", "incident", "close"], args].concat());
        assert!(parse(&["--id", "5"]).is_ok());
        assert!(parse(&["--source", "nav", "--source-incident-id", "7"]).is_ok());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--source", "nav"]).is_err());
        assert!(parse(&["--id", "5", "--source", "nav", "--source-incident-id", "7"]).is_err());
    }
}
