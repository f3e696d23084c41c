//! Checksums in headers and XML: what a request names, what an answer shows. Pure. (Those of a body are verified by
//! `auth::Payload`.)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::error::Error;
use super::fields::{filled, single};
use super::object_answer::Answer;
use crate::crypto::{Checksum, ChecksumAlgorithm};
use crate::objects::{ChecksumKind, ObjectChecksum};
use crate::wire::xml::{Element, Writer};

const ALGORITHM: &str = "x-amz-checksum-algorithm";
const TYPE: &str = "x-amz-checksum-type";

/// `x-amz-checksum-crc32` and so on.
pub(crate) fn header_name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "x-amz-checksum-crc32",
        ChecksumAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        ChecksumAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        ChecksumAlgorithm::Sha1 => "x-amz-checksum-sha1",
        ChecksumAlgorithm::Sha256 => "x-amz-checksum-sha256",
        ChecksumAlgorithm::Sha512 => "x-amz-checksum-sha512",
        ChecksumAlgorithm::Md5 => "x-amz-checksum-md5",
        ChecksumAlgorithm::XxHash64 => "x-amz-checksum-xxhash64",
        ChecksumAlgorithm::XxHash3 => "x-amz-checksum-xxhash3",
        ChecksumAlgorithm::XxHash128 => "x-amz-checksum-xxhash128",
    }
}

/// `ChecksumCRC32` and so on.
pub(crate) fn element_name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "ChecksumCRC32",
        ChecksumAlgorithm::Crc32c => "ChecksumCRC32C",
        ChecksumAlgorithm::Crc64Nvme => "ChecksumCRC64NVME",
        ChecksumAlgorithm::Sha1 => "ChecksumSHA1",
        ChecksumAlgorithm::Sha256 => "ChecksumSHA256",
        ChecksumAlgorithm::Sha512 => "ChecksumSHA512",
        ChecksumAlgorithm::Md5 => "ChecksumMD5",
        ChecksumAlgorithm::XxHash64 => "ChecksumXXHASH64",
        ChecksumAlgorithm::XxHash3 => "ChecksumXXHASH3",
        ChecksumAlgorithm::XxHash128 => "ChecksumXXHASH128",
    }
}

/// `FULL_OBJECT` or `COMPOSITE`
pub(crate) fn kind_name(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::FullObject => "FULL_OBJECT",
        ChecksumKind::Composite => "COMPOSITE",
    }
}

/// The value of a part or of a whole body.
pub(crate) fn value(checksum: &Checksum) -> String {
    STANDARD.encode(&checksum.value)
}

/// The value of an object: a composite one ends in the number of its parts.
pub(crate) fn object_value(checksum: &ObjectChecksum) -> String {
    match (checksum.kind, checksum.parts) {
        (ChecksumKind::Composite, Some(parts)) => format!("{}-{parts}", value(&checksum.checksum)),
        _ => value(&checksum.checksum),
    }
}

/// Puts an object's checksum and its type among the headers.
pub(crate) fn write(answer: &mut Answer, checksum: Option<&ObjectChecksum>) {
    if let Some(checksum) = checksum {
        answer.set(header_name(checksum.checksum.algorithm), &object_value(checksum));
        answer.set(TYPE, kind_name(checksum.kind));
    }
}

/// Puts a part's checksum among the headers.
pub(crate) fn write_part(answer: &mut Answer, checksum: Option<&Checksum>) {
    if let Some(checksum) = checksum {
        answer.set(header_name(checksum.algorithm), &value(checksum));
    }
}

/// Puts a type among the headers.
pub(crate) fn write_kind(answer: &mut Answer, kind: ChecksumKind) {
    answer.set(TYPE, kind_name(kind));
}

/// Puts what an upload was created with among the headers.
pub(crate) fn write_declared(answer: &mut Answer, declared: Option<(ChecksumAlgorithm, ChecksumKind)>) {
    if let Some((algorithm, kind)) = declared {
        answer.set(ALGORITHM, algorithm.name());
        answer.set(TYPE, kind_name(kind));
    }
}

/// Writes an object's checksum and its type as elements.
pub(crate) fn write_xml(w: &mut Writer, checksum: Option<&ObjectChecksum>) {
    if let Some(checksum) = checksum {
        w.leaf(element_name(checksum.checksum.algorithm), &object_value(checksum));
        w.leaf("ChecksumType", kind_name(checksum.kind));
    }
}

/// Writes an object's checksum and its type as elements, without the number of parts: GetObjectAttributes has that
/// apart.
pub(crate) fn write_bare_xml(w: &mut Writer, checksum: Option<&ObjectChecksum>) {
    if let Some(checksum) = checksum {
        write_part_xml(w, Some(&checksum.checksum));
        w.leaf("ChecksumType", kind_name(checksum.kind));
    }
}

/// Writes a part's checksum as an element.
pub(crate) fn write_part_xml(w: &mut Writer, checksum: Option<&Checksum>) {
    if let Some(checksum) = checksum {
        w.leaf(element_name(checksum.algorithm), &value(checksum));
    }
}

