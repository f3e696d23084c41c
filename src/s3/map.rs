//! Errors of the layers below, translated once, without `_`.

use super::code::Code;
use super::error::Error;
use crate::auth::{AuthError, PayloadError};
use crate::keyring::KeyringError;
use crate::objects::ObjectsError;
use crate::sse::SseError;

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        let _ = (error, Code::AccessDenied);
        unimplemented!()
    }
}

impl From<PayloadError> for Error {
    fn from(error: PayloadError) -> Self {
        let _ = error;
        unimplemented!()
    }
}

impl From<ObjectsError> for Error {
    fn from(error: ObjectsError) -> Self {
        let _ = error;
        unimplemented!()
    }
}

impl From<SseError> for Error {
    fn from(error: SseError) -> Self {
        let _ = error;
        unimplemented!()
    }
}

impl From<KeyringError> for Error {
    fn from(error: KeyringError) -> Self {
        let _ = error;
        unimplemented!()
    }
}
