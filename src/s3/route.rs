//! From method, target, query and headers to the row: pure.

use http::HeaderMap;

use super::code::Code;
use super::error::Error;
use super::query::Query;
use super::table::{Row, TABLE, Target};
use crate::sigv4::is_signed_by_v2;

/// Query names in conditions that are parameters: they may stand in the query of an operation whose row does not name
/// them. Every other name there is a sub-resource.
const PARAMETERS: [&str; 5] = ["annotationName", "id", "list-type", "select-type", "x-id"];

/// Among the rows of method and target whose conditions hold, the one with most conditions. Sub-resources that
/// contradict each other are refused, as AWS does; so is one that the row does not name: `DELETE /bucket/key?acl` is no
/// DeleteObject, although nothing else answers it.
pub(crate) fn resolve(method: &str, target: Target, query: &Query, headers: &HeaderMap) -> Result<&'static Row, Error> {
    let mut best: Option<&'static Row> = None;
    let mut tie: Option<&'static Row> = None;
    for row in TABLE.iter().filter(|row| row.method == method && row.target == target && holds(row, query, headers)) {
        let weight = row.condition.weight();
        match best.map(|b| b.condition.weight().cmp(&weight)) {
            None | Some(std::cmp::Ordering::Less) => (best, tie) = (Some(row), None),
            Some(std::cmp::Ordering::Equal) => tie = Some(row),
            Some(std::cmp::Ordering::Greater) => {}
        }
    }
    match (best, tie) {
        (Some(a), Some(b)) => Err(conflicting(a, b)),
        (Some(row), None) if names_all_sub_resources(row, query) => Ok(row),
        (Some(_), None) if method == "PUT" && query.has("partNumber") && !query.has("uploadId") => {
            Err(part_of_nothing())
        }
        (Some(_), None) if target == Target::Object && query.has("logging") => {
            Err(Error::new(Code::NoLoggingStatusForKey))
        }
        (Some(_), None) => Err(not_allowed(method, target)),
        (None, _) => Err(not_allowed(method, target)),
    }
}

/// Conditions that Version 2 need not sign, as AWS has it: they choose between two forms of one listing, which are
/// allowed by one action.
const UNSIGNED_BY_V2: [&str; 1] = ["list-type=2"];

/// Refuses a row that a holder of a request signed by Version 2 may have chosen: by a parameter that Version 2, which is
/// older than many sub-resources, does not sign. `DELETE /bucket` signed would be `DELETE /bucket?…` of whatever there
/// comes to be. Names that the row does not speak of choose nothing ([`resolve`]).
pub(crate) fn refuse_unsigned_by_v2(row: &Row) -> Result<(), Error> {
    let unsigned = row.condition.query.iter().filter(|condition| !UNSIGNED_BY_V2.contains(condition));
    let mut unsigned = unsigned.map(|condition| condition.split('=').next().unwrap_or(condition));
    match unsigned.find(|name| !is_signed_by_v2(name)) {
        None => Ok(()),
        Some(name) => {
            // Not recorded.
            let message = format!("Signature Version 2 does not sign the query parameter {name}: use Version 4.");
            Err(Error::with_message(Code::AccessDenied, message))
        }
    }
}

/// 405, naming the resource as AWS does.
pub(crate) fn not_allowed(method: &str, target: Target) -> Error {
    let resource = match target {
        Target::Service => "SERVICE",
        Target::Bucket => "BUCKET",
        Target::Object => "OBJECT",
    };
    Error::new(Code::MethodNotAllowed).and("Method", method).and("ResourceType", resource)
}

/// In AWS's words, which give the name as the value too.
fn part_of_nothing() -> Error {
    let message = "This operation does not accept partNumber without uploadId";
    Error::invalid_argument(message, "partNumber", "partNumber")
}

fn conflicting(a: &Row, b: &Row) -> Error {
    let name = |row: &Row| row.condition.query.first().copied().or(row.condition.header).unwrap_or_default();
    let names = format!("{}, {}", name(a), name(b));
    Error::invalid_argument(format!("Conflicting query string parameters: {names}"), "ResourceType", names)
}

fn names_all_sub_resources(row: &Row, query: &Query) -> bool {
    let named = |name: &str| row.condition.query.contains(&name);
    // `partNumber` is a parameter where an object is read.
    let parameter = |name: &str| PARAMETERS.contains(&name) || (name == "partNumber" && row.method != "PUT");
    let mut sub_resources = TABLE.iter().flat_map(|row| row.condition.query).map(|q| q.split('=').next().unwrap_or(q));
    sub_resources.all(|name| named(name) || parameter(name) || !query.has(name))
}

