//! Files that only their owner reads: a store has the ids of orders, which are the right to pay and cancel them. Kinder
//! than Spin, whose files have the mode that the umask leaves, 0644 in most places; what a component sees is the same.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Makes the directory, and those above it that are not there, for the owner alone. One that is there stays as it is.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes the file where it is not there, for the owner alone. SQLite gives the mode of a database to the files beside
/// it.
pub(crate) fn file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Takes the rights of others from a database that was there, and from the files beside it. One that belongs to another
/// user keeps them, and is named.
#[cfg(unix)]
pub(crate) fn tighten(database: &Path) {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        let path = Path::new(&path);
        let Ok(found) = path.metadata() else { continue };
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0
            && let Err(error) = std::fs::set_permissions(path, Permissions::from_mode(mode & 0o700))
        {
            eprintln!("warning: others may read {} (mode {mode:o}): {error}", path.display());
        }
    }
}

/// Elsewhere files have no such mode.
#[cfg(not(unix))]
pub(crate) fn tighten(_: &Path) {}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::keyvalue::{self, Journal};
    use crate::sqlite;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_reads_a_store_and_the_files_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("above/.spin");
        let file = state.join(keyvalue::FILE_NAME);
        let store = keyvalue::Database::open(&file, Journal::Wal).unwrap();
        let database = state.join(sqlite::FILE_NAME);
        sqlite::Database::new(&database, Journal::Wal).prepare().unwrap();
        // A commit makes the log.
        let written = rusqlite::Connection::open(&file).unwrap();
        written.execute("INSERT INTO spin_key_value VALUES ('default', 'a', x'00')", []).unwrap();
        for path in [state.as_path(), state.parent().unwrap()] {
            assert_eq!(mode(path), 0o700, "{path:?}");
        }
        let files: Vec<_> = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 3, "the log of the store is there: {files:?}");
        for path in &files {
            assert_eq!(mode(path), 0o600, "{path:?}");
        }
        drop(store);
    }

    #[test]
    fn a_store_that_others_could_read_is_opened_and_tightened() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(keyvalue::FILE_NAME);
        // As Spin leaves it, with a log beside it that is not in it yet.
        let spins = rusqlite::Connection::open(&file).unwrap();
        spins.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (a)").unwrap();
        let log = folder.path().join(format!("{}-wal", keyvalue::FILE_NAME));
        for path in [&file, &log] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        let _store = keyvalue::Database::open(&file, Journal::Wal).unwrap();
        assert_eq!([mode(&file), mode(&log)], [0o600, 0o600]);
        spins.execute("INSERT INTO t VALUES (1)", []).unwrap();
    }
}
