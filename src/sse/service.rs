//! Planning, sealing and opening.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bucket_keys::BucketKeys;
use super::{BucketDefault, CustomerKey, Envelope, Mode, ObjectRef, Requested, Shown, SseError, WrappedFor};
use crate::auth::{Access, CallerKind, Grant};
use crate::crypto::{
    BoxHeader, Context, ObjectKeys, SealBox, SecretBytes, SecretKey, Suite, constant_time_eq, hmac_sha256, open_box,
    seal_box,
};
use crate::keyring::{Call, EncryptionContext, KeyRing, KeyringError, Reach, Refused, ResolvedKey, S3_ALIAS, Told};
use crate::names::{AccountId, BucketName, ObjectKey, bucket_arn, object_arn};
use crate::policy::{Key, Value};
use crate::sources::{Sources, Timestamp};

pub(super) const KMS_LABEL: &str = "strongroom sse-kms v1";
pub(super) const CUSTOMER_LABEL: &str = "strongroom sse-c v1";
const CUSTOMER_CHECK_LABEL: &[u8] = b"strongroom sse-c check v1";
/// How S3 uses keys.
const SYMMETRIC: &[(Key, Value<'static>)] = &[(Key::KmsEncryptionAlgorithm, Value::Text("SYMMETRIC_DEFAULT"))];
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// How one object or upload will be sealed: mode and key are settled and allowed.
#[expect(missing_debug_implementations, reason = "may hold a secret")]
pub struct SealPlan(How);

enum How {
    Owned,
    Kms(Box<KmsPlan>),
    Customer(CustomerKey),
}

struct KmsPlan {
    double: bool,
    grant: Grant,
    key: ResolvedKey,
    context: EncryptionContext,
    bucket_key: bool,
}

impl SealPlan {
    /// The mode.
    pub fn mode(&self) -> Mode {
        match &self.0 {
            How::Owned => Mode::SseS3,
            How::Kms(kms) if kms.double => Mode::DsseKms,
            How::Kms(_) => Mode::SseKms,
            How::Customer(_) => Mode::SseC,
        }
    }

    /// What answers say of it, as of the envelope that will come of it.
    pub fn shown(&self) -> Shown<'_> {
        let none = Shown { mode: self.mode(), kms_key_arn: None, kms_context: Vec::new(), bucket_key: false };
        match &self.0 {
            How::Owned | How::Customer(_) => none,
            How::Kms(kms) => Shown {
                kms_key_arn: Some(&kms.key.metadata.arn),
                kms_context: kms.context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
                bucket_key: kms.bucket_key,
                ..none
            },
        }
    }

    /// The cipher of this mode.
    pub fn suite(&self) -> Suite {
        suite_of(self.mode())
    }

    /// The ETag is the MD5 of the data (SSE-S3 only).
    pub fn etag_is_md5(&self) -> bool {
        self.mode() == Mode::SseS3
    }
}

/// The cipher of a mode.
pub fn suite_of(mode: Mode) -> Suite {
    match mode {
        Mode::SseS3 | Mode::SseKms | Mode::SseC => Suite::Single,
        Mode::DsseKms => Suite::Double,
    }
}

/// A use of a KMS key that is asked for.
struct Wanted<'a> {
    action: &'static str,
    event: &'static str,
    /// As the request or the envelope names it.
    key: &'a str,
    /// What the key module binds to: policies may have conditions on it.
    context: &'a EncryptionContext,
}

/// What a request or a bucket wants of KMS.
struct KmsWish<'a> {
    double: bool,
    /// None: `alias/aws/s3`.
    key: Option<&'a str>,
    /// The client's.
    context: EncryptionContext,
    bucket_key: bool,
}

/// The modes over the key module. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Sse {
    keyring: KeyRing,
    sources: Sources,
    bucket_keys: Arc<BucketKeys>,
}

impl Sse {
    /// Over a key module.
    pub fn new(keyring: KeyRing, sources: Sources) -> Self {
        Self { keyring, sources, bucket_keys: Arc::new(BucketKeys::default()) }
    }

    /// Time that the irreversible is measured by, besides the wall clock: see [`KeyRing::trusted_time`].
    pub async fn trusted_time(&self) -> Result<Timestamp, SseError> {
        self.keyring.trusted_time().await.map_err(SseError::Kms)
    }

    /// Wipes bucket keys that were kept for five minutes. To be called every minute or so.
    pub fn wipe_expired(&self) {
        self.bucket_keys.drop_expired(self.sources.now());
    }

