//! GenerateDataKeyWithoutPlaintext: a data key that only its ciphertext is told of.

pub(in crate::kms) use super::generate_data_key::Input;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::reply::{Reply, blob};

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let size = input.size()?;
    let key = cx.resolve(&input.key_id).await?;
    let grant = cx.grant("kms:GenerateDataKeyWithoutPlaintext", &key)?;
    let usage = cx.usage(&grant, &key, &input.context, input.dry_run);
    let made = cx.keyring.generate_without_plaintext(&usage, size).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("CiphertextBlob", blob(&made.ciphertext)),
        ("KeyId", key.metadata.arn.clone().into()),
        ("KeyMaterialId", made.material_id.into()),
    ]))
}
