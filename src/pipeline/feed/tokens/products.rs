//! The product of a connection, from what the messages of Twilsock near a refusal say.
//!
//! A refused update of a token does not name it; the message that began the connection does, and so do those that use it.

use std::collections::VecDeque;
use std::sync::LazyLock;

use crate::envelope::Emitter;
use crate::pair::Channel;
use crate::product::Product;
use crate::words::Words;

/// Keys of what messages of an open connection say of its product.
pub(super) const KEYS: [&[u8]; 2] = [b"active_grant", b"product_id"];

/// Lines remembered of one stream.
const LINES_MAX: usize = 1000;

/// Lines that name a product, ascending, each with its writer.
#[derive(Debug, Default)]
pub(super) struct Products(VecDeque<(u64, Emitter, Product)>);

impl Products {
    /// Notes what a line of this number says; if it is the message with which a connection presents its token, the
    /// product that this names is given.
    pub(super) fn note(&mut self, line: u64, writer: Emitter, text: &[u8], own: Option<(Channel, Option<Product>)>) {
        let of_message = own.and_then(|(channel, product)| product.filter(|_| channel == Channel::Twilsock));
        let Some(product) = of_message.or_else(|| in_use(text)) else { return };
        self.0.push_back((line, writer, product));
        if self.0.len() > LINES_MAX {
            self.0.pop_front();
        }
    }

    /// Forgets earlier lines.
    pub(super) fn forget_before(&mut self, line: u64) {
        while self.0.front().is_some_and(|(first, ..)| *first < line) {
            self.0.pop_front();
        }
    }

    /// The product that a writer names on such lines, if it is one and the same.
    pub(super) fn of(&self, writer: &Emitter, is_near: impl Fn(u64) -> bool) -> Option<Product> {
        let is_of_it = |(line, other, _): &&(u64, Emitter, Product)| is_near(*line) && !writer.is_elsewhere(other);
        let mut products = self.0.iter().filter(is_of_it).map(|(.., product)| *product);
        let first = products.next()?;
        products.all(|product| product == first).then_some(first)
    }
}

/// The product that a message of an open connection names: the grant that it uses, or what it registers for.
fn in_use(text: &[u8]) -> Option<Product> {
    static WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(KEYS));
    let (_, end, _) = WORDS.next(text, 0)?;
    let value = text.get(end..)?;
    let value = value.get(value.iter().take(8).position(u8::is_ascii_alphabetic)?..)?;
    let named = |name: &[u8]| value.starts_with(name);
    if named(b"ip_messaging") || named(b"chat") {
        Some(Product::Chat)
    } else {
        named(b"data_sync").then_some(Product::Sync)
    }
}
