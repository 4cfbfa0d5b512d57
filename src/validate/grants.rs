//! Grants: are they there, of the right types, complete, and with SIDs of the right kinds?
//!
//! A grant of another product than the one that refused can be of the wrong type, but what it lacks was not the reason.

use super::key::is_sid_of;
use super::{Context, Outcome, Subject};
use crate::diagnosis::{Check, SkipReason};
use crate::finding::{Finding, Shown};
use crate::product::Product;
use crate::token::{Claim, Claims, Field};

/// What a field of a grant must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sid,
    SidOrDefault,
    Text,
    Bool,
    Object,
}

/// What Twilio asks of one grant. Source: the helper libraries and the pages of the products.
struct Rule {
    grant: Field,
    /// Whose SDKs need it. A product with two rules takes either grant.
    product: Option<Product>,
    /// Of each group, one field must be there.
    required: &'static [&'static [Field]],
    fields: &'static [(Field, Kind)],
}

const RULES: [Rule; 8] = [
    Rule {
        grant: Field::Chat,
        product: Some(Product::Chat),
        required: &[&[Field::ChatService]],
        fields: &[
            (Field::ChatService, Kind::Sid),
            (Field::ChatEndpoint, Kind::Text),
            (Field::ChatRole, Kind::Sid),
            (Field::ChatPush, Kind::Sid),
        ],
    },
    Rule {
        grant: Field::IpMessaging,
        product: Some(Product::Chat),
        required: &[&[Field::IpService]],
        fields: &[
            (Field::IpService, Kind::Sid),
            (Field::IpEndpoint, Kind::Text),
            (Field::IpRole, Kind::Sid),
            (Field::IpPush, Kind::Sid),
        ],
    },
    Rule {
        grant: Field::DataSync,
        product: Some(Product::Sync),
        required: &[&[Field::SyncService]],
        fields: &[(Field::SyncService, Kind::SidOrDefault), (Field::SyncEndpoint, Kind::Text)],
    },
    Rule {
        grant: Field::Voice,
        product: Some(Product::Voice),
        // To place calls, to receive them in a browser, or to receive them on a phone.
        required: &[&[Field::Application, Field::Allow, Field::VoicePush]],
        fields: &[
            (Field::Outgoing, Kind::Object),
            (Field::Application, Kind::Sid),
            (Field::Params, Kind::Object),
            (Field::Incoming, Kind::Object),
            (Field::Allow, Kind::Bool),
            (Field::VoicePush, Kind::Sid),
            (Field::VoiceEndpoint, Kind::Text),
        ],
    },
    Rule { grant: Field::Video, product: Some(Product::Video), required: &[], fields: &[(Field::Room, Kind::Text)] },
    Rule { grant: Field::Rtc, product: Some(Product::Video), required: &[], fields: &[(Field::RtcProfile, Kind::Sid)] },
    Rule {
        grant: Field::TaskRouter,
        product: Some(Product::TaskRouter),
        required: &[&[Field::Workspace], &[Field::Worker], &[Field::Role]],
        fields: &[(Field::Workspace, Kind::Sid), (Field::Worker, Kind::Sid), (Field::Role, Kind::Text)],
    },
    Rule { grant: Field::Player, product: None, required: &[], fields: &[] },
];

