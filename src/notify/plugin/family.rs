//! Ends the processes that plug-ins start, even if they left the process group.
//!
//! The server becomes the parent of processes that lose their parent (`server::run` asks the kernel for that), so none
//! escapes. The plug-in that a process belongs to is known from a walk over `/proc` while its parents existed, or from
//! which plug-in may have started it: one that was running when the process began.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, child_subreaper, getpid, kill_process, waitpid};
use tokio::process::{Child, Command};
use tracing::warn;

use crate::domain::limits::{PLUGIN_KILL_ROUNDS, PLUGIN_PROCESSES};

/// Pause between two rounds of killing, in which the kernel ends the processes.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(5);

/// All plug-ins of this server.
static FAMILIES: Mutex<Families> =
    Mutex::new(Families { plugins: BTreeMap::new(), members: BTreeMap::new(), adopts: false });

struct Families {
    /// Start time of each running plug-in, by process id.
    plugins: BTreeMap<i32, u64>,
    /// Known descendants of plug-ins, with the process id of the plug-in.
    members: BTreeMap<ProcessIdentity, i32>,
    /// Whether processes that lose their parent become children of this one. If not, its children are left alone.
    adopts: bool,
}

/// Process id, and start time in ticks since the machine started. The id alone is not unique, because ids are reused.
type ProcessIdentity = (i32, u64);

#[derive(Clone, Copy)]
struct FamilyEntry {
    pid: i32,
    parent: i32,
    began: u64,
    is_zombie: bool,
}

/// Starts a plug-in.
pub(super) fn spawn(command: &mut Command) -> std::io::Result<Child> {
    // Held until the plug-in is registered, so that it is not taken for an orphan.
    let mut families = lock();
    let child = command.spawn()?;
    if let Some(pid) = child.id().map(u32::cast_signed) {
        families.plugins.insert(pid, entry(pid).map_or(0, |entry| entry.began));
    }
    Ok(child)
}

/// Records which processes belong to which plug-in, and reaps orphans that have ended. Reads `/proc`.
pub(in crate::notify) fn look() {
    let mut families = lock();
    if families.plugins.is_empty() && families.members.is_empty() {
        return;
    }
    let processes = processes();
    families.note_members(&processes);
    for orphan in families.orphans(&processes).filter(|orphan| orphan.is_zombie) {
        reap(orphan.pid);
    }
}

/// Kills all processes that a plug-in started. It must have ended and been waited for. Reads `/proc`, and may take a
/// while.
pub(super) fn end(plugin: i32) {
    // When plug-ins end together, the last one takes orphans that may belong to any of them.
    lock().plugins.remove(&plugin);
    for _ in 0..PLUGIN_KILL_ROUNDS {
        let mut families = lock();
        let processes = processes();
        families.note_members(&processes);
        let doomed = families.of(plugin, &processes);
        for process in &doomed {
            if process.is_zombie {
                if process.parent == own_pid() {
                    reap(process.pid);
                }
            } else {
                kill(process.pid);
            }
        }
        if doomed.iter().all(|process| process.is_zombie) {
            families.members.retain(|_, of| *of != plugin);
            return;
        }
        drop(families);
        thread::sleep(BETWEEN_ROUNDS);
    }
    warn!("processes that a plug-in started cannot be killed");
}

impl Families {
    fn note_members(&mut self, processes: &[FamilyEntry]) {
        let there: BTreeSet<ProcessIdentity> = processes.iter().map(|it| (it.pid, it.began)).collect();
        self.members.retain(|member, _| there.contains(member));
        let alive = self.plugins.iter().filter(|(pid, began)| there.contains(&(**pid, **began)));
        let mut of: BTreeMap<i32, i32> = alive.map(|(pid, _)| (*pid, *pid)).collect();
        of.extend(self.members.iter().map(|((pid, _), plugin)| (*pid, *plugin)));
        // Repeated, because the id of a child can be lower than that of its parent.
        loop {
            let before = of.len();
            for process in processes {
                if let (None, Some(plugin)) = (of.get(&process.pid), of.get(&process.parent).copied()) {
                    of.insert(process.pid, plugin);
                    self.members.insert((process.pid, process.began), plugin);
                }
            }
            if of.len() == before || of.len() > PLUGIN_PROCESSES {
                return;
            }
        }
    }

