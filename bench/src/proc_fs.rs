//! What Linux counts of processes: CPU time, bytes written, memory.

use std::{collections::HashMap, fs};

use anyhow::{Context, Result};

/// Linux counts in hundredths of a second towards programs, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process used since it began.
#[derive(Debug, Clone, Copy, Default)]
struct Stat {
    parent: i32,
    /// Ticks of its own, of all its threads.
    own: u64,
    /// Ticks of the children that ended and were waited for.
    ended: u64,
}

/// CPU seconds of a process and everything below it, the ended ones included: the ticks of a child
/// that ends move to its parent, so this never goes down.
pub(crate) fn cpu_secs(root: i32) -> Result<f64> {
    let all = stats()?;
    let below = |pid: &i32| is_below(&all, *pid, root);
    let own: u64 = all.iter().filter(|(pid, _)| below(pid)).map(|(_, stat)| stat.own).sum();
    let ended = all.get(&root).with_context(|| format!("process {root} has ended"))?.ended;
    Ok((own + ended) as f64 / TICKS_PER_SECOND)
}

/// Bytes that a process and everything below it had written to the disk.
pub(crate) fn written_bytes(root: i32) -> Result<u64> {
    let all = stats()?;
    let pids = all.keys().filter(|pid| is_below(&all, **pid, root));
    // One that ended meanwhile is counted with its parent the next time.
    Ok(pids.filter_map(|pid| number(&format!("/proc/{pid}/io"), "write_bytes:")).sum())
}

/// Memory that a process has now, in bytes.
pub(crate) fn resident_bytes(pid: i32) -> Option<u64> {
    number(&format!("/proc/{pid}/status"), "VmRSS:").map(|kib| kib * 1024)
}

/// The most memory that a process had at once since the start or the last [`forget_peak`], in
/// bytes.
pub(crate) fn peak_bytes(pid: i32) -> Option<u64> {
    number(&format!("/proc/{pid}/status"), "VmHWM:").map(|kib| kib * 1024)
}

/// The peak counts from now on.
pub(crate) fn forget_peak(pid: i32) -> Result<()> {
    const PEAK: &str = "5";
    let path = format!("/proc/{pid}/clear_refs");
    fs::write(&path, PEAK).with_context(|| format!("cannot write {path}"))
}

/// CPU seconds of the thread that calls; later of the thread whose file this is.
pub(crate) fn thread_file() -> Result<String> {
    let thread = fs::read_link("/proc/thread-self").context("cannot read /proc/thread-self")?;
    Ok(format!("/proc/{}/stat", thread.display()))
}

/// CPU seconds of a thread by its file.
pub(crate) fn thread_cpu_secs(file: &str) -> Option<f64> {
    let own = stat(&fs::read_to_string(file).ok()?)?.own;
    Some(own as f64 / TICKS_PER_SECOND)
}

fn is_below(all: &HashMap<i32, Stat>, pid: i32, root: i32) -> bool {
    let mut at = Some(pid);
    while let Some(pid) = at {
        if pid == root {
            return true;
        }
        at = all.get(&pid).map(|stat| stat.parent).filter(|parent| *parent > 0);
    }
    false
}

fn stats() -> Result<HashMap<i32, Stat>> {
    let entries = fs::read_dir("/proc").context("this needs Linux: there is no /proc")?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // One that ended meanwhile is counted with its parent.
    let stat = |pid: i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, stat(&text)?))
    };
    Ok(pids.filter_map(stat).collect())
}

/// Reads proc(5)'s `stat`: what follows the name, which may hold anything, begins with field 3.
fn stat(text: &str) -> Option<Stat> {
    let after_name = text.rsplit_once(')')?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: i32::try_from(field(4)?).ok()?,
        own: field(14)? + field(15)?,
        ended: field(16)? + field(17)?,
    })
}

/// The number behind a name in a file of names and numbers.
fn number(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 1 2 3 4 5 60 40 7 8 20 0 1 0 9";
        let stat = stat(line).unwrap();
        assert_eq!((stat.parent, stat.own, stat.ended), (3, 100, 15));
    }

    #[test]
    fn a_process_counts_what_its_ended_children_used() {
        let own = i32::try_from(std::process::id()).unwrap();
        let before = cpu_secs(own).unwrap();
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let done = std::process::Command::new("sh").args(["-c", busy]).status().unwrap();
        assert!(done.success());
        assert!(cpu_secs(own).unwrap() > before);
    }
}
