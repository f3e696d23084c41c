//! Integration tests: the structure of the source, the object store under faults, the edge of the server, settings.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod acls;
mod cancel;
mod edge;
mod events;
mod keys;
mod manage;
mod process;
mod races;
mod replicas;
mod roots;
mod settings;
mod simulate;
mod simulate_locks;
mod stack;
mod tamper;
mod tidy;
