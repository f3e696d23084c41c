//! OpenID Connect: tokens of identity providers, and the keys that they are signed with.
//!
//! `token` is pure: text in, claims out, and claims exist only of a token whose signature was verified. `jwks` reads
//! published keys. [`Issuers`] fetches them and holds them for a while.

mod fetch;
mod jwks;
mod token;

pub use fetch::{FetchError, Issuers};
pub use jwks::KeySet;
pub use token::{Claims, SessionTags, TOKEN_MAX_BYTES, Token, TokenFault};
