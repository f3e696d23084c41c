//! Where log lines go: standard error, as text or JSON.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging, once a process; a later call changes nothing. `filter` is one that the configuration has checked.
/// Panics become log lines too.
pub fn init_logging(json: bool, filter: &str) {
    let filter = filter.parse::<Targets>().unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    let layer = tracing_subscriber::fmt::layer().with_writer(stderr);
    let layer = if json {
        layer.json().flatten_event(true).with_filter(filter).boxed()
    } else {
        layer.with_ansi(stderr().is_terminal()).with_filter(filter).boxed()
    };
    if tracing_subscriber::registry().with(layer).try_init().is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let message = panic.payload_as_str().unwrap_or("(no text)");
            tracing::error!(place, message, "panic");
        }));
    }
}
