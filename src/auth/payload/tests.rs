use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;
use crate::auth::{AuthError, ChecksumFault};
use crate::crypto::{md5, sha256};
use crate::sigv4::EMPTY_SHA256;

type Frames = Vec<Result<Bytes, Box<dyn Error + Send + Sync>>>;

fn frames(pieces: &[&[u8]]) -> Frames {
    pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
}

fn request_body(frames: Frames) -> RequestBody {
    RequestBody::new(StreamBody::new(stream::iter(frames.into_iter().map(|frame| frame.map(Frame::data)))))
}

fn promises(target: &str, headers: &[(&str, &str)]) -> Result<Promises, AuthError> {
    let (method, uri) = target.split_once(' ').unwrap();
    let mut builder = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let (head, ()) = builder.body(()).unwrap().into_parts();
    let hash = head.headers.get("x-amz-content-sha256").map(|v| v.to_str().unwrap());
    Promises::parse(&head, ContentHash::parse(hash)?, None)
}

fn refused(target: &str, headers: &[(&str, &str)]) -> AuthError {
    promises(target, headers).err().expect("the headers are refused")
}

fn put(headers: &[(&str, &str)], pieces: &[&[u8]]) -> Payload {
    Payload::new(request_body(frames(pieces)), promises("PUT /b/k", headers).unwrap())
}

async fn read(mut payload: Payload) -> Result<(Vec<u8>, BodyVerified), PayloadError> {
    let mut data = Vec::new();
    loop {
        match payload.next().await {
            Ok(Some(bytes)) => data.extend_from_slice(&bytes),
            Ok(None) => return Ok((data, payload.finish())),
            Err(error) => {
                assert_eq!(payload.next().await, Err(error.clone()), "an error stays");
                return Err(error);
            }
        }
    }
}

fn value(algorithm: ChecksumAlgorithm, data: &[u8]) -> String {
    let mut digester = Digester::new(algorithm);
    digester.update(data);
    STANDARD.encode(digester.finish().value)
}

const STREAMING: (&str, &str) = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");

#[tokio::test]
async fn plain_bodies_keep_their_length() {
    let (data, proof) = read(put(&[("content-length", "5")], &[b"ab", b"", b"cde"])).await.unwrap();
    assert_eq!((data.as_slice(), proof.plain_len()), (&b"abcde"[..], 5));
    assert_eq!((proof.md5(), proof.checksum()), (None, None));
    assert_eq!(read(put(&[("content-length", "5")], &[b"abcd"])).await, Err(PayloadError::Incomplete));
    assert_eq!(read(put(&[("content-length", "5")], &[b"abcde", b"f"])).await, Err(PayloadError::TooLong));
    assert_eq!(read(put(&[], &[b"a"])).await, Err(PayloadError::TooLong));
    assert!(!put(&[], &[]).is_len_declared());
    assert_eq!(read(put(&[], &[])).await.unwrap().1.plain_len(), 0);
}

#[test]
fn lengths_that_must_be_declared() {
    let chunked = ("transfer-encoding", "chunked");
    assert_eq!(refused("PUT /b/k", &[chunked]), AuthError::TransferEncoding);
    for decoded in [None, Some(""), Some("x"), Some("-1"), Some("+1"), Some("99999999999999999999")] {
        let mut headers = vec![STREAMING, ("content-length", "10")];
        headers.extend(decoded.map(|value| ("x-amz-decoded-content-length", value)));
        assert_eq!(refused("PUT /b/k", &headers), AuthError::MissingContentLength, "{decoded:?}");
    }
    let both = [STREAMING, chunked, ("x-amz-decoded-content-length", "7")];
    assert_eq!(promises("PUT /b/k", &both).unwrap().plain_len, Some(7));
}

