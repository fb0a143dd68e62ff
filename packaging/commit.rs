//! Gives the program the name of its commit and of its build, for `argusd version`.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "this is how a build script speaks with cargo")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

fn main() {
    println!("cargo:rerun-if-changed=packaging/commit.rs");
    println!("cargo:rerun-if-env-changed=ARGUSD_COMMIT");
    let commit = variable("ARGUSD_COMMIT").or_else(commit_of_release).unwrap_or_else(|| "unknown".to_owned());
    let commit: String = commit.chars().filter(char::is_ascii_graphic).take(40).collect();
    println!("cargo:rustc-env=ARGUSD_BUILD_COMMIT={commit}");
    println!("cargo:rustc-env=ARGUSD_BUILD_PROFILE={}", profile().unwrap_or_else(|| "unknown".to_owned()));
    println!("cargo:rustc-env=ARGUSD_BUILD_TARGET={}", variable("TARGET").unwrap_or_default());
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the profile's name. Cargo names it only as a folder: `<target>/<profile>/build/<package>/out`.
fn profile() -> Option<String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    Some(out.ancestors().nth(3)?.file_name()?.to_string_lossy().into_owned())
}

/// Returns the commit that is checked out. `None` in debug builds, where a commit would otherwise mean that everything
/// is compiled again, tests included.
fn commit_of_release() -> Option<String> {
    if variable("PROFILE")? == "debug" {
        return None;
    }
    let commit = commit_of(Path::new(&variable("CARGO_MANIFEST_DIR")?))?;
    commit.get(..12).map(str::to_owned)
}

/// Reads the files of git, so that the program is not needed and the owner of the checkout does not matter. `None` if
/// the folder is no checkout.
fn commit_of(root: &Path) -> Option<String> {
    let mut git = root.join(".git");
    if git.is_file() {
        // A worktree has a file that names its folder.
        git = root.join(read(&git)?.strip_prefix("gitdir:")?.trim());
    }
    let head = watched(&git.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref:").map(str::trim) else {
        return Some(head);
    };
    let common = read(&git.join("commondir")).map_or_else(|| git.clone(), |path| git.join(path));
    if let Some(commit) = watched(&common.join(name)) {
        return Some(commit);
    }
    // The next commit writes a file for the branch, so its folder is watched as well.
    println!("cargo:rerun-if-changed={}", common.join("refs/heads").display());
    let packed = watched(&common.join("packed-refs"))?;
    let line = packed.lines().find(|line| line.split(' ').nth(1) == Some(name))?;
    line.split(' ').next().map(str::to_owned)
}

fn watched(path: &Path) -> Option<String> {
    let text = read(path)?;
    println!("cargo:rerun-if-changed={}", path.display());
    Some(text)
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
