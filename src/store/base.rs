//! The database behind the journal: all rows as of one commit, forced to the disk.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, StorageError, TableDefinition,
};

use super::batch::Row;
use super::{Ahead, Rows, SCHEMA};

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("diag51007");
/// In [`META`]: version of what rows mean.
const SCHEMA_KEY: &str = "schema";
/// In [`META`]: number of the last commit that the rows are of.
const NUMBER_KEY: &str = "commit";

/// Kept of the file in memory, in bytes: rows are read once, at start.
const CACHE_BYTES: usize = 256 << 10;

/// Why a database can't be used.
#[derive(Debug)]
pub enum Error {
    /// The system denies something; the database may be good.
    Io(io::Error),
    /// It is damaged, of another program, or of a later version.
    Unusable(String),
}

/// Opens the database's file, at first and again after an error.
type Reopen = Box<dyn Fn() -> Result<Database, Error> + Send>;

/// The database.
pub struct Base {
    reopen: Reopen,
    /// None after an error, until it is opened again.
    database: Option<Database>,
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base").field("is_open", &self.database.is_some()).finish_non_exhaustive()
    }
}

impl Base {
    /// Opens a database, or makes an empty one, and gives its rows and the number of their last commit.
    pub fn open(path: &Path) -> Result<(Self, Rows, u64), Error> {
        let path = path.to_owned();
        Self::open_with(Box::new(move || open_file(&path)))
    }

    fn open_with(reopen: Reopen) -> Result<(Self, Rows, u64), Error> {
        let database = reopen()?;
        let (rows, number) = guarded(|| {
            prepare(&database)?;
            read(&database)
        })?;
        Ok((Self { reopen, database: Some(database) }, rows, number))
    }

    /// Brings rows in, in one transaction that is on the disk when this returns.
    pub fn bring(&mut self, ahead: &Ahead) -> io::Result<()> {
        self.write(ahead.batch.sorted(), ahead.number)
    }

    /// Brings in what journals have put over the rows that were read.
    pub(super) fn bring_changes(&mut self, rows: &Rows, number: u64) -> io::Result<()> {
        self.write(rows.changes(), number)
    }

    fn write<'a>(&mut self, changes: impl IntoIterator<Item = Row<'a>>, number: u64) -> io::Result<()> {
        let database = match self.database.take() {
            Some(database) => database,
            None => (self.reopen)().map_err(|error| match error {
                Error::Io(error) => error,
                Error::Unusable(why) => io::Error::other(why),
            })?,
        };
        write(&database, changes, number).map_err(other)?;
        // Only now, because a database with a failed write takes no further one.
        self.database = Some(database);
        Ok(())
    }
}

