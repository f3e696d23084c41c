//! GenerateDataKey: a data key in clear and sealed.

use super::{KEY_ID_CHARS, check_recipient};
use crate::keyring::{DataKeySize, EncryptionContext};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob};

/// Also that of GenerateDataKeyWithoutPlaintext.
pub(in crate::kms) struct Input {
    pub(super) key_id: String,
    pub(super) context: EncryptionContext,
    spec: Option<&'static str>,
    bytes: Option<u32>,
    recipient: bool,
    pub(super) dry_run: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        fields.grant_tokens();
        Self {
            key_id: fields.required_text("KeyId", KEY_ID_CHARS),
            context: fields.context("EncryptionContext"),
            spec: fields.word("KeySpec", &["AES_256", "AES_128"]),
            bytes: fields.number("NumberOfBytes", 1..=1024),
            recipient: fields.has("Recipient"),
            dry_run: fields.flag("DryRun"),
        }
    }

    /// The data key's size, given in one of two ways.
    pub(super) fn size(&self) -> Result<DataKeySize, KmsError> {
        check_recipient(self.recipient)?;
        match (self.spec, self.bytes) {
            (Some("AES_128"), None) => Ok(DataKeySize::Aes128),
            (Some(_), None) => Ok(DataKeySize::Aes256),
            (None, Some(bytes)) => Ok(DataKeySize::Bytes(bytes as usize)),
            (Some(_), Some(_)) | (None, None) => {
                Err(KmsError::validation("Please specify either number of bytes or key spec."))
            }
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let size = input.size()?;
    let key = cx.resolve(&input.key_id).await?;
    let grant = cx.grant("kms:GenerateDataKey", &key)?;
    let usage = cx.usage(&grant, &key, &input.context, input.dry_run);
    let made = cx.keyring.generate(&usage, size).await.map_err(Refusal::recorded)?;
    let reply = Reply::of([
        ("CiphertextBlob", blob(&made.ciphertext)),
        ("KeyId", key.metadata.arn.clone().into()),
        ("KeyMaterialId", made.material_id.into()),
    ]);
    Ok(reply.with_plaintext(made.plaintext))
}
