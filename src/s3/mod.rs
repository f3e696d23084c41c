//! The S3 protocol: routing by the operation table, requests in, XML and headers out.

mod acl_headers;
mod acl_xml;
mod acls;
mod address;
mod asked;
mod before;
mod checksum_headers;
mod code;
mod conditions;
mod copy_source;
mod cx;
mod encoded_word;
mod error;
mod fields;
#[cfg(test)]
mod golden;
mod keep_alive;
mod known;
mod listing;
mod map;
mod notification_xml;
mod object_answer;
mod object_headers;
mod object_read;
mod object_tags;
mod ops;
mod owner;
mod payer;
mod query;
mod range;
mod replication_xml;
mod route;
mod serve;
mod sse_headers;
mod standing;
mod table;
mod tags;
mod token;
mod trail;
mod uploads;
mod version_id;

pub use serve::serve;

#[cfg(test)]
mod tests;
