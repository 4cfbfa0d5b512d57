//! The database behind the journal: all rows as of one commit, forced to the disk.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, StorageError, TableDefinition,
};

use super::{Ahead, Key, Rows, SCHEMA};

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("diag51007");
/// In [`META`]: version of what rows mean.
const SCHEMA_KEY: &str = "schema";
/// In [`META`]: number of the last commit that the rows are of.
const NUMBER_KEY: &str = "commit";

/// Kept of the file in memory, in bytes: rows are read once, at start.
const CACHE_BYTES: usize = 1 << 20;

/// Why a database can't be used.
#[derive(Debug)]
pub enum Error {
    /// The system denies something; the database may be good.
    Io(io::Error),
    /// It is damaged, of another program, or of a later version.
    Unusable(String),
}

/// The database.
pub struct Base {
    path: PathBuf,
    /// None after an error, until it is opened again.
    database: Option<Database>,
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Base {
    /// Opens a database, or makes an empty one, and gives its rows and the number of their last commit.
    pub fn open(path: &Path) -> Result<(Self, Rows, u64), Error> {
        let database = open_file(path)?;
        let (rows, number) = guarded(|| {
            prepare(&database)?;
            read(&database)
        })?;
        Ok((Self { path: path.to_owned(), database: Some(database) }, rows, number))
    }

    /// Brings rows in, in one transaction that is on the disk when this returns.
    pub fn bring(&mut self, ahead: &Ahead) -> io::Result<()> {
        let changes = ahead.batch.iter().map(|(key, value)| (key, value.as_deref()));
        self.write(changes, ahead.number, false)
    }

    /// Puts these rows in the place of all.
    pub(super) fn replace(&mut self, rows: &Rows, number: u64) -> io::Result<()> {
        self.write(rows.iter().map(|(key, value)| (key, Some(&**value))), number, true)
    }

    fn write<'a>(
        &mut self,
        changes: impl Iterator<Item = (&'a Key, Option<&'a [u8]>)>,
        number: u64,
        all: bool,
    ) -> io::Result<()> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open_file(&self.path).map_err(|error| match error {
                Error::Io(error) => error,
                Error::Unusable(why) => io::Error::other(why),
            })?,
        };
        write(&database, changes, number, all).map_err(other)?;
        // Only now, because a database with a failed write takes no further one.
        self.database = Some(database);
        Ok(())
    }
}

/// The rows of a database whose file was read into a backend, for looking only.
pub(super) fn read_backend(backend: impl StorageBackend) -> Result<(Rows, u64), Error> {
    guarded(|| {
        let mut database = builder().create_with_backend(backend).map_err(opening)?;
        database.check_integrity().map_err(opening)?;
        check_schema(&database)?;
        read(&database)
    })
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn open_file(path: &Path) -> Result<Database, Error> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file: File = opened.map_err(Error::Io)?;
    let is_new = file.metadata().map_err(Error::Io)?.len() == 0;
    guarded(|| {
        let mut database = builder().create_with_backend(FileBackend::new(file).map_err(opening)?).map_err(opening)?;
        if !is_new {
            // Cheap at this size, and the only way to know before a counter goes back.
            database.check_integrity().map_err(opening)?;
        }
        Ok(database)
    })
}

/// A damaged database can make its library panic; that is a damaged database, too.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Unusable("its pages contradict each other".to_owned())))
}

fn opening(error: DatabaseError) -> Error {
    match error {
        DatabaseError::Storage(StorageError::Io(error)) => of_io(error),
        error => Error::Unusable(error.to_string()),
    }
}

/// What the library tells as an error of input is one of the content; anything else is one of the system.
fn of_io(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
            Error::Unusable(error.to_string())
        }
        _ => Error::Io(error),
    }
}

fn storage(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(error) => of_io(error),
        error => Error::Unusable(error.to_string()),
    }
}

fn other(error: redb::Error) -> io::Error {
    match error {
        redb::Error::Io(error) => error,
        error => io::Error::other(error.to_string()),
    }
}

/// Makes the tables of an empty database, or checks those that are there. When there is an older version to bring up to
/// this one, here is the place: all rows and the new number in one transaction.
fn prepare(database: &Database) -> Result<(), Error> {
    let reading = database.begin_read().map_err(storage)?;
    let is_empty = reading.list_tables().map_err(storage)?.next().is_none();
    if is_empty {
        return write(database, std::iter::empty(), 0, false).map_err(storage);
    }
    check_schema(database)
}

fn check_schema(database: &Database) -> Result<(), Error> {
    let reading = database.begin_read().map_err(storage)?;
    let foreign = || Error::Unusable("it is a database of another program".to_owned());
    let meta = reading.open_table(META).map_err(|_| foreign())?;
    let schema = meta.get(SCHEMA_KEY).map_err(storage)?.ok_or_else(foreign)?.value();
    if schema > u64::from(SCHEMA) {
        return Err(Error::Unusable(format!(
            "it has version {schema}, of a later diag51007, and this one knows versions up to {SCHEMA}"
        )));
    }
    Ok(())
}

fn read(database: &Database) -> Result<(Rows, u64), Error> {
    let reading = database.begin_read().map_err(storage)?;
    let meta = reading.open_table(META).map_err(storage)?;
    let number = meta.get(NUMBER_KEY).map_err(storage)?.map_or(0, |number| number.value());
    let mut rows = Rows::new();
    for row in reading.open_table(ROWS).map_err(storage)?.iter().map_err(storage)? {
        let (key, value) = row.map_err(storage)?;
        rows.insert(Key(key.value().into()), value.value().into());
    }
    Ok((rows, number))
}

fn write<'a>(
    database: &Database,
    changes: impl Iterator<Item = (&'a Key, Option<&'a [u8]>)>,
    number: u64,
    all: bool,
) -> Result<(), redb::Error> {
    let writing = database.begin_write()?;
    {
        if all {
            writing.delete_table(ROWS)?;
        }
        let mut rows = writing.open_table(ROWS)?;
        for (Key(key), value) in changes {
            match value {
                Some(value) => drop(rows.insert(&**key, value)?),
                None => drop(rows.remove(&**key)?),
            }
        }
        let mut meta = writing.open_table(META)?;
        meta.insert(SCHEMA_KEY, u64::from(SCHEMA))?;
        meta.insert(NUMBER_KEY, number)?;
    }
    writing.commit()?;
    Ok(())
}
