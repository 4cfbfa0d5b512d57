//! Header and payload, read in one pass and without a tree: the fields of the table with their types, all else skipped.
//!
//! Only members of the table are descended into, so the depth of what was sent does not matter: `serde_json` skips the
//! rest without recursion. What the helper libraries write is read by [`super::plain`].

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeBounds;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::field::{Field, HEADER, Members, PAYLOAD, Shape};
use super::plain;

/// The value of a field, with its type.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Claim<'a> {
    /// Not there.
    #[default]
    Missing,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// An array, unread.
    Array,
    /// An object; its known members are fields of their own.
    Object,
}

impl Claim<'_> {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Missing
            | Self::Null
            | Self::Bool(_)
            | Self::Integer(_)
            | Self::Number(_)
            | Self::Array
            | Self::Object => None,
        }
    }

    /// Says whether there is nothing: no member, `null` or an empty text.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Missing | Self::Null) || self.text() == Some("")
    }
}

/// Why JSON could not be read. Never holds any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// It ends early.
    Ends,
    /// It is broken at this byte, from 0.
    At(usize),
    /// It is JSON, but no object.
    NotAnObject,
}

/// So many members are remembered that stand where Twilio does not find them.
const ELSEWHERE_MAX: usize = 8;

/// The fields of a token.
#[derive(Clone, PartialEq)]
pub struct Claims<'a> {
    values: [Claim<'a>; Field::ALL.len()],
    duplicates: u64,
    other_grants: bool,
    elsewhere: Vec<(Field, String)>,
}

impl<'a> Claims<'a> {
    /// No field at all.
    pub(super) fn new() -> Self {
        Self {
            values: [const { Claim::Missing }; Field::ALL.len()],
            duplicates: 0,
            other_grants: false,
            elsewhere: Vec::new(),
        }
    }

    /// The value of a field. Of several members with the same name it is the last, as most parsers have it.
    pub fn value(&self, field: Field) -> &Claim<'a> {
        self.values.get(field as usize).unwrap_or(&Claim::Missing)
    }

    /// Fields that stand more than once in their object.
    pub fn duplicates(&self) -> impl Iterator<Item = Field> {
        let bits = self.duplicates;
        // Nearly always there are none.
        let fields: &[Field] = if bits == 0 { &[] } else { &Field::ALL };
        fields.iter().copied().filter(move |field| bits & bit(*field) != 0)
    }

    /// Says whether `grants` has members that the table does not know.
    pub fn has_other_grants(&self) -> bool {
        self.other_grants
    }

    /// Where a member stands that Twilio does not find, because its name is written in another way or it is in another
    /// object.
    pub fn elsewhere(&self, field: Field) -> Option<&str> {
        self.elsewhere.iter().find(|(meant, _)| *meant == field).map(|(_, path)| path.as_str())
    }

    /// Notes a name that is no member's.
    pub(super) fn note_unknown(&mut self, members: Members, name: &str) {
        if let Some(field) = Field::meant(members, name).filter(|_| self.elsewhere.len() < ELSEWHERE_MAX) {
            let around = match members.first() {
                Some((Field::Jti, _)) => "",
                Some(_) | None => field.path().strip_suffix(field.name()).unwrap_or_default(),
            };
            let around = around.strip_prefix("payload.").unwrap_or(around);
            self.elsewhere.push((field, format!("{around}{name}")));
        }
    }

    /// Reads the header.
    pub(super) fn read_header(&mut self, json: &'a [u8]) -> Result<(), JsonFault> {
        self.read(json, HEADER, ..Field::Jti)
    }

    /// Takes over what every header of the helper libraries says.
    pub(super) fn take_usual_header(&mut self) {
        for (field, value) in [(Field::Alg, "HS256"), (Field::Typ, "JWT"), (Field::Cty, "twilio-fpa;v=1")] {
            self.set(field, Claim::Text(Cow::Borrowed(value)));
        }
    }

    /// Reads the payload.
    pub(super) fn read_payload(&mut self, json: &'a [u8]) -> Result<(), JsonFault> {
        self.read(json, PAYLOAD, Field::Jti..)
    }

    fn read(&mut self, json: &'a [u8], members: Members, fields: impl RangeBounds<Field>) -> Result<(), JsonFault> {
        if plain::read(self, json, members).is_some() {
            return Ok(());
        }
        self.forget(fields);
        self.read_any(json, members)
    }

    /// Forgets what was read of these fields.
    fn forget(&mut self, fields: impl RangeBounds<Field>) {
        for field in Field::ALL.into_iter().filter(|field| fields.contains(field)) {
            self.duplicates &= !bit(field);
            if let Some(slot) = self.values.get_mut(field as usize) {
                *slot = Claim::Missing;
            }
        }
        self.other_grants &= !fields.contains(&Field::Grants);
        self.elsewhere.retain(|(field, _)| !fields.contains(field));
    }

    /// Reads an object of any JSON.
    pub(super) fn read_any(&mut self, json: &'a [u8], members: Members) -> Result<(), JsonFault> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let read = ObjectSeed { claims: self, members, in_grants: false }.deserialize(&mut deserializer);
        read.and_then(|()| deserializer.end()).map_err(|error| fault(&error, json))
    }

    /// Notes that `grants` has members that the table does not know.
    pub(super) fn set_other_grants(&mut self) {
        self.other_grants = true;
    }

    /// Notes the value of a field.
    pub(super) fn set(&mut self, field: Field, value: Claim<'a>) {
        if let Some(slot) = self.values.get_mut(field as usize) {
            if !matches!(slot, Claim::Missing) {
                self.duplicates |= bit(field);
            }
            *slot = value;
        }
    }
}