/// `x-amz-checksum-mode`, in any case: `ENABLED` is its one value.
pub(crate) fn mode_enabled(headers: &HeaderMap) -> Result<bool, Error> {
    match filled(headers, "x-amz-checksum-mode")? {
        None => Ok(false),
        Some(mode) if mode.eq_ignore_ascii_case("ENABLED") => Ok(true),
        Some(_) => Err(invalid_value("x-amz-checksum-mode")),
    }
}

/// `x-amz-checksum-algorithm` of a copy.
pub(crate) fn requested_algorithm(headers: &HeaderMap) -> Result<Option<ChecksumAlgorithm>, Error> {
    let Some(name) = filled(headers, ALGORITHM)? else { return Ok(None) };
    ChecksumAlgorithm::from_name(name).map(Some).ok_or_else(|| {
        let mut names = ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::name);
        names.sort_unstable();
        Error::invalid_request(format!(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{}]",
            names.join(", ")
        ))
    })
}

/// Algorithm and type that CreateMultipartUpload names. Where the type is left out: `FULL_OBJECT` for CRC64NVME,
/// which has no other, else `COMPOSITE`.
pub(crate) fn declared(headers: &HeaderMap) -> Result<Option<(ChecksumAlgorithm, ChecksumKind)>, Error> {
    let kind = kind(headers)?;
    let Some(algorithm) = requested_algorithm(headers)? else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(Error::invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let only_full = algorithm == ChecksumAlgorithm::Crc64Nvme;
    match kind {
        None if only_full => Ok(Some((algorithm, ChecksumKind::FullObject))),
        None => Ok(Some((algorithm, ChecksumKind::Composite))),
        Some(kind @ ChecksumKind::Composite) if only_full => Err(incompatible(kind, algorithm)),
        Some(kind @ ChecksumKind::FullObject) if !algorithm.combines() => Err(incompatible(kind, algorithm)),
        Some(kind) => Ok(Some((algorithm, kind))),
    }
}

/// `x-amz-checksum-type`
pub(crate) fn kind(headers: &HeaderMap) -> Result<Option<ChecksumKind>, Error> {
    let named = |text: &str| {
        [ChecksumKind::FullObject, ChecksumKind::Composite]
            .into_iter()
            .find(|kind| kind_name(*kind).eq_ignore_ascii_case(text))
            .ok_or_else(|| invalid_value(TYPE))
    };
    filled(headers, TYPE)?.map(named).transpose()
}

/// The object's checksum as CompleteMultipartUpload names it in a header; a composite one may come with its `-N`.
pub(crate) fn of_object(headers: &HeaderMap) -> Result<Option<Checksum>, Error> {
    let mut found = None;
    for algorithm in ChecksumAlgorithm::ALL {
        let name = header_name(algorithm);
        let Some(text) = single(headers, name)? else { continue };
        let checksum = parse_value(algorithm, text).ok_or_else(|| invalid_value(name))?;
        if found.replace(checksum).is_some() {
            return Err(Error::invalid_request(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
    }
    Ok(found)
}

/// The checksum that an element (a part in Complete) holds: of the `preferred` algorithm if it is there, else the
/// first known one. A value that is none becomes one that fits nothing: the answer is then that it does not match.
pub(crate) fn of_element(element: &Element, preferred: Option<ChecksumAlgorithm>) -> Option<Checksum> {
    preferred.into_iter().chain(ChecksumAlgorithm::ALL).find_map(|algorithm| {
        let text = element.child_text(element_name(algorithm))?;
        Some(parse_value(algorithm, text).unwrap_or(Checksum { algorithm, value: Vec::new() }))
    })
}

fn parse_value(algorithm: ChecksumAlgorithm, text: &str) -> Option<Checksum> {
    let base64 = match text.rsplit_once('-') {
        Some((base64, parts)) if !parts.is_empty() && parts.bytes().all(|b| b.is_ascii_digit()) => base64,
        _ => text,
    };
    let value = STANDARD.decode(base64).ok()?;
    (value.len() == algorithm.value_bytes()).then_some(Checksum { algorithm, value })
}

fn incompatible(kind: ChecksumKind, algorithm: ChecksumAlgorithm) -> Error {
    Error::invalid_request(format!(
        "The {} checksum type cannot be used with the {} checksum algorithm.",
        kind_name(kind),
        algorithm.name().to_ascii_lowercase()
    ))
}

fn invalid_value(header: &str) -> Error {
    Error::invalid_request(format!("Value for {header} header is invalid."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::{Lines, sample};
    use crate::wire::xml;

    type Declared<'a> = Result<Option<(ChecksumAlgorithm, ChecksumKind)>, &'a str>;

    #[test]
    fn what_an_upload_may_declare() {
        use ChecksumKind::{Composite, FullObject};
        let cases: &[(Lines<'_>, Declared<'_>)] = &[
            (&[], Ok(None)),
            (&[(ALGORITHM, "CRC64NVME")], Ok(Some((ChecksumAlgorithm::Crc64Nvme, FullObject)))),
            (&[(ALGORITHM, "crc32")], Ok(Some((ChecksumAlgorithm::Crc32, Composite)))),
            (&[(ALGORITHM, "CRC32C")], Ok(Some((ChecksumAlgorithm::Crc32c, Composite)))),
            (&[(ALGORITHM, "SHA256")], Ok(Some((ChecksumAlgorithm::Sha256, Composite)))),
            (&[(ALGORITHM, "XXHASH3")], Ok(Some((ChecksumAlgorithm::XxHash3, Composite)))),
            (&[(ALGORITHM, "CRC32"), (TYPE, "FULL_OBJECT")], Ok(Some((ChecksumAlgorithm::Crc32, FullObject)))),
            (&[(ALGORITHM, "SHA1"), (TYPE, "COMPOSITE")], Ok(Some((ChecksumAlgorithm::Sha1, Composite)))),
            (
                &[(ALGORITHM, "CRC64NVME"), (TYPE, "COMPOSITE")],
                Err("The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm."),
            ),
            (
                &[(ALGORITHM, "SHA256"), (TYPE, "FULL_OBJECT")],
                Err("The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm."),
            ),
            (
                &[(TYPE, "COMPOSITE")],
                Err("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."),
            ),
            (&[(ALGORITHM, "CRC32"), (TYPE, "X")], Err("Value for x-amz-checksum-type header is invalid.")),
            (
                &[(ALGORITHM, "CRC16")],
                Err("Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                     [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]"),
            ),
        ];
        for (headers, expected) in cases {
            let got = declared(&sample(headers));
            assert_eq!(got.as_ref().map_err(Error::message), expected.as_ref().map_err(|e| *e), "{headers:?}");
        }
    }

    #[test]
    fn names_follow_the_algorithm() {
        for algorithm in ChecksumAlgorithm::ALL {
            assert_eq!(header_name(algorithm), format!("x-amz-checksum-{}", algorithm.name().to_ascii_lowercase()));
            assert_eq!(element_name(algorithm), format!("Checksum{}", algorithm.name()));
        }
    }

    #[test]
    fn complete_names_one_checksum_with_or_without_its_parts() {
        let crc = Checksum { algorithm: ChecksumAlgorithm::Crc32, value: vec![0, 0, 0, 0] };
        for text in ["AAAAAA==", "AAAAAA==-2"] {
            let headers = sample(&[("x-amz-checksum-crc32", text), (TYPE, "COMPOSITE")]);
            assert_eq!(of_object(&headers).unwrap(), Some(crc.clone()));
        }
        for text in ["", "AAAA", "AAAAAA==-", "AAAAAA==-x", "!"] {
            let error = of_object(&sample(&[("x-amz-checksum-crc32", text)])).unwrap_err();
            assert_eq!(error.message(), "Value for x-amz-checksum-crc32 header is invalid.");
        }
        let two = sample(&[("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-crc32c", "AAAAAA==")]);
        assert!(of_object(&two).is_err());
    }

    #[test]
    fn a_part_names_the_uploads_algorithm_or_any() {
        let part = |inner: &str| xml::parse(format!("<Part>{inner}</Part>").as_bytes()).unwrap();
        let both = part("<ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumCRC32C>AAAAAQ==</ChecksumCRC32C>");
        let algorithm = |e: &Element, preferred| of_element(e, preferred).map(|c| c.algorithm);
        assert_eq!(algorithm(&both, Some(ChecksumAlgorithm::Crc32c)), Some(ChecksumAlgorithm::Crc32c));
        assert_eq!(algorithm(&both, None), Some(ChecksumAlgorithm::Crc32));
        assert_eq!(algorithm(&both, Some(ChecksumAlgorithm::Sha1)), Some(ChecksumAlgorithm::Crc32));
        assert_eq!(algorithm(&part("<ChecksumFUTURE>x</ChecksumFUTURE>"), None), None);
        let bad = of_element(&part("<ChecksumSHA1>zzz</ChecksumSHA1>"), None).unwrap();
        assert_eq!(bad, Checksum { algorithm: ChecksumAlgorithm::Sha1, value: Vec::new() });
    }

    #[test]
    fn composite_values_tell_their_parts() {
        let checksum = Checksum { algorithm: ChecksumAlgorithm::Crc32, value: vec![0; 4] };
        let whole = ObjectChecksum { checksum: checksum.clone(), kind: ChecksumKind::FullObject, parts: None };
        let composite = ObjectChecksum { checksum, kind: ChecksumKind::Composite, parts: Some(3) };
        let mut answer = Answer::new();
        write(&mut answer, Some(&composite));
        assert_eq!(answer.get("x-amz-checksum-crc32"), Some("AAAAAA==-3"));
        assert_eq!(answer.get(TYPE), Some("COMPOSITE"));
        assert_eq!(object_value(&whole), "AAAAAA==");
    }

    #[test]
    fn the_mode_is_taken_in_any_case() {
        for mode in ["ENABLED", "enabled", "Enabled"] {
            assert!(mode_enabled(&sample(&[("x-amz-checksum-mode", mode)])).unwrap());
        }
        assert!(!mode_enabled(&sample(&[])).unwrap());
        assert!(mode_enabled(&sample(&[("x-amz-checksum-mode", "on")])).is_err());
    }
}
