//! The XML of what a bucket has several of, by id: analytics, metrics, intelligent tiering. Pure.

use std::collections::HashSet;

use super::code::Code;
use super::document::{malformed, optional_text, optional_word, required, switch, text, word};
use super::error::Error;
use super::tags;
use crate::names::{AccountId, BucketName};
use crate::rules::BucketConfiguration;
use crate::rules::analytics::{Analytics, AnalyticsExport};
use crate::rules::filter::ObjectFilter;
use crate::rules::intelligent_tiering::{ArchiveTier, IntelligentTiering, TIER_MAX_DAYS, Tiering};
use crate::rules::metrics::Metrics;
use crate::wire::xml::{Element, Writer};

/// The one version and the one format of reports that there are.
const SCHEMA_VERSION: &str = "V_1";
const FORMAT: &str = "CSV";

/// A kind of configuration with an id, as a document.
pub(crate) trait Document: BucketConfiguration {
    /// Of one.
    const ROOT: &'static str;
    /// Of a page of them.
    const LIST_ROOT: &'static str;
    /// Its children besides the id.
    const CHILDREN: &'static [&'static str];

    /// Reads it, apart from its id.
    fn parse(root: &Element) -> Result<Self, Error>;

    /// Prints it, apart from its id, which stands first.
    fn write(&self, w: &mut Writer);
}

impl Document for Analytics {
    const ROOT: &'static str = "AnalyticsConfiguration";
    const LIST_ROOT: &'static str = "ListBucketAnalyticsConfigurationResult";
    const CHILDREN: &'static [&'static str] = &["Filter", "StorageClassAnalysis"];

    fn parse(root: &Element) -> Result<Self, Error> {
        let filter = filter(root, false)?;
        let analysis = required(root, "StorageClassAnalysis")?;
        analysis.expect_only(&["DataExport"])?;
        Ok(Self { filter, export: analysis.at_most_one("DataExport")?.map(parse_export).transpose()? })
    }

    fn write(&self, w: &mut Writer) {
        write_filter(w, self.filter.as_ref());
        w.node("StorageClassAnalysis", |w| {
            let Some(export) = &self.export else { return };
            w.node("DataExport", |w| {
                w.leaf("OutputSchemaVersion", SCHEMA_VERSION);
                w.node("Destination", |w| {
                    w.node("S3BucketDestination", |w| write_destination(w, export));
                });
            });
        });
    }
}

fn parse_export(element: &Element) -> Result<AnalyticsExport, Error> {
    element.expect_only(&["OutputSchemaVersion", "Destination"])?;
    let destination = required(element, "Destination")?;
    destination.expect_only(&["S3BucketDestination"])?;
    let bucket = required(destination, "S3BucketDestination")?;
    bucket.expect_only(&["Format", "BucketAccountId", "Bucket", "Prefix"])?;
    if word(element, "OutputSchemaVersion")? != SCHEMA_VERSION || word(bucket, "Format")? != FORMAT {
        return Err(malformed());
    }
    let arn = word(bucket, "Bucket")?;
    if arn.strip_prefix("arn:aws:s3:::").is_none_or(|name| BucketName::parse(name).is_err()) {
        return Err(Error::new(Code::InvalidS3DestinationBucket));
    }
    let account = optional_word(bucket, "BucketAccountId")?;
    if account.is_some_and(|account| AccountId::parse(account).is_err()) {
        return Err(malformed());
    }
    Ok(AnalyticsExport { bucket: arn.to_owned(), account: account.map(str::to_owned), prefix: prefix(bucket)? })
}

fn write_destination(w: &mut Writer, export: &AnalyticsExport) {
    w.leaf("Format", FORMAT);
    if let Some(account) = &export.account {
        w.leaf("BucketAccountId", account);
    }
    w.leaf("Bucket", &export.bucket);
    if let Some(prefix) = &export.prefix {
        w.leaf("Prefix", prefix);
    }
}

impl Document for Metrics {
    const ROOT: &'static str = "MetricsConfiguration";
    const LIST_ROOT: &'static str = "ListMetricsConfigurationsResult";
    const CHILDREN: &'static [&'static str] = &["Filter"];

    fn parse(root: &Element) -> Result<Self, Error> {
        Ok(Self { filter: filter(root, true)? })
    }

    fn write(&self, w: &mut Writer) {
        write_filter(w, self.filter.as_ref());
    }
}