/// The names of the known grants that are there.
pub(super) fn present(claims: &Claims<'_>) -> Vec<&'static str> {
    let is_there = |rule: &&Rule| *claims.value(rule.grant) != Claim::Missing;
    RULES.iter().filter(is_there).map(|rule| rule.grant.name()).collect()
}

/// There are grants.
pub(super) fn presence(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    let grants = subject.claims.value(Field::Grants);
    if matches!(grants, Claim::Missing | Claim::Null) {
        outcome.find(Finding::GrantsMissing { found: Shown::of(grants) });
    }
}

/// Grants and their fields are of the right types.
pub(super) fn types(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    let claims = subject.claims;
    let mut expect = |field, expected, is_right: bool| {
        if !is_right {
            outcome.find(Finding::GrantsMalformed { field, expected, found: Shown::of(claims.value(field)) });
        }
    };
    let grants = claims.value(Field::Grants);
    expect(Field::Grants, "an object", matches!(grants, Claim::Missing | Claim::Null | Claim::Object));
    for rule in &RULES {
        let grant = claims.value(rule.grant);
        if *grant == Claim::Missing {
            continue;
        }
        expect(rule.grant, "an object", *grant == Claim::Object);
        for (field, kind) in rule.fields {
            let value = claims.value(*field);
            let is_absent = matches!(value, Claim::Missing | Claim::Null);
            match kind {
                Kind::Sid | Kind::SidOrDefault | Kind::Text => {
                    expect(*field, "a text", is_absent || value.text().is_some());
                }
                Kind::Bool => expect(*field, "`true`", is_absent || matches!(value, Claim::Bool(_))),
                Kind::Object => expect(*field, "an object", is_absent || *value == Claim::Object),
            }
        }
    }
}

/// The grant of the product that refused is there.
pub(super) fn product(subject: &Subject<'_>, context: &Context<'_>, outcome: &mut Outcome) {
    let claims = subject.claims;
    if *claims.value(Field::Grants) != Claim::Object {
        return outcome.skip(Check::ProductGrant, SkipReason::NoClaim);
    }
    let present = present(claims);
    let is_missing = match context.product {
        // Whichever it was: there is none.
        Product::Unknown if present.is_empty() && !claims.has_other_grants() => true,
        Product::Unknown => return outcome.skip(Check::ProductGrant, SkipReason::UnknownProduct),
        product @ (Product::Chat | Product::Sync | Product::Voice | Product::Video | Product::TaskRouter) => {
            rules_of(product).all(|rule| *claims.value(rule.grant) == Claim::Missing)
        }
    };
    if is_missing {
        let found = rules_of(context.product).find_map(|rule| claims.elsewhere(rule.grant));
        let elsewhere = found.map(str::to_owned);
        outcome.find(Finding::ProductGrantMissing { product: context.product, present, elsewhere });
    }
}

/// The service that a token is for: as the grant of the product names it, or, of an unknown product, the only one.
pub(super) fn service<'a>(claims: &'a Claims<'_>, product: Product) -> Option<&'a str> {
    const SERVICES: [Field; 3] = [Field::ChatService, Field::IpService, Field::SyncService];
    let of_product = |rule: &&Rule| product == Product::Unknown || rule.product == Some(product);
    let fields = RULES.iter().filter(of_product).flat_map(|rule| rule.fields).map(|(field, _)| *field);
    let named = fields.filter(|field| SERVICES.contains(field)).filter_map(|field| claims.value(field).text());
    let mut services = named.filter(|text| is_sid_of(text, "IS"));
    let first = services.next()?;
    // The current name of a grant comes before the legacy one.
    (product != Product::Unknown || services.all(|other| other == first)).then_some(first)
}

/// The fields that the product needs are there, and their SIDs are of the right kinds.
pub(super) fn fields(subject: &Subject<'_>, context: &Context<'_>, outcome: &mut Outcome) {
    let is_there = |rule: &&Rule| *subject.claims.value(rule.grant) == Claim::Object;
    match context.product {
        Product::Unknown => RULES.iter().filter(is_there).for_each(|rule| fields_of(rule, subject.claims, outcome)),
        // The current name of a grant comes before the legacy one.
        product @ (Product::Chat | Product::Sync | Product::Voice | Product::Video | Product::TaskRouter) => {
            if let Some(rule) = rules_of(product).find(is_there) {
                fields_of(rule, subject.claims, outcome);
            }
        }
    }
}

fn rules_of(product: Product) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.product == Some(product))
}

fn fields_of(rule: &Rule, claims: &Claims<'_>, outcome: &mut Outcome) {
    for group in rule.required {
        let is_given = |field: &Field| match claims.value(*field) {
            Claim::Missing | Claim::Null | Claim::Bool(false) => false,
            Claim::Text(text) => !text.is_empty(),
            Claim::Bool(true) | Claim::Integer(_) | Claim::Number(_) | Claim::Array | Claim::Object => true,
        };
        if !group.iter().any(is_given) {
            let misplaced = group.iter().find(|field| claims.elsewhere(**field).is_some());
            let found = misplaced.or(group.first()).map_or(Shown::Nothing, |field| Shown::of_field(claims, *field));
            outcome.find(Finding::GrantIncomplete { grant: rule.grant, fields: group, found });
        }
    }
    for (field, kind) in rule.fields {
        let (Some(prefix), Some(text)) = (field.prefix(), claims.value(*field).text()) else { continue };
        let is_default = *kind == Kind::SidOrDefault && text == "default";
        if !text.is_empty() && !is_default && !is_sid_of(text, prefix) {
            outcome.find(Finding::GrantSidInvalid { field: *field, found: Shown::of(claims.value(*field)) });
        }
    }
}