    /// Settles what a write of `object` into a bucket of `owner` will be sealed with: the request, else the bucket's
    /// default. Resolves and authorizes the KMS key (`kms:GenerateDataKey` to the caller) and checks its state; makes
    /// no key yet.
    pub async fn plan(
        &self,
        access: &Access,
        object: (&BucketName, &ObjectKey),
        owner: &AccountId,
        default: &BucketDefault,
        requested: Requested,
    ) -> Result<SealPlan, SseError> {
        let how = match requested {
            Requested::SseS3 => How::Owned,
            Requested::Customer(key) => {
                require_confidential(access, "Customer provided keys")?;
                if default.blocks_sse_c {
                    return Err(SseError::SseCBlocked);
                }
                How::Customer(key)
            }
            Requested::Kms { double, key, context, bucket_key } => {
                // DSSE has no bucket keys; elsewhere the request's word goes before the bucket's.
                let bucket_key = !double && bucket_key.unwrap_or(default.bucket_key);
                let wish = KmsWish { double, key: key.as_deref(), context, bucket_key };
                self.plan_kms(access, object, owner, wish).await?
            }
            Requested::Default { bucket_key } => match default.mode {
                Mode::SseS3 | Mode::SseC => How::Owned,
                Mode::SseKms | Mode::DsseKms => {
                    let double = default.mode == Mode::DsseKms;
                    let bucket_key = !double && bucket_key.unwrap_or(default.bucket_key);
                    let key = default.kms_key.as_deref();
                    let wish = KmsWish { double, key, context: BTreeMap::new(), bucket_key };
                    self.plan_kms(access, object, owner, wish).await?
                }
            },
        };
        Ok(SealPlan(how))
    }

    async fn plan_kms(
        &self,
        access: &Access,
        object: (&BucketName, &ObjectKey),
        owner: &AccountId,
        wish: KmsWish<'_>,
    ) -> Result<How, SseError> {
        require_kms_transport(access)?;
        let KmsWish { double, key, context, bucket_key } = wish;
        let account = access.caller().account().unwrap_or(owner);
        let asked = key.unwrap_or(S3_ALIAS);
        let key = match alias_without_prefix(asked) {
            Some(message) => Err(KeyringError::NotFound(message)),
            None => self.keyring.resolve(access, account, &access.facts().region, asked).await,
        };
        let sealed_with = &kms_context(object, &context, bucket_key);
        let wanted =
            Wanted { action: "kms:GenerateDataKey", event: "GenerateDataKey", key: asked, context: sealed_with };
        let (key, grant) = self.admit(access, account, &wanted, key).await?;
        Ok(How::Kms(Box::new(KmsPlan { double, grant, key, context, bucket_key })))
    }

    /// Lets a key be used if it was found, is allowed to the caller and is in use; whatever refuses is on record before
    /// the client hears of it.
    async fn admit(
        &self,
        access: &Access,
        caller: &AccountId,
        wanted: &Wanted<'_>,
        key: Result<ResolvedKey, KeyringError>,
    ) -> Result<(ResolvedKey, Grant), SseError> {
        let (error, resources) = match key {
            Err(error) => (error, Vec::new()),
            Ok(key) => match self.leave(access, wanted, &key).await {
                Ok(grant) => return Ok((key, grant)),
                Err(error) => (error, vec![key.event_resource()]),
            },
        };
        let request = serde_json::json!({ "keyId": wanted.key, "encryptionContext": wanted.context });
        let refused = Refused {
            access,
            name: wanted.event,
            call: &Call { request, via_s3: true },
            resources,
            recipient: caller,
            code: error.code(),
            message: &error.message().unwrap_or_default(),
        };
        self.keyring.record_refusal(refused).await?;
        Err(error.into())
    }

    /// Asked on every use, of keys that are held in memory too: those must not outlive the right to use them, nor the
    /// state that allows it.
    async fn leave(&self, access: &Access, wanted: &Wanted<'_>, key: &ResolvedKey) -> Result<Grant, KeyringError> {
        let told = Told { via_s3: true, ..Told::sealing(SYMMETRIC, wanted.context) };
        let grant = self.keyring.authorize(access, wanted.action, key, &told).await?;
        key.check_usable()?;
        Ok(grant)
    }

