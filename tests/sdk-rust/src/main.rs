//! The AWS SDK for Rust against a gateway: every encryption mode, whole and in parts, copies from each mode to the next,
//! lists, checksums, refusals and presigned URLs. Tells one line a step; `tests/clients/test_sdk_rust.py` reads them.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier,
    ServerSideEncryption,
};
use aws_sdk_s3::{Client, Config};

type Failure = Box<dyn std::error::Error>;

const MIB: usize = 1 << 20;
const BUCKET: &str = "rust-bucket";

/// An encryption mode as arguments of a request.
#[derive(Clone, Default)]
struct Mode {
    name: &'static str,
    sse: Option<ServerSideEncryption>,
    kms_key: Option<String>,
    bucket_key: Option<bool>,
    customer: Customer,
}

/// Algorithm, key and MD5 of the key, the latter two in base64, as this SDK wants them from its user.
#[derive(Clone, Default)]
struct Customer {
    algorithm: Option<String>,
    key: Option<String>,
    md5: Option<String>,
}

/// The same setters on every builder that has them.
macro_rules! encrypted {
    ($call:expr, $mode:expr) => {
        with_customer!($call, $mode.customer)
            .set_server_side_encryption($mode.sse.clone())
            .set_ssekms_key_id($mode.kms_key.clone())
            .set_bucket_key_enabled($mode.bucket_key)
    };
}

macro_rules! with_customer {
    ($call:expr, $customer:expr) => {
        $call
            .set_sse_customer_algorithm($customer.algorithm.clone())
            .set_sse_customer_key($customer.key.clone())
            .set_sse_customer_key_md5($customer.md5.clone())
    };
}

macro_rules! from_customer {
    ($call:expr, $customer:expr) => {
        $call
            .set_copy_source_sse_customer_algorithm($customer.algorithm.clone())
            .set_copy_source_sse_customer_key($customer.key.clone())
            .set_copy_source_sse_customer_key_md5($customer.md5.clone())
    };
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn customer(suffix: &str) -> Customer {
    Customer {
        algorithm: Some("AES256".to_owned()),
        key: Some(variable(&format!("CUSTOMER_KEY{suffix}"))),
        md5: Some(variable(&format!("CUSTOMER_MD5{suffix}"))),
    }
}

fn modes() -> Vec<Mode> {
    let key = Some(variable("KMS_KEY"));
    let kms = Mode { sse: Some(ServerSideEncryption::AwsKms), ..Mode::default() };
    vec![
        Mode { name: "default", ..Mode::default() },
        Mode { name: "sse-s3", sse: Some(ServerSideEncryption::Aes256), ..Mode::default() },
        Mode { name: "sse-kms", ..kms.clone() },
        Mode { name: "sse-kms-key", kms_key: key.clone(), ..kms.clone() },
        Mode { name: "sse-kms-bucket-key", kms_key: key.clone(), bucket_key: Some(true), ..kms },
        Mode { name: "dsse-kms", sse: Some(ServerSideEncryption::AwsKmsDsse), kms_key: key, ..Mode::default() },
        Mode { name: "sse-c", customer: customer(""), ..Mode::default() },
    ]
}

/// Bytes that do not repeat with any block size.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    })
    .take(length)
    .collect()
}

fn client() -> Client {
    let credentials = Credentials::new(variable("ACCESS_KEY"), variable("SECRET_KEY"), None, None, "test");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(variable("ENDPOINT"))
        .credentials_provider(credentials)
        .force_path_style(true)
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}

/// The code of what is to be refused.
fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E>>,
) -> (u16, String) {
    let error = result.expect_err("this was to be refused");
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (status, error.code().unwrap_or("").to_owned())
}

async fn read(client: &Client, key: &str, customer: &Customer) -> Result<Vec<u8>, Failure> {
    // The SDK compares what it reads with the checksum in the answer.
    let get = client.get_object().bucket(BUCKET).key(key).checksum_mode(ChecksumMode::Enabled);
    Ok(with_customer!(get, customer).send().await?.body.collect().await?.to_vec())
}

