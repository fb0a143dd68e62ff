//! A terminal for the program, on which a person answers its questions.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::daemon::Site;

/// Runs a program on a new terminal. Types each answer once its question is shown and echo is off.
const SCRIPT: &str = r#"
import json, os, pty, select, sys, termios, time
task = json.loads(sys.argv[1])
child, terminal = pty.fork()
if child == 0:
    os.chdir(task["folder"])
    os.execve(task["line"][0], task["line"], task["variables"])
seen = b""
def more():
    global seen
    if not select.select([terminal], [], [], 60)[0]:
        sys.exit("nothing comes after %r" % seen)
    try:
        part = os.read(terminal, 4096)
    except OSError:
        part = b""
    seen += part
    return part
at = 0
for question, answer in task["answers"]:
    while question.encode() not in seen[at:]:
        if not more():
            sys.exit("it ended with %r" % seen)
    at = len(seen)
    for _ in range(6000):
        if not termios.tcgetattr(terminal)[3] & termios.ECHO:
            break
        time.sleep(0.01)
    else:
        sys.exit("echo stays on")
    os.write(terminal, answer.encode() + b"\n")
while more():
    pass
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps({"seen": seen.decode(), "code": code}))
"#;

/// What was seen on the terminal, and whether the command succeeded.
pub struct Seen {
    pub text: String,
    pub success: bool,
}

/// Runs a command of the program on a terminal. `answers` are questions with what is typed then.
pub fn on_terminal(site: &Site, args: &[&str], answers: &[(&str, &str)]) -> Seen {
    let command = site.command(args);
    let text = |text: &std::ffi::OsStr| text.to_str().unwrap().to_owned();
    let line: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(text).collect();
    let set = command.get_envs().filter_map(|(name, value)| Some((text(name), json!(text(value?)))));
    let variables: serde_json::Map<String, Value> = set.collect();
    let folder = text(site.data().parent().unwrap().as_os_str());
    let task = json!({"line": line, "variables": variables, "folder": folder, "answers": answers});
    let output = Command::new("python3").args(["-c", SCRIPT, &task.to_string()]).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    Seen { text: seen["seen"].as_str().unwrap().to_owned(), success: seen["code"] == 0 }
}
