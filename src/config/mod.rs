//! Settings: flags over environment over file over defaults, checked once.
//!
//! `Settings` is the one definition: its fields are the keys of `strongroom.toml`, the flags, the `STRONGROOM_*`
//! variables and the rows of `docs/configuration.md` (a test compares them). [`SettingsArgs::load`] layers the four
//! and checks the result into a [`Config`]. This module alone reads the environment; what commands need that call a
//! server as its clients do is in `aws`.

mod accounts;
mod aws;
mod check;
mod checked;
mod environment;
mod file;
mod install;
mod print;
mod reference;
mod settings;
mod store_options;
mod targets;
mod tokens;
mod values;

pub use aws::{AwsCredentials, AwsSettings};
pub use checked::{
    AccountConfig, Config, ConfigError, KmsConfig, Ownership, Pkcs11Config, TlsFiles, TokenConfig, UserConfig,
};
pub use environment::misspelt_variables;
pub use install::{Installed, InstalledUser, install_role};
pub use print::render_redacted;
pub use reference::render_reference;
pub use settings::{DEFAULT_FILE, SettingsArgs};
pub use targets::{NotificationTarget, ReplicationTarget};