    /// What UpdateObjectEncryption asks for beside what a read of the old and a write of the new envelope ask for:
    /// `kms:ReEncryptFrom` on the old key, `kms:ReEncryptTo` and `kms:Encrypt` on the new one.
    pub async fn authorize_update(
        &self,
        access: &Access,
        object: ObjectRef<'_>,
        envelope: &Envelope,
        plan: &SealPlan,
    ) -> Result<(), SseError> {
        let place = (object.bucket, object.key);
        if let Some(arn) = envelope.kms_key_arn.as_deref() {
            let (account, region) = account_and_region(arn).ok_or_else(|| corrupt("the key's ARN"))?;
            let caller = access.caller().account().unwrap_or(&account);
            let action = "kms:ReEncryptFrom";
            let key = self.keyring.resolve_for(access, caller, &region, (arn, Reach::AnyAccount), action).await;
            let client: EncryptionContext = envelope.kms_context.iter().cloned().collect();
            let context = &kms_context(place, &client, envelope.bucket_key);
            self.admit(access, caller, &Wanted { action, event: "ReEncrypt", key: arn, context }, key).await?;
        }
        let How::Kms(kms) = &plan.0 else { return Ok(()) };
        let (metadata, context) = (&kms.key.metadata, &kms_context(place, &kms.context, kms.bucket_key));
        let caller = access.caller().account().unwrap_or(&metadata.account);
        for (action, event) in [("kms:ReEncryptTo", "ReEncrypt"), ("kms:Encrypt", "Encrypt")] {
            let wanted = Wanted { action, event, key: &metadata.arn, context };
            self.admit(access, caller, &wanted, Ok(kms.key.clone())).await?;
        }
        Ok(())
    }

    /// New object keys and their envelope.
    pub async fn new_keys(
        &self,
        access: &Access,
        plan: &SealPlan,
        object: ObjectRef<'_>,
    ) -> Result<(ObjectKeys, Envelope), SseError> {
        let keys = match plan.suite() {
            Suite::Single => ObjectKeys::Single(SecretKey::generate(&self.sources)),
            Suite::Double => ObjectKeys::Double(SecretKey::generate(&self.sources), SecretKey::generate(&self.sources)),
        };
        let envelope = self.seal_keys(access, plan, object, &keys).await?;
        Ok((keys, envelope))
    }

    /// Wraps the keys of an object: for a new object, and for a copy or re-encryption that keeps them.
    pub async fn seal_keys(
        &self,
        access: &Access,
        plan: &SealPlan,
        object: ObjectRef<'_>,
        keys: &ObjectKeys,
    ) -> Result<Envelope, SseError> {
        let _ = access;
        let (mode, context, plain) = (plan.mode(), bind(object, plan.mode()), flatten(keys));
        let mut envelope = Envelope {
            mode,
            wrapped: Vec::new(),
            kms_key_arn: None,
            kms_ciphertext: Vec::new(),
            kms_context: Vec::new(),
            bucket_key: false,
            customer_check: Vec::new(),
            wrapped_for: None,
        };
        match &plan.0 {
            How::Owned => {
                envelope.wrapped = self.keyring.owned_key().await?.wrap(&context, plain.expose());
            }
            How::Customer(customer) => {
                envelope.wrapped = wrap_keys(customer.key(), CUSTOMER_LABEL, &context, &plain, &self.sources);
                envelope.customer_check = customer_check(customer, self.sources.random());
            }
            How::Kms(kms) => {
                let (data_key, ciphertext) = self.data_key(kms, object).await?;
                envelope.wrapped = wrap_keys(&data_key, KMS_LABEL, &context, &plain, &self.sources);
                envelope.kms_ciphertext = ciphertext;
                envelope.kms_key_arn = Some(kms.key.metadata.arn.clone());
                envelope.kms_context = kms.context.clone().into_iter().collect();
                envelope.bucket_key = kms.bucket_key;
            }
        }
        Ok(envelope)
    }

    /// The data key for one object, or the bucket's.
    async fn data_key(&self, kms: &KmsPlan, object: ObjectRef<'_>) -> Result<(SecretKey, Vec<u8>), SseError> {
        let context = kms_context((object.bucket, object.key), &kms.context, kms.bucket_key);
        if kms.bucket_key {
            let now = self.sources.now();
            let slot = BucketKeys::slot(kms.grant.access(), &kms.key.metadata.arn, &context);
            if let Some(found) = self.bucket_keys.for_sealing(&slot, now) {
                return Ok(found);
            }
            let made = self.keyring.generate_data_key(&kms.grant, &kms.key, KEY_BYTES, &context, true).await?;
            let key = secret_key(&made.plaintext)?;
            self.bucket_keys.insert(slot, &key, &made.ciphertext, now);
            return Ok((key, made.ciphertext));
        }
        let made = self.keyring.generate_data_key(&kms.grant, &kms.key, KEY_BYTES, &context, true).await?;
        Ok((secret_key(&made.plaintext)?, made.ciphertext))
    }