async fn whole(client: &Client, mode: &Mode, sse: Option<ServerSideEncryption>) -> Result<(), Failure> {
    let (key, data) = (format!("whole/{}", mode.name), bytes(100_000, 1));
    let put = client.put_object().bucket(BUCKET).key(&key).body(data.clone().into());
    let put = encrypted!(put.checksum_algorithm(ChecksumAlgorithm::Sha256), mode).send().await?;
    assert_eq!(put.server_side_encryption, sse);
    assert!(put.checksum_sha256.is_some());
    if let Some(asked) = &mode.kms_key {
        assert_eq!(put.ssekms_key_id.as_ref(), Some(asked));
    }
    assert_eq!(read(client, &key, &mode.customer).await?, data);
    let head = with_customer!(client.head_object().bucket(BUCKET).key(&key), mode.customer).send().await?;
    assert_eq!((head.content_length, head.server_side_encryption), (Some(100_000), sse));
    assert_eq!(head.bucket_key_enabled, mode.bucket_key);
    let part = client.get_object().bucket(BUCKET).key(&key).range("bytes=65530-65545");
    let part = with_customer!(part, mode.customer).send().await?;
    assert_eq!(part.body.collect().await?.to_vec(), data[65_530..65_546]);
    println!("whole {}", mode.name);
    Ok(())
}

/// The second part comes from a file, so its checksum follows it in a trailer.
async fn parts(client: &Client, mode: &Mode) -> Result<(), Failure> {
    let key = format!("parts/{}", mode.name);
    let (first, last) = (bytes(5 * MIB, 2), bytes(MIB + 7, 3));
    let file = std::env::temp_dir().join(format!("strongroom-sdk-rust-{}-{}", std::process::id(), mode.name));
    std::fs::write(&file, &last)?;
    let made = client.create_multipart_upload().bucket(BUCKET).key(&key);
    let made = encrypted!(made.checksum_algorithm(ChecksumAlgorithm::Crc32), mode).send().await?;
    let id = made.upload_id.expect("an id");
    let mut done = Vec::new();
    for (number, body) in [(1, ByteStream::from(first.clone())), (2, ByteStream::from_path(&file).await?)] {
        let part = client.upload_part().bucket(BUCKET).key(&key).upload_id(&id).part_number(number).body(body);
        let part = with_customer!(part.checksum_algorithm(ChecksumAlgorithm::Crc32), mode.customer).send().await?;
        let told = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
        done.push(told.checksum_crc32(part.checksum_crc32.expect("a part's checksum")).build());
    }
    std::fs::remove_file(&file)?;
    let listed = with_customer!(client.list_parts().bucket(BUCKET).key(&key).upload_id(&id), mode.customer);
    let sizes: Vec<_> = listed.send().await?.parts().iter().filter_map(|part| part.size).collect();
    assert_eq!(sizes, [first.len() as i64, last.len() as i64]);
    let upload = CompletedMultipartUpload::builder().set_parts(Some(done)).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key(&key).upload_id(&id).multipart_upload(upload);
    with_customer!(complete, mode.customer).send().await?;
    assert_eq!(read(client, &key, &mode.customer).await?, [first, last].concat());
    println!("parts {}", mode.name);
    Ok(())
}

/// The object in parts, copied whole and by a range of it, into another mode.
async fn copied(client: &Client, from: &Mode, to: &Mode) -> Result<(), Failure> {
    let source = format!("{BUCKET}/parts/{}", from.name);
    let data = [bytes(5 * MIB, 2), bytes(MIB + 7, 3)].concat();
    let key = format!("copies/{}-{}", from.name, to.name);
    let copy = encrypted!(client.copy_object().bucket(BUCKET).key(&key).copy_source(&source), to);
    from_customer!(copy, from.customer).send().await?;
    assert_eq!(read(client, &key, &to.customer).await?, data);

    let made = client.create_multipart_upload().bucket(BUCKET).key(&key);
    let id = encrypted!(made, to).send().await?.upload_id.expect("an id");
    let mut done = Vec::new();
    for (number, range) in [(1, "bytes=1-5242880"), (2, "bytes=5242881-6000000")] {
        let part = client.upload_part_copy().bucket(BUCKET).key(&key).upload_id(&id).part_number(number);
        let part = with_customer!(part.copy_source(&source).copy_source_range(range), to.customer);
        let etag = from_customer!(part, from.customer).send().await?.copy_part_result.expect("a result").e_tag;
        done.push(CompletedPart::builder().part_number(number).set_e_tag(etag).build());
    }
    let upload = CompletedMultipartUpload::builder().set_parts(Some(done)).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key(&key).upload_id(&id).multipart_upload(upload);
    with_customer!(complete, to.customer).send().await?;
    assert_eq!(read(client, &key, &to.customer).await?, data[1..6_000_001]);
    println!("copied {} {}", from.name, to.name);
    Ok(())
}

