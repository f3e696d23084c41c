use super::{Code, DeleteCondition, Deleted, Error, Input, Item, VersionId, parse, render};
use crate::sources::Timestamp;

const ID: &str = "00112233445566778899aabbccddeeff";

fn item(key: &str, version: Option<&str>) -> Item {
    Item { key: key.to_owned(), version: version.map(str::to_owned), condition: DeleteCondition::default() }
}

fn parsed(inner: &str) -> Result<Input, &'static str> {
    let body = format!("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inner}</Delete>");
    parse(body.as_bytes()).map_err(|e| e.code().name())
}

#[test]
fn requests() {
    let body =
        format!("<Object><Key> a&amp;&#13;b </Key></Object><Object><VersionId>{ID}</VersionId><Key>c</Key></Object>");
    let objects = vec![item(" a&\rb ", None), item("c", Some(ID))];
    assert_eq!(parsed(&body), Ok(Input { quiet: false, objects }));
    for (text, quiet) in [("true", true), ("True", true), ("false", false)] {
        let input = parsed(&format!("<Quiet>{text}</Quiet><Object><Key>a</Key><VersionId/></Object>"));
        assert_eq!(input, Ok(Input { quiet, objects: vec![item("a", None)] }));
    }
}

#[test]
fn conditions() {
    let condition = |inner: &str| {
        parsed(&format!("<Object><Key>k</Key>{inner}</Object>")).map(|input| input.objects[0].condition.clone())
    };
    let expected = DeleteCondition {
        if_match: Some("abc".to_owned()),
        if_modified_at: Some(Timestamp(1_795_608_000_000)),
        if_size: Some(5),
        ..DeleteCondition::default()
    };
    let etag = "<ETag>&quot;abc&quot;</ETag><Size>5</Size>";
    let rfc822 = "<LastModifiedTime>Wed, 25 Nov 2026 12:00:00 GMT</LastModifiedTime>";
    let iso = "<LastModifiedTime>2026-11-25T12:00:00Z</LastModifiedTime>";
    assert_eq!(condition(&format!("{etag}{rfc822}")), Ok(expected.clone()));
    assert_eq!(condition(&format!("{etag}{iso}")), Ok(expected));
    assert_eq!(condition("<ETag/>").map(|c| c.if_match), Ok(Some(String::new())));
    for bad in [
        "<Size/>",
        "<LastModifiedTime/>",
        "<Size>x</Size>",
        "<LastModifiedTime>x</LastModifiedTime>",
        "<IfFine>1</IfFine>",
        "<ETag/><ETag/>",
    ] {
        assert_eq!(condition(bad), Err("MalformedXML"), "{bad}");
    }
}

#[test]
fn bodies_that_are_refused_whole() {
    let objects = |n: usize| "<Object><Key>k</Key></Object>".repeat(n);
    assert_eq!(parsed(&objects(1000)).map(|input| input.objects.len()), Ok(1000));
    let too_many = objects(1001);
    let bad = ["", &too_many, "<Object/>", "<Object><Key/></Object>", "<Quiet>1</Quiet><Object><Key>k</Key></Object>"];
    for inner in bad {
        assert_eq!(parsed(inner), Err("MalformedXML"), "{}", &inner[..inner.len().min(60)]);
    }
    assert_eq!(parsed("<X/><Object><Key>k</Key></Object>"), Err("MalformedXML"));
    assert!(parse(b"<X><Object><Key>k</Key></Object></X>").is_err());
    assert!(parse(b"").is_err());
}

#[test]
fn answers_in_the_order_of_the_request() {
    let version = VersionId::parse(ID);
    let objects = vec![
        item("a<b", None),
        item("marked", None),
        item("marker", Some(ID)),
        item("version", Some(ID)),
        item("denied", None),
    ];
    let outcomes = [
        Ok(Deleted::default()),
        Ok(Deleted { version, delete_marker: true, plain_len: None }),
        Ok(Deleted { version, delete_marker: true, plain_len: None }),
        Ok(Deleted { version, delete_marker: false, plain_len: Some(5) }),
        Err(Error::new(Code::AccessDenied)),
    ];
    let error = "<Error><Key>denied</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let marker = format!("<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>{ID}</DeleteMarkerVersionId>");
    let expected = format!(
        "2006-03-01/\"><Deleted><Key>a&lt;b</Key></Deleted><Deleted><Key>marked</Key>{marker}</Deleted>\
         <Deleted><Key>marker</Key><VersionId>{ID}</VersionId>{marker}</Deleted>\
         <Deleted><Key>version</Key><VersionId>{ID}</VersionId></Deleted>{error}</DeleteResult>"
    );
    let input = Input { quiet: false, objects };
    let answer = render(&input, &outcomes).finish();
    assert!(answer.ends_with(&expected), "{answer}");
    let quiet = render(&Input { quiet: true, ..input }, &outcomes).finish();
    assert!(quiet.ends_with(&format!("2006-03-01/\">{error}</DeleteResult>")), "{quiet}");
}
