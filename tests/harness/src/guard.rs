//! What is done when this process ends, however that ends: what is in a static is never dropped.

use std::io;
use std::process::{Child, Command, Stdio};

/// A process that waits for the end of this one. It is ended when this is dropped, and does nothing then.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// Runs this command of a shell at the end.
    pub(crate) fn at_the_end(command: &str) -> io::Result<Self> {
        // Reads until nothing is left that could write.
        let wait = format!("read -r _; {command}");
        let mut guard = Command::new("sh");
        guard.args(["-c", &wait]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        guard.spawn().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
