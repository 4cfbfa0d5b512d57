use std::io::Write as _;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use redb::{Database, TableDefinition};

use super::*;

fn batch(rows: &[(&str, Option<&str>)]) -> Batch {
    let mut batch = Batch::new();
    for (name, value) in rows {
        batch.set(Table::Ledger, name.as_bytes(), value.map(str::as_bytes));
    }
    batch
}

fn open(folder: &Path) -> Opened {
    Store::open(folder, 1_795_488_000).unwrap()
}

fn names(rows: &Rows) -> Vec<String> {
    let name = |(name, value): (&[u8], &[u8])| format!("{}={}", text(name), text(value));
    rows_of(rows, Table::Ledger).map(name).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_committed_is_there_after_a_crash_whether_or_not_it_was_brought_into_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = open(folder.path());
    opened.store.commit(batch(&[("a", Some("1")), ("b", Some("1"))])).unwrap();
    let ahead = opened.store.take_ahead().unwrap();
    opened.base.bring(&ahead).unwrap();
    // The journal of what was brought is still there, as if the process had ended before it was removed.
    opened.store.commit(batch(&[("a", Some("2")), ("b", None), ("c", Some("1"))])).unwrap();
    drop(opened);
    let mut opened = open(folder.path());
    assert_eq!(names(&opened.rows), ["a=2", "c=1"]);
    assert_eq!(files(folder.path()), ["lock", "state.redb"]);
    opened.store.commit(batch(&[("d", Some("1"))])).unwrap();
    drop(opened);
    let opened = open(folder.path());
    assert_eq!(
        (names(&opened.rows), opened.recovered),
        (vec!["a=2".to_owned(), "c=1".to_owned(), "d=1".to_owned()], None)
    );
}

#[test]
fn a_commit_of_nothing_is_written_too_and_fails_where_nothing_can_be() {
    let room = |bytes| {
        let room = Arc::new(Mutex::new(bytes));
        let log = move |_| -> io::Result<Box<dyn Log>> {
            Ok(Box::new(Faulty { content: Arc::default(), room: Arc::clone(&room), can_cut: true }))
        };
        Store::new(Box::new(log), 0, None)
    };
    assert!(room(1 << 10).commit(Batch::new()).is_ok());
    let (_, error) = room(5).commit(Batch::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let folder = tempfile::tempdir().unwrap();
    let mut opened = open(folder.path());
    opened.store.commit(batch(&[("a", Some("1"))])).unwrap();
    let ahead = opened.store.take_ahead().unwrap();
    opened.base.bring(&ahead).unwrap();
    for _ in 0..2 * NOTHING_BYTES_MAX / 20 {
        opened.store.commit(Batch::new()).unwrap();
        if let Some(ahead) = opened.store.take_ahead() {
            opened.base.bring(&ahead).unwrap();
            remove_journals(folder.path(), ahead.number).unwrap();
        }
        assert!(opened.store.journal_bytes() < NOTHING_BYTES_MAX + 100);
    }
    opened.store.commit(batch(&[("b", Some("1"))])).unwrap();
    drop(opened);
    assert_eq!(names(&open(folder.path()).rows), ["a=1", "b=1"]);
}

#[test]
fn a_commit_that_was_being_written_is_not_there_and_the_others_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = open(folder.path());
    opened.store.commit(batch(&[("a", Some("1"))])).unwrap();
    let path = folder.path().join("state.journal.1");
    let whole = fs::metadata(&path).unwrap().len();
    opened.store.commit(batch(&[("a", Some("2"))])).unwrap();
    drop(opened);
    let journal = fs::read(&path).unwrap();
    let base = fs::read(folder.path().join(BASE_FILE)).unwrap();
    for length in usize::try_from(whole).unwrap()..=journal.len() {
        fs::write(folder.path().join(BASE_FILE), &base).unwrap();
        fs::write(&path, &journal[..length]).unwrap();
        let opened = open(folder.path());
        let expected = if length == journal.len() { "a=2" } else { "a=1" };
        assert_eq!(names(&opened.rows), [expected], "{length}");
        assert_eq!(opened.recovered, None, "{length}");
    }
}

