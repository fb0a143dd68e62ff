//! The arguments of the commands about users, tokens and sources.

use std::path::PathBuf;

use clap::Subcommand;
use secrecy::SecretString;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum UserCommand {
    /// Create a user
    Create {
        name: String,
        #[arg(long, default_value = "")]
        email: String,
        #[arg(long, default_value = "")]
        first_name: String,
        #[arg(long, default_value = "")]
        last_name: String,
        /// May use the administration
        #[arg(long)]
        staff: bool,
        /// May do everything
        #[arg(long)]
        superuser: bool,
        /// The file whose first line is the password; `-` for standard input, or to be asked on a terminal. Without
        /// one the user has no password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// A permission to give, such as notifications/api/v1; may be repeated
        #[arg(long, value_name = "PERMISSION")]
        grant: Vec<String>,
        /// Succeed if there is a user of this name already, and change nothing
        #[arg(long)]
        if_missing: bool,
    },
    /// Show all users
    List {
        #[arg(long)]
        json: bool,
    },
    /// Change a user; what is not named stays as it is
    #[command(override_usage = "argusd user change <NAME> <OPTIONS>")]
    #[command(group(clap::ArgGroup::new("change").required(true).multiple(true).args([
        "email", "first_name", "last_name", "staff", "superuser", "active", "grant", "revoke_grant",
    ])))]
    Change {
        name: String,
        #[arg(long)]
        email: Option<String>,
        #[arg(long)]
        first_name: Option<String>,
        #[arg(long)]
        last_name: Option<String>,
        /// `--staff` or `--staff false`
        #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
        staff: Option<bool>,
        /// `--superuser` or `--superuser false`
        #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
        superuser: Option<bool>,
        /// `--active` or `--active false`
        #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
        active: Option<bool>,
        /// A permission to give; may be repeated
        #[arg(long, value_name = "PERMISSION")]
        grant: Vec<String>,
        /// A permission to remove; may be repeated
        #[arg(long, value_name = "PERMISSION")]
        revoke_grant: Vec<String>,
    },
    /// Set a user's password
    Password {
        name: String,
        /// The file whose first line is the password; `-` for standard input, or to be asked on a terminal
        #[arg(long, value_name = "FILE", default_value = "-")]
        password_file: PathBuf,
    },
    /// Lock a user out; what they did stays
    Deactivate { name: String },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Create a token and print only it; it cannot be shown again. When it expires is printed on standard error
    Create {
        user: String,
        /// The file whose first line is a token of an existing Argus, to be used instead of a new one; `-` for standard
        /// input, or to be asked on a terminal
        #[arg(long, value_name = "FILE")]
        value_file: Option<PathBuf>,
        /// The same token itself. Other users of this host can see it in the list of processes; better use --value-file
        #[arg(long, value_name = "40HEX", conflicts_with = "value_file")]
        value: Option<SecretString>,
        /// Days, or the word never [default: as the settings say]
        #[arg(long, value_name = "DAYS", value_parser = crate::cli::requests::life)]
        expires: Option<crate::control::Life>,
        /// Succeed if the user has a valid token already, and print none
        #[arg(long)]
        if_missing: bool,
    },
    /// Show all tokens, without their secrets
    List {
        /// Only those of this user
        #[arg(long)]
        user: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// End a token
    #[command(group(clap::ArgGroup::new("which").required(true).args(["id", "value_file", "user"])))]
    Revoke {
        /// The number that the list shows
        id: Option<u64>,
        /// The file whose first line is the token itself; `-` for standard input, or to be asked on a terminal
        #[arg(long, value_name = "FILE")]
        value_file: Option<PathBuf>,
        /// All tokens of this user
        #[arg(long)]
        user: Option<String>,
    },
    /// Open and end incidents about tokens of sources that expire soon; a running server does that by itself
    Check {
        /// Number of days before expiry [default: as the settings say]
        #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=365_000))]
        days: Option<u32>,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SourceCommand {
    /// Create a source; its type and its user are created as needed
    Create {
        name: String,
        #[arg(long = "type", value_name = "TYPE")]
        source_type: String,
        /// Base of relative addresses in its incidents
        #[arg(long, value_name = "URL", default_value = "")]
        base_url: String,
        /// The name of its user [default: the source's name]
        #[arg(long)]
        username: Option<String>,
        /// Create a token for its user and print only it. When it expires is printed on standard error
        #[arg(long)]
        token: bool,
        /// Life of that token: days, or the word never [default: as the settings say]
        #[arg(long, value_name = "DAYS", requires = "token", value_parser = crate::cli::requests::life)]
        expires: Option<crate::control::Life>,
        /// Succeed if there is a source of this name and type already, change nothing, and print no token
        #[arg(long)]
        if_missing: bool,
    },
    /// Show all sources
    List {
        #[arg(long)]
        json: bool,
    },
    /// Change a source
    Change {
        name: String,
        /// If several sources have this name
        #[arg(long = "type", value_name = "TYPE")]
        source_type: Option<String>,
        /// Heartbeat interval in seconds: 60 to 86400, or the word off
        #[arg(long, value_name = "SECONDS", required = true, value_parser = crate::cli::requests::heartbeat)]
        heartbeat: Heartbeat,
    },
    /// Delete a source without incidents. Its user is deactivated and loses all tokens
    Delete {
        name: String,
        /// If several sources have this name
        #[arg(long = "type", value_name = "TYPE")]
        source_type: Option<String>,
    },
    /// Open and end incidents about missing heartbeats; a running server does that by itself
    Check,
}

/// `None`: not watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Heartbeat(pub Option<u32>);
