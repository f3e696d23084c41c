//! GenerateDataKeyPairWithoutPlaintext: a key pair whose private key only its ciphertext is told of.

pub(in crate::kms) use super::generate_data_key_pair::Input;
use super::generate_data_key_pair::render_pair;
use super::{SYMMETRIC, check_recipient};
use crate::keyring::Told;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::reply::Reply;
use crate::policy::{Key, Value};

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_recipient(input.recipient)?;
    let keys = [SYMMETRIC, (Key::KmsDataKeyPairSpec, Value::Text(input.spec.as_str()))];
    let found = cx.used_telling(&input.key, Told::sealing(&keys, &input.context)).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let made = cx.keyring.generate_pair_without_plaintext(&usage, &input.context, input.spec).await;
    Ok(render_pair(&found, input.spec, &made.map_err(Refusal::recorded)?))
}