#[tokio::test]
async fn the_payload_hash_is_compared() {
    let hash = hex(&sha256(b"abc"));
    let sent = |hash: &str| put(&[("content-length", "3"), ("x-amz-content-sha256", hash)], &[b"a", b"bc"]);
    assert!(read(sent(&hash)).await.is_ok());
    assert!(read(sent(&hash.to_uppercase())).await.is_ok());
    let mismatch = PayloadError::Sha256Mismatch { provided: EMPTY_SHA256.to_owned(), computed: hash };
    assert_eq!(read(sent(EMPTY_SHA256)).await, Err(mismatch));
    for bad in ["", "unsigned-payload", "invalid", &"g".repeat(64), "STREAMING-UNSIGNED-PAYLOAD"] {
        let AuthError::InvalidArgument { name, value, .. } = refused("PUT /b/k", &[("x-amz-content-sha256", bad)])
        else {
            panic!("{bad}");
        };
        assert_eq!((name.as_str(), value.as_str()), ("x-amz-content-sha256", bad));
    }
    let v4a = refused("PUT /b/k", &[("x-amz-content-sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")]);
    assert_eq!(v4a, AuthError::v4a());
}

#[tokio::test]
async fn content_md5_is_compared() {
    let right = STANDARD.encode(md5(b"abc"));
    let sent = |value: &str| put(&[("content-length", "3"), ("content-md5", value)], &[b"abc"]);
    assert_eq!(read(sent(&right)).await.unwrap().1.md5(), Some(md5(b"abc")));
    let expected = STANDARD.encode(md5(b""));
    let mismatch = PayloadError::Md5Mismatch { expected: expected.clone(), calculated: right };
    assert_eq!(read(sent(&expected)).await, Err(mismatch));
    for bad in ["", "invalid", "YWJyYWNhZGFicmE=", &hex(&md5(b"abc"))] {
        let error = refused("PUT /b/k", &[("content-md5", bad)]);
        assert_eq!(error, AuthError::InvalidDigest(bad.to_owned()));
    }
}

#[tokio::test]
async fn a_wrong_payload_hash_goes_before_a_wrong_md5_and_that_before_a_wrong_checksum() {
    let wrong_md5 = ("content-md5", STANDARD.encode(md5(b"")));
    let wrong_crc = ("x-amz-checksum-crc32", "AAAAAA==".to_owned());
    let headers = [("content-length", "3"), (wrong_md5.0, &wrong_md5.1), (wrong_crc.0, &wrong_crc.1)];
    assert!(matches!(read(put(&headers, &[b"abc"])).await, Err(PayloadError::Md5Mismatch { .. })));
    let hashed = [&headers[..], &[("x-amz-content-sha256", EMPTY_SHA256)]].concat();
    assert!(matches!(read(put(&hashed, &[b"abc"])).await, Err(PayloadError::Sha256Mismatch { .. })));
}

#[tokio::test]
async fn checksums_of_all_algorithms_in_headers_and_trailers() {
    for algorithm in ChecksumAlgorithm::ALL {
        let name = promises::checksum_header(algorithm);
        let (right, wrong) = (value(algorithm, b"abc"), value(algorithm, b"abd"));
        let header = |value: &str| put(&[("content-length", "3"), (&name, value)], &[b"abc"]);
        let trailer = |value: &str| {
            let headers = [STREAMING, ("x-amz-decoded-content-length", "3"), ("x-amz-trailer", &name)];
            put(&headers, &[format!("3\r\nabc\r\n0\r\n{name}:{value}\r\n\r\n").as_bytes()])
        };
        assert_eq!(header(&right).client_checksum(), Some(algorithm));
        assert_eq!(trailer(&right).client_checksum(), Some(algorithm));
        let (by_header, by_trailer) = (read(header(&right)).await.unwrap(), read(trailer(&right)).await.unwrap());
        assert_eq!(by_header, by_trailer);
        let checksum = by_header.1.checksum().unwrap();
        assert_eq!((checksum.algorithm, STANDARD.encode(&checksum.value)), (algorithm, right));
        let mismatch = PayloadError::ChecksumMismatch { algorithm };
        assert_eq!(mismatch.to_string().split(' ').nth(1), Some(algorithm.name()));
        assert_eq!(read(header(&wrong)).await, Err(mismatch.clone()));
        assert_eq!(read(trailer(&wrong)).await, Err(mismatch));
        for bad in ["", "not=base-64", "AAA=", &format!("{}-3", value(algorithm, b""))] {
            let error = refused("PUT /b/k", &[(&name, bad)]);
            assert_eq!(error.to_string(), format!("Value for {name} header is invalid."));
            let trailing = read(trailer(bad)).await.unwrap_err();
            assert_eq!(trailing.to_string(), format!("Value for {name} trailing header is invalid."));
        }
    }
}

