// Objects with the AWS SDK for JavaScript in every encryption mode: buffers and streams, managed uploads in parts, ranges,
// copies, lists, checksums, presigned URLs, refusals. Prints one JSON line a step; test_sdk_javascript.py says what they are.
"use strict";

const { createHash } = require("node:crypto");
const { Readable } = require("node:stream");
const { Upload } = require("@aws-sdk/lib-storage");
const s3Sdk = require("@aws-sdk/client-s3");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const MIB = 1 << 20;
const Bucket = "js-objects";
const key = process.env.KMS_KEY;
const client = new s3Sdk.S3Client({
  endpoint: process.env.ENDPOINT,
  region: "us-east-1",
  credentials: { accessKeyId: process.env.ADMIN_KEY, secretAccessKey: process.env.ADMIN_SECRET },
  forcePathStyle: true,
  maxAttempts: 1,
});

// The SDK makes base64 and MD5 of the key itself.
const customer = (letter) => ({ SSECustomerAlgorithm: "AES256", SSECustomerKey: letter.repeat(32) });
const asSource = (read) => Object.fromEntries(Object.entries(read).map(([name, value]) => [`CopySource${name}`, value]));
const modes = {
  default: { write: {}, read: {} },
  "sse-s3": { write: { ServerSideEncryption: "AES256" }, read: {} },
  "sse-kms-key": { write: { ServerSideEncryption: "aws:kms", SSEKMSKeyId: key }, read: {} },
  "bucket-key": { write: { ServerSideEncryption: "aws:kms", SSEKMSKeyId: key, BucketKeyEnabled: true }, read: {} },
  "sse-c": { write: customer("k"), read: customer("k") },
};

const send = (name, args) => client.send(new s3Sdk[`${name}Command`]({ Bucket, ...args }));
const tell = (step, told) => console.log(JSON.stringify({ step, ...told }));
const sha256 = (data) => createHash("sha256").update(data).digest("hex");

function bytes(length, seed) {
  const out = Buffer.alloc(length);
  for (let at = 0; at < length; at++) out[at] = (at * 31 + (at >> 8) * 7 + seed) & 255;
  return out;
}

async function refused(call) {
  try {
    await call;
  } catch (error) {
    return [error.$metadata?.httpStatusCode, error.name];
  }
  return "nothing was refused";
}

async function read(Key, args) {
  const got = await send("GetObject", { Key, ChecksumMode: "ENABLED", ...args });
  return Buffer.from(await got.Body.transformToByteArray());
}

/** A stream whose length nobody knows, in pieces that meet no border. */
async function* pieces(data) {
  for (let at = 0; at < data.length; at += 99_991) yield data.subarray(at, at + 99_991);
}

async function one(name, { write, read: reading }) {
  const small = bytes(70_000, 1);
  const put = await send("PutObject", { Key: `${name}/small`, Body: small, ChecksumAlgorithm: "SHA256", ...write });
  // Over plain http too, a stream is framed: its checksum follows in a trailer.
  const framed = await send("PutObject", {
    Key: `${name}/framed`,
    Body: Readable.from(pieces(small)),
    ContentLength: small.length,
    ...write,
  });
  const head = await send("HeadObject", { Key: `${name}/small`, ...reading });
  const range = await read(`${name}/framed`, { Range: "bytes=65530-65545", ...reading });

  const large = bytes(6 * MIB + 3, 2);
  const upload = new Upload({
    client,
    params: { Bucket, Key: `${name}/large`, Body: Readable.from(pieces(large)), ...write },
    partSize: 5 * MIB,
    queueSize: 2,
    leavePartsOnError: false,
  });
  const loaded = [];
  upload.on("httpUploadProgress", (progress) => loaded.push(progress.loaded));
  const done = await upload.done();
  const parts = await send("GetObjectAttributes", {
    Key: `${name}/large`,
    ObjectAttributes: ["ObjectParts", "ObjectSize"],
    ...reading,
  });
  tell(name, {
    small: sha256(await read(`${name}/small`, reading)) === sha256(small),
    framed: sha256(await read(`${name}/framed`, reading)) === sha256(small),
    range: range.equals(small.subarray(65_530, 65_546)),
    large: sha256(await read(`${name}/large`, reading)) === sha256(large),
    checksums: Boolean(put.ChecksumSHA256) && Boolean(framed.ChecksumCRC32),
    sse: head.ServerSideEncryption ?? head.SSECustomerAlgorithm + " of the customer",
    key: head.SSEKMSKeyId === key,
    bucketKey: head.BucketKeyEnabled ?? false,
    length: head.ContentLength,
    loaded: Math.max(...loaded) === large.length,
    etag: done.ETag.endsWith('-2"'),
    parts: [parts.ObjectParts?.TotalPartsCount, parts.ObjectSize === large.length],
  });
}

