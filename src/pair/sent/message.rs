//! The messages with which connections present their tokens.

use std::sync::LazyLock;

use crate::words::Words;

/// The kinds of connection that present a token in a message of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Conversations, Chat and Sync.
    Twilsock,
    /// The Voice SDKs.
    Voice,
    /// The Video SDKs.
    Video,
    /// TaskRouter.
    TaskRouter,
}

/// Phrases of the messages with which a connection presents its token.
const MESSAGES: [(&[u8], Channel); 18] = [
    (b"\"method\":\"init\"", Channel::Twilsock),
    (b"\"method\":\"update\"", Channel::Twilsock),
    (b"\\\"method\\\":\\\"init\\\"", Channel::Twilsock),
    (b"\\\"method\\\":\\\"update\\\"", Channel::Twilsock),
    (b"\"method\": \"init\"", Channel::Twilsock),
    (b"\"method\": \"update\"", Channel::Twilsock),
    (b"method: 'init'", Channel::Twilsock),
    (b"fpa_token:", Channel::Twilsock),
    (b"setupSocket:", Channel::Twilsock),
    (b"updateToken:", Channel::Twilsock),
    (b"\"type\":\"listen\"", Channel::Voice),
    (b"\"type\":\"register\"", Channel::Voice),
    (b"\\\"type\\\":\\\"listen\\\"", Channel::Voice),
    // Twilio Video asks for ICE servers before it connects.
    (b"\"type\":\"ice\"", Channel::Video),
    (b"\\\"type\\\":\\\"ice\\\"", Channel::Video),
    (b"\"type\":\"connect\"", Channel::Video),
    (b"\\\"type\\\":\\\"connect\\\"", Channel::Video),
    (b"/wschannels?token=", Channel::TaskRouter),
];

static MESSAGE_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(MESSAGES.iter().map(|(phrase, _)| *phrase)));

/// What Twilsock's logger prints of a token before it is sent.
const ANNOUNCEMENTS: [&[u8]; 2] = [b"setupSocket:", b"updateToken:"];

/// The channel whose message a text is, and whether it only announces one.
pub fn channel(text: &[u8]) -> Option<(Channel, bool)> {
    MESSAGES.get(MESSAGE_WORDS.first(text)?).map(|(phrase, channel)| (*channel, ANNOUNCEMENTS.contains(phrase)))
}

/// Where the next phrase of such a message is, as it is written.
pub fn next_message(text: &[u8], from: usize) -> Option<usize> {
    MESSAGE_WORDS.next(text, from).map(|(at, _, _)| at)
}

/// Twilsock's header, as it is written, behind which the message follows on the next line: `send request: TWILSOCK V3.0 360`.
pub fn begins_message(line: &[u8]) -> bool {
    const HEADER_BYTES: usize = 24;
    let line = line.trim_ascii_end();
    let end = line.get(line.len().saturating_sub(HEADER_BYTES)..).unwrap_or(line);
    end.last().is_some_and(u8::is_ascii_digit) && memchr::memmem::find(end, b"TWILSOCK V").is_some()
}

/// A text is of a registration for notifications, whose token is another one.
pub fn is_of_registration(text: &[u8]) -> bool {
    static WORDS: LazyLock<Words> = LazyLock::new(|| Words::new([b"RegistrationState".as_slice(), b"notificationId"]));
    WORDS.any(text)
}