#[tokio::test]
async fn trailers_must_be_those_declared() {
    let crc = value(ChecksumAlgorithm::Crc32, b"abc");
    let sent = |declared: Option<&str>, trailer: &str| {
        let mut headers = vec![STREAMING, ("x-amz-decoded-content-length", "3")];
        headers.extend(declared.map(|value| ("x-amz-trailer", value)));
        read(put(&headers, &[format!("3\r\nabc\r\n0\r\n{trailer}").as_bytes()]))
    };
    let right = format!("x-amz-checksum-crc32:{crc}\r\n");
    for declared in ["x-amz-checksum-crc32", "X-Amz-Checksum-CRC32", "x-amz-checksum-crc32,", "x-amz-checksum-crc32,,"]
    {
        assert!(sent(Some(declared), &right).await.is_ok(), "{declared}");
    }
    assert!(sent(Some("x-amz-checksum-crc32"), &format!("x-amz-checksum-crc32:AAAAAA==\r\n{right}")).await.is_ok());
    // Declared and not sent; sent and not declared; another one; one more; after an empty line.
    for (declared, trailer) in [
        (Some("x-amz-checksum-crc32"), ""),
        (Some("x-amz-checksum-crc32"), "\r\n"),
        (None, right.as_str()),
        (Some("x-amz-checksum-crc32c"), &right),
        (Some("x-amz-checksum-crc32"), &format!("{right}bonus:trailer\r\n")),
        (Some("x-amz-checksum-crc32"), &format!("\r\n{right}")),
    ] {
        assert_eq!(sent(declared, trailer).await, Err(PayloadError::Trailer), "{declared:?} {trailer:?}");
    }
    // Neither declared nor sent: the object layer adds its own checksum.
    assert!(sent(None, "\r\n").await.is_ok());
    // A declared trailer in a body that cannot have one.
    let plain = put(&[("content-length", "3"), ("x-amz-trailer", "x-amz-checksum-crc32")], &[b"abc"]);
    assert_eq!(read(plain).await, Err(PayloadError::Trailer));
}

#[test]
fn checksum_headers_that_contradict_each_other() {
    let crc = ("x-amz-checksum-crc32", "AAAAAA==");
    let sha = ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    let trailer = |value| ("x-amz-trailer", value);
    let sdk = |value| ("x-amz-sdk-checksum-algorithm", value);
    let cases: [(&[(&str, &str)], ChecksumFault); 16] = [
        (&[crc, sha], ChecksumFault::Several),
        (&[crc, crc], ChecksumFault::Several),
        (&[crc, sha, trailer("x-amz-checksum-crc32")], ChecksumFault::Several),
        (&[trailer("x-amz-checksum-crc32, x-amz-checksum-sha256")], ChecksumFault::Several),
        (&[crc, trailer("x-amz-checksum-crc32,x-amz-checksum-crc32")], ChecksumFault::Several),
        (&[crc, trailer("x-amz-checksum-crc32")], ChecksumFault::HeaderAndTrailer),
        (&[crc, trailer("x-amz-checksum-sha256")], ChecksumFault::HeaderAndTrailer),
        (&[sdk("CRC32")], ChecksumFault::NoValue),
        (&[sdk("CRC64NVME"), ("content-length", "0")], ChecksumFault::NoValue),
        (&[sdk("SHA256"), crc], ChecksumFault::OtherAlgorithm),
        (&[sdk("SHA256"), trailer("x-amz-checksum-crc32")], ChecksumFault::OtherAlgorithm),
        (&[sdk("MD4"), crc], ChecksumFault::UnknownAlgorithm),
        (&[("x-amz-checksum-md4", "AAAA")], ChecksumFault::UnknownHeader),
        (&[trailer("x-amz-checksum-md4")], ChecksumFault::UnknownTrailer),
        (&[trailer("content-md5")], ChecksumFault::UnknownTrailer),
        (&[trailer(",x-amz-checksum-crc32")], ChecksumFault::UnknownTrailer),
    ];
    for (headers, fault) in cases {
        assert_eq!(refused("PUT /b/k", headers), AuthError::ChecksumHeaders(fault), "{headers:?}");
    }
    assert!(promises("PUT /b/k", &[crc, sdk("crc32"), ("x-amz-checksum-type", "FULL_OBJECT")]).is_ok());
    assert!(promises("GET /b/k", &[sdk("CRC32"), ("x-amz-checksum-mode", "ENABLED")]).is_ok());
    assert!(promises("POST /b/k?uploads", &[sdk("CRC32"), ("x-amz-checksum-algorithm", "CRC32")]).is_ok());
}

