//! Settings: flags over environment over file over defaults, checked once.

mod raw;

pub use raw::{AccountConfig, Config, ConfigError, Ownership, TlsFiles, UserConfig};
