use http::StatusCode;

use super::{Code, Error};
use crate::sources::{Sources, Timestamp};
use crate::wire::{RequestId, ResponseBody};

fn rendered(error: &Error, head: bool) -> (StatusCode, String) {
    let id = RequestId::generate(&Sources::seeded(1, Timestamp(0)));
    let answer = error.render(&id, head);
    let status = answer.status();
    match answer.into_body() {
        ResponseBody::Full(bytes) => (status, String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap()),
        ResponseBody::Stream { .. } => panic!("an error is no stream"),
    }
}

#[test]
fn body_of_an_error() {
    let (status, body) = rendered(&Error::new(Code::NoSuchKey).and("Key", "a<b"), false);
    assert_eq!(status, StatusCode::NOT_FOUND);
    let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key \
                 does not exist.</Message><Key>a&lt;b</Key><RequestId>";
    assert!(body.starts_with(start), "{body}");
    assert!(body.ends_with("</HostId></Error>"));
}

#[test]
fn an_error_without_elements_has_its_code_and_message_alone() {
    let (_, body) = rendered(&Error::internal("of no concern to a client"), false);
    let end = "<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message>\
               <RequestId>";
    assert!(body.contains(end), "{body}");
    assert!(!body.contains("concern"));
}

#[test]
fn head_and_304_have_no_body() {
    assert_eq!(rendered(&Error::new(Code::NoSuchKey), true), (StatusCode::NOT_FOUND, String::new()));
    assert_eq!(rendered(&Error::new(Code::NotModified), false), (StatusCode::NOT_MODIFIED, String::new()));
}

#[test]
fn an_element_is_supplied_once() {
    let mut error = Error::new(Code::NoSuchKey).and("Key", "source");
    error.supply("Key", || Some("destination".to_owned()));
    error.supply("BucketName", || None);
    error.supply("VersionId", || Some("v".to_owned()));
    assert_eq!(error.elements().collect::<Vec<_>>(), [("Key", "source"), ("VersionId", "v")]);
}
