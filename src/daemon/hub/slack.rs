//! When memory is given back: once a start or a backlog has been worked off.
//!
//! Both need memory and parts of the program that following quiet files does not. To give it back costs milliseconds
//! and what is needed again has to be fetched again, so it waits until little is read.

/// Memory is given back if so much of it was let go, in bytes.
const OWED_LEAST: u64 = 4 << 20;
/// Bytes read count as a part of them that were let go: their buffers, rows and events came and went.
const READ_SHARE: u64 = 16;
/// Little is so many bytes read from one rest to the next.
const CALM_BYTES_MAX: u64 = 1 << 20;

/// What was let go since memory was given back.
#[derive(Debug)]
pub(super) struct Slack {
    owed: u64,
    /// Bytes read since the last rest.
    read: u64,
    is_due: bool,
}

impl Slack {
    /// After a start, which owes what it took.
    pub(super) const fn of_start() -> Self {
        Self { owed: OWED_LEAST, read: 0, is_due: false }
    }

    /// Takes note of bytes that were read.
    pub(super) const fn read(&mut self, bytes: usize) {
        self.read = self.read.saturating_add(bytes as u64);
    }

    /// Takes note of bytes that were let go.
    pub(super) const fn let_go(&mut self, bytes: usize) {
        self.owed = self.owed.saturating_add(bytes as u64);
    }

    /// Takes note of a rest, and of the bytes that were let go in it.
    pub(super) const fn rested(&mut self, bytes: usize) {
        self.let_go(bytes);
        self.owed = self.owed.saturating_add(self.read / READ_SHARE);
        if self.read < CALM_BYTES_MAX && self.owed >= OWED_LEAST {
            (self.owed, self.is_due) = (0, true);
        }
        self.read = 0;
    }

    /// Whether memory is to be given back now.
    pub(super) const fn take_due(&mut self) -> bool {
        std::mem::replace(&mut self.is_due, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes through rests, each with the bytes read before it and those let go in it; says after which memory is given
    /// back.
    #[track_caller]
    fn check(rests: &[(usize, usize)], expected: &[bool]) {
        let mut slack = Slack::of_start();
        let due = rests.iter().map(|(read, let_go)| {
            slack.read(*read);
            slack.rested(*let_go);
            slack.take_due()
        });
        assert_eq!(due.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn memory_is_given_back_after_a_start_and_a_backlog_and_not_in_them() {
        check(&[(0, 0), (0, 0), (1000, 0)], &[true, false, false]);
        check(&[(100 << 20, 0), (100 << 20, 0), (0, 0), (0, 0)], &[false, false, true, false]);
        check(&[(0, 0), (100 << 20, 0), (10, 0), (10, 0)], &[true, false, true, false]);
    }

    #[test]
    fn memory_is_given_back_when_much_was_let_go_elsewhere() {
        let mut slack = Slack::of_start();
        slack.rested(0);
        assert!(slack.take_due());
        slack.let_go(3 << 20);
        slack.rested(0);
        assert!(!slack.take_due());
        slack.let_go(1 << 20);
        slack.rested(0);
        assert!(slack.take_due() && !slack.take_due());
    }

    #[test]
    fn memory_is_given_back_when_many_files_have_fallen_silent() {
        check(&[(0, 0), (0, 3 << 20), (0, 0), (0, 1 << 20)], &[true, false, false, true]);
    }
}
