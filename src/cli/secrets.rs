//! Secrets from files, from standard input, and from a terminal without echo.

use std::{
    fs::File,
    io::{BufRead, BufReader, IsTerminal, Read},
    path::Path,
};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

use crate::control::password_problem;

/// Bytes of the first line of a file that are read. Nothing that is accepted as a secret is as long.
const LONGEST_LINE: u64 = 64 << 10;

/// Returns the first line of a file, or of standard input for `-`. If standard input is a terminal, asks for it there.
pub(super) fn read(path: &Path, prompt: &str) -> anyhow::Result<SecretString> {
    if is_asked_for(path) { ask(prompt) } else { first_line(path) }
}

/// Does the same as [`read`] for a new password. On a terminal it is asked for twice.
pub(super) fn read_new_password(path: &Path) -> anyhow::Result<SecretString> {
    if !is_asked_for(path) {
        return first_line(path);
    }
    let password = ask("New password: ")?;
    // Before it is typed again.
    if let Some(problem) = password_problem(password.expose_secret()) {
        anyhow::bail!(problem);
    }
    let again = ask("The same password again: ")?;
    anyhow::ensure!(password.expose_secret() == again.expose_secret(), "the passwords differ; nothing was changed");
    Ok(password)
}

fn is_asked_for(path: &Path) -> bool {
    path == Path::new("-") && std::io::stdin().is_terminal()
}

fn ask(prompt: &str) -> anyhow::Result<SecretString> {
    let typed = SecretString::from(rpassword::prompt_password(prompt).context("cannot ask on the terminal")?);
    anyhow::ensure!(!typed.expose_secret().is_empty(), "nothing was typed");
    Ok(typed)
}

fn first_line(path: &Path) -> anyhow::Result<SecretString> {
    if path == Path::new("-") {
        return line_of(std::io::stdin().lock(), "standard input");
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    line_of(file, &path.display().to_string())
}

/// Returns the first line without its end, so that a writer need not close a pipe.
fn line_of(source: impl Read, name: &str) -> anyhow::Result<SecretString> {
    let mut line = String::new();
    BufReader::new(source.take(LONGEST_LINE)).read_line(&mut line).with_context(|| format!("cannot read {name}"))?;
    let line = line.strip_suffix('\n').map_or(line.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    anyhow::ensure!(!line.is_empty(), "{name} is empty");
    Ok(line.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_line_ends_a_secret() {
        for (text, secret) in [
            ("open sesame", "open sesame"),
            ("open sesame\n", "open sesame"),
            ("open sesame\r\nmore\n", "open sesame"),
            ("  spaces count \n", "  spaces count "),
        ] {
            assert_eq!(line_of(text.as_bytes(), "x").unwrap().expose_secret(), secret, "{text:?}");
        }
        assert_eq!(line_of(&b"\nsecond\n"[..], "the file").unwrap_err().to_string(), "the file is empty");
    }
}
