//! The memory of a server: what of it is in the machine's, its children's with it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

/// How often it is looked at.
const SAMPLE: Duration = Duration::from_millis(50);

/// Looks at it until it is told to stop.
pub(crate) struct Watch {
    process: Option<u32>,
    stop: Arc<AtomicBool>,
    sampling: JoinHandle<Vec<u64>>,
}

impl Watch {
    /// Begins. Nothing is seen of a process that is not known.
    pub(crate) fn start(process: Option<u32>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let sampling = thread::spawn(move || {
            let mut seen = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                seen.extend(process.and_then(resident));
                sleep(SAMPLE);
            }
            seen
        });
        Self { process, stop, sampling }
    }

    /// Bytes at this moment.
    pub(crate) fn now(&self) -> Option<u64> {
        self.process.and_then(resident)
    }

    /// Ends. All that was seen, in its order.
    pub(crate) fn stop(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.sampling.join().unwrap_or_default()
    }
}

/// Bytes of a process and of all below it; none where there is no such process.
fn resident(process: u32) -> Option<u64> {
    let mut parents: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = parent(id) {
            parents.entry(parent).or_default().push(id);
        }
    }
    let (mut bytes, mut rest) = (own(process)?, parents.remove(&process).unwrap_or_default());
    while let Some(id) = rest.pop() {
        bytes += own(id).unwrap_or(0);
        rest.extend(parents.remove(&id).unwrap_or_default());
    }
    Some(bytes)
}

fn parent(process: u32) -> Option<u32> {
    field(process, "PPid:")
}

fn own(process: u32) -> Option<u64> {
    field::<u64>(process, "VmRSS:").map(|kilobytes| kilobytes << 10)
}

fn field<T: std::str::FromStr>(process: u32, name: &str) -> Option<T> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_taken_is_seen() {
        let watch = Watch::start(Some(std::process::id()));
        let before = watch.now().expect("this process is there");
        let taken = vec![1_u8; 64 << 20];
        assert!(watch.now().expect("this process is there") > before + (32 << 20), "{}", taken.len());
        sleep(SAMPLE * 4);
        assert!(watch.stop().len() > 1);
    }
}
