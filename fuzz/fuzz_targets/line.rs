//! Unwrapping a line, deciding about it and looking for a token in it never panic, and unwrapping what was unwrapped
//! adds nothing.
#![no_main]

use diag51007::detect::Detector;
use diag51007::{envelope, pair, stamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let record = envelope::read(data);
    let detector = Detector::new(true);
    if let Some(refusal) = detector.refusal(&record.text, &record) {
        assert!(refusal.at < record.text.len(), "a refusal stands in its text");
        assert!(detector.find(&record.text, 0).is_some(), "what is refused was found");
    }
    if let Some(sent) = pair::sent::find(&record.text, true, true) {
        assert!(sent.raw.len() <= (16 << 10) + 1, "a token is kept up to its limit");
    }
    stamp::find(data);
});
