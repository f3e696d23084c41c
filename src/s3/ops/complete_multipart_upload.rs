//! CompleteMultipartUpload.

use http::HeaderMap;

use crate::crypto::ChecksumAlgorithm;
use crate::objects::{CompletePart, CompleteUpload, ObjectInfo, ObjectsError, PART_NUMBER_MAX};
use crate::s3::code::Code;
use crate::s3::conditions::{self, unquoted};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::fields::number;
use crate::s3::object_answer::Answer;
use crate::s3::sse_headers::CustomerUse;
use crate::s3::{checksum_headers, lifecycle_headers, object_headers, sse_headers, uploads};
use crate::sse::{CustomerKey, Envelope, Mode, SseError};
use crate::wire::xml::{self, Element, Writer};
use crate::wire::{Response, encode_key_into, virtual_bucket};

/// The parts stay where they are and the object is one commit, however many there are: mostly there is nothing to wait
/// for but a slow disk, or a slow key store where the caller's leave to decrypt is asked for.
pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let headers = &cx.head.headers;
    let customer = sse_headers::own_customer_key(headers, CustomerUse::Write, cx.access.facts().confidential)?;
    let info = match complete(&cx, customer.as_ref()).await {
        Err(error) if error.code() == Code::NoSuchUpload => completed_before(&cx, customer.as_ref(), error).await?,
        other => other?,
    };
    cx.note_object_size(info.plain_len);
    let mut answer = head(&info.envelope, customer.as_ref());
    answer.set_made_version(info.version);
    lifecycle_headers::write_expiration(&cx, &mut answer, &info).await;
    Ok(answer.xml(document(&info, &location(&cx))))
}

/// What the answer says of the encryption.
fn head(envelope: &Envelope, customer: Option<&CustomerKey>) -> Answer {
    let mut answer = Answer::new();
    sse_headers::write(&mut answer, &envelope.shown(), customer.map(CustomerKey::md5_base64));
    answer
}

async fn complete(cx: &Cx, customer: Option<&CustomerKey>) -> Result<ObjectInfo, Error> {
    let upload = uploads::named(cx).await?;
    check_customer(cx, &upload.envelope, customer)?;
    cx.early.note(&head(&upload.envelope, customer));
    let mut complete = parse(&cx.head.headers, cx.whole(), upload.checksum.map(|(algorithm, _)| algorithm))?;
    complete.condition.over_own_of = cx.over_own_of();
    cx.check_comparable(cx.key(), complete.condition.if_match.as_deref()).await?;
    // A checksum of what is encrypted is for those alone who may decrypt it: AWS wants kms:Decrypt here.
    if upload.checksum.is_some() && matches!(upload.envelope.mode, Mode::SseKms | Mode::DsseKms) {
        drop(cx.app.objects.upload_keys(cx.grant(), &upload, None).await?);
    }
    let complete = CompleteUpload { replica: object_headers::is_replica(cx, "s3:ReplicateObject"), ..complete };
    Ok(cx.app.objects.complete_upload(cx.grant(), cx.bucket(), &upload, complete).await?)
}

/// The answer once more, for a client that did not hear it the first time; else the refusal.
async fn completed_before(cx: &Cx, customer: Option<&CustomerKey>, refusal: Error) -> Result<ObjectInfo, Error> {
    let (Ok(id), Ok(parts)) = (uploads::id(&cx.query), parts(cx.whole(), None)) else { return Err(refusal) };
    match cx.app.objects.completed_upload(cx.grant(), cx.bucket(), cx.key(), id, &parts).await {
        Err(ObjectsError::NoSuchUpload) => Err(refusal),
        Err(other) => Err(other.into()),
        Ok(info) => check_customer(cx, &info.envelope, customer).map(|()| info),
    }
}

/// A customer's key is not needed here, but policies may demand its headers of every write: then it is the upload's.
fn check_customer(cx: &Cx, envelope: &Envelope, customer: Option<&CustomerKey>) -> Result<(), Error> {
    match customer {
        None => Ok(()),
        Some(_) if envelope.mode != Mode::SseC => Err(SseError::NotApplicable.into()),
        Some(_) => Ok(cx.app.objects.sse().check_customer(envelope, customer)?),
    }
}

fn parse(headers: &HeaderMap, body: &[u8], algorithm: Option<ChecksumAlgorithm>) -> Result<CompleteUpload, Error> {
    Ok(CompleteUpload {
        replica: false,
        parts: parts(body, algorithm)?,
        checksum: checksum_headers::of_object(headers)?,
        checksum_kind: checksum_headers::kind(headers)?,
        declared_len: number(headers, "x-amz-mp-object-size")?,
        condition: conditions::write_condition(headers)?,
    })
}

/// Children come in any order, ETags with or without quotes, checksums of algorithms that we may not know.
fn parts(body: &[u8], algorithm: Option<ChecksumAlgorithm>) -> Result<Vec<CompletePart>, Error> {
    let none = || Error::invalid_request("You must specify at least one part");
    if body.trim_ascii().is_empty() {
        return Err(none());
    }
    let malformed = || Error::new(Code::MalformedXML);
    let root = xml::parse_s3(body)?;
    if root.name != "CompleteMultipartUpload" {
        return Err(malformed());
    }
    let parts: Vec<CompletePart> =
        root.all("Part").map(|part| complete_part(part, algorithm)).collect::<Result<_, _>>()?;
    match parts.len() {
        0 => Err(none()),
        n if n > PART_NUMBER_MAX as usize => Err(malformed()),
        _ => Ok(parts),
    }
}

