//! Further hits in an object whose first line was judged: codes, and the product that its stack trace names.

use super::Line;
use crate::diagnosis::Fingerprint;
use crate::pair::rejection::Rejection;
use crate::pipeline::blocks::{self, Block};
use crate::pipeline::judge::Core;

/// The object that was judged last: in it, further hits begin no other sighting.
#[derive(Debug)]
pub(super) struct LastSighting {
    /// Offset of its first line.
    pub head: u64,
    /// Offset behind what has been looked at of it.
    pub behind: u64,
    /// Id of its rejection, if that was open.
    pub id: Option<Fingerprint>,
}

/// Takes in what a further hit in an object says, and what its lines from a position up to there say of the product: they
/// do, and not what a collector has put around them.
pub(super) fn note(
    bytes: &[u8],
    (from, hit): (usize, Line),
    block: &Block<'_>,
    rejection: Option<&mut Rejection>,
    core: &Core,
) {
    let max = core.settings.line_bytes_max;
    // With the words of the first line, which tell whose code it is.
    let own = blocks::read(bytes, hit, max).text;
    let text = [&*block.record.text, b"\n", &*own].concat();
    let further = core.detector.refusal(&text, &block.record);
    let Some(rejection) = rejection else { return };
    if let Some(further) = further {
        rejection.add_codes(&further.codes);
    }
    let mut line = Line { start: from, end: from };
    while rejection.product.is_none()
        && let Some(next) = line.after(bytes, hit.start)
    {
        rejection.product = core.detector.product(&blocks::read(bytes, next, max).text);
        line = next;
    }
    rejection.product = rejection.product.or_else(|| core.detector.product(&own));
}
