//! What handlers take of a request; what cannot be taken is answered as a problem.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, header, request::Parts},
};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A segment of the path. What is no text names nothing.
#[derive(Debug)]
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<String>::from_request_parts(parts, state).await;
        read.map(|Path(text)| Self(text))
            .map_err(|_| Problem::not_found("there is no such resource"))
    }
}

/// The body of an order: JSON that says that it is. A page of another site that somebody has open in a browser cannot send
/// it without asking first whether it may (Fetch, CORS-safelisted request-header), and is told no.
#[derive(Debug)]
pub(crate) struct Body(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::unsupported_type());
        }
        let body = Bytes::from_request(request, state).await;
        body.map(Self).map_err(|_| Problem::too_large())
    }
}

impl Body {
    /// What it says; an empty one is `{}`.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let text = match &*self.0 {
            [] => b"{}",
            text => text,
        };
        serde_json::from_slice(text).map_err(|error| Problem::malformed(error.to_string()))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}
