//! Strongroom: an S3-compatible object storage gateway that encrypts everything it stores.
//!
//! The layers, top to bottom, are the modules below in this order; a module uses only modules that stand below it
//! (`tests/it/tidy.rs` checks it). `ARCHITECTURE.md` shows the path of a request through them.

pub mod cli;
pub mod server;
// One folder a protocol.
pub mod iam;
pub mod kms;
pub mod s3;
// The shared parts, built once from the configuration.
pub mod app;
// What an object store does; knows no HTTP, no XML, no header.
pub mod objects;
pub mod sse;
// Users, keys, groups, roles, policies and sessions.
pub mod identity;
// The key module.
pub mod keyring;
// Who asks and what they may do; what was done.
pub mod audit;
pub mod auth;
// Metadata and bytes.
pub mod index;
pub mod store;
// Pure: no I/O (`config` and `sources` are the only readers of environment, clock and entropy).
pub mod client;
pub mod config;
pub mod crypto;
pub mod names;
pub mod policy;
pub mod rules;
pub mod sigv4;
pub mod sources;
pub mod wire;
// Holds what is stored to its frozen bytes.
#[cfg(test)]
mod golden;
