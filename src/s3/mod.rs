//! The S3 protocol: routing by the operation table, requests in, XML and headers out.

mod address;
mod answer;
mod code;
mod cx;
mod error;
mod listing;
mod map;
mod ops;
mod owner;
mod query;
mod route;
mod serve;
mod table;
mod tags;
mod token;

pub use serve::serve;
