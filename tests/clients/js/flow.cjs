// The flow of an administrator and a developer with the AWS SDK for JavaScript: user, policy, keys, rotation, role with a
// session policy, a denial and its explanation. Prints one JSON line a step; test_sdk_javascript.py says what they are.
"use strict";

const iamSdk = require("@aws-sdk/client-iam");
const kmsSdk = require("@aws-sdk/client-kms");
const s3Sdk = require("@aws-sdk/client-s3");
const stsSdk = require("@aws-sdk/client-sts");

const endpoint = process.env.ENDPOINT;
const region = "us-east-1";
const admin = { accessKeyId: process.env.ADMIN_KEY, secretAccessKey: process.env.ADMIN_SECRET };
const account = process.env.ACCOUNT;
const bucket = process.env.BUCKET;

function clients(credentials) {
  const common = { endpoint, region, credentials, maxAttempts: 1 };
  return {
    iam: new iamSdk.IAMClient(common),
    kms: new kmsSdk.KMSClient(common),
    s3: new s3Sdk.S3Client({ ...common, forcePathStyle: true }),
    sts: new stsSdk.STSClient(common),
  };
}

function tell(step, told) {
  console.log(JSON.stringify({ step, ...told }));
}

/** What a call that is to fail says. */
async function refused(call) {
  try {
    await call;
  } catch (error) {
    return { name: error.name, message: error.message, status: error.$metadata?.httpStatusCode };
  }
  return { name: "nothing was refused" };
}

const keyOf = ({ AccessKey }) => ({ accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey });
const credentialsOf = ({ Credentials }) => ({
  accessKeyId: Credentials.AccessKeyId,
  secretAccessKey: Credentials.SecretAccessKey,
  sessionToken: Credentials.SessionToken,
});

async function main() {
  const root = clients(admin);
  await root.s3.send(new s3Sdk.CreateBucketCommand({ Bucket: bucket }));
  const { KeyMetadata: key } = await root.kms.send(new kmsSdk.CreateKeyCommand({}));

  const { User: user } = await root.iam.send(
    new iamSdk.CreateUserCommand({ UserName: "js-dev", Path: "/team/", Tags: [{ Key: "team", Value: "red" }] }),
  );
  tell("user", { arn: user.Arn, tags: user.Tags });
  const document = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Sid: "Objects", Effect: "Allow", Action: ["s3:*Object", "s3:ListBucket"], Resource: [`arn:aws:s3:::${bucket}*`] },
      { Sid: "Keys", Effect: "Allow", Action: ["kms:Encrypt", "kms:Decrypt"], Resource: key.Arn },
      { Sid: "Roles", Effect: "Allow", Action: "sts:AssumeRole", Resource: "*" },
    ],
  });
  const { Policy: policy } = await root.iam.send(
    new iamSdk.CreatePolicyCommand({ PolicyName: "js-dev", PolicyDocument: document }),
  );
  await root.iam.send(new iamSdk.AttachUserPolicyCommand({ UserName: "js-dev", PolicyArn: policy.Arn }));

  const first = keyOf(await root.iam.send(new iamSdk.CreateAccessKeyCommand({ UserName: "js-dev" })));
  const dev = clients(first);
  const me = await dev.sts.send(new stsSdk.GetCallerIdentityCommand({}));
  tell("identity", { arn: me.Arn, userId: me.UserId, sameId: me.UserId === user.UserId });
  await dev.s3.send(new s3Sdk.PutObjectCommand({ Bucket: bucket, Key: "a", Body: "from JavaScript" }));
  const got = await dev.s3.send(new s3Sdk.GetObjectCommand({ Bucket: bucket, Key: "a" }));
  const sealed = await dev.kms.send(
    new kmsSdk.EncryptCommand({ KeyId: key.KeyId, Plaintext: new TextEncoder().encode("secret") }),
  );
  const opened = await dev.kms.send(new kmsSdk.DecryptCommand({ CiphertextBlob: sealed.CiphertextBlob }));
  tell("used", { body: await got.Body.transformToString(), plaintext: new TextDecoder().decode(opened.Plaintext) });
  tell("denied", await refused(dev.s3.send(new s3Sdk.DeleteBucketCommand({ Bucket: bucket }))));
  tell("denied key", await refused(dev.kms.send(new kmsSdk.DisableKeyCommand({ KeyId: key.KeyId }))));
  tell("denied iam", await refused(dev.iam.send(new iamSdk.CreateUserCommand({ UserName: "js-evil" }))));

  // Rotation: a second key, the first one off, then away.
  const second = keyOf(await root.iam.send(new iamSdk.CreateAccessKeyCommand({ UserName: "js-dev" })));
  const third = await refused(root.iam.send(new iamSdk.CreateAccessKeyCommand({ UserName: "js-dev" })));
  const named = { UserName: "js-dev", AccessKeyId: first.accessKeyId };
  await root.iam.send(new iamSdk.UpdateAccessKeyCommand({ ...named, Status: "Inactive" }));
  const off = await refused(dev.s3.send(new s3Sdk.GetObjectCommand({ Bucket: bucket, Key: "a" })));
  await root.iam.send(new iamSdk.DeleteAccessKeyCommand(named));
  const rotated = clients(second);
  await rotated.s3.send(new s3Sdk.GetObjectCommand({ Bucket: bucket, Key: "a" }));
  const { AccessKeyMetadata: left } = await root.iam.send(new iamSdk.ListAccessKeysCommand({ UserName: "js-dev" }));
  tell("rotated", { third, off, left: left.map((k) => k.Status), sameKey: left[0].AccessKeyId === second.accessKeyId });

  // A role, and a session policy that lets it do less.
  const trust = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: "sts:AssumeRole" }],
  };
  const { Role: role } = await root.iam.send(
    new iamSdk.CreateRoleCommand({ RoleName: "js-reader", AssumeRolePolicyDocument: JSON.stringify(trust) }),
  );
  const all = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
  await root.iam.send(new iamSdk.AttachRolePolicyCommand({ RoleName: "js-reader", PolicyArn: all }));
  const narrow = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "s3:GetObject", Resource: "*" }] };
  const assumed = await rotated.sts.send(
    new stsSdk.AssumeRoleCommand({ RoleArn: role.Arn, RoleSessionName: "work", Policy: JSON.stringify(narrow) }),
  );
  const session = clients(credentialsOf(assumed));
  const read = await session.s3.send(new s3Sdk.GetObjectCommand({ Bucket: bucket, Key: "a" }));
  const write = await refused(session.s3.send(new s3Sdk.PutObjectCommand({ Bucket: bucket, Key: "b", Body: "x" })));
  tell("role", { arn: assumed.AssumedRoleUser.Arn, body: await read.Body.transformToString(), write });

  const simulated = await root.iam.send(
    new iamSdk.SimulatePrincipalPolicyCommand({
      PolicySourceArn: user.Arn,
      ActionNames: ["s3:DeleteBucket", "s3:GetObject"],
      ResourceArns: [`arn:aws:s3:::${bucket}/a`],
    }),
  );
  tell("explained", {
    results: simulated.EvaluationResults.map((r) => ({
      action: r.EvalActionName,
      decision: r.EvalDecision,
      by: (r.MatchedStatements ?? []).map((s) => s.SourcePolicyId),
    })),
  });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