    /// The keys of a stored object or upload. `customer` is required for SSE-C and refused for the others.
    pub async fn open(
        &self,
        access: &Access,
        object: ObjectRef<'_>,
        envelope: &Envelope,
        customer: Option<&CustomerKey>,
    ) -> Result<ObjectKeys, SseError> {
        self.check_customer(envelope, customer)?;
        let context = bind(object, envelope.mode);
        let plain = match (envelope.mode, customer) {
            (Mode::SseC, Some(customer)) => {
                require_confidential(access, "Customer provided keys")?;
                let context = match &envelope.wrapped_for {
                    Some(first) => bind_first(first)?,
                    None => context,
                };
                open_box(customer.key(), CUSTOMER_LABEL, &context, &envelope.wrapped)
                    .map_err(|_| corrupt("the wrapped key"))?
            }
            (Mode::SseC, None) => return Err(SseError::CustomerKeyRequired),
            (Mode::SseS3, _) => self.keyring.owned_key().await?.unwrap(&context, &envelope.wrapped)?,
            (Mode::SseKms | Mode::DsseKms, _) => {
                let data_key = self.open_data_key(access, object, envelope).await?;
                open_box(&data_key, KMS_LABEL, &context, &envelope.wrapped).map_err(|_| corrupt("the wrapped key"))?
            }
        };
        unflatten(suite_of(envelope.mode), plain.expose())
    }

    async fn open_data_key(
        &self,
        access: &Access,
        object: ObjectRef<'_>,
        envelope: &Envelope,
    ) -> Result<SecretKey, SseError> {
        require_kms_transport(access)?;
        let arn = envelope.kms_key_arn.as_deref().ok_or_else(|| corrupt("the key's ARN"))?;
        let (account, region) = account_and_region(arn).ok_or_else(|| corrupt("the key's ARN"))?;
        let caller = access.caller().account().unwrap_or(&account);
        let key = self.keyring.resolve_for(access, caller, &region, (arn, Reach::AnyAccount), "kms:Decrypt").await;
        let client: EncryptionContext = envelope.kms_context.iter().cloned().collect();
        let context = kms_context((object.bucket, object.key), &client, envelope.bucket_key);
        let wanted = Wanted { action: "kms:Decrypt", event: "Decrypt", key: arn, context: &context };
        let (key, grant) = self.admit(access, caller, &wanted, key).await?;
        let ciphertext = &envelope.kms_ciphertext;
        if !envelope.bucket_key {
            let opened = self.keyring.decrypt(&grant, &key, ciphertext, &context, true).await?;
            return secret_key(&opened.plaintext);
        }
        let (now, slot) = (self.sources.now(), BucketKeys::slot(access, arn, &context));
        if let Some(found) = self.bucket_keys.for_opening(&slot, ciphertext, now) {
            return Ok(found);
        }
        let opened = self.keyring.decrypt(&grant, &key, ciphertext, &context, true).await?;
        let opened = secret_key(&opened.plaintext)?;
        self.bucket_keys.insert(slot, &opened, ciphertext, now);
        Ok(opened)
    }

    /// Checks that a request's key fits an SSE-C object (or that none came for another) without opening anything:
    /// for HEAD.
    pub fn check_customer(&self, envelope: &Envelope, customer: Option<&CustomerKey>) -> Result<(), SseError> {
        match (envelope.mode, customer) {
            (Mode::SseC, None) => Err(SseError::CustomerKeyRequired),
            (Mode::SseC, Some(customer)) => {
                let salt = envelope.customer_check.first_chunk::<SALT_BYTES>().ok_or_else(|| corrupt("the check"))?;
                let check = customer_check(customer, *salt);
                if constant_time_eq(&check, &envelope.customer_check) {
                    Ok(())
                } else {
                    Err(SseError::WrongCustomerKey)
                }
            }
            (_, Some(_)) => Err(SseError::NotApplicable),
            (_, None) => Ok(()),
        }
    }

    /// Checks that a request may be about an object of this mode, without opening anything: for HEAD, which AWS refuses
    /// as it does GET where Signature Version 4 or TLS are wanted.
    pub fn check_transport(&self, access: &Access, envelope: &Envelope) -> Result<(), SseError> {
        match envelope.mode {
            Mode::SseKms | Mode::DsseKms => require_kms_transport(access),
            Mode::SseC => require_confidential(access, "Customer provided keys"),
            Mode::SseS3 => Ok(()),
        }
    }
}

/// What the keys of the replica of an SSE-C object are bound to: its source.
fn bind_first(first: &WrappedFor) -> Result<Context, SseError> {
    let bucket = BucketName::parse(&first.bucket).map_err(|_| corrupt("the bucket of its source"))?;
    let key = ObjectKey::parse(first.key.as_str()).map_err(|_| corrupt("the key of its source"))?;
    Ok(bind(ObjectRef { bucket: &bucket, key: &key, id: first.id }, Mode::SseC))
}

