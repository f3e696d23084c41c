//! GenerateDataKeyPairWithoutPlaintext: a key pair whose private key only its ciphertext is told of.

use super::check_recipient;
pub(in crate::kms) use super::generate_data_key_pair::Input;
use super::generate_data_key_pair::render_pair;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::reply::Reply;

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_recipient(input.recipient)?;
    let found = cx.used(&input.key).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let made = cx.keyring.generate_pair_without_plaintext(&usage, &input.context, input.spec).await;
    Ok(render_pair(&found, input.spec, &made.map_err(Refusal::recorded)?))
}
