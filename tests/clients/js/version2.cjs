// Objects with version 2 of the AWS SDK for JavaScript, which is past its end of support and in use all the same: promises,
// callbacks, streams, managed uploads, presigned URLs and forms, in every encryption mode. Prints one JSON line a step;
// test_sdk_javascript.py says what they are.
"use strict";

process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = "1";
const { createHash } = require("node:crypto");
const { Readable } = require("node:stream");
const AWS = require("aws-sdk");

const MIB = 1 << 20;
const Bucket = "js-version-2";
const key = process.env.KMS_KEY;
const common = {
  endpoint: process.env.ENDPOINT,
  region: "us-east-1",
  accessKeyId: process.env.ADMIN_KEY,
  secretAccessKey: process.env.ADMIN_SECRET,
  maxRetries: 0,
};
// The customer's key goes over https only, says this SDK, unless it is told that nothing is encrypted on the way.
const s3 = new AWS.S3({ ...common, s3ForcePathStyle: true, signatureVersion: "v4", params: { Bucket } });

const modes = {
  default: { write: {}, read: {} },
  "sse-s3": { write: { ServerSideEncryption: "AES256" }, read: {} },
  "sse-kms-key": { write: { ServerSideEncryption: "aws:kms", SSEKMSKeyId: key }, read: {} },
  "bucket-key": { write: { ServerSideEncryption: "aws:kms", SSEKMSKeyId: key, BucketKeyEnabled: true }, read: {} },
  "sse-c": {
    write: { SSECustomerAlgorithm: "AES256", SSECustomerKey: "k".repeat(32) },
    read: { SSECustomerAlgorithm: "AES256", SSECustomerKey: "k".repeat(32) },
  },
};

const tell = (step, told) => console.log(JSON.stringify({ step, ...told }));

function bytes(length, seed) {
  const out = Buffer.alloc(length);
  for (let at = 0; at < length; at++) out[at] = (at * 31 + (at >> 8) * 7 + seed) & 255;
  return out;
}

async function collected(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function refused(request) {
  try {
    await request.promise();
  } catch (error) {
    return [error.statusCode, error.code];
  }
  return "nothing was refused";
}

async function one(name, { write, read }) {
  const small = bytes(70_000, 1);
  const large = bytes(6 * MIB + 3, 2);
  await s3.putObject({ Key: `${name}/small`, Body: small, Metadata: { mode: name }, ...write }).promise();
  // Of a length that nobody knows: in parts, each with what the object is to be encrypted with.
  const upload = s3.upload({ Key: `${name}/large`, Body: Readable.from([large]), ...write }, { partSize: 5 * MIB });
  const loaded = [];
  upload.on("httpUploadProgress", (progress) => loaded.push(progress.loaded));
  const done = await upload.promise();
  const head = await s3.headObject({ Key: `${name}/small`, ...read }).promise();
  const whole = await s3.getObject({ Key: `${name}/large`, ...read }).promise();
  const range = await s3.getObject({ Key: `${name}/large`, Range: "bytes=5242870-5242889", ...read }).promise();
  const streamed = await collected(s3.getObject({ Key: `${name}/small`, ...read }).createReadStream());
  tell(name, {
    small: streamed.equals(small),
    large: whole.Body.equals(large),
    range: range.Body.equals(large.subarray(5_242_870, 5_242_890)),
    metadata: head.Metadata.mode === name,
    sse: head.ServerSideEncryption ?? head.SSECustomerAlgorithm + " of the customer",
    key: head.SSEKMSKeyId === key,
    bucketKey: head.BucketKeyEnabled ?? false,
    length: head.ContentLength,
    loaded: Math.max(...loaded) === large.length,
    etag: done.ETag.endsWith('-2"'),
    location: done.Location === `${process.env.ENDPOINT}/${Bucket}/${name}/large`,
  });
}

/** Copies from each mode to the next. */
async function copies() {
  const names = Object.keys(modes);
  const told = [];
  for (const [at, from] of names.entries()) {
    const to = names[(at + 1) % names.length];
    const source = Object.fromEntries(Object.entries(modes[from].read).map(([k, v]) => [`CopySource${k}`, v]));
    const given = { CopySource: `${Bucket}/${from}/large`, ...modes[to].write, ...source };
    await s3.copyObject({ Key: `${to}/copied`, ...given }).promise();
    const got = await s3.getObject({ Key: `${to}/copied`, ...modes[to].read }).promise();
    told.push([from, to, got.Body.equals(bytes(6 * MIB + 3, 2))]);
  }
  tell("copies", { told });
}

async function urlsAndForms() {
  const put = await s3.getSignedUrlPromise("putObject", { Key: "url", Expires: 60, ServerSideEncryption: "aws:kms" });
  const headers = { "x-amz-server-side-encryption": "aws:kms" };
  const sent = await fetch(put, { method: "PUT", body: "by url", headers });
  const got = await fetch(s3.getSignedUrl("getObject", { Key: "url", Expires: 60 }));
  const form = s3.createPresignedPost({
    Fields: { key: "form", ...headers },
    Conditions: [["content-length-range", 1, 100]],
    Expires: 60,
  });
  const body = new FormData();
  for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
  body.append("file", new Blob(["by form"]));
  const posted = await fetch(form.url, { method: "POST", body });
  const read = await s3.getObject({ Key: "form" }).promise();
  tell("urls", {
    put: sent.status,
    got: await got.text(),
    posted: posted.status,
    read: read.Body.toString(),
    sse: [(await s3.headObject({ Key: "url" }).promise()).ServerSideEncryption, read.ServerSideEncryption],
  });
}

async function keys() {
  const kms = new AWS.KMS(common);
  const sealed = await kms.encrypt({ KeyId: key, Plaintext: "secret" }).promise();
  const opened = await kms.decrypt({ CiphertextBlob: sealed.CiphertextBlob }).promise();
  const me = await new AWS.STS(common).getCallerIdentity().promise();
  tell("keys", { plaintext: opened.Plaintext.toString(), arn: me.Arn });
}

async function main() {
  await s3.createBucket().promise();
  for (const [name, mode] of Object.entries(modes)) await one(name, mode);
  await copies();
  await urlsAndForms();
  await keys();
  tell("refused", {
    absent: await refused(s3.getObject({ Key: "absent" })),
    forgotten: await refused(s3.getObject({ Key: "sse-c/small" })),
    unknownKey: await refused(s3.putObject({ Key: "x", ServerSideEncryption: "aws:kms", SSEKMSKeyId: "bogus" })),
    bucket: await refused(s3.deleteBucket()),
  });
  const sizes = {};
  for (let token; ; ) {
    const page = await s3.listObjectsV2({ MaxKeys: 4, ContinuationToken: token }).promise();
    for (const { Key, Size } of page.Contents) sizes[Key] = Size;
    token = page.NextContinuationToken;
    if (!token) break;
  }
  tell("listed", { sizes });
  const { Deleted } = await s3.deleteObjects({ Delete: { Objects: Object.keys(sizes).map((Key) => ({ Key })) } }).promise();
  await s3.deleteBucket().promise();
  await s3.waitFor("bucketNotExists").promise();
  tell("removed", { all: Deleted.length === Object.keys(sizes).length });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
