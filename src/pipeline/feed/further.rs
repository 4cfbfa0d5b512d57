//! Further hits in an object whose first line was judged: codes, and the product that its stack trace names.

use super::Line;
use crate::pair::rejection::Rejection;
use crate::pipeline::blocks::{self, Block};
use crate::pipeline::judge::Core;

/// Takes in what a further hit in an object says, and what its lines up to there say of the product.
pub(super) fn note(bytes: &[u8], hit: Line, block: &Block<'_>, rejection: Option<&mut Rejection>, core: &Core) {
    // With the words of the first line, which tell whose code it is.
    let own = blocks::read(bytes, hit, core.settings.line_bytes_max).text;
    let text = [&*block.record.text, b"\n", &*own].concat();
    let further = core.detector.refusal(&text, &block.record);
    let Some(rejection) = rejection else { return };
    if let Some(further) = further {
        rejection.add_codes(&further.codes);
    }
    if rejection.product.is_none() {
        rejection.product = core.detector.product(bytes.get(block.head.start..hit.end).unwrap_or_default());
    }
}