#[test]
fn a_journal_that_is_not_what_was_written_is_read_up_to_there_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = open(folder.path());
    for value in ["1", "2", "3"] {
        opened.store.commit(batch(&[("a", Some(value))])).unwrap();
    }
    drop(opened);
    let path = folder.path().join("state.journal.1");
    let mut journal = fs::read(&path).unwrap();
    let middle = journal.len() / 2;
    journal[middle] ^= 1;
    fs::write(&path, journal).unwrap();
    let opened = open(folder.path());
    assert_eq!(names(&opened.rows), ["a=1"]);
    let recovery = opened.recovered.unwrap();
    assert!(recovery.why.contains("so commit 2 and those after it are lost") && !recovery.is_all, "{recovery:?}");
    assert!(recovery.aside.ends_with("state.journal.1.damaged-1795488000") && recovery.aside.exists());
}

#[track_caller]
fn is_moved_aside(content: impl FnOnce(&Path), why: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = open(folder.path());
    opened.store.commit(batch(&[("a", Some("1"))])).unwrap();
    drop(opened);
    content(folder.path());
    let opened = open(folder.path());
    assert!(opened.rows.is_empty());
    let recovery = opened.recovered.clone().unwrap();
    assert!(recovery.why.contains(why), "{recovery:?}");
    let aside = folder.path().join("state.redb.damaged-1795488000");
    assert_eq!((recovery.aside, recovery.is_all), (aside.clone(), true));
    assert!(aside.exists() && folder.path().join("state.journal.1.damaged-1795488000").exists());
    drop(opened);
    assert_eq!(open(folder.path()).recovered, None);
}

#[test]
fn a_state_that_cannot_be_used_is_moved_aside_and_a_new_one_begun() {
    is_moved_aside(|folder| fs::write(folder.join(BASE_FILE), "no database").unwrap(), "");
    is_moved_aside(|folder| fs::write(folder.join(BASE_FILE), vec![0; 1 << 20]).unwrap(), "");
    is_moved_aside(
        |folder| {
            let path = folder.join(BASE_FILE);
            let half = fs::metadata(&path).unwrap().len() / 2;
            OpenOptions::new().write(true).open(path).unwrap().set_len(half).unwrap();
        },
        "",
    );
    is_moved_aside(
        |folder| {
            fs::remove_file(folder.join(BASE_FILE)).unwrap();
            let other = Database::create(folder.join(BASE_FILE)).unwrap();
            let writing = other.begin_write().unwrap();
            writing.open_table(TableDefinition::<&str, u64>::new("other")).unwrap().insert("a", 1).unwrap();
            writing.commit().unwrap();
        },
        "it is a database of another program",
    );
    is_moved_aside(
        |folder| {
            let database = Database::create(folder.join(BASE_FILE)).unwrap();
            let writing = database.begin_write().unwrap();
            let table = TableDefinition::<&str, u64>::new("diag51007");
            writing.open_table(table).unwrap().insert("schema", u64::from(SCHEMA) + 1).unwrap();
            writing.commit().unwrap();
        },
        "of a later diag51007",
    );
}

#[test]
fn a_state_has_one_user_and_the_other_is_told_who() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    let error = Store::open(folder.path(), 0).unwrap_err();
    assert!(matches!(&error, OpenError::Locked { pid: Some(pid), .. } if *pid == std::process::id()), "{error:?}");
    assert!(error.to_string().contains(&format!("`kill {}`", std::process::id())), "{error}");
    assert!(matches!(reset(folder.path()), Err(OpenError::Locked { .. })));
    drop(opened);
    drop(open(folder.path()));
    assert_eq!(reset(folder.path()).unwrap(), [folder.path().join(BASE_FILE)]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    File::create(&file).unwrap().write_all(b"x").unwrap();
    let error = Store::open(&file.join("state"), 0).unwrap_err().to_string();
    assert!(error.starts_with("expected to write the state in ") && error.contains("`state_dir`"), "{error}");
}

