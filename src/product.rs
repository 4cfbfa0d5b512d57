//! The Twilio products whose SDKs connect with Access Tokens.

use serde::{Deserialize, Serialize};

/// The product whose SDK was refused. A closed list: it is a metric label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// Conversations and Programmable Chat (`chat`, formerly `ip_messaging`).
    Chat,
    /// Sync (`data_sync`).
    Sync,
    /// Programmable Voice (`voice`).
    Voice,
    /// Programmable Video (`video`, formerly `rtc`).
    Video,
    /// TaskRouter and Flex agents (`task_router`).
    TaskRouter,
    /// Nothing in the log tells.
    #[default]
    Unknown,
}

impl Product {
    /// Every product, in the order in which they are shown.
    pub const ALL: [Self; 6] = [Self::Chat, Self::Sync, Self::Voice, Self::Video, Self::TaskRouter, Self::Unknown];

    /// The metric label.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Sync => "sync",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::TaskRouter => "task_router",
            Self::Unknown => "unknown",
        }
    }

    /// Reads a metric label.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.id() == id)
    }
}
