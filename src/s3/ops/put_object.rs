//! PutObject.

use http::{HeaderMap, StatusCode};

use crate::objects::{Attributes, Creation, ObjectInfo, ObjectMeta, PutObject, WriteCondition};
use crate::s3::code::Code;
use crate::s3::conditions;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::{acls, checksum_headers, lifecycle_headers, object_headers, object_lock, sse_headers, uploads};
use crate::sse::Requested;
use crate::wire::Response;

/// What the headers say.
pub(crate) struct Input {
    meta: ObjectMeta,
    requested: Requested,
    condition: WriteCondition,
}

impl Input {
    fn parse(headers: &HeaderMap, confidential: bool) -> Result<Self, Error> {
        object_headers::refuse_unsupported(headers)?;
        Ok(Self {
            meta: object_headers::parse(headers)?,
            requested: sse_headers::requested(headers, confidential)?,
            condition: conditions::write_condition(headers)?,
        })
    }
}

/// All that can refuse the request comes before the first read of the body: a client that waits for `100 Continue`
/// then never sends it.
pub(crate) async fn run(mut cx: Cx) -> Result<Response, Error> {
    let (_info, answer) = store(&mut cx, Creation::Put).await?;
    Ok(answer.empty(StatusCode::OK))
}

/// Stores the body as the headers say it. Also for an upload form, whose fields are headers by then.
pub(crate) async fn store(cx: &mut Cx, creation: Creation) -> Result<(ObjectInfo, Answer), Error> {
    let payload = cx.take_payload();
    if !payload.is_len_declared() {
        return Err(Error::new(Code::MissingContentLength));
    }
    uploads::check_body_len(payload.plain_len())?;
    let access = acls::of_new_object(cx, "s3:PutObject")?;
    let lock = object_lock::of_new_object(cx).await?;
    let replica = object_headers::is_replica(cx, "s3:ReplicateObject");
    let attributes = Attributes { access, lock, creation, replica };
    object_lock::check_digest(cx, payload.is_digest_named(), attributes.lock, "Object").await?;
    let Input { meta, requested, condition } = Input::parse(&cx.head.headers, cx.access.facts().confidential)?;
    if !meta.tags.is_empty() {
        cx.grant_object("s3:PutObjectTagging", cx.bucket(), cx.key())?;
    }
    let customer_md5 = sse_headers::customer_md5(&requested);
    let (objects, bucket, key) = (&cx.app.objects, cx.bucket(), cx.key());
    let plan =
        objects.sse().plan(&cx.access, (&bucket.name, cx.key()), &bucket.owner, &bucket.encryption, requested).await?;
    cx.check_comparable(key, condition.if_match.as_deref()).await?;
    objects.check_condition(bucket, key, &condition).await?;
    let condition = WriteCondition { over_own_of: cx.over_own_of(), ..condition };
    let put = PutObject { bucket, key, meta, plan, condition, attributes };
    let info = objects.put(cx.grant(), put, payload).await?;
    cx.note_object_size(info.plain_len);
    let mut answer = answer(&info, customer_md5.as_deref());
    lifecycle_headers::write_expiration(cx, &mut answer, &info).await;
    Ok((info, answer))
}

fn answer(info: &ObjectInfo, customer_md5: Option<&str>) -> Answer {
    let mut answer = Answer::new();
    answer.set_etag(&info.etag);
    answer.set_made_version(info.version);
    checksum_headers::write(&mut answer, info.checksum.as_ref());
    sse_headers::write_chosen(&mut answer, &info.envelope.shown(), customer_md5);
    answer
}
