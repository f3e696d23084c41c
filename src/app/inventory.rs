//! Inventories: lists of objects that are written into a bucket, daily or weekly, in the form and at the places that S3
//! has for them (S3 User Guide, "S3 Inventory": lists, manifests).
//!
//! A list is made page by page: in memory is one page of the listing and one file of at most [`FILE_BYTES`]. It is
//! written by S3 itself, as its own principal, so that the destination's policy has to let it in. It is made when it is
//! due, or at once when the operator asks for it (`strongroom inventory run`).

mod deliver;
mod line;

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::App;
use crate::auth::{Grant, Resource, system};
use crate::crypto::{md5, sha256};
use crate::names::{BucketName, bucket_arn, hex};
use crate::objects::{Bucket, InventoryRun, Lease, ListQuery, ListVersions, ListedVersion, ObjectsError};
use crate::policy::{NoContext, Target};
use crate::rules::ConfigurationKind;
use crate::rules::inventory::{Frequency, Inventory};
use crate::rules::lifecycle::Lifecycle;
use crate::sources::Timestamp;
use crate::wire::iso8601_seconds;
use deliver::{Delivery, Refused};
use line::Line;

/// Whose lease it is.
const JOB: &str = "inventory";
/// How long the lease is held without being renewed.
const LEASE: Duration = Duration::from_secs(60);
/// Bytes from which on a compressed file is closed and another is begun.
const FILE_BYTES: usize = 8 << 20;
/// Objects of one read.
const PAGE: usize = 1_000;
/// Configurations of one read.
const CONFIGURATIONS: usize = 100;
/// Of the manifest's form.
const MANIFEST_VERSION: &str = "2016-11-30";

/// A list that was made.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(crate) struct ListMade {
    /// The bucket that it was written to.
    #[n(0)]
    pub(crate) bucket: String,
    /// The key of its manifest.
    #[n(1)]
    pub(crate) manifest: String,
    /// Its files.
    #[n(2)]
    pub(crate) files: u64,
    /// The objects, or versions, that it lists.
    #[n(3)]
    pub(crate) objects: u64,
}

/// Why a list was not made.
#[derive(Debug)]
enum Failed {
    /// Where it should go it may not, or cannot.
    Refused(Refused),
    Objects(ObjectsError),
    /// Another process has the lease, or the bucket has changed: it is made later.
    Lost,
}

impl From<ObjectsError> for Failed {
    fn from(error: ObjectsError) -> Self {
        Self::Objects(error)
    }
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// For the log, and the operator.
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Objects(error) => write!(f, "{error:?}"),
            Self::Lost => f.write_str("another gateway makes inventories now, or the bucket has changed: try again"),
        }
    }
}

/// Makes the lists that are due at `now`; tells how many. None if another process does it.
pub(crate) async fn pass(app: &App, now: Timestamp) -> Result<Option<u64>, ObjectsError> {
    pass_of(app, now, FILE_BYTES).await
}

/// As [`pass`], with files of another size.
pub(crate) async fn pass_of(app: &App, now: Timestamp, file_bytes: usize) -> Result<Option<u64>, ObjectsError> {
    let Ok(_turn) = app.inventories.acquire().await else { return Ok(None) };
    let Some(mut lease) = app.objects.take_lease(JOB, LEASE).await? else { return Ok(None) };
    let mut made = 0;
    let outcome = lists(&mut Making { app, lease: &mut lease, file_bytes }, now, &mut made).await;
    app.objects.give_up_lease(lease).await?;
    outcome.map(|()| Some(made))
}

/// Makes the list of one inventory, whatever its schedule and whether it is switched on; it counts as the one of its day
/// or week. The error is for the operator.
pub(crate) async fn make_now(app: &App, bucket: &str, id: &str) -> Result<ListMade, String> {
    let no_bucket = || format!("there is no bucket {bucket:?}");
    let name = BucketName::parse(bucket).map_err(|_| no_bucket())?;
    let Ok(_turn) = app.inventories.acquire().await else { return Err(Failed::Lost.to_string()) };
    let lease = app.objects.take_lease(JOB, LEASE).await.map_err(|error| format!("{error:?}"))?;
    let mut lease = lease.ok_or_else(|| Failed::Lost.to_string())?;
    let made = async {
        let bucket = app.objects.bucket(&name).await.map_err(|error| match error {
            ObjectsError::NoSuchBucket => no_bucket(),
            error => format!("{error:?}"),
        })?;
        let inventory = app.objects.named_configuration::<Inventory>(&bucket, id).await;
        let inventory = inventory.map_err(|error| format!("{error:?}"))?;
        let inventory = inventory.ok_or_else(|| format!("the bucket {name} has no inventory {id:?}"))?;
        let now = app.sources.now();
        let begun = app.objects.inventory_run(&bucket, id).await.map_err(|error| format!("{error:?}"))?;
        // One that was cut off today is written over, not beside.
        let run =
            begun.filter(|run| run.is_of(Frequency::Daily, now) && !run.done).unwrap_or_else(|| new_run(app, now));
        let mut making = Making { app, lease: &mut lease, file_bytes: FILE_BYTES };
        list(&mut making, (&bucket, id, &inventory), run).await.map_err(|failed| failed.to_string())
    };
    let made = made.await;
    app.objects.give_up_lease(lease).await.map_err(|error| format!("{error:?}"))?;
    made
}

