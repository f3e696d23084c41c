//! Integration tests: the structure of the source, the object store under faults, the edge of the server.

mod simulate;
mod stack;
mod tamper;
mod tidy;