#[test]
fn what_is_looked_at_is_what_was_committed_beside_the_one_who_commits() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Snapshot::read(folder.path()), Err(SnapshotError::None(_))));
    let mut opened = open(folder.path());
    opened.store.commit(batch(&[("a", Some("1"))])).unwrap();
    let before = files(folder.path());
    let snapshot = Snapshot::read(folder.path()).unwrap();
    assert_eq!((names(&snapshot.rows), snapshot.commits), (vec!["a=1".to_owned()], 1));
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_file_that_was_cut_goes_on_where_it_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = new_log_in(folder.path())(1).unwrap();
    for bytes in [b"whole".as_slice(), b"torn"] {
        log.append(bytes).unwrap();
    }
    log.cut(5).unwrap();
    log.append(b"next").unwrap();
    assert_eq!(fs::read(folder.path().join("state.journal.1")).unwrap(), b"wholenext");
}

/// A log in memory that fails when it has taken so many bytes, as a full disk does, and perhaps can't be cut then.
#[derive(Debug)]
struct Faulty {
    content: Arc<Mutex<Vec<u8>>>,
    room: Arc<Mutex<usize>>,
    can_cut: bool,
}

impl Log for Faulty {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut room = self.room.lock().unwrap();
        let taken = bytes.len().min(*room);
        *room -= taken;
        self.content.lock().unwrap().extend_from_slice(&bytes[..taken]);
        if taken < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        if !self.can_cut {
            return Err(io::ErrorKind::Other.into());
        }
        self.content.lock().unwrap().truncate(usize::try_from(length).unwrap());
        Ok(())
    }
}

type Logs = Arc<Mutex<Vec<(u64, Arc<Mutex<Vec<u8>>>)>>>;

/// Commits with little room that grows by and by; gives the rows that were committed, and those that are read again.
fn commits_with_faults(rooms: &[usize], can_cut: bool) -> (Rows, Rows) {
    let (logs, room) = (Logs::default(), Arc::new(Mutex::new(0)));
    let (made, available) = (Arc::clone(&logs), Arc::clone(&room));
    let new_log: NewLog = Box::new(move |number| {
        let content = Arc::new(Mutex::new(Vec::new()));
        let mut logs = made.lock().unwrap();
        // As a file of that name is cut when it is opened.
        logs.retain(|(other, _)| *other != number);
        logs.push((number, Arc::clone(&content)));
        Ok(Box::new(Faulty { content, room: Arc::clone(&available), can_cut }))
    });
    let (mut store, mut committed) = (Store::new(new_log, 0, None), Rows::new());
    for (at, more) in rooms.iter().enumerate() {
        *room.lock().unwrap() += more;
        let rows = batch(&[("count", Some(&at.to_string())), ("text", Some(&"x".repeat(at % 7 * 10)))]);
        if store.commit(rows.clone()).is_ok() {
            committed.apply(&rows);
        }
    }
    let (mut number, mut found) = (0, Rows::new());
    let mut logs = logs.lock().unwrap().clone();
    logs.sort_by_key(|(number, _)| *number);
    for (_, content) in logs {
        assert_eq!(replay(&content.lock().unwrap(), &mut number, &mut found), End::Clean);
    }
    (committed, found)
}

proptest! {
    #[test]
    fn a_full_disk_takes_back_no_commit_and_adds_none(
        rooms in prop::collection::vec(0_usize..200, 1..40),
        can_cut in any::<bool>(),
    ) {
        let (committed, found) = commits_with_faults(&rooms, can_cut);
        prop_assert_eq!(committed, found);
    }

    #[test]
    fn rows_are_read_as_they_were_written(
        batches in prop::collection::vec(
            prop::collection::btree_map(
                prop::collection::vec(any::<u8>(), 0..9),
                prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
                0..9,
            ),
            0..9,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut opened, mut expected) = (open(folder.path()), Rows::new());
        for (at, rows) in batches.iter().enumerate() {
            let mut batch = Batch::new();
            for (name, value) in rows {
                batch.set(Table::Refused, name, value.as_deref());
            }
            expected.apply(&batch);
            opened.store.commit(batch).unwrap();
            if at % 3 == 1 && let Some(ahead) = opened.store.take_ahead() {
                opened.base.bring(&ahead).unwrap();
                remove_journals(folder.path(), ahead.number).unwrap();
            }
        }
        drop(opened);
        prop_assert_eq!(open(folder.path()).rows, expected);
    }
}
