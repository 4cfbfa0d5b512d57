//! What Twilio's SDKs print, and in which order.

use std::sync::LazyLock;

use crate::product::Product;
use crate::words::Words;

/// The place of a print in the sequence that one refused connection causes; a later one never comes before an earlier
/// one of the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Print {
    /// The SDK reports the server's answer.
    Answer,
    /// The SDK raises an event.
    Event,
    /// The application prints the error that the SDK gave it.
    Error,
}

/// Phrases of the print sequence, the more special first.
const PRINTS: [(&[u8], Print); 21] = [
    (b"Init rejected by server", Print::Answer),
    (b"Token update rejected by server", Print::Answer),
    (b"Server closed connection", Print::Answer),
    (b"receive reply:", Print::Answer),
    (b"Reply status for init request", Print::Answer),
    (b"'init' message failed", Print::Answer),
    (b"[WSTransport] Received:", Print::Answer),
    (b"Emitting connectionError", Print::Event),
    (b"Emitting tokenExpired", Print::Event),
    (b"[Device] Received error", Print::Event),
    (b"[Device] #error", Print::Event),
    (b"onTwilsockFatalError", Print::Event),
    (b"originalError", Print::Error),
    (b"httpStatusCode", Print::Error),
    (b"TransportUnavailableError", Print::Error),
    (b"Connection error: ", Print::Error),
    (b"TwilsockReplyError", Print::Error),
    (b"AccessTokenInvalid", Print::Error),
    (b"AccessTokenExpired", Print::Error),
    (b"AuthenticationFailed (", Print::Error),
    (b"ConnectionError (", Print::Error),
];

/// Prefixes of SDK loggers.
const PREFIXES: [&[u8]; 16] = [
    b"Twilsock ",
    b"Conversations ",
    b"Sync D:",
    b"Sync W:",
    b"Sync E:",
    b"Sync I:",
    b"Notifications ",
    b"EMS D:",
    b"EMS W:",
    b"EMS E:",
    b"[TwilioVoice]",
    b"TNTwilsock",
    b"TVO",
    b"TVI",
    b"/TWC:",
    b"VoiceActivity",
];

/// Words that tell the product, the more special first.
const PRODUCTS: [(&[u8], Product); 38] = [
    (b"\"product\":\"data_sync\"", Product::Sync),
    (b"\"product\":\"ip_messaging\"", Product::Chat),
    (b"@twilio/conversations", Product::Chat),
    (b"twilio-chat", Product::Chat),
    (b"twilio-sync", Product::Sync),
    (b"@twilio/voice-sdk", Product::Voice),
    (b"twilio-video", Product::Video),
    (b"twilio-client", Product::Voice),
    (b"twilio-taskrouter", Product::TaskRouter),
    (b"[TwilioVoice]", Product::Voice),
    (b"TwilioVoice", Product::Voice),
    (b"TwilioVideo", Product::Video),
    (b"TwilioConversations", Product::Chat),
    (b"TwilioChat", Product::Chat),
    (b"TwilioSync", Product::Sync),
    (b"com.twilio.voice", Product::Voice),
    (b"com.twilio.video", Product::Video),
    (b"com.twilio.chat", Product::Chat),
    (b"com.twilio.conversations", Product::Chat),
    (b"com.twilio.sync", Product::Sync),
    (b"ConversationsClient", Product::Chat),
    (b"Conversations Client", Product::Chat),
    (b"ChatClient", Product::Chat),
    (b"initFailed", Product::Chat),
    (b"ipmsg", Product::Chat),
    (b"SyncClient", Product::Sync),
    (b"Sync W:", Product::Sync),
    (b"Sync D:", Product::Sync),
    (b"Sync E:", Product::Sync),
    (b"Sync I:", Product::Sync),
    (b"VoiceActivity", Product::Voice),
    (b"VoiceClient", Product::Voice),
    (b"Twilio.Device", Product::Voice),
    (b"TVOError", Product::Voice),
    (b"TVOCall", Product::Voice),
    (b"TVIError", Product::Video),
    (b"sdkgw.", Product::Video),
    (b"TaskRouter", Product::TaskRouter),
];

static PRINT_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(PRINTS.iter().map(|(phrase, _)| *phrase)));
static PREFIX_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(PREFIXES));
static PRODUCT_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(PRODUCTS.iter().map(|(word, _)| *word)));

/// A phrase of the print sequence, and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    /// Tells prints of the same place apart.
    pub index: usize,
    pub print: Print,
}

/// The phrase of the print sequence that a text holds.
pub(super) fn phrase(text: &[u8]) -> Option<Phrase> {
    let index = PRINT_WORDS.first(text)?;
    PRINTS.get(index).map(|(_, print)| Phrase { index, print: *print })
}

/// An SDK's logger wrote this.
pub(super) fn has_prefix(text: &[u8]) -> bool {
    PREFIX_WORDS.any(text)
}

/// The product that an SDK's words tell.
pub(super) fn product(text: &[u8]) -> Option<Product> {
    PRODUCTS.get(PRODUCT_WORDS.first(text)?).map(|(_, product)| *product)
}