/** Copies from each mode to the next, whole and by range. */
async function copies() {
  const names = Object.keys(modes);
  const told = [];
  for (const [at, from] of names.entries()) {
    const to = names[(at + 1) % names.length];
    const CopySource = `${Bucket}/${from}/large`;
    const given = { CopySource, ...modes[to].write, ...asSource(modes[from].read) };
    await send("CopyObject", { Key: `${to}/copied`, MetadataDirective: "REPLACE", Metadata: { from }, ...given });
    const got = await read(`${to}/copied`, modes[to].read);
    const { UploadId } = await send("CreateMultipartUpload", { Key: `${to}/composed`, ...modes[to].write });
    const part = await send("UploadPartCopy", {
      Key: `${to}/composed`,
      UploadId,
      PartNumber: 1,
      CopySource,
      CopySourceRange: "bytes=1-6000000",
      ...modes[to].read,
      ...asSource(modes[from].read),
    });
    const Parts = [{ PartNumber: 1, ETag: part.CopyPartResult.ETag }];
    await send("CompleteMultipartUpload", { Key: `${to}/composed`, UploadId, MultipartUpload: { Parts } });
    const composed = await read(`${to}/composed`, modes[to].read);
    const large = bytes(6 * MIB + 3, 2);
    told.push([from, to, got.equals(large), composed.equals(large.subarray(1, 6_000_001))]);
  }
  tell("copies", { told });
}

const md5 = (text) => createHash("md5").update(text).digest("base64");
const sse = "x-amz-server-side-encryption";

/** The headers of encryption arguments. The presigner signs them as headers: whoever uses the URL sends them. */
const headersOf = (args) =>
  Object.fromEntries(
    [
      [sse, args.ServerSideEncryption],
      [`${sse}-aws-kms-key-id`, args.SSEKMSKeyId],
      [`${sse}-bucket-key-enabled`, args.BucketKeyEnabled && "true"],
      [`${sse}-customer-algorithm`, args.SSECustomerAlgorithm],
      [`${sse}-customer-key`, args.SSECustomerKey && Buffer.from(args.SSECustomerKey).toString("base64")],
      [`${sse}-customer-key-md5`, args.SSECustomerKey && md5(args.SSECustomerKey)],
    ].filter(([, value]) => value),
  );

/** URLs used by fetch, which sends just the headers that are given. */
async function urls() {
  const told = {};
  for (const [name, { write, read: reading }] of Object.entries(modes)) {
    const sign = (command, args) => {
      const named = new s3Sdk[`${command}Command`]({ Bucket, Key: `url/${name}`, ...args });
      const unhoistableHeaders = new Set(Object.keys(headersOf(args)));
      return getSignedUrl(client, named, { expiresIn: 60, unhoistableHeaders });
    };
    const url = await sign("PutObject", write);
    const put = await fetch(url, { method: "PUT", body: "by url", headers: headersOf(write) });
    const got = await fetch(await sign("GetObject", reading), { headers: headersOf(reading) });
    const head = await send("HeadObject", { Key: `url/${name}`, ...reading });
    const shown = [head.ServerSideEncryption ?? "customer", head.SSEKMSKeyId === key];
    // Without a header that was signed.
    const less = Object.keys(headersOf(write)).length ? (await fetch(url, { method: "PUT", body: "x" })).status : 403;
    told[name] = [put.status, got.status, await got.text(), ...shown, less];
  }
  tell("urls", { told });
}

async function main() {
  await send("CreateBucket", {});
  for (const [name, mode] of Object.entries(modes)) await one(name, mode);
  await copies();
  const sizes = {};
  for await (const page of s3Sdk.paginateListObjectsV2({ client, pageSize: 4 }, { Bucket })) {
    for (const { Key, Size } of page.Contents) sizes[Key] = Size;
  }
  tell("listed", { sizes });
  await urls();
  const get = (Key, args) => refused(send("GetObject", { Key, ...args }));
  tell("refused", {
    absent: await get("absent"),
    forgotten: await get("sse-c/small"),
    wrong: await get("sse-c/small", customer("w")),
    needless: await get("default/small", customer("k")),
    unknownKey: await refused(send("PutObject", { Key: "x", ServerSideEncryption: "aws:kms", SSEKMSKeyId: "bogus" })),
    exists: await refused(send("PutObject", { Key: "default/small", IfNoneMatch: "*" })),
    badDigest: await refused(send("PutObject", { Key: "x", Body: "x", ChecksumCRC32: "AAAAAA==" })),
  });
  const { Contents } = await send("ListObjectsV2", {});
  const { Deleted } = await send("DeleteObjects", { Delete: { Objects: Contents.map(({ Key }) => ({ Key })) } });
  await send("DeleteBucket", {});
  tell("removed", { all: Deleted.length === Contents.length });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
