//! ListBuckets.

use crate::names::Region;
use crate::objects::{BucketPage, ListBuckets};
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::listing::{page_writer, write_time};
use crate::s3::object_answer::Answer;
use crate::s3::owner::Owner;
use crate::s3::query::Query;
use crate::s3::token;
use crate::wire::Response;
use crate::wire::xml::Writer;

/// Buckets of one page at most.
const PAGE_MAX: u32 = 10_000;

#[derive(Debug, PartialEq, Eq)]
struct Input {
    limit: u32,
    prefix: Option<String>,
    region: Option<Region>,
    after: Option<String>,
}

impl Input {
    /// `scope`: what tokens are bound to, see [`token::seal`].
    fn parse(query: &Query, regions: &[Region], scope: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            limit: limit(query)?,
            prefix: query.value("prefix").map(str::to_owned),
            region: region(query, regions)?,
            after: match query.value("continuation-token").filter(|token| !token.is_empty()) {
                None => None,
                Some(token) => Some(token::open(scope, token).ok_or_else(token_incorrect)?),
            },
        })
    }
}

fn limit(query: &Query) -> Result<u32, Error> {
    match query.number("max-buckets")? {
        None => Ok(PAGE_MAX),
        Some(n) if (1..=PAGE_MAX).contains(&n) => Ok(n),
        Some(n) => Err(Error::invalid_argument(
            "Argument max-buckets must be an integer between 1 and 10000",
            "max-buckets",
            n.to_string(),
        )),
    }
}

/// A Region that is not served here is to this gateway what a misspelt one is to AWS.
fn region(query: &Query, regions: &[Region]) -> Result<Option<Region>, Error> {
    let Some(text) = query.value("bucket-region").filter(|text| !text.is_empty()) else { return Ok(None) };
    match regions.iter().find(|region| region.as_str() == text) {
        Some(region) => Ok(Some(region.clone())),
        None => {
            let message = format!("Argument value {text} is not a valid AWS Region");
            Err(Error::with_message(Code::InvalidArgument, message).and("ArgumentName", "bucket-region"))
        }
    }
}

/// Also ListObjectsV2's.
pub(super) fn token_incorrect() -> Error {
    Error::with_message(Code::InvalidArgument, "The continuation token provided is incorrect")
        .and("ArgumentName", "continuation-token")
}

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let account = cx.access.caller().account().cloned().ok_or_else(|| Error::new(Code::AccessDenied))?;
    let scope = account.as_str().as_bytes();
    let input = Input::parse(&cx.query, &cx.app.config.regions, scope)?;
    let query = ListBuckets {
        owner: account.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        region: input.region.clone(),
        after: input.after.clone(),
        limit: input.limit as usize,
    };
    let page = cx.app.objects.list_buckets(cx.grant(), &query).await?;
    Ok(Answer::new().xml(render(&input, cx.owner(&account), &page, scope)))
}

fn render(input: &Input, owner: Owner<'_>, page: &BucketPage, scope: &[u8]) -> Writer {
    let mut w = page_writer(page.buckets.iter().map(|bucket| bucket.name.as_str().len()));
    w.root("ListAllMyBucketsResult", |w| {
        owner.write(w, "Owner");
        w.node("Buckets", |w| {
            for bucket in &page.buckets {
                w.node("Bucket", |w| {
                    w.leaf("Name", bucket.name.as_str());
                    write_time(w, "CreationDate", bucket.created);
                    w.leaf("BucketRegion", bucket.region.as_str());
                });
            }
        });
        if let Some(next) = &page.next {
            w.leaf("ContinuationToken", &token::seal(scope, next));
        }
        if let Some(prefix) = &input.prefix {
            w.leaf("Prefix", prefix);
        }
    });
    w
}

#[cfg(test)]
mod tests {
    use super::{Input, render};
    use crate::names::{AccountId, BucketName, Region};
    use crate::objects::{Bucket, BucketPage, Versioning};
    use crate::s3::owner::Owner;
    use crate::s3::query::Query;
    use crate::s3::token;
    use crate::sources::Timestamp;
    use crate::sse::BucketDefault;

    fn parse(raw: &str) -> Result<Input, String> {
        let regions = ["us-east-1", "eu-west-1"].map(|name| Region::parse(name).unwrap());
        Input::parse(&Query::parse(raw).unwrap(), &regions, b"scope").map_err(|e| e.message().to_owned())
    }

    #[test]
    fn parameters() {
        let nothing = Input { limit: 10_000, prefix: None, region: None, after: None };
        assert_eq!(parse(""), Ok(nothing));
        let token = token::seal(b"scope", "bkt");
        let all = format!("max-buckets=1&prefix=b&bucket-region=eu-west-1&continuation-token={token}");
        let region = Region::parse("eu-west-1").ok();
        let expected = Input { limit: 1, prefix: Some("b".to_owned()), region, after: Some("bkt".to_owned()) };
        assert_eq!(parse(&all), Ok(expected));
        assert_eq!(parse("continuation-token=").map(|input| input.after), Ok(None));
        assert_eq!(parse("max-buckets=10000").map(|input| input.limit), Ok(10_000));
    }

    #[test]
    fn faults() {
        for out_of_range in ["0", "10001"] {
            let expected = "Argument max-buckets must be an integer between 1 and 10000";
            assert_eq!(parse(&format!("max-buckets={out_of_range}")), Err(expected.to_owned()));
        }
        let expected = "Argument value eu-east-1 is not a valid AWS Region";
        assert_eq!(parse("bucket-region=eu-east-1"), Err(expected.to_owned()));
        let expected = "The continuation token provided is incorrect";
        assert_eq!(parse("continuation-token=bkt"), Err(expected.to_owned()));
    }

    #[test]
    fn page() {
        let bucket = Bucket {
            name: BucketName::parse("bkt").unwrap(),
            id: [0; 16],
            owner: AccountId::parse("111122223333").unwrap(),
            region: Region::parse("eu-west-1").unwrap(),
            created: Timestamp(1_795_608_000_123),
            versioning: Versioning::Never,
            encryption: BucketDefault::default(),
            ownership: None,
            policy: None,
            public_access_block: None,
            acl: None,
            requester_pays: false,
            configurations: crate::objects::Configurations::default(),
            stamp: crate::index::Stamp::default(),
        };
        let input = Input { limit: 1, prefix: Some("b&".to_owned()), region: None, after: None };
        let page = BucketPage { buckets: vec![bucket], next: Some("bkt".to_owned()) };
        let owner = Owner { id: "a1", display_name: "main" };
        let expected = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListAllMyBucketsResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>a1</ID><DisplayName>main</DisplayName>\
             </Owner><Buckets><Bucket><Name>bkt</Name><CreationDate>2026-11-25T12:00:00.123Z</CreationDate>\
             <BucketRegion>eu-west-1</BucketRegion></Bucket></Buckets><ContinuationToken>{}</ContinuationToken>\
             <Prefix>b&amp;</Prefix></ListAllMyBucketsResult>",
            token::seal(b"scope", "bkt")
        );
        assert_eq!(render(&input, owner, &page, b"scope").finish(), expected);
    }
}
