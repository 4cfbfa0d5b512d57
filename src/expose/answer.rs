//! The shapes of answers: JSON, and one shape for every error.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

/// A JSON answer.
pub(super) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
        Err(_) => Refusal::internal("the answer could not be written as JSON").into_response(),
    }
}

/// An error, as it is answered: `{"status":"error","errorType":…,"error":…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Refusal {
    /// The request asks for something that makes no sense: what was expected, what was found.
    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad_data", message: message.into() }
    }

    /// There is no such path.
    pub(super) fn not_found() -> Self {
        let message = "there is nothing at this path: see /api/v1/openapi.json for what there is";
        Self { status: StatusCode::NOT_FOUND, kind: "not_found", message: message.to_owned() }
    }

    /// The path takes other methods.
    pub(super) fn method_not_allowed() -> Self {
        let message = "this path takes other methods: see the Allow header";
        Self { status: StatusCode::METHOD_NOT_ALLOWED, kind: "method_not_allowed", message: message.to_owned() }
    }

    /// Another site tried to make a browser do this.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, kind: "forbidden", message: message.into() }
    }

    /// A limit of size.
    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, kind: "too_large", message: message.into() }
    }

    /// A limit of time.
    pub(super) fn timeout(message: impl Into<String>) -> Self {
        Self { status: StatusCode::REQUEST_TIMEOUT, kind: "timeout", message: message.into() }
    }

    /// Not now.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, kind: "unavailable", message: message.into() }
    }

    /// A fault of the daemon.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, kind: "internal", message: message.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"status": "error", "errorType": self.kind, "error": self.message});
        (self.status, Json(body)).into_response()
    }
}
