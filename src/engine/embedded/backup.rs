//! A consistent copy of a store while commits continue: a snapshot of all tables, written into new tables.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use fjall::{Keyspace, Readable as _, Snapshot};

use super::{
    acknowledged::Acknowledged,
    directory::Directory,
    rows::{Log, Rows, TablesError},
};

/// Copies the content of `snapshot`, which must be one of `rows`, into `directory`, which is created.
pub(super) fn copy(rows: &Rows, snapshot: &Snapshot, directory: &Path) -> Result<Log, TablesError> {
    let target = Directory::begun(directory)?;
    let log = target.begin(|data| {
        let copied = Rows::create(data)?;
        for (from, to) in rows.all().zip(copied.all()) {
            table(snapshot.iter(from), to)?;
        }
        let log = copied.log()?;
        drop(copied);
        shorten_journals(data)?;
        Ok::<_, TablesError>(log)
    })?;
    drop(Acknowledged::begin(&target.acknowledged(), &log.history.epoch, log.commits)?);
    Ok(log)
}

/// Writes the rows of one table.
fn table(rows: fjall::Iter, to: &Keyspace) -> Result<(), TablesError> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let mut ingestion = to.start_ingestion()?;
    for row in rows {
        let (key, value) = row.into_inner()?;
        ingestion.write(key, value)?;
    }
    Ok(ingestion.finish()?)
}

/// A journal reserves space in advance, filled with zeros, which a copy does not need.
fn shorten_journals(data: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            let mut written = Vec::new();
            File::open(&path)?.read_to_end(&mut written)?;
            let end = written.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
            let file = File::options().write(true).open(&path)?;
            file.set_len(end)?;
            file.sync_all()?;
        }
    }
    Ok(())
}
