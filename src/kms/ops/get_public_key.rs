//! GetPublicKey: the public key of an asymmetric key, and what it is good for.

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob};
use crate::kms::shapes::UsedKey;

pub(in crate::kms) struct Input {
    key: UsedKey,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key: UsedKey::read_without_dry_run(fields) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.used(&input.key).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let public = cx.keyring.public_key(&usage).await.map_err(Refusal::recorded)?;
    let spec = public.kind.spec().as_str();
    let (list, algorithms) = public.kind.algorithms();
    let reply = Reply::of([
        ("KeyId", found.arn()),
        ("PublicKey", blob(&public.der)),
        ("CustomerMasterKeySpec", spec.into()),
        ("KeySpec", spec.into()),
        ("KeyUsage", public.kind.usage().as_str().into()),
    ]);
    Ok(reply.with(list, algorithms.into()))
}
