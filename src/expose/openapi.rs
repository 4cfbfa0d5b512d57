//! The description of the API, OpenAPI 3.1: a document beside this file, with the version filled in.

use serde_json::Value;

/// The document; a test holds it to the routes.
pub(super) fn document(version: &str) -> Value {
    let mut document: Value = serde_json::from_str(include_str!("openapi.json")).unwrap_or(Value::Null);
    if let Some(slot) = document.pointer_mut("/info/version") {
        *slot = version.into();
    }
    document
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::routes::ROUTES;
    use super::*;

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_document_has_exactly_the_routes_that_there_are() {
        let document = document("1.2.3");
        let paths = document["paths"].as_object().expect("paths");
        let described: BTreeSet<String> = paths
            .iter()
            .flat_map(|(path, item)| {
                item.as_object().expect("an object").keys().map(move |method| format!("{method} {path}"))
            })
            .collect();
        let served: BTreeSet<String> =
            ROUTES.iter().map(|route| format!("{} {}", route.method.to_lowercase(), route.path)).collect();
        assert_eq!(described, served);
    }

    #[test]
    fn the_document_is_well_formed() {
        let document = document("1.2.3");
        assert_eq!(
            (document["openapi"].as_str(), document["info"]["version"].as_str()),
            (Some("3.1.0"), Some("1.2.3"))
        );
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("a local reference");
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        for operation in document["paths"].as_object().expect("paths").values().filter_map(|item| item.as_object()) {
            for (method, operation) in operation {
                assert!(operation["operationId"].is_string(), "{method} without operationId: {operation}");
                assert!(operation["summary"].is_string(), "{method} without summary: {operation}");
                assert!(operation["responses"].as_object().is_some_and(|all| !all.is_empty()));
            }
        }
    }
}
