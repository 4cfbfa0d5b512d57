//! The members of header and payload that matter to Twilio, as one table: where each stands, and what it must be.

/// What a SID of a field begins with, where a field holds a SID.
type Prefix = Option<&'static str>;

macro_rules! fields {
    ($($variant:ident $path:literal $name:literal $($prefix:literal)?;)*) => {
        /// A member of a token.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $(#[doc = $path] $variant,)* }

        impl Field {
            /// Every field.
            pub const ALL: [Self; [$($path),*].len()] = [$(Self::$variant),*];

            /// Where it stands: `header.cty`, `payload.grants.chat.service_sid`.
            pub const fn path(self) -> &'static str { match self { $(Self::$variant => $path),* } }
            /// Its own name.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name),* } }
            /// The two letters that a SID in it begins with; `None` where it holds no SID.
            pub const fn prefix(self) -> Prefix { match self { $(Self::$variant => fields!(@ $($prefix)?)),* } }
        }
    };
    (@) => { None };
    (@ $prefix:literal) => { Some($prefix) };
}

fields! {
    Alg "header.alg" "alg";
    Typ "header.typ" "typ";
    Cty "header.cty" "cty";
    Twr "header.twr" "twr";
    Enc "header.enc" "enc";
    Jti "payload.jti" "jti";
    Iss "payload.iss" "iss" "SK";
    Sub "payload.sub" "sub" "AC";
    Exp "payload.exp" "exp";
    Nbf "payload.nbf" "nbf";
    Iat "payload.iat" "iat";
    Scope "payload.scope" "scope";
    Policies "payload.policies" "policies";
    Grants "payload.grants" "grants";
    Identity "payload.grants.identity" "identity";
    Chat "payload.grants.chat" "chat";
    ChatService "payload.grants.chat.service_sid" "service_sid" "IS";
    ChatEndpoint "payload.grants.chat.endpoint_id" "endpoint_id";
    ChatRole "payload.grants.chat.deployment_role_sid" "deployment_role_sid" "RL";
    ChatPush "payload.grants.chat.push_credential_sid" "push_credential_sid" "CR";
    IpMessaging "payload.grants.ip_messaging" "ip_messaging";
    IpService "payload.grants.ip_messaging.service_sid" "service_sid" "IS";
    IpEndpoint "payload.grants.ip_messaging.endpoint_id" "endpoint_id";
    IpRole "payload.grants.ip_messaging.deployment_role_sid" "deployment_role_sid" "RL";
    IpPush "payload.grants.ip_messaging.push_credential_sid" "push_credential_sid" "CR";
    DataSync "payload.grants.data_sync" "data_sync";
    SyncService "payload.grants.data_sync.service_sid" "service_sid" "IS";
    SyncEndpoint "payload.grants.data_sync.endpoint_id" "endpoint_id";
    Voice "payload.grants.voice" "voice";
    Outgoing "payload.grants.voice.outgoing" "outgoing";
    Application "payload.grants.voice.outgoing.application_sid" "application_sid" "AP";
    Params "payload.grants.voice.outgoing.params" "params";
    Incoming "payload.grants.voice.incoming" "incoming";
    Allow "payload.grants.voice.incoming.allow" "allow";
    VoicePush "payload.grants.voice.push_credential_sid" "push_credential_sid" "CR";
    VoiceEndpoint "payload.grants.voice.endpoint_id" "endpoint_id";
    Video "payload.grants.video" "video";
    Room "payload.grants.video.room" "room";
    Rtc "payload.grants.rtc" "rtc";
    RtcProfile "payload.grants.rtc.configuration_profile_sid" "configuration_profile_sid" "VS";
    TaskRouter "payload.grants.task_router" "task_router";
    Workspace "payload.grants.task_router.workspace_sid" "workspace_sid" "WS";
    Worker "payload.grants.task_router.worker_sid" "worker_sid" "WK";
    Role "payload.grants.task_router.role" "role";
    Player "payload.grants.player" "player";
}

impl Field {
    /// The member that is meant by a name that Twilio does not read there: written in another way (`serviceSid`), or an
    /// identity beside the grants.
    pub(super) fn meant(members: Members, name: &str) -> Option<Self> {
        let first = members.first()?.0;
        if first <= Self::Jti {
            return (first == Self::Jti && name == Self::Identity.name()).then_some(Self::Identity);
        }
        let is_meant = |field: &Self| name.len() <= 2 * field.name().len() && letters(name).eq(letters(field.name()));
        members.iter().map(|(field, _)| *field).find(is_meant)
    }
}

/// The letters and digits of a name, in small letters.
fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

/// The members of one JSON object that are kept, each with its own members.
pub(super) type Members = &'static [(Field, Shape)];

/// What is kept of a member.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Its type, and its value if it is simple.
    Leaf,
    /// Members too, if it is an object.
    Node(Members),
}

use Shape::{Leaf, Node};

/// The header.
pub(super) const HEADER: Members =
    &[(Field::Alg, Leaf), (Field::Typ, Leaf), (Field::Cty, Leaf), (Field::Twr, Leaf), (Field::Enc, Leaf)];

/// The payload.
pub(super) const PAYLOAD: Members = &[
    (Field::Jti, Leaf),
    (Field::Grants, Node(GRANTS)),
    (Field::Iat, Leaf),
    (Field::Exp, Leaf),
    (Field::Iss, Leaf),
    (Field::Sub, Leaf),
    (Field::Nbf, Leaf),
    (Field::Scope, Leaf),
    (Field::Policies, Leaf),
];

const GRANTS: Members = &[
    (Field::Identity, Leaf),
    (Field::Chat, Node(CHAT)),
    (Field::IpMessaging, Node(IP_MESSAGING)),
    (Field::DataSync, Node(&[(Field::SyncService, Leaf), (Field::SyncEndpoint, Leaf)])),
    (Field::Voice, Node(VOICE)),
    (Field::Video, Node(&[(Field::Room, Leaf)])),
    (Field::Rtc, Node(&[(Field::RtcProfile, Leaf)])),
    (Field::TaskRouter, Node(&[(Field::Workspace, Leaf), (Field::Worker, Leaf), (Field::Role, Leaf)])),
    (Field::Player, Leaf),
];

const CHAT: Members =
    &[(Field::ChatService, Leaf), (Field::ChatEndpoint, Leaf), (Field::ChatRole, Leaf), (Field::ChatPush, Leaf)];

const IP_MESSAGING: Members =
    &[(Field::IpService, Leaf), (Field::IpEndpoint, Leaf), (Field::IpRole, Leaf), (Field::IpPush, Leaf)];

const VOICE: Members = &[
    (Field::Outgoing, Node(&[(Field::Application, Leaf), (Field::Params, Leaf)])),
    (Field::Incoming, Node(&[(Field::Allow, Leaf)])),
    (Field::VoicePush, Leaf),
    (Field::VoiceEndpoint, Leaf),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(members: Members, into: &mut Vec<Field>, under: &str) {
        for (field, shape) in members {
            assert_eq!(field.path(), format!("{under}.{}", field.name()));
            into.push(*field);
            match shape {
                Leaf => {}
                Node(members) => collect(members, into, field.path()),
            }
        }
    }

    #[test]
    fn every_field_is_read_once_and_where_its_path_says() {
        let mut fields = Vec::new();
        collect(HEADER, &mut fields, "header");
        collect(PAYLOAD, &mut fields, "payload");
        fields.sort();
        assert_eq!(fields, Field::ALL);
    }

    #[test]
    fn duplicates_fit_into_a_word_of_64_bits() {
        assert!(Field::ALL.len() <= 64);
    }
}