    /// Returns the children of this process that are not plug-ins.
    fn orphans<'a>(&self, processes: &'a [FamilyEntry]) -> impl Iterator<Item = &'a FamilyEntry> {
        processes.iter().filter(|it| self.adopts && it.parent == own_pid() && !self.plugins.contains_key(&it.pid))
    }

    /// Returns all processes that this plug-in is known to have started, and orphans that no other plug-in can have
    /// started.
    fn of(&self, plugin: i32, processes: &[FamilyEntry]) -> Vec<FamilyEntry> {
        let known = processes.iter().filter(|it| self.members.get(&(it.pid, it.began)) == Some(&plugin));
        let nobodys = self.orphans(processes).filter(|orphan| {
            let is_known = self.members.contains_key(&(orphan.pid, orphan.began));
            !is_known && !self.plugins.values().any(|began| *began <= orphan.began)
        });
        known.chain(nobodys).copied().collect()
    }
}

fn lock() -> MutexGuard<'static, Families> {
    let mut families = FAMILIES.lock().unwrap_or_else(PoisonError::into_inner);
    families.adopts = child_subreaper().is_ok_and(|it| it.is_some());
    families
}

fn own_pid() -> i32 {
    getpid().as_raw_nonzero().get()
}

fn kill(pid: i32) {
    // It may have ended already.
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn reap(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

fn processes() -> Vec<FamilyEntry> {
    let Ok(directory) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = directory.flatten().filter_map(|file| file.file_name().to_str()?.parse().ok());
    pids.filter_map(entry).collect()
}

fn entry(pid: i32) -> Option<FamilyEntry> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Parses `pid (name) state parent …`. The name may contain anything; the 20th field after it is the start time.
fn parse(pid: i32, stat: &str) -> Option<FamilyEntry> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let is_zombie = matches!(*fields.first()?, "Z" | "X");
    Some(FamilyEntry { pid, parent: fields.get(1)?.parse().ok()?, began: fields.get(19)?.parse().ok()?, is_zombie })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn process(pid: i32, parent: i32, began: u64) -> FamilyEntry {
        FamilyEntry { pid, parent, began, is_zombie: false }
    }

    fn pids(entries: &[FamilyEntry]) -> Vec<i32> {
        entries.iter().map(|it| it.pid).collect()
    }

    #[test]
    fn a_line_of_the_kernel_is_read_whatever_the_name_is() {
        let stat = "12 (a) b (c) Z 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 0 0";
        let entry = parse(12, stat).unwrap();
        assert_eq!((entry.pid, entry.parent, entry.began, entry.is_zombie), (12, 7, 4711, true));
        assert!(parse(12, "12 (a").is_none() && parse(12, "12 (a) S 7").is_none());
    }

    #[test]
    fn what_a_plug_in_started_is_known_by_its_parents_and_stays_known() {
        let own = own_pid();
        let plugins = [(10, 100), (20, 200)].into();
        let mut families = Families { plugins, members: BTreeMap::new(), adopts: true };
        let before = [process(10, own, 100), process(20, own, 200), process(5, 30, 220), process(30, 20, 210)];
        families.note_members(&before);
        assert_eq!((pids(&families.of(20, &before)), pids(&families.of(10, &before))), (vec![5, 30], vec![]));
        // Its parents have ended.
        families.plugins.remove(&20);
        let after = [process(10, own, 100), process(5, own, 220), process(30, own, 999)];
        families.note_members(&after);
        assert_eq!(pids(&families.of(20, &after)), [5], "the number 30 was given to somebody else");
    }

    #[test]
    fn an_orphan_that_nobody_saw_ends_with_the_last_plug_in_that_may_have_started_it() {
        let own = own_pid();
        let plugins = [(10, 100), (20, 200)].into();
        let mut families = Families { plugins, members: BTreeMap::new(), adopts: true };
        let processes = [process(40, own, 150), process(50, own, 250)];
        families.plugins.remove(&10);
        assert_eq!(pids(&families.of(10, &processes)), [40], "it is older than the other plug-in");
        families.plugins.remove(&20);
        assert_eq!(pids(&families.of(20, &processes)), [40, 50]);
        families.adopts = false;
        assert!(families.of(20, &processes).is_empty(), "children that are none of a plug-in's");
    }
}
