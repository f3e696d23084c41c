//! Who asks ([`authenticate`] makes a [`Caller`]), what they may do ([`Access::authorize`] makes a [`Grant`]), and
//! proof of what they sent ([`Payload`] makes a [`BodyVerified`]). These three have no other maker.

mod access;
mod authenticate;
mod directory;
mod payload;

pub use access::{Access, Caller, CallerKind, Denied, Grant, RequestFacts, Resource, SignatureKind, system};
pub use authenticate::{AuthError, AuthSettings, Authenticated, authenticate};
pub use directory::{Account, Directory, Identity};
pub use payload::{BodyVerified, Payload, PayloadError};