/// Names the fields that are there; never a value.
impl fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = Field::ALL.into_iter().filter(|field| *self.value(*field) != Claim::Missing);
        f.debug_set().entries(there.map(Field::path)).finish()
    }
}

const fn bit(field: Field) -> u64 {
    1 << field as u32
}

fn fault(error: &serde_json::Error, json: &[u8]) -> JsonFault {
    match error.classify() {
        serde_json::error::Category::Eof => JsonFault::Ends,
        serde_json::error::Category::Data => JsonFault::NotAnObject,
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            let line_start = (1..error.line())
                .try_fold(0, |from, _| Some(from + memchr::memchr(b'\n', json.get(from..)?)? + 1))
                .unwrap_or(0);
            JsonFault::At((line_start + error.column().saturating_sub(1)).min(json.len()))
        }
    }
}

/// Reads an object, member by member.
struct ObjectSeed<'c, 'a> {
    claims: &'c mut Claims<'a>,
    members: Members,
    in_grants: bool,
}

impl<'a> DeserializeSeed<'a> for ObjectSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for ObjectSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(known) = map.next_key_seed(KeySeed { claims: self.claims, members: self.members })? {
            let Some((field, shape)) = known else {
                self.claims.other_grants |= self.in_grants;
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value_seed(ValueSeed { claims: &mut *self.claims, field, shape })?;
            self.claims.set(field, value);
        }
        Ok(())
    }
}

/// Looks the name of a member up.
struct KeySeed<'c, 'a> {
    claims: &'c mut Claims<'a>,
    members: Members,
}

impl<'a> DeserializeSeed<'a> for KeySeed<'_, 'a> {
    type Value = Option<(Field, Shape)>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_, '_> {
    type Value = Option<(Field, Shape)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let known = self.members.iter().find(|(field, _)| field.name() == name).copied();
        if known.is_none() {
            self.claims.note_unknown(self.members, name);
        }
        Ok(known)
    }
}

/// Reads a value, and the members of an object of the table.
struct ValueSeed<'c, 'a> {
    claims: &'c mut Claims<'a>,
    field: Field,
    shape: Shape,
}

