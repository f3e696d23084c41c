//! The AWS KMS protocol (JSON 1.1): `X-Amz-Target: TrentService.…`.

use std::sync::Arc;

use crate::app::App;
use crate::wire::{Request, Response};

/// Answers one KMS request.
pub async fn serve(app: &Arc<App>, request: Request) -> Response {
    let _ = (app, request);
    unimplemented!()
}
