//! CreateMultipartUpload.

use http::HeaderMap;

use crate::crypto::ChecksumAlgorithm;
use crate::objects::{Attributes, ChecksumKind, NewUpload, ObjectMeta, Upload};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::{acls, checksum_headers, lifecycle_headers, object_headers, object_lock, sse_headers};
use crate::sse::Requested;
use crate::wire::Response;
use crate::wire::xml::Writer;

/// What the headers say.
struct Input {
    meta: ObjectMeta,
    requested: Requested,
    checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

impl Input {
    fn parse(headers: &HeaderMap, confidential: bool) -> Result<Self, Error> {
        object_headers::refuse_unsupported(headers)?;
        Ok(Self {
            meta: object_headers::parse(headers)?,
            requested: sse_headers::requested(headers, confidential)?,
            checksum: checksum_headers::declared(headers)?,
        })
    }
}

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let access = acls::of_new_object(&cx, "s3:PutObject")?;
    let lock = object_lock::of_new_object(&cx).await?;
    let attributes = Attributes { access, lock, ..Attributes::default() };
    let Input { meta, requested, checksum } = Input::parse(&cx.head.headers, cx.access.facts().confidential)?;
    if !meta.tags.is_empty() {
        cx.grant_object("s3:PutObjectTagging", cx.bucket(), cx.key())?;
    }
    let customer_md5 = sse_headers::customer_md5(&requested);
    let (objects, bucket, key) = (&cx.app.objects, cx.bucket(), cx.key());
    let plan =
        objects.sse().plan(&cx.access, (&bucket.name, cx.key()), &bucket.owner, &bucket.encryption, requested).await?;
    let initiator = acls::initiator(&cx);
    let new = NewUpload { bucket, key, meta, plan, checksum, attributes, initiator };
    let upload = objects.create_upload(cx.grant(), new).await?;
    let mut answer = Answer::new();
    checksum_headers::write_declared(&mut answer, upload.checksum);
    sse_headers::write_chosen(&mut answer, &upload.envelope.shown(), customer_md5.as_deref());
    lifecycle_headers::write_abortion(&cx, &mut answer, &upload).await;
    Ok(answer.xml(document(&upload)))
}

fn document(upload: &Upload) -> Writer {
    let mut w = Writer::document();
    w.root("InitiateMultipartUploadResult", |w| {
        w.leaf("Bucket", upload.bucket.as_str())
            .leaf("Key", upload.key.as_str())
            .leaf("UploadId", &upload.id.to_string());
    });
    w
}
