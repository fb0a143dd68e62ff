//! `argusd man`: prints the manual page, with all commands on one page.

use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, bold, italic, roman},
};

use super::{args::Arguments, output};

/// Sections about files, variables and exit codes, which clap does not know. Each entry has a term and its explanation.
const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "FILES",
        &[
            (
                "/etc/argusd/argusd.toml",
                "The settings, if neither --config nor ARGUSD_CONFIG names another file. It explains each setting. A \
                 program that runs where cargo built it does not read it.",
            ),
            ("/etc/default/argusd", "Variables for the service, one NAME=VALUE a line."),
            ("/var/lib/argusd/argusd.redb", "The data file of the service. Back it up with argusd backup."),
            (
                "/var/lib/argusd/argusd.redb.admin-password",
                "The first password of the user admin. Delete the file after you have read it.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            ("ARGUSD_CONFIG", "The settings file. With /dev/null, no file is read."),
            ("ARGUSD_DATA", "The data file."),
            ("ARGUSD_LISTEN", "Where to listen."),
            (
                "ARGUSD_...",
                "Each setting has a variable, which the settings file names. Variables override the file, and flags \
                 override variables. argusd config shows what is in force.",
            ),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Success."),
            ("1", "The command failed, or check, doctor, health or stress found something wrong."),
            ("2", "The command line has an error."),
            ("78", "A setting is wrong, so the server does not start."),
        ],
    ),
];

pub(super) fn run() -> anyhow::Result<ExitCode> {
    output::write(page()?.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn page() -> std::io::Result<String> {
    let root = Arguments::command().disable_help_subcommand(true);
    let source = format!("argusd {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(root.clone()).title("ARGUSD").source(source).manual("argusd");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    heading("SH", "COMMANDS").to_writer(&mut page)?;
    for command in root.get_subcommands() {
        add_command(command, "argusd", &mut page)?;
    }
    for (title, entries) in SECTIONS {
        section(title, entries).to_writer(&mut page)?;
    }
    Ok(without_repetitions(&String::from_utf8_lossy(&page)))
}

/// Removes what `mandoc` warns of: empty lines, line breaks after line breaks, and the definition of the quotation mark
/// that stands before each section.
fn without_repetitions(page: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in page.lines() {
        let is_definition = line.starts_with(".ie ") || line.starts_with(".el ");
        let is_repeated = (is_definition && lines.contains(&line)) || (line == ".br" && lines.last() == Some(&".br"));
        if !line.is_empty() && !is_repeated {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}

/// Adds a command with its synopsis and options, and the commands below it.
fn add_command(command: &Command, parent: &str, page: &mut Vec<u8>) -> std::io::Result<()> {
    let name = format!("{parent} {}", command.get_name());
    let below: Vec<&Command> = command.get_subcommands().collect();
    if !below.is_empty() {
        return below.into_iter().try_for_each(|command| add_command(command, &name, page));
    }
    // Built by itself, it has neither the settings of all commands nor --help, which are described once.
    let man = Man::new(command.clone().bin_name(&name).disable_help_flag(true).disable_version_flag(true));
    heading("SS", &name).to_writer(page)?;
    let mut sections = Vec::new();
    man.render_synopsis_section(&mut sections)?;
    sections.extend(b".PP\n");
    man.render_description_section(&mut sections)?;
    man.render_options_section(&mut sections)?;
    let sections = String::from_utf8_lossy(&sections);
    for line in sections.lines().filter(|line| !line.starts_with(".SH")) {
        page.extend(line.as_bytes());
        page.push(b'\n');
    }
    Ok(())
}

fn heading(level: &str, text: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control(level, [text]);
    roff
}

fn section(title: &str, entries: &[(&str, &str)]) -> Roff {
    let mut roff = heading("SH", title);
    for (term, explanation) in entries {
        let term = if term.starts_with('/') { italic(*term) } else { bold(*term) };
        roff.control("TP", []).text([term]).text([roman(*explanation)]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_on_the_page_once() {
        let page = page().unwrap();
        for name in ["argusd user create", "argusd backup", "argusd completions", "argusd health"] {
            assert_eq!(page.matches(&format!(".SS \"{name}\"")).count(), 1, "{name}");
        }
        assert_eq!(page.matches(r"\fB\-\-listen\fR").count(), 2, "in the synopsis and in the settings");
        assert!(!page.contains("(1)"), "no page is named that does not exist");
        assert!(!page.contains("\n\n") && !page.contains(".br\n.br"), "{page}");
    }
}