#[tokio::test]
async fn checksums_of_complete_multipart_upload_are_not_of_its_body() {
    let headers =
        [("content-length", "3"), ("x-amz-checksum-crc32", "AAAAAA==-2"), ("x-amz-checksum-type", "COMPOSITE")];
    let complete = promises("POST /b/k?uploadId=u", &headers).unwrap();
    let payload = Payload::new(request_body(frames(&[b"abc"])), complete);
    assert_eq!(payload.client_checksum(), None);
    assert!(read(payload).await.is_ok());
    assert_eq!(refused("POST /b?delete", &headers), AuthError::ChecksumInvalid(ChecksumAlgorithm::Crc32));
}

#[tokio::test]
async fn digests_that_the_object_layer_wants() {
    for algorithm in ChecksumAlgorithm::ALL {
        let mut payload = put(&[("content-length", "3")], &[b"a", b"bc"]);
        payload.want_md5();
        payload.want_checksum(algorithm);
        let (_, proof) = read(payload).await.unwrap();
        assert_eq!(proof.md5(), Some(md5(b"abc")));
        assert_eq!(STANDARD.encode(&proof.checksum().unwrap().value), value(algorithm, b"abc"));
    }
    // The client's own goes before the default.
    let crc = value(ChecksumAlgorithm::Crc32, b"abc");
    let mut payload = put(&[("content-length", "3"), ("x-amz-checksum-crc32", &crc)], &[b"abc"]);
    payload.want_checksum(ChecksumAlgorithm::Crc64Nvme);
    assert_eq!(read(payload).await.unwrap().1.checksum().unwrap().algorithm, ChecksumAlgorithm::Crc32);
}

#[tokio::test]
async fn chunks_in_any_frames() {
    // As the SDK for JavaScript sends a stream: size line, data, CRLF and trailer each in a frame of its own.
    let trailer = format!("x-amz-checksum-crc32:{}\r\n", value(ChecksumAlgorithm::Crc32, b"abcdef"));
    let pieces: [&[u8]; 8] = [b"3\r\n", b"abc", b"\r\n", b"3\r", b"\nde", b"f\r\n0\r\n", trailer.as_bytes(), b"\r\n"];
    let headers = [STREAMING, ("x-amz-decoded-content-length", "6"), ("x-amz-trailer", "x-amz-checksum-crc32")];
    assert_eq!(read(put(&headers, &pieces)).await.unwrap().0, b"abcdef");
    // The decoded length is a promise too.
    for (length, error) in [("7", PayloadError::Incomplete), ("5", PayloadError::TooLong)] {
        let headers = [STREAMING, ("x-amz-decoded-content-length", length), headers[2]];
        assert_eq!(read(put(&headers, &pieces)).await, Err(error));
    }
    assert_eq!(read(put(&headers, &pieces[..4])).await, Err(PayloadError::Incomplete));
    assert!(matches!(read(put(&headers, &[b"no size\r\n"])).await, Err(PayloadError::Framing(_))));
}

