//! From a URL to a store.

use super::{Blobs, StoreError};
use crate::names::StoreUrl;

/// Opens the store. `options` are the `object_store` settings of an upstream (endpoint, credentials, Region), as the
/// configuration read them.
pub fn open_store(url: &StoreUrl, options: &[(String, String)]) -> Result<Blobs, StoreError> {
    let _ = (url, options);
    unimplemented!()
}
