//! ListObjectsV2.

use super::list_buckets::token_incorrect;
use crate::objects::{ListPage, ListQuery};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::listing::{Entry, KeyEncoding, PAGE_MAX, check_optional_attributes, page_writer, refuse_parameters};
use crate::s3::object_answer::Answer;
use crate::s3::owner::Owner;
use crate::s3::query::Query;
use crate::s3::token;
use crate::wire::Response;
use crate::wire::xml::Writer;

/// A parameter of the other version.
const REFUSED: [(&str, &str); 1] = [("marker", "Marker unsupported with REST.GET.BUCKET in list-type=2")];

#[derive(Debug, PartialEq, Eq)]
struct Input {
    prefix: String,
    delimiter: String,
    start_after: Option<String>,
    /// The token as sent and where it leads.
    token: Option<(String, String)>,
    /// As asked for: AWS echoes also what is more than a page may hold.
    max_keys: u32,
    fetch_owner: bool,
    encoding: KeyEncoding,
}

impl Input {
    /// `scope`: what tokens are bound to, see [`token::seal`].
    fn parse(query: &Query, scope: &[u8]) -> Result<Self, Error> {
        let text = |name| query.value(name).map(str::to_owned);
        refuse_parameters(query, &REFUSED)?;
        let encoding = KeyEncoding::parse(query)?;
        let token = match text("continuation-token") {
            None => None,
            Some(token) => {
                let after = token::open(scope, &token).ok_or_else(token_incorrect)?;
                Some((token, after))
            }
        };
        Ok(Self {
            prefix: text("prefix").unwrap_or_default(),
            delimiter: text("delimiter").unwrap_or_default(),
            start_after: text("start-after"),
            token,
            max_keys: query.number("max-keys")?.unwrap_or(PAGE_MAX),
            // In this spelling alone: AWS passes over every other.
            fetch_owner: query.value("fetch-owner") == Some("true"),
            encoding,
        })
    }

    /// A token goes before `start-after`, which only the first page needs.
    fn after(&self) -> String {
        let token = self.token.as_ref().map(|(_, after)| after);
        token.or(self.start_after.as_ref()).cloned().unwrap_or_default()
    }
}

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let bucket = cx.bucket();
    let input = Input::parse(&cx.query, &bucket.id)?;
    check_optional_attributes(&cx.head.headers)?;
    let query = ListQuery {
        prefix: input.prefix.clone(),
        delimiter: input.delimiter.clone(),
        after: input.after(),
        limit: input.max_keys.min(PAGE_MAX) as usize,
    };
    // A page of no keys is empty and, as AWS has it, not truncated.
    let page =
        if query.limit == 0 { ListPage::default() } else { cx.app.objects.list(cx.grant(), bucket, &query).await? };
    let entries: Vec<Entry<'_>> = page.objects.iter().map(|info| Entry::of(&cx, info)).collect();
    let owner = input.fetch_owner.then(|| cx.owner(&bucket.owner));
    let next = page.next.as_deref().map(|next| token::seal(&bucket.id, next));
    let mut answer = Answer::new();
    answer.set("x-amz-bucket-region", bucket.region.as_str());
    Ok(answer.xml(render(bucket.name.as_str(), &input, owner, &entries, &page.prefixes, next.as_deref())))
}

fn render(
    bucket: &str,
    input: &Input,
    owner: Option<Owner<'_>>,
    entries: &[Entry<'_>],
    prefixes: &[String],
    next_token: Option<&str>,
) -> Writer {
    let encoding = &input.encoding;
    let mut w = page_writer(entries.iter().map(|entry| entry.key.len()).chain(prefixes.iter().map(String::len)));
    w.root("ListBucketResult", |w| {
        w.leaf("Name", bucket);
        encoding.leaf(w, "Prefix", &input.prefix);
        match (&input.token, &input.start_after) {
            (Some((token, _)), _) => {
                w.leaf("ContinuationToken", token);
            }
            (None, Some(start)) => encoding.leaf(w, "StartAfter", start),
            (None, None) => {}
        }
        if let Some(token) = next_token {
            w.leaf("NextContinuationToken", token);
        }
        w.number("KeyCount", (entries.len() + prefixes.len()) as u64);
        w.number("MaxKeys", input.max_keys.into());
        encoding.leaf_unless_empty(w, "Delimiter", &input.delimiter);
        encoding.write(w);
        w.flag("IsTruncated", next_token.is_some());
        for entry in entries {
            entry.write_contents(w, encoding, owner.as_ref());
        }
        encoding.write_prefixes(w, prefixes);
    });
    w
}

#[cfg(test)]
mod tests {
    use super::{Entry, Input, Owner, Query, render, token};
    use crate::sources::Timestamp;

    fn parse(raw: &str) -> Result<Input, String> {
        Input::parse(&Query::parse(raw).unwrap(), b"bucket").map_err(|e| e.message().to_owned())
    }

    fn page(input: &Input, owner: Option<Owner<'_>>, next: Option<&str>) -> String {
        let entry = Entry {
            key: "a",
            etag: "e",
            modified: Timestamp(0),
            plain_len: 0,
            storage_class: Some("STANDARD_IA"),
            checksum: None,
            owner: None,
        };
        let page = render("bkt", input, owner, &[entry], &["b/".to_owned()], next);
        page.finish().split_once("2006-03-01/\">").unwrap().1.to_owned()
    }

    #[test]
    fn where_a_page_starts() {
        assert_eq!(parse("").unwrap().after(), "");
        assert_eq!(parse("start-after=b").unwrap().after(), "b");
        let token = token::seal(b"bucket", "k");
        assert_eq!(parse(&format!("start-after=b&continuation-token={token}")).unwrap().after(), "k");
        for bad in ["", "k", &token::seal(b"another", "k")] {
            let expected = Err("The continuation token provided is incorrect".to_owned());
            assert_eq!(parse(&format!("continuation-token={bad}")), expected);
        }
    }

    #[test]
    fn a_first_page() {
        let expected = "<Name>bkt</Name><Prefix></Prefix><StartAfter>date%3D1</StartAfter>\
                        <NextContinuationToken>T</NextContinuationToken><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>\
                        <Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
                        <Contents><Key>a</Key><LastModified>1970-01-01T00:00:00.000Z</LastModified>\
                        <ETag>&quot;e&quot;</ETag><Size>0</Size><StorageClass>STANDARD_IA</StorageClass></Contents>\
                        <CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>";
        let input = parse("max-keys=2&delimiter=/&start-after=date%3D1&encoding-type=url").unwrap();
        assert_eq!(page(&input, None, Some("T")), expected);
    }

    #[test]
    fn owners_and_tokens_only_where_asked_for() {
        let token = token::seal(b"bucket", "k");
        let input = parse(&format!("fetch-owner=true&continuation-token={token}")).unwrap();
        assert!(input.fetch_owner);
        let with = page(&input, Some(Owner { id: "a1", display_name: "" }), None);
        assert!(with.contains("<Owner><ID>a1</ID></Owner><StorageClass>"));
        assert!(with.contains(&format!("<ContinuationToken>{token}</ContinuationToken><KeyCount>")));
        let without = page(&parse("fetch-owner=false").unwrap(), None, None);
        assert!(!without.contains("Owner") && !without.contains("Token") && !without.contains("StartAfter"));
        assert!(!without.contains("Delimiter") && !without.contains("Encoding"));
    }
}
