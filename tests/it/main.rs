//! Integration tests: everything that needs more than one module, a socket or a process.

mod edge;
mod settings;
