//! The S3 protocol: routing by the operation table, requests in, XML and headers out.

mod address;
mod code;
mod cx;
mod error;
mod map;
mod ops;
mod query;
mod route;
mod serve;
mod table;

pub use serve::serve;