fn new_run(app: &App, now: Timestamp) -> InventoryRun {
    InventoryRun { started_ms: now.0, seed: app.sources.random(), done: false }
}

/// What making lists needs.
struct Making<'a> {
    app: &'a App,
    lease: &'a mut Lease,
    /// See [`FILE_BYTES`].
    file_bytes: usize,
}

async fn lists(making: &mut Making<'_>, now: Timestamp, made: &mut u64) -> Result<(), ObjectsError> {
    let (app, mut after) = (making.app, None);
    loop {
        let (names, last) = app.objects.buckets_with(ConfigurationKind::Inventory, after.as_deref()).await?;
        for name in names {
            let bucket = match app.objects.bucket(&name).await {
                Err(ObjectsError::NoSuchBucket) => continue,
                other => other?,
            };
            match lists_of(making, &bucket, now).await {
                Ok(of_bucket) => *made += of_bucket,
                Err(Failed::Lost) => return Ok(()),
                Err(Failed::Refused(refused)) => {
                    tracing::warn!(bucket = name.as_str(), %refused, "inventories could not be made");
                }
                Err(Failed::Objects(error)) => {
                    tracing::error!(bucket = name.as_str(), ?error, "inventories could not be made");
                }
            }
        }
        let Some(last) = last else { return Ok(()) };
        after = Some(last);
    }
}

async fn lists_of(making: &mut Making<'_>, bucket: &Bucket, now: Timestamp) -> Result<u64, Failed> {
    let app = making.app;
    let (objects, mut made, mut ids) = (&app.objects, 0, Vec::<String>::new());
    loop {
        let after = ids.last().cloned();
        let page = objects.named_configurations::<Inventory>(bucket, after.as_deref(), CONFIGURATIONS).await?;
        let last = page.len() < CONFIGURATIONS;
        for (id, inventory) in page {
            ids.push(id.clone());
            if !inventory.enabled {
                continue;
            }
            let run = match objects.inventory_run(bucket, &id).await? {
                Some(run) if run.is_of(inventory.frequency, now) && run.done => continue,
                Some(run) if run.is_of(inventory.frequency, now) => run,
                _ => new_run(app, now),
            };
            match list(making, (bucket, &id, &inventory), run).await {
                Ok(_) => made += 1,
                // It is tried again with the next pass.
                Err(Failed::Refused(refused)) => {
                    let (bucket, to) = (bucket.name.as_str(), &inventory.destination.bucket);
                    tracing::warn!(bucket, id, to, %refused, "an inventory could not be delivered");
                }
                Err(other) => return Err(other),
            }
        }
        if last {
            objects.forget_inventory_runs(bucket, &ids).await?;
            return Ok(made);
        }
    }
}

/// One list on its way.
struct List<'a> {
    delivery: Delivery<'a>,
    /// What its keys begin with.
    place: String,
    seed: [u8; 16],
    file: GzEncoder<Vec<u8>>,
    lines: u64,
    files: Vec<File>,
}

/// A file that is written.
struct File {
    key: String,
    bytes: usize,
    md5: String,
}

/// Makes one list.
async fn list(
    making: &mut Making<'_>,
    (bucket, id, inventory): (&Bucket, &str, &Inventory),
    run: InventoryRun,
) -> Result<ListMade, Failed> {
    let Making { app, lease, file_bytes } = making;
    let objects = &app.objects;
    let delivery = Delivery::new(app, bucket, &inventory.destination, run.started()).await?;
    if !objects.note_inventory_run(lease, bucket, id, &run).await? {
        return Err(Failed::Lost);
    }
    let rules = objects.configuration::<Lifecycle>(bucket).await?;
    let place = inventory.place(bucket.name.as_str(), id);
    let mut list = List { delivery, place, seed: run.seed, file: empty_file(), lines: 0, files: Vec::new() };
    let mut listed = 0;
    let line = Line { app, bucket, inventory, rules: rules.as_deref() };
    let mut pages = Pages::new(app, bucket, inventory);
    while let Some(page) = pages.next(app, bucket).await? {
        for version in &page {
            let text = line.of(version);
            list.file.write_all(text.as_bytes()).map_err(|error| ObjectsError::Internal(error.to_string()))?;
            list.lines += 1;
            listed += 1;
            if list.file.get_ref().len() >= *file_bytes {
                list.close_file().await?;
            }
        }
        if !objects.hold(lease).await? {
            return Err(Failed::Lost);
        }
        tokio::task::yield_now().await;
    }
    // A bucket without objects has a list too, of one empty file.
    if list.lines > 0 || list.files.is_empty() {
        list.close_file().await?;
    }
    let manifest = list.close((bucket, inventory), run.started()).await?;
    // The bucket may have changed since; that the list was made is so all the same.
    let now = objects.bucket(&bucket.name).await?;
    let done = InventoryRun { done: true, ..run };
    if now.id != bucket.id || !objects.note_inventory_run(lease, &now, id, &done).await? {
        return Err(Failed::Lost);
    }
    let files = list.files.len() as u64;
    tracing::info!(bucket = bucket.name.as_str(), id, files, objects = listed, "made an inventory");
    Ok(ListMade { bucket: inventory.destination.bucket.clone(), manifest, files, objects: listed })
}

