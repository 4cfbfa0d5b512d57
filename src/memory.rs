//! Memory that is not needed for now, given back to the system; and a heap from which that can be done.
//!
//! The system maps a program in pieces of 64 KiB around each place that was run, so that after a start most of it counts
//! as resident although little of it runs again; and an allocator keeps what was freed. Both are given back here. Nothing
//! is lost: the program's pages come from the page cache when they are run again, and free memory holds nothing.
//!
//! This is the only module with code that the compiler does not check, and it holds nothing else.

use std::ops::Range;

/// Buffers of so many bytes are mapped one by one.
#[cfg(target_env = "gnu")]
const LARGE_BYTES: libc::c_int = 128 << 10;

/// So much may be free at the end of the heap before it is given back without [`give_back`], in bytes.
#[cfg(target_env = "gnu")]
const FREE_BYTES_MAX: libc::c_int = 4 << 20;

/// Makes the heap one that is small when little is in use: for a process that runs for long. To be called before there are
/// threads.
///
/// Else each thread has a heap of its own, each with its own holes, and large buffers lie between what stays. Here all
/// threads share one, which they seldom need at the same time, and a large buffer goes back to the system when it is
/// freed.
#[cfg(target_env = "gnu")]
pub fn settle_heap() {
    set(libc::M_ARENA_MAX, 1);
    set(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
    set(libc::M_TRIM_THRESHOLD, FREE_BYTES_MAX);
}

/// Other allocators have other ways.
#[cfg(not(target_env = "gnu"))]
pub const fn settle_heap() {}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "a function of C; it takes the allocator's own lock and changes how it goes on")]
fn set(what: libc::c_int, to: libc::c_int) {
    // Where it is refused, the heap stays as it is.
    // SAFETY: it may be called with any numbers; the ones it does not know it refuses.
    unsafe {
        libc::mallopt(what, to);
    }
}

/// Gives back the free memory of the heap and the pages of the program that can be had again. It takes some
/// milliseconds. Where the system does not say what is mapped, nothing happens.
pub fn give_back() {
    trim_heap();
    let Ok(maps) = std::fs::read_to_string("/proc/self/smaps") else { return };
    let code = give_back as fn() as usize;
    for range in unchanged_parts(&maps, code) {
        unmap(range);
    }
}

