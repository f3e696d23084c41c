//! Who asks ([`authenticate()`] makes a [`Caller`]), what they may do ([`Access::authorize`] makes a [`Grant`]), and
//! proof of what they sent ([`Payload`] makes a [`BodyVerified`]). These three have no other maker.

mod access;
mod authenticate;
mod context;
mod directory;
mod payload;
mod principal;
mod refusal;

pub use access::{Access, Caller, Denied, Grant, RequestFacts, Resource, SignatureKind, assumed, service, system};
pub use authenticate::{
    AuthError, AuthSettings, Authenticated, ChecksumFault, CollectError, Collected, FormClaim, FormV2, FormV4,
    anonymous, authenticate, authenticate_collected, authenticate_form,
};
pub use directory::{Account, Directory, FindError, Identity, Seed, StoredIdentities};
pub use payload::{BodyTimeout, BodyVerified, Payload, PayloadError};
pub use principal::{CallerKind, Issuer, IssuerKind, Principal, Session};
pub use refusal::{DenyingStatement, Refusal};