fn empty_file() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::fast())
}

impl List<'_> {
    /// Writes the file that is open, and opens another.
    async fn close_file(&mut self) -> Result<(), Failed> {
        let file = std::mem::replace(&mut self.file, empty_file());
        let bytes = file.finish().map_err(|error| ObjectsError::Internal(error.to_string()))?;
        self.lines = 0;
        let key = format!("{}/data/{}.csv.gz", self.place, file_name(&self.seed, self.files.len()));
        let (plain_len, md5) = (bytes.len(), hex(&md5(&bytes)));
        self.delivery.put(&key, None, bytes).await?;
        self.files.push(File { key, bytes: plain_len, md5 });
        Ok(())
    }

    /// Writes what tells of the files: the list for Hive, and the manifest with its checksum last, since whoever waits
    /// for the list waits for it. The manifest's key.
    async fn close(&self, (bucket, inventory): (&Bucket, &Inventory), started: Timestamp) -> Result<String, Failed> {
        let at = iso8601_seconds(started);
        let (day, hour, minute) = (&at[..10], &at[11..13], &at[14..16]);
        let destination = &inventory.destination.bucket;
        let links: String = self.files.iter().map(|file| format!("s3://{destination}/{}\n", file.key)).collect();
        let key = format!("{}/hive/dt={day}-{hour}-{minute}/symlink.txt", self.place);
        self.delivery.put(&key, Some("text/plain"), links.into_bytes()).await?;
        let files: Vec<_> = self
            .files
            .iter()
            .map(|file| json!({"key": file.key, "size": file.bytes, "MD5checksum": file.md5}))
            .collect();
        let manifest = json!({
            "sourceBucket": bucket.name.as_str(),
            "destinationBucket": format!("arn:aws:s3:::{destination}"),
            "version": MANIFEST_VERSION,
            "creationTimestamp": started.0.to_string(),
            "fileFormat": "CSV",
            "fileSchema": inventory.columns().join(", "),
            "files": files,
        });
        let manifest =
            serde_json::to_vec_pretty(&manifest).map_err(|error| ObjectsError::Internal(error.to_string()))?;
        let checksum = hex(&md5(&manifest));
        let folder = format!("{}/{day}T{hour}-{minute}Z", self.place);
        let key = format!("{folder}/manifest.json");
        self.delivery.put(&key, Some("application/json"), manifest).await?;
        self.delivery.put(&format!("{folder}/manifest.checksum"), Some("text/plain"), checksum.into_bytes()).await?;
        Ok(key)
    }
}

/// A UUID that follows from the run and the file's number.
fn file_name(seed: &[u8; 16], number: usize) -> String {
    let hash = sha256(&[&seed[..], &number.to_be_bytes()].concat());
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    (id[6], id[8]) = (id[6] & 0x0f | 0x40, id[8] & 0x3f | 0x80);
    let id = hex(&id);
    format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
}

/// The pages of the listing.
struct Pages {
    grant: Grant,
    query: ListVersions,
    all_versions: bool,
    ended: bool,
}

impl Pages {
    fn new(app: &App, bucket: &Bucket, inventory: &Inventory) -> Self {
        let action = if inventory.all_versions { "s3:ListBucketVersions" } else { "s3:ListBucket" };
        let access = system("inventory", bucket.region.clone(), app.sources.now());
        let resource = Resource { arn: bucket_arn(&bucket.name), owner: bucket.owner.clone() };
        let grant = access.authorize(action, resource, &Target::Account, &NoContext);
        let grant = grant.expect("the program's own jobs may do all");
        let prefix = inventory.prefix.clone().unwrap_or_default();
        let query =
            ListVersions { query: ListQuery { prefix, limit: PAGE, ..ListQuery::default() }, after_version: None };
        Self { grant, query, all_versions: inventory.all_versions, ended: false }
    }

    async fn next(&mut self, app: &App, bucket: &Bucket) -> Result<Option<Vec<ListedVersion>>, ObjectsError> {
        if self.ended {
            return Ok(None);
        }
        if self.all_versions {
            let page = app.objects.list_versions(&self.grant, bucket, &self.query).await?;
            match page.next {
                Some((key, version)) => (self.query.query.after, self.query.after_version) = (key, version),
                None => self.ended = true,
            }
            return Ok(Some(page.versions));
        }
        let page = app.objects.list(&self.grant, bucket, &self.query.query).await?;
        match page.next {
            Some(key) => self.query.query.after = key,
            None => self.ended = true,
        }
        let current = |info| ListedVersion::Object { info: Box::new(info), latest: true };
        Ok(Some(page.objects.into_iter().map(current).collect()))
    }
}