fn holds(row: &Row, query: &Query, headers: &HeaderMap) -> bool {
    let query_holds = row.condition.query.iter().all(|wanted| match wanted.split_once('=') {
        Some((name, value)) => query.value(name) == Some(value),
        None => query.has(wanted),
    });
    query_holds && row.condition.header.is_none_or(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{PARAMETERS, Query, UNSIGNED_BY_V2, refuse_unsigned_by_v2, resolve};
    use crate::s3::table::{SUPERSEDED, TABLE, Target};
    use crate::sigv4::is_signed_by_v2;

    fn row(method: &str, target: Target, query: &str, header: Option<&str>) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        if let Some(name) = header {
            headers.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("x"));
        }
        resolve(method, target, &Query::parse(query).unwrap(), &headers).ok().map(|row| row.name)
    }

    #[test]
    fn every_row_is_reached_by_its_own_sample() {
        for r in TABLE {
            let query: Vec<String> = r
                .condition
                .query
                .iter()
                .map(|q| if q.contains('=') { (*q).to_owned() } else { format!("{q}=1") })
                .collect();
            let got = row(r.method, r.target, &query.join("&"), r.condition.header);
            assert_eq!(got, Some(r.name), "{} {:?} {query:?}", r.method, r.target);
        }
    }

    #[test]
    fn names_are_unique_and_superseded_ones_have_a_successor() {
        let mut names: Vec<&str> = TABLE.iter().map(|r| r.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|w| w[0] != w[1]));
        assert!(SUPERSEDED.iter().all(|(old, new)| !names.contains(old) && names.contains(new)));
    }

    #[test]
    fn a_sub_resource_is_never_taken_for_the_object_or_bucket() {
        assert_eq!(row("PUT", Target::Object, "acl", None), Some("PutObjectAcl"));
        assert_eq!(row("PUT", Target::Object, "acl=", None), Some("PutObjectAcl"));
        assert_eq!(row("PUT", Target::Object, "x-id=PutObject", None), Some("PutObject"));
        assert_eq!(
            row("PUT", Target::Object, "partNumber=1&uploadId=u", Some("x-amz-copy-source")),
            Some("UploadPartCopy")
        );
        assert_eq!(row("PUT", Target::Bucket, "policy", None), Some("PutBucketPolicy"));
        assert_eq!(row("GET", Target::Bucket, "list-type=2&prefix=x", None), Some("ListObjectsV2"));
        assert_eq!(row("GET", Target::Bucket, "list-type=1", None), Some("ListObjects"));
        assert_eq!(row("GET", Target::Object, "versionId=v&tagging", None), Some("GetObjectTagging"));
    }

    #[test]
    fn a_sub_resource_that_no_row_answers_is_refused() {
        for (method, target, query) in [
            ("DELETE", Target::Object, "acl"),
            ("DELETE", Target::Object, "versionId=null&torrent"),
            ("DELETE", Target::Bucket, "versioning"),
            ("PUT", Target::Bucket, "location"),
            ("PUT", Target::Object, "uploads"),
            ("PUT", Target::Object, "uploadId=u"),
            ("PUT", Target::Object, "partNumber=1"),
            ("GET", Target::Bucket, "delete"),
            ("HEAD", Target::Object, "tagging"),
        ] {
            assert_eq!(row(method, target, query, None), None, "{method} {target:?} {query}");
        }
        // Whatever the method: a sub-resource is answered by a row that names it, or by none.
        let names: Vec<&str> = TABLE.iter().flat_map(|r| r.condition.query.iter().copied()).collect();
        for name in names.into_iter().filter(|n| !PARAMETERS.contains(&n.split('=').next().unwrap())) {
            for (method, target) in TABLE.iter().map(|r| (r.method, r.target)) {
                if let Some(found) = row(method, target, name, None) {
                    let found = TABLE.iter().find(|r| r.name == found).unwrap();
                    let read_part = name == "partNumber" && method != "PUT";
                    assert!(found.condition.query.contains(&name) || read_part, "{method} {target:?} {name}");
                }
            }
        }
        assert_eq!(row("GET", Target::Object, "partNumber=1", None), Some("GetObject"));
        assert_eq!(row("HEAD", Target::Object, "partNumber=1&versionId=null", None), Some("HeadObject"));
        assert_eq!(row("GET", Target::Bucket, "id=1&x-id=ListObjects", None), Some("ListObjects"));
    }

    #[test]
    fn contradictions_and_unknown_methods_are_refused() {
        assert_eq!(row("PUT", Target::Object, "acl&tagging", None), None);
        assert_eq!(row("PATCH", Target::Object, "", None), None);
        assert_eq!(row("POST", Target::Service, "", None), None);
    }

    #[test]
    fn what_decides_the_row_is_signed_by_version_2_or_refused() {
        fn name(condition: &str) -> &str {
            condition.split('=').next().unwrap()
        }
        let mut refused = Vec::new();
        for r in TABLE {
            let free = |condition: &&str| is_signed_by_v2(name(condition)) || UNSIGNED_BY_V2.contains(condition);
            let all_signed = r.condition.query.iter().all(free);
            assert_eq!(refuse_unsigned_by_v2(r).is_ok(), all_signed, "{}", r.name);
            if !all_signed {
                refused.push(r.name);
            }
        }
        for row in ["PutBucketAbac", "GetObjectAttributes", "PutObjectAnnotation", "RenameObject", "CreateSession"] {
            assert!(refused.contains(&row), "{row}");
        }
        for row in ["PutBucketPolicy", "UploadPart", "ListObjectsV2", "GetObjectTagging", "DeleteObjects"] {
            assert!(!refused.contains(&row), "{row}");
        }
        // What need not be signed changes nothing but the form of an answer.
        for condition in UNSIGNED_BY_V2 {
            for with in TABLE.iter().filter(|r| r.condition.query.contains(&condition)) {
                let without = resolve(with.method, with.target, &Query::parse("").unwrap(), &HeaderMap::new()).unwrap();
                assert!(with.is_read_only() && with.condition.query == [condition], "{}", with.name);
                assert_eq!(with.action.plain, without.action.plain, "{}", with.name);
            }
        }
        // A parameter that may stand beside rows that do not name it makes no other row of them.
        for (r, parameter) in TABLE.iter().flat_map(|r| PARAMETERS.map(|parameter| (r, parameter))) {
            let mut query = r.condition.query.to_vec();
            query.push(parameter);
            let mut headers = HeaderMap::new();
            if let Some(header) = r.condition.header {
                headers.insert(header, HeaderValue::from_static("x"));
            }
            let Ok(other) = resolve(r.method, r.target, &Query::parse(&query.join("&")).unwrap(), &headers) else {
                continue;
            };
            assert!(other.name == r.name || other.condition.query.contains(&parameter), "{} {parameter}", r.name);
        }
    }
}