/// Object keys in a Box under a key that is not the keyring's: a data key or a customer's.
pub(super) fn wrap_keys(
    key: &SecretKey,
    label: &str,
    context: &Context,
    plain: &SecretBytes,
    sources: &Sources,
) -> Vec<u8> {
    let header = BoxHeader { key_id: Vec::new(), generation: [0; 16] };
    seal_box(&SealBox { key, label, header: &header, context }, plain.expose(), sources)
}

/// What to answer where a KMS key is named `aws/…`: `aws/s3` is how consoles show the alias `alias/aws/s3`, and no name
/// of a key. AWS's text, and what was meant.
pub fn alias_without_prefix(asked: &str) -> Option<String> {
    let hint = || format!("Invalid keyId '{asked}'. An alias is named with its prefix: 'alias/{asked}'");
    asked.starts_with("aws/").then(hint)
}

/// What a wrapping is bound to, each field by its length: never a joined path.
pub(super) fn bind(object: ObjectRef<'_>, mode: Mode) -> Context {
    Context::new()
        .with("bucket", object.bucket.as_str())
        .with("key", object.key.as_str())
        .with("id", object.id)
        .with("mode", mode.header().unwrap_or("customer"))
}

/// The KMS encryption context: the client's, and the ARN of the object or, with a bucket key, of the bucket.
fn kms_context(
    (bucket, key): (&BucketName, &ObjectKey),
    client: &EncryptionContext,
    bucket_key: bool,
) -> EncryptionContext {
    let arn = if bucket_key { bucket_arn(bucket) } else { object_arn(bucket, key) };
    let mut context = client.clone();
    context.insert("aws:s3:arn".to_owned(), arn);
    context
}

fn require_confidential(access: &Access, what: &'static str) -> Result<(), SseError> {
    if access.facts().confidential { Ok(()) } else { Err(SseError::NotConfidential(what)) }
}

/// SSE-KMS wants TLS and Signature Version 4. The program's own jobs, and S3 itself, sign nothing.
fn require_kms_transport(access: &Access) -> Result<(), SseError> {
    require_confidential(access, "AWS KMS managed keys")?;
    match access.facts().signature {
        _ if matches!(access.caller().kind(), CallerKind::System { .. } | CallerKind::Service { .. }) => Ok(()),
        kind if kind.is_v4() => Ok(()),
        _ => Err(SseError::NeedsSignatureV4),
    }
}

/// `salt 16 | HMAC-SHA256(key, label | salt) 32`: tells whether a key is the right one, and nothing else of it.
pub(super) fn customer_check(customer: &CustomerKey, salt: [u8; SALT_BYTES]) -> Vec<u8> {
    let message = [CUSTOMER_CHECK_LABEL, &salt].concat();
    [&salt[..], &hmac_sha256(customer.key().expose(), &message)].concat()
}

pub(super) fn flatten(keys: &ObjectKeys) -> SecretBytes {
    SecretBytes::new(match keys {
        ObjectKeys::Single(key) => key.expose().to_vec(),
        ObjectKeys::Double(inner, outer) => [inner.expose().as_slice(), outer.expose()].concat(),
    })
}

pub(super) fn unflatten(suite: Suite, plain: &[u8]) -> Result<ObjectKeys, SseError> {
    let keys = match suite {
        Suite::Single => SecretKey::from_slice(plain).map(ObjectKeys::Single),
        Suite::Double => plain.split_at_checked(KEY_BYTES).and_then(|(inner, outer)| {
            Some(ObjectKeys::Double(SecretKey::from_slice(inner)?, SecretKey::from_slice(outer)?))
        }),
    };
    keys.ok_or_else(|| corrupt("the object keys' length"))
}

fn secret_key(bytes: &SecretBytes) -> Result<SecretKey, SseError> {
    SecretKey::from_slice(bytes.expose()).ok_or_else(|| corrupt("the data key's length"))
}

fn account_and_region(arn: &str) -> Option<(AccountId, crate::names::Region)> {
    let mut fields = arn.split(':').skip(3);
    let region = crate::names::Region::parse(fields.next()?).ok()?;
    Some((AccountId::parse(fields.next()?).ok()?, region))
}

fn corrupt(what: &str) -> SseError {
    SseError::Corrupt(format!("an object's envelope is damaged: {what}"))
}

impl From<KeyringError> for SseError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Denied(denied) => Self::Denied(denied),
            other => Self::Kms(other),
        }
    }
}
