//! GenerateDataKeyWithoutPlaintext: a data key that only its ciphertext is told of.

use super::SYMMETRIC;
pub(in crate::kms) use super::generate_data_key::Input;
use crate::keyring::Told;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::reply::{Reply, blob};

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let size = input.size()?;
    let found = cx.used_telling(&input.key, Told::sealing(&[SYMMETRIC], &input.context)).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let made = cx.keyring.generate_without_plaintext(&usage, &input.context, size).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("CiphertextBlob", blob(&made.ciphertext)),
        ("KeyId", found.arn()),
        ("KeyMaterialId", made.material_id.into()),
    ]))
}