/// The rows of a database whose file was read into a backend, for looking only.
pub(super) fn read_backend(backend: impl StorageBackend) -> Result<(Rows, u64), Error> {
    let database = open_backend(backend)?;
    guarded(|| {
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
    open_backend(FileBackend::new(file).map_err(opening)?)
}

fn open_backend(backend: impl StorageBackend) -> Result<Database, Error> {
    let is_new = backend.len().map_err(of_io)? == 0;
    guarded(|| {
        let mut database = builder().create_with_backend(backend).map_err(opening)?;
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
    if let DatabaseError::Storage(StorageError::Io(error)) = error {
        of_io(error)
    } else {
        Error::Unusable(error.to_string())
    }
}

/// What the library tells as an error of input is one of the content; anything else is one of the system.
fn of_io(error: io::Error) -> Error {
    let of_content = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidInput];
    if of_content.contains(&error.kind()) { Error::Unusable(error.to_string()) } else { Error::Io(error) }
}

fn storage(error: impl Into<redb::Error>) -> Error {
    let error = error.into();
    if let redb::Error::Io(error) = error { of_io(error) } else { Error::Unusable(error.to_string()) }
}

fn other(error: redb::Error) -> io::Error {
    if let redb::Error::Io(error) = error { error } else { io::Error::other(error.to_string()) }
}

/// Makes the tables of an empty database, or checks those that are there. When there is an older version to bring up to
/// this one, here is the place: all rows and the new number in one transaction.
fn prepare(database: &Database) -> Result<(), Error> {
    let reading = database.begin_read().map_err(storage)?;
    let is_empty = reading.list_tables().map_err(storage)?.next().is_none();
    if is_empty {
        return write(database, [], 0).map_err(storage);
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
        rows.push(key.value(), value.value());
    }
    Ok((rows, number))
}

fn write<'a>(database: &Database, changes: impl IntoIterator<Item = Row<'a>>, number: u64) -> Result<(), redb::Error> {
    let writing = database.begin_write()?;
    {
        let mut rows = writing.open_table(ROWS)?;
        for (key, value) in changes {
            match value {
                Some(value) => drop(rows.insert(key, value)?),
                None => drop(rows.remove(key)?),
            }
        }
        let mut meta = writing.open_table(META)?;
        meta.insert(SCHEMA_KEY, u64::from(SCHEMA))?;
        meta.insert(NUMBER_KEY, number)?;
    }
    writing.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::{Batch, Table};
    use super::*;

    /// A disk in memory. When its budget of writes is spent, the last is a short one and all after it fail.
    #[derive(Clone, Debug)]
    struct Disk {
        content: Arc<Mutex<Vec<u8>>>,
        budget: Arc<Mutex<usize>>,
    }

    impl Disk {
        fn spend(&self) -> Option<usize> {
            let mut budget = self.budget.lock().unwrap();
            let left = budget.checked_sub(1)?;
            *budget = left;
            Some(left)
        }

        fn open(&self) -> Result<(Base, Rows, u64), Error> {
            let disk = self.clone();
            Base::open_with(Box::new(move || open_backend(disk.clone())))
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            Ok(self.content.lock().unwrap().len() as u64)
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            let (content, offset) = (self.content.lock().unwrap(), usize::try_from(offset).unwrap());
            let bytes = content.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(bytes);
            Ok(())
        }

        fn set_len(&self, length: u64) -> io::Result<()> {
            self.spend().ok_or(io::ErrorKind::StorageFull)?;
            self.content.lock().unwrap().resize(usize::try_from(length).unwrap(), 0);
            Ok(())
        }

        fn sync_data(&self) -> io::Result<()> {
            self.spend().map(drop).ok_or(io::ErrorKind::StorageFull.into())
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            let left = self.spend().ok_or(io::ErrorKind::StorageFull)?;
            let length = if left == 0 { data.len() / 2 } else { data.len() };
            let offset = usize::try_from(offset).unwrap();
            self.content.lock().unwrap()[offset..offset + length].copy_from_slice(&data[..length]);
            if left == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    fn ahead(number: u64, value: u8) -> Ahead {
        let mut batch = Batch::new();
        (0..40_u8).for_each(|name| batch.set(Table::Refused, &[name], Some(&[value; 200])));
        Ahead { batch, number }
    }

    #[test]
    fn after_a_fault_between_any_two_writes_the_database_is_as_before_or_as_after() {
        let disk = Disk { content: Arc::default(), budget: Arc::new(Mutex::new(usize::MAX)) };
        let (mut base, _, _) = disk.open().unwrap();
        base.bring(&ahead(1, 1)).unwrap();
        base.bring(&ahead(2, 2)).unwrap();
        let start = disk.content.lock().unwrap().clone();
        let (mut olds, mut budget) = (0, 1);
        loop {
            // The process ends: what the library does on the way out does not reach the disk.
            let disk = Disk { content: Arc::new(Mutex::new(start.clone())), budget: Arc::new(Mutex::new(usize::MAX)) };
            let (mut base, _, _) = disk.open().unwrap();
            *disk.budget.lock().unwrap() = budget;
            let brought = base.bring(&ahead(3, 3));
            let content = disk.content.lock().unwrap().clone();
            *disk.budget.lock().unwrap() = 0;
            drop(base);
            let after = Disk { content: Arc::new(Mutex::new(content)), budget: Arc::new(Mutex::new(usize::MAX)) };
            let (mut base, rows, number) = after.open().unwrap();
            let value = rows.iter().next().unwrap().1[0];
            assert!(rows.len() == 40 && rows.iter().all(|(_, row)| *row == [value; 200]), "budget {budget}");
            assert_eq!(u64::from(value), number, "budget {budget}");
            assert!(number == 3 || (number == 2 && brought.is_err()), "budget {budget}: {number}");
            olds += usize::from(number == 2);
            base.bring(&ahead(4, 4)).unwrap();
            if brought.is_ok() {
                break;
            }
            budget += 1;
        }
        assert!(olds > 3, "{olds} faults of {budget}");
    }

    #[test]
    fn a_database_that_could_not_be_written_is_opened_again() {
        let disk = Disk { content: Arc::default(), budget: Arc::new(Mutex::new(usize::MAX)) };
        let (mut base, _, _) = disk.open().unwrap();
        *disk.budget.lock().unwrap() = 2;
        assert!(base.bring(&ahead(1, 1)).is_err());
        assert!(base.bring(&ahead(1, 1)).is_err());
        *disk.budget.lock().unwrap() = usize::MAX;
        base.bring(&ahead(2, 2)).unwrap();
        drop(base);
        assert_eq!(disk.open().unwrap().2, 2);
    }
}