async fn refusals(client: &Client) -> Result<(), Failure> {
    let get = || client.get_object().bucket(BUCKET);
    println!("refused absent {:?}", refused(get().key("absent").send().await));
    println!("refused forgotten {:?}", refused(get().key("whole/sse-c").send().await));
    println!("refused wrong {:?}", refused(with_customer!(get().key("whole/sse-c"), customer("_2")).send().await));
    println!("refused needless {:?}", refused(with_customer!(get().key("whole/default"), customer("")).send().await));
    let put = client.put_object().bucket(BUCKET).key("x").server_side_encryption(ServerSideEncryption::AwsKms);
    println!("refused key {:?}", refused(put.ssekms_key_id("bogus").send().await));
    let put = client.put_object().bucket(BUCKET).key("x").checksum_crc32("AAAAAA==").body(b"x".to_vec().into());
    println!("refused checksum {:?}", refused(put.send().await));
    let put = client.put_object().bucket(BUCKET).key("whole/default").if_none_match("*");
    println!("refused exists {:?}", refused(put.send().await));
    assert_eq!(refused(client.head_object().bucket(BUCKET).key("x").send().await).0, 404);
    Ok(())
}

fn tell(what: &str, mode: &Mode, url: &PresignedRequest) {
    let headers: Vec<_> = url.headers().map(|(name, value)| format!("{name}={value}")).collect();
    println!("{what} {}\t{}\t{}", mode.name, url.uri(), headers.join("\t"));
}

/// URLs to write and to read an object with; whoever reads this output uses them.
async fn presigned(client: &Client, mode: &Mode) -> Result<(), Failure> {
    let (key, soon) =
        (format!("url/{}", mode.name), PresigningConfig::expires_in(std::time::Duration::from_secs(300))?);
    let put = encrypted!(client.put_object().bucket(BUCKET).key(&key), mode).presigned(soon.clone()).await?;
    tell("put-url", mode, &put);
    let get = with_customer!(client.get_object().bucket(BUCKET).key(&key), mode.customer).presigned(soon).await?;
    tell("get-url", mode, &get);
    Ok(())
}

async fn listed(client: &Client, modes: &[Mode]) -> Result<(), Failure> {
    let mut pages = client.list_objects_v2().bucket(BUCKET).max_keys(3).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(page?.contents.unwrap_or_default());
    }
    for mode in modes {
        for (kind, size) in [("whole", 100_000), ("parts", 6 * MIB as i64 + 7)] {
            let key = format!("{kind}/{}", mode.name);
            let object = found.iter().find(|object| object.key.as_deref() == Some(&key)).expect("listed");
            assert_eq!(object.size, Some(size), "{key}");
        }
    }
    println!("listed {}", found.len());
    Ok(())
}

async fn removed(client: &Client) -> Result<(), Failure> {
    let all = client.list_objects_v2().bucket(BUCKET).send().await?.contents.unwrap_or_default();
    let name = |key: Option<String>| ObjectIdentifier::builder().key(key.unwrap_or_default()).build();
    let objects = all.into_iter().map(|object| name(object.key)).collect::<Result<Vec<_>, _>>()?;
    let delete = Delete::builder().set_objects(Some(objects)).build()?;
    let done = client.delete_objects().bucket(BUCKET).delete(delete).send().await?;
    assert!(done.errors().is_empty(), "{done:?}");
    client.delete_bucket().bucket(BUCKET).send().await?;
    println!("removed {}", done.deleted().len());
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let (client, modes) = (client(), modes());
    client.create_bucket().bucket(BUCKET).send().await?;
    for mode in &modes {
        let told = match &mode.sse {
            _ if mode.customer.key.is_some() => None,
            None => Some(ServerSideEncryption::Aes256),
            asked => asked.clone(),
        };
        whole(&client, mode, told).await?;
        parts(&client, mode).await?;
    }
    for (at, mode) in modes.iter().enumerate() {
        copied(&client, mode, &modes[(at + 1) % modes.len()]).await?;
    }
    listed(&client, &modes).await?;
    refusals(&client).await?;
    removed(&client).await?;
    // What the reader writes by URL needs its bucket again.
    client.create_bucket().bucket(BUCKET).send().await?;
    for mode in &modes {
        presigned(&client, mode).await?;
    }
    Ok(())
}
