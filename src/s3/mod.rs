//! The S3 protocol: routing by the operation table, requests in, XML and headers out.

mod acl_headers;
mod acl_xml;
mod acls;
mod address;
mod asked;
mod checksum_headers;
mod code;
mod conditions;
mod copy_source;
mod cors;
mod cors_xml;
mod cx;
mod document;
mod encoded_word;
mod error;
mod fields;
mod form;
#[cfg(test)]
mod golden;
mod inventory_xml;
mod keep_alive;
mod known;
mod lifecycle_headers;
mod lifecycle_xml;
mod listing;
mod lock_xml;
mod logging_xml;
mod map;
mod named;
mod named_xml;
mod notification_xml;
mod object_answer;
mod object_headers;
mod object_lock;
mod object_read;
mod object_tags;
mod ops;
mod owner;
mod payer;
mod post_form;
mod post_policy;
mod query;
mod range;
mod refusals;
mod replication_xml;
mod route;
mod serve;
mod server_log;
mod sse_headers;
mod standing;
mod table;
mod tags;
mod token;
mod trail;
mod uploads;
mod version_id;
mod website;
mod website_xml;

pub use serve::serve;

#[cfg(test)]
mod tests;

/// Why an operation is refused for good, if it is: the error, where it is another than `NotImplemented`, and the reason.
#[cfg(test)]
pub(crate) fn refusal_note(operation: &str) -> Option<&'static str> {
    refusals::refusal(operation).map(|refusal| refusal.note)
}

/// All operations, older names beside those that took their place, and whether each is served.
#[cfg(test)]
pub(crate) fn operations() -> Vec<(&'static str, bool)> {
    let rows = table::TABLE.iter().map(|row| (row.name, row.handler.is_some())).collect::<Vec<_>>();
    let served = |name: &str| rows.iter().any(|(other, served)| *other == name && *served);
    let older = table::SUPERSEDED.iter().map(|(older, name)| (*older, served(name)));
    rows.iter().copied().chain(older).collect()
}