impl Document for IntelligentTiering {
    const ROOT: &'static str = "IntelligentTieringConfiguration";
    const LIST_ROOT: &'static str = "ListBucketIntelligentTieringConfigurationsOutput";
    const CHILDREN: &'static [&'static str] = &["Filter", "Status", "Tiering"];

    fn parse(root: &Element) -> Result<Self, Error> {
        let tierings = root.all("Tiering").map(parse_tiering).collect::<Result<Vec<_>, Error>>()?;
        let twice = tierings.iter().enumerate().any(|(at, one)| tierings[..at].iter().any(|it| it.tier == one.tier));
        if tierings.is_empty() || twice {
            return Err(malformed());
        }
        Ok(Self { filter: filter(root, false)?, enabled: switch(root, "Status", ["Enabled", "Disabled"])?, tierings })
    }

    fn write(&self, w: &mut Writer) {
        write_filter(w, self.filter.as_ref());
        w.leaf("Status", if self.enabled { "Enabled" } else { "Disabled" });
        for tiering in &self.tierings {
            w.node("Tiering", |w| {
                w.number("Days", tiering.days.into()).leaf("AccessTier", tiering.tier.name());
            });
        }
    }
}

fn parse_tiering(element: &Element) -> Result<Tiering, Error> {
    element.expect_only(&["Days", "AccessTier"])?;
    let tier = ArchiveTier::parse(word(element, "AccessTier")?).ok_or_else(malformed)?;
    let text = word(element, "Days")?;
    let days: i64 = text.parse().map_err(|_| malformed())?;
    let days = u32::try_from(days).ok().filter(|days| (tier.min_days()..=TIER_MAX_DAYS).contains(days));
    // The text is not recorded.
    let out_of_range = || {
        let message = format!("Days of {} must be between {} and {TIER_MAX_DAYS}", tier.name(), tier.min_days());
        Error::invalid_argument(message, "Days", text)
    };
    Ok(Tiering { tier, days: days.ok_or_else(out_of_range)? })
}

/// A prefix keeps its blanks.
fn prefix(element: &Element) -> Result<Option<String>, Error> {
    Ok(optional_text(element, "Prefix")?.map(str::to_owned))
}

/// `access_points`: requests through one are a condition too.
fn filter(root: &Element, access_points: bool) -> Result<Option<ObjectFilter>, Error> {
    let Some(element) = root.at_most_one("Filter")? else { return Ok(None) };
    let single = if access_points { &["Prefix", "Tag", "AccessPointArn"][..] } else { &["Prefix", "Tag"] };
    // A filter is one condition, a conjunction at least two.
    let filter = match element.at_most_one("And")? {
        Some(and) if element.children.len() == 1 => ObjectFilter { and: true, ..conditions(and, single)? },
        Some(_) => return Err(malformed()),
        None => conditions(element, single)?,
    };
    match filter.conditions() {
        1 if !filter.and => Ok(Some(filter)),
        2.. if filter.and => Ok(Some(filter)),
        _ => Err(malformed()),
    }
}

fn conditions(element: &Element, names: &[&str]) -> Result<ObjectFilter, Error> {
    element.expect_only(names)?;
    let tags = element.all("Tag").map(|tag| {
        tag.expect_only(&["Key", "Value"])?;
        Ok((text(tag, "Key")?.to_owned(), text(tag, "Value")?.to_owned()))
    });
    let tags = tags.collect::<Result<Vec<_>, Error>>()?;
    let mut seen = HashSet::new();
    if !tags.iter().all(|(key, _)| seen.insert(key)) {
        return Err(Error::invalid_request("Duplicate Tag Keys are not allowed."));
    }
    tags::check_pairs(&tags)?;
    let access_point = optional_word(element, "AccessPointArn")?;
    if access_point.is_some_and(|arn| !arn.starts_with("arn:") || !arn.contains(":accesspoint/")) {
        return Err(Error::invalid_argument(
            "The ARN could not be parsed",
            "AccessPointArn",
            access_point.unwrap_or(""),
        ));
    }
    let access_point = access_point.map(str::to_owned);
    Ok(ObjectFilter { prefix: prefix(element)?, tags, access_point, and: false })
}

fn write_filter(w: &mut Writer, filter: Option<&ObjectFilter>) {
    let Some(filter) = filter else { return };
    w.node("Filter", |w| match filter.and {
        true => {
            w.node("And", |w| write_conditions(w, filter));
        }
        false => write_conditions(w, filter),
    });
}

fn write_conditions(w: &mut Writer, filter: &ObjectFilter) {
    if let Some(prefix) = &filter.prefix {
        w.leaf("Prefix", prefix);
    }
    for (key, value) in &filter.tags {
        w.node("Tag", |w| {
            w.leaf("Key", key).leaf("Value", value);
        });
    }
    if let Some(arn) = &filter.access_point {
        w.leaf("AccessPointArn", arn);
    }
}
