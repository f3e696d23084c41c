// Objects with minio-js in every encryption mode: buffers, streams in parts, ranges, copies and compositions, URLs and forms,
// lists, tags. Prints one JSON line a step; test_sdk_javascript.py says what they are.
"use strict";

const { createHash } = require("node:crypto");
const { Readable } = require("node:stream");
const minio = require("minio");

const MIB = 1 << 20;
const bucket = "minio-js";
const key = process.env.KMS_KEY;
const at = new URL(process.env.ENDPOINT);
const client = new minio.Client({
  endPoint: at.hostname,
  port: Number(at.port),
  useSSL: at.protocol === "https:",
  accessKey: process.env.ADMIN_KEY,
  secretKey: process.env.ADMIN_SECRET,
  partSize: 5 * MIB,
  retryOptions: { disableRetry: true },
});

const sse = "x-amz-server-side-encryption";
const secret = Buffer.from("k".repeat(32));
const digest = createHash("md5").update(secret).digest("base64");
const customer = {
  SSECustomerAlgorithm: "AES256",
  SSECustomerKey: secret.toString("base64"),
  SSECustomerKeyMD5: digest,
};
// It knows of encryption as headers among the metadata.
const modes = {
  default: { write: {} },
  "sse-s3": { write: { [sse]: "AES256" } },
  "sse-kms-key": { write: { [sse]: "aws:kms", [`${sse}-aws-kms-key-id`]: key } },
  "bucket-key": {
    write: { [sse]: "aws:kms", [`${sse}-aws-kms-key-id`]: key, [`${sse}-bucket-key-enabled`]: "true" },
  },
  "sse-c": {
    write: {
      [`${sse}-customer-algorithm`]: "AES256",
      [`${sse}-customer-key`]: customer.SSECustomerKey,
      [`${sse}-customer-key-MD5`]: digest,
    },
    read: customer,
  },
};

const tell = (step, told) => console.log(JSON.stringify({ step, ...told }));

function bytes(length, seed) {
  const out = Buffer.alloc(length);
  for (let at = 0; at < length; at++) out[at] = (at * 31 + (at >> 8) * 7 + seed) & 255;
  return out;
}

function* pieces(data) {
  for (let at = 0; at < data.length; at += 99_991) yield data.subarray(at, at + 99_991);
}

async function collected(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function all(stream) {
  const entries = [];
  for await (const entry of stream) entries.push(entry);
  return entries;
}

async function refused(call) {
  try {
    await call;
  } catch (error) {
    return error.code;
  }
  return "nothing was refused";
}

async function one(name, { write, read }) {
  const small = bytes(70_000, 1);
  await client.putObject(bucket, `${name}/small`, small, small.length, { "X-Amz-Meta-Mode": name, ...write });
  const got = await client.getObject(bucket, `${name}/small`, read);
  const headers = got.headers;
  const told = { small: (await collected(got)).equals(small), metadata: headers["x-amz-meta-mode"] === name };
  const part = await client.getPartialObject(bucket, `${name}/small`, 65_530, 16, read);
  told.range = (await collected(part)).equals(small.subarray(65_530, 65_546));
  // Its parts carry no customer's key, so that they are refused, here as on AWS; and it asks for no HEAD with one.
  if (!read) {
    const large = bytes(6 * MIB + 3, 2);
    await client.putObject(bucket, `${name}/large`, Readable.from(pieces(large)), large.length, write);
    told.large = (await collected(await client.getObject(bucket, `${name}/large`))).equals(large);
    const stat = await client.statObject(bucket, `${name}/large`);
    told.stat = stat.size === large.length && stat.etag.endsWith("-2");
  }
  tell(name, {
    ...told,
    sse: headers[sse] ?? headers[`${sse}-customer-algorithm`] + " of the customer",
    key: headers[`${sse}-aws-kms-key-id`] === key,
    bucketKey: headers[`${sse}-bucket-key-enabled`] === "true",
    length: Number(headers["content-length"]),
  });
}

async function composed() {
  const source = (Object) => new minio.CopySourceOptions({ Bucket: bucket, Object });
  const target = new minio.CopyDestinationOptions({ Bucket: bucket, Object: "composed" });
  await client.composeObject(target, [source("sse-kms-key/large"), source("default/small")]);
  const got = await client.getObject(bucket, "composed");
  const shown = got.headers[sse];
  const same = (await collected(got)).equals(Buffer.concat([bytes(6 * MIB + 3, 2), bytes(70_000, 1)]));
  await client.copyObject(bucket, "copied", `/${bucket}/composed`);
  tell("composed", { same, sse: shown });
}

async function urlsAndForms() {
  const put = await client.presignedPutObject(bucket, "url", 60);
  const sent = await fetch(put, { method: "PUT", body: "by url" });
  const got = await fetch(await client.presignedGetObject(bucket, "url", 60));
  const policy = client.newPostPolicy();
  policy.setBucket(bucket);
  policy.setKey("form");
  policy.setExpires(new Date(Date.now() + 60_000));
  policy.setContentLengthRange(1, 100);
  const { postURL, formData } = await client.presignedPostPolicy(policy);
  const body = new FormData();
  for (const [name, value] of Object.entries(formData)) body.append(name, value);
  body.append("file", new Blob(["by form"]));
  const posted = await fetch(postURL, { method: "POST", body });
  const read = await collected(await client.getObject(bucket, "form"));
  tell("urls", { put: sent.status, got: await got.text(), posted: posted.status, read: read.toString() });
}

async function main() {
  await client.makeBucket(bucket, "us-east-1");
  for (const [name, mode] of Object.entries(modes)) await one(name, mode);
  const rule = { SSEAlgorithm: "aws:kms", KMSMasterKeyID: key };
  await client.setBucketEncryption(bucket, { Rule: [{ ApplyServerSideEncryptionByDefault: rule }] });
  const { ServerSideEncryptionConfiguration: read } = await client.getBucketEncryption(bucket);
  tell("bucket", { rule: read.Rule.ApplyServerSideEncryptionByDefault, key });
  await composed();
  await urlsAndForms();
  await client.setObjectTagging(bucket, "url", { team: "red" });
  tell("tags", { read: [await client.getObjectTagging(bucket, "url")].flat() });
  tell("refused", {
    absent: await refused(client.getObject(bucket, "absent")),
    forgotten: await refused(client.getObject(bucket, "sse-c/small")),
    bucket: await refused(client.removeBucket(bucket)),
  });
  const names = (await all(client.listObjectsV2(bucket, "", true))).map((entry) => entry.name);
  await client.removeObjects(bucket, names);
  const left = await all(client.listObjects(bucket, "", true));
  await client.removeBucket(bucket);
  tell("removed", { left });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