#[tokio::test]
async fn framing_of_requests_without_a_payload_hash() {
    let encoded = ("content-encoding", "gzip, aws-chunked");
    let decoded = ("x-amz-decoded-content-length", "3");
    let framed: &[&[u8]] = &[b"3\r\nabc\r\n0\r\n\r\n"];
    assert_eq!(read(put(&[encoded, decoded], framed)).await.unwrap().0, b"abc");
    // With a hash of the whole body there is no framing, whatever the encoding says.
    let hash = hex(&sha256(framed[0]));
    let whole = put(&[encoded, ("content-length", "13"), ("x-amz-content-sha256", &hash)], framed);
    assert_eq!(read(whole).await.unwrap().0, framed[0]);
    let unsigned = refused("PUT /b/k", &[encoded, decoded, ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]);
    assert!(matches!(unsigned, AuthError::InvalidArgument { name, .. } if name == "Content-Encoding"));
    let signed = refused("PUT /b/k", &[decoded, ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")]);
    assert!(matches!(signed, AuthError::InvalidRequest(text) if text.starts_with("Anonymous requests")));
}

#[derive(Debug)]
struct Wrapped(BodyTimeout);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error reading a body")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test]
async fn errors_of_the_connection() {
    let broken = |error: Box<dyn Error + Send + Sync>| {
        let body = request_body(vec![Ok(Bytes::from_static(b"ab")), Err(error)]);
        read(Payload::new(body, promises("PUT /b/k", &[("content-length", "3")]).unwrap()))
    };
    assert_eq!(broken("reset by peer".into()).await, Err(PayloadError::Incomplete));
    assert_eq!(broken(Box::new(BodyTimeout)).await, Err(PayloadError::Timeout));
    assert_eq!(broken(Box::new(Wrapped(BodyTimeout))).await, Err(PayloadError::Timeout));
}

#[tokio::test]
async fn small_bodies_are_collected_up_to_the_limit() {
    let payload = |pieces: &[&[u8]]| put(&[("content-length", "5")], pieces);
    for pieces in [&[&b"abcde"[..]][..], &[b"ab", b"c", b"de"]] {
        let (bytes, proof) = payload(pieces).collect(5).await.unwrap().unwrap();
        assert_eq!((&bytes[..], proof.plain_len()), (&b"abcde"[..], 5));
    }
    assert_eq!(payload(&[b"abcde"]).collect(4).await, Ok(None));
    assert_eq!(payload(&[b"abcd"]).collect(5).await, Err(PayloadError::Incomplete));
    assert_eq!(put(&[], &[]).collect(0).await.unwrap().unwrap().0, Bytes::new());
}

#[tokio::test]
async fn data_from_inside() {
    let internal = |chunks: Vec<Result<Bytes, PayloadError>>| Payload::internal(stream::iter(chunks).boxed(), 3);
    let mut payload = internal(vec![Ok(Bytes::from_static(b"ab")), Ok(Bytes::from_static(b"c"))]);
    payload.want_md5();
    let (data, proof) = read(payload).await.unwrap();
    assert_eq!((data.as_slice(), proof.md5()), (&b"abc"[..], Some(md5(b"abc"))));
    assert_eq!(read(internal(vec![Ok(Bytes::from_static(b"ab"))])).await, Err(PayloadError::Incomplete));
    assert_eq!(read(internal(vec![Err(PayloadError::Timeout)])).await, Err(PayloadError::Timeout));
}

#[tokio::test]
#[should_panic(expected = "before it was verified")]
async fn a_body_not_read_to_its_end_proves_nothing() {
    let mut payload = put(&[("content-length", "3")], &[b"abc"]);
    assert!(payload.next().await.unwrap().is_some());
    let _ = payload.finish();
}