/// Gives whole free pages of the heap back.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "a function of C; it takes the allocator's own locks and changes no memory in use")]
fn trim_heap() {
    // SAFETY: it may be called at any time, from any thread, with any number.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators give back by themselves.
#[cfg(not(target_env = "gnu"))]
const fn trim_heap() {}

#[expect(unsafe_code, reason = "the system takes pages away and maps the same again when they are touched")]
fn unmap(Range { start, end }: Range<usize>) {
    let (address, length) = (std::ptr::with_exposed_provenance_mut(start), end.saturating_sub(start));
    // What fails stays as it is.
    // SAFETY: the range is a whole mapping of the program's own file that is not writable and has no page of which this
    // process has a copy of its own, so that every page taken away is read from the file again, as it was. The system
    // itself takes such pages away whenever memory is short.
    _ = unsafe { rustix::mm::madvise(address, length, rustix::mm::Advice::LinuxDontNeed) };
}

/// The parts of the file that the code at an address is of, that are mapped read-only and equal the file: from the text
/// of `/proc/self/smaps`. The others hold addresses that were put in when the program was loaded.
fn unchanged_parts(smaps: &str, code: usize) -> Vec<Range<usize>> {
    // With how often it must still be said that there is no page of the process's own: neither in memory nor swapped out.
    let mut parts: Vec<(Range<usize>, (&str, &str), usize)> = Vec::new();
    for line in smaps.lines() {
        if let Some((range, file, is_fixed)) = mapping(line) {
            parts.push((range, file, if is_fixed { 2 } else { usize::MAX }));
        } else if let Some((.., doubts)) = parts.last_mut()
            && let Some(size) = line.strip_prefix("Anonymous:").or_else(|| line.strip_prefix("Swap:"))
        {
            *doubts = doubts.saturating_sub(usize::from(size.trim() == "0 kB"));
        }
    }
    let Some(own) = parts.iter().find(|(range, ..)| range.contains(&code)).map(|(_, file, ..)| *file) else {
        return Vec::new();
    };
    let unchanged = parts.into_iter().filter(|(_, file, doubts)| *file == own && *doubts == 0);
    unchanged.map(|(range, ..)| range).collect()
}

/// A line that begins a mapping: where it lies, its device and inode, and whether it is private, of a file and not
/// writable.
fn mapping(line: &str) -> Option<(Range<usize>, (&str, &str), bool)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let (access, _offset, device, inode) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some((range, (device, inode), matches!(access, "r--p" | "r-xp") && inode != "0"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::keyring::KeyRing;
    use crate::pipeline::{Event, Pipeline, Settings, Stream, StreamId};
    use crate::store::{Batch, Store, Table, rows_of};
    use crate::time::UnixTime;

    const SMAPS: &str = "\
55d0a0000000-55d0a03f1000 r--p 00000000 fe:01 4711 /usr/bin/diag51007
Rss: 1736 kB
Anonymous: 0 kB
Swap: 0 kB
VmFlags: rd mr mw me sd
55d0a03f1000-55d0a10ec000 r-xp 003f0000 fe:01 4711 /usr/bin/diag51007
Anonymous:             0 kB
Swap: 0 kB
AnonHugePages:         0 kB
55d0a10ec000-55d0a115f000 r--p 010ea000 fe:01 4711 /usr/bin/diag51007
Anonymous:           460 kB
Swap: 0 kB
55d0a115f000-55d0a1162000 rw-p 0115c000 fe:01 4711 /usr/bin/diag51007
Anonymous:             0 kB
Swap: 0 kB
55d0a1170000-55d0a1180000 rw-p 00000000 00:00 0 [heap]
Anonymous:            40 kB
Swap: 0 kB
7f63a40dc000-7f63a4232000 r-xp 00026000 fe:01 99 /usr/lib/x86_64-linux-gnu/libc.so.6
Anonymous:             0 kB
Swap: 0 kB
7f63a5000000-7f63a5001000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
Swap: 0 kB
";

    #[track_caller]
    fn check(smaps: &str, code: usize, expected: &[(usize, usize)]) {
        let parts: Vec<_> = unchanged_parts(smaps, code).into_iter().map(|part| (part.start, part.end)).collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn only_parts_of_the_own_file_that_equal_it_are_given_back() {
        let own = [(0x55d0_a000_0000, 0x55d0_a03f_1000), (0x55d0_a03f_1000, 0x55d0_a10e_c000)];
        check(SMAPS, 0x55d0_a040_0000, &own);
        check(SMAPS, 0x7f63_a40d_c000, &[(0x7f63_a40d_c000, 0x7f63_a423_2000)]);
        check(SMAPS, 0x7f63_a500_0000, &[]);
        check(SMAPS, 0x1000, &[]);
        check(&SMAPS.replace("Anonymous:             0", "Anonymous:             4"), 0x55d0_a040_0000, &own[..1]);
        check(&SMAPS.replacen("Swap: 0 kB", "Swap: 460 kB", 1), 0x55d0_a040_0000, &own[1..]);
        check(&SMAPS.replace("Swap: 0 kB", ""), 0x55d0_a040_0000, &[]);
        check("", 0, &[]);
        check("no mapping\nAnonymous: 0 kB", 0, &[]);
    }

    /// Diagnoses a refusal, and commits a row to a store.
    fn work(store: &mut Store, number: u8) -> Vec<Event> {
        let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
        let (id, now) = (StreamId(1), UnixTime::from_seconds(1_772_359_200));
        let (source, timezone) = (Arc::from("app"), Arc::from("UTC"));
        pipeline.open(id, Stream { source, path: None, modified: None, timezone, offset: 0, whole: true });
        let mut events = Vec::new();
        let line = b"2026-03-01T10:00:00Z error twilio code=51007 token=eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJTSyJ9.c2ln\n";
        pipeline.push(id, line, now, &mut |event| events.push(event));
        pipeline.finish(id, now, &mut |event| events.push(event));
        let mut batch = Batch::new();
        batch.set(Table::Ledger, &[number], Some(&[number]));
        store.commit(batch).unwrap();
        events
    }

    #[test]
    fn the_program_works_as_before_when_its_heap_was_settled_and_its_pages_were_given_back() {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let code = give_back as fn() as usize;
        assert!(unchanged_parts(&smaps, code).iter().any(|part| part.contains(&code)), "{smaps}");
        settle_heap();
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), 0).unwrap().store;
        let before = work(&mut store, 1);
        assert!(before.iter().any(|event| matches!(event, Event::Diagnosed(_))));
        drop((0..100_000).map(|number| number.to_string()).collect::<Vec<_>>());
        give_back();
        assert_eq!(work(&mut store, 2), before);
        drop(store);
        let rows = Store::open(folder.path(), 0).unwrap().rows;
        assert_eq!(rows_of(&rows, Table::Ledger).map(|(name, _)| name).collect::<Vec<_>>(), [[1], [2]]);
        assert!(std::panic::catch_unwind(|| assert!(before.is_empty())).is_err(), "a panic finds its way");
    }
}
