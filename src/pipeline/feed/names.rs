//! What texts name: the channel of an SDK, the product of a message, the region of an endpoint.

use std::sync::LazyLock;

use memchr::memmem;

use crate::detect::Refusal;
use crate::pair::Channel;
use crate::product::Product;

/// The channel of a sighting that an SDK printed.
pub(super) fn channel_of(refusal: &Refusal) -> Option<Channel> {
    (refusal.print.is_some() || refusal.names_twilsock).then_some(match refusal.product {
        Some(Product::Voice) => Channel::Voice,
        Some(Product::Video) => Channel::Video,
        Some(Product::TaskRouter) if !refusal.names_twilsock => Channel::TaskRouter,
        Some(Product::Chat | Product::Sync | Product::TaskRouter | Product::Unknown) | None => Channel::Twilsock,
    })
}

/// The product that a connection's own message names.
pub(super) fn product_of_message(text: &[u8], channel: Channel) -> Option<Product> {
    match channel {
        Channel::Voice => return Some(Product::Voice),
        Channel::Video => return Some(Product::Video),
        Channel::TaskRouter => return Some(Product::TaskRouter),
        Channel::Twilsock => {}
    }
    let names = |word: &str| memmem::find(text, word.as_bytes()).is_some();
    let field = |key: &str, value: &str| {
        names(&format!("\"{key}\":\"{value}\"")) || names(&format!("\\\"{key}\\\":\\\"{value}\\\""))
    };
    if field("product", "ip_messaging") || field("type", "conversations") || field("type", "chat") {
        return Some(Product::Chat);
    }
    (field("product", "data_sync") || field("type", "sync")).then_some(Product::Sync)
}

/// The region in an endpoint's name: `tsock.us1.twilio.com`, `tsock.dublin.ie1.twilio.com`.
pub(super) fn region(text: &[u8]) -> Option<&'static str> {
    static ENDPOINT: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"tsock."));
    let at = ENDPOINT.find(text)?;
    let name = text.get(at + 6..)?;
    let end = memmem::find(name.get(..40).unwrap_or(name), b".twilio.com")?;
    known_region(std::str::from_utf8(name.get(..end)?.rsplit(|byte| *byte == b'.').next()?).ok()?)
}

/// A region of Twilio.
pub(super) fn known_region(name: &str) -> Option<&'static str> {
    ["us1", "ie1", "au1", "br1", "de1", "jp1", "sg1", "us2"].into_iter().find(|known| *known == name)
}