impl<'a> DeserializeSeed<'a> for ValueSeed<'_, 'a> {
    type Value = Claim<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Claim<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for ValueSeed<'_, 'a> {
    type Value = Claim<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Claim<'a>, E> {
        Ok(Claim::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Claim<'a>, E> {
        Ok(Claim::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Claim<'a>, E> {
        Ok(Claim::Integer(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "a number beyond 64 signed bits is no time in any unit")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Claim<'a>, E> {
        Ok(i64::try_from(value).map_or(Claim::Number(value as f64), Claim::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Claim<'a>, E> {
        Ok(Claim::Number(value))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'a str) -> Result<Claim<'a>, E> {
        Ok(Claim::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Claim<'a>, E> {
        Ok(Claim::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Claim<'a>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Claim::Array)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Claim<'a>, A::Error> {
        match self.shape {
            Shape::Leaf => while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {},
            Shape::Node(members) => {
                let in_grants = self.field == Field::Grants;
                ObjectSeed { claims: self.claims, members, in_grants }.visit_map(map)?;
            }
        }
        Ok(Claim::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, field: Field, expected: &Claim<'_>) {
        let mut claims = Claims::new();
        assert_eq!(claims.read_payload(json.as_bytes()), Ok(()));
        assert_eq!(claims.value(field), expected);
    }

    #[track_caller]
    fn check_fault(json: &[u8], expected: JsonFault) {
        assert_eq!(Claims::new().read_payload(json), Err(expected));
    }

    #[test]
    fn a_claim_keeps_its_type() {
        check("{}", Field::Exp, &Claim::Missing);
        check(r#"{"exp":null}"#, Field::Exp, &Claim::Null);
        check(r#"{"exp":true}"#, Field::Exp, &Claim::Bool(true));
        check(r#"{"exp":-62135596800}"#, Field::Exp, &Claim::Integer(-62_135_596_800));
        check(r#"{"exp":1795491275.5}"#, Field::Exp, &Claim::Number(1_795_491_275.5));
        check(r#"{"exp":18446744073709551615}"#, Field::Exp, &Claim::Number(18_446_744_073_709_551_615.0));
        check(r#"{"exp":"1795491275"}"#, Field::Exp, &Claim::Text("1795491275".into()));
        check(r#"{"exp":[[1],{}]}"#, Field::Exp, &Claim::Array);
        check(r#"{"exp":{"a":{"b":1}}}"#, Field::Exp, &Claim::Object);
    }

    #[test]
    fn members_are_read_where_they_belong_only() {
        let json =
            r#"{"service_sid":"x","grants":{"chat":{"service_sid":"IS1"},"data_sync":{"service_sid":"d\u0065f"}}}"#;
        check(json, Field::ChatService, &Claim::Text("IS1".into()));
        check(json, Field::SyncService, &Claim::Text("def".into()));
        check(json, Field::IpService, &Claim::Missing);
    }

    #[test]
    fn of_equal_members_the_last_counts_and_the_field_is_named() {
        let mut claims = Claims::new();
        claims.read_payload(br#"{"grants":{"chat":{},"chat":null,"x":1}}"#).unwrap();
        assert_eq!(claims.value(Field::Chat), &Claim::Null);
        assert_eq!(claims.duplicates().collect::<Vec<_>>(), [Field::Chat]);
        assert!(claims.has_other_grants());
    }

    #[test]
    fn broken_json_says_where() {
        check_fault(b"", JsonFault::Ends);
        check_fault(br#"{"exp":17"#, JsonFault::Ends);
        check_fault(br#"{"exp":17]"#, JsonFault::At(9));
        check_fault(b"{\"exp\":\n17]", JsonFault::At(10));
        check_fault(br#"{"exp":17}}"#, JsonFault::At(10));
        check_fault(b"\xff\xfe", JsonFault::At(0));
        check_fault(b"[]", JsonFault::NotAnObject);
        check_fault(b"17", JsonFault::NotAnObject);
    }

    #[test]
    fn deep_json_does_not_overflow_the_stack() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for json in
            [format!(r#"{{"x":{deep}}}"#), format!(r#"{{"exp":{deep}}}"#), format!(r#"{{"grants":{{"chat":{deep}}}}}"#)]
        {
            assert_eq!(Claims::new().read_payload(json.as_bytes()), Ok(()));
        }
    }
}