fn complete_part(part: &Element, algorithm: Option<ChecksumAlgorithm>) -> Result<CompletePart, Error> {
    let malformed = || Error::new(Code::MalformedXML);
    let text = |name| part.at_most_one(name)?.map(Element::leaf).transpose();
    let (number, etag) = (text("PartNumber")?, text("ETag")?);
    let (number, etag) = (number.ok_or_else(malformed)?.trim(), etag.ok_or_else(malformed)?.trim());
    Ok(CompletePart {
        part_number: uploads::part_number(number)?,
        etag: unquoted(etag).to_owned(),
        checksum: checksum_headers::of_element(part, algorithm),
    })
}

/// Where the object is, as this client reached it: path style stays path style. AWS writes the key as a form does, `/`
/// too; SDKs undo that.
fn location(cx: &Cx) -> String {
    let facts = cx.access.facts();
    let scheme = if facts.secure { "https" } else { "http" };
    let host = cx.head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| cx.head.uri.authority().map(|a| a.as_str())).unwrap_or(&facts.host);
    let mut key = String::new();
    encode_key_into(&mut key, cx.key().as_str());
    let key = key.replace('/', "%2F");
    match virtual_bucket(&facts.host, &cx.app.config.domains) {
        Some(_) => format!("{scheme}://{host}/{key}"),
        None => format!("{scheme}://{host}/{}/{key}", cx.bucket().name),
    }
}

fn document(info: &ObjectInfo, location: &str) -> Writer {
    let mut w = Writer::document();
    w.root("CompleteMultipartUploadResult", |w| {
        w.leaf("Location", location)
            .leaf("Bucket", info.bucket.as_str())
            .leaf("Key", info.key.as_str())
            .etag("ETag", &info.etag);
        checksum_headers::write_xml(w, info.checksum.as_ref());
    });
    w
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Checksum;

    fn body(inner: &str) -> String {
        format!("<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>")
    }

    #[test]
    fn every_form_that_clients_send() {
        let forms = [
            "<Part><PartNumber>2</PartNumber><ETag>\"ab\"</ETag></Part>",
            "<Part><ETag>&quot;ab&quot;</ETag><PartNumber>2</PartNumber></Part>",
            "<Part><ETag>&#34;ab&#34;</ETag><PartNumber> 2 </PartNumber></Part>",
            "<Part>\n <ETag>ab</ETag>\n <PartNumber>2</PartNumber>\n <ChecksumFUTURE>x</ChecksumFUTURE>\n</Part>\n",
        ];
        let expected = CompletePart { part_number: 2, etag: "ab".to_owned(), checksum: None };
        for form in forms {
            assert_eq!(parts(body(form).as_bytes(), None).unwrap(), std::slice::from_ref(&expected), "{form}");
        }
        let namespaced = "<?xml version=\"1.0\"?><CompleteMultipartUpload \
                          xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>2</PartNumber>\
                          <ETag>ab</ETag></Part></CompleteMultipartUpload>";
        assert_eq!(parts(namespaced.as_bytes(), None).unwrap(), [expected]);
    }

    #[test]
    fn parts_keep_their_order_and_checksums() {
        let xml = body(
            "<Part><PartNumber>3</PartNumber><ETag>c</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>\
             <Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>",
        );
        let got = parts(xml.as_bytes(), Some(ChecksumAlgorithm::Crc32)).unwrap();
        assert_eq!(got.iter().map(|p| p.part_number).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(got[0].checksum, Some(Checksum { algorithm: ChecksumAlgorithm::Crc32, value: vec![0; 4] }));
    }

    #[test]
    fn what_is_malformed() {
        let part = |number: &str| format!("<Part><PartNumber>{number}</PartNumber><ETag>a</ETag></Part>");
        let many = |n: u32| body(&(0..n).map(|_| part("1")).collect::<String>());
        let cases = [
            (String::new(), Code::InvalidRequest),
            (body(""), Code::InvalidRequest),
            ("<CompleteMultipartUpload>".to_owned(), Code::MalformedXML),
            ("<Other/>".to_owned(), Code::MalformedXML),
            (body("<Part><PartNumber>1</PartNumber></Part>"), Code::MalformedXML),
            (body("<Part><ETag>a</ETag></Part>"), Code::MalformedXML),
            (body(&part("0")), Code::InvalidArgument),
            (body(&part("10001")), Code::InvalidArgument),
            (body(&part("x")), Code::InvalidArgument),
            (many(PART_NUMBER_MAX + 1), Code::MalformedXML),
        ];
        for (xml, code) in cases {
            let error = parts(xml.as_bytes(), None).unwrap_err();
            assert_eq!(error.code(), code, "{}", &xml[..xml.len().min(80)]);
        }
        assert_eq!(parts(many(PART_NUMBER_MAX).as_bytes(), None).unwrap().len(), PART_NUMBER_MAX as usize);
    }
}
