//! Programs that tests need, and install as Debian's packages where they are missing.

use std::fs::File;
use std::io;
use std::process::{Command, Stdio};

/// To be held while packages are installed: apt does not work twice at once, and tests run side by side.
///
/// # Errors
/// If the file of the lock cannot be written.
pub fn lock() -> io::Result<File> {
    let lock = File::create(std::env::temp_dir().join("orders-tests-apt.lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Makes sure that `program` is on this machine; it is in this package.
///
/// # Errors
/// Why it could not be installed.
pub fn install(program: &str, package: &str) -> Result<(), String> {
    if is_there(program) {
        return Ok(());
    }
    let _lock = lock().map_err(|error| error.to_string())?;
    // Another test may have installed it meanwhile.
    if is_there(program) {
        return Ok(());
    }
    eprintln!("{program} is not here: installing Debian's package");
    apt_get(&["update", "-q"])?;
    apt_get(&["install", "-q", "-y", "--no-install-recommends", package])?;
    if is_there(program) { Ok(()) } else { Err(format!("the package has brought no {program}")) }
}

fn apt_get(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")),
        Err(error) => Err(format!("apt-get: {error}")),
    }
}

fn is_there(program: &str) -> bool {
    // One that knows no `--version`, as nginx does not, is there all the same.
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
