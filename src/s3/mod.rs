//! The S3 protocol: routing by the operation table, requests in, XML and headers out.

use std::sync::Arc;

use crate::app::App;
use crate::wire::{Request, Response};

/// Answers one S3 request.
pub async fn serve(app: &Arc<App>, request: Request) -> Response {
    let _ = (app, request);
    unimplemented!()
}
