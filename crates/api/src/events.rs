//! The event stream: facts as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::sse::{self, KeepAlive, Sse};
use engine::{Event, acd::Directory};
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::json;

/// How often a silent stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A stream of facts. A reader that does not keep up is told how many it missed, and goes on.
pub(crate) fn stream(
    events: Receiver<Arc<Event>>,
    directory: Arc<Directory>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let stream = stream::unfold((events, directory), |(mut events, directory)| async move {
        loop {
            let told = match events.recv().await {
                Ok(event) => json::event(&directory, &event),
                Err(RecvError::Lagged(missed)) => {
                    Some(("lagged", serde_json::json!({ "missed": missed })))
                }
                Err(RecvError::Closed) => return None,
            };
            if let Some((name, data)) = told {
                let event = sse::Event::default().event(name).data(data.to_string());
                return Some((Ok(event), (events, directory)));
            }
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
