//! A PKCS#11 token that holds keys which never leave it: AES-256, made on the token, not extractable. What they seal is
//! AES-GCM: nonce (12) | ciphertext | tag (16). Two kinds of keys are made there, by their `CKA_LABEL`: those of roots of
//! trust, whose additional data is [`ROOT_LABEL`] and the key's id, frozen; and those of custom key stores.
//!
//! By `cryptoki`, the Parsec project's binding: kept up, its API safe, tested by its authors on SoftHSM2 and others.

mod module;

use std::path::PathBuf;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::{SecretBytes, SecretKey};
use crate::sources::Sources;

use module::Module;

/// Bytes of the nonce in front of what a token has sealed.
pub const TOKEN_NONCE_BYTES: usize = 12;
/// Bytes of the tag behind it.
pub const TOKEN_TAG_BYTES: usize = 16;
/// `CKA_LABEL` of the keys of roots, and the start of their additional data.
const ROOT_LABEL: &[u8] = b"strongroom root token v1";
/// `CKA_LABEL` of the keys of custom key stores.
const STORE_LABEL: &[u8] = b"strongroom key store v1";

/// Which token, and the PIN that opens it.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct TokenAccess {
    /// The PKCS#11 module, a shared library: code that this process runs.
    pub module: PathBuf,
    /// The token's label; `None`: the only one there is.
    pub label: Option<String>,
    /// The user's PIN.
    pub pin: SecretBytes,
}

/// The token did not do it. The text is for the operator and names no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenError {
    /// Why not, as far as a caller may branch on it.
    pub fault: TokenFault,
    /// The same in words.
    pub text: String,
}

/// Why a token does not do what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// The module can't be loaded or started.
    Module,
    /// There is no such token now.
    Absent,
    /// It does not take the PIN.
    Pin,
    /// It takes no PIN any more.
    Locked,
    /// It has no user PIN.
    NoPin,
    /// It does not have the key.
    NoKey,
    /// What it should open is damaged, or was sealed under another key or for another purpose.
    Damaged,
    /// It failed otherwise.
    Failed,
}

/// An opened token. Its calls block, over a network perhaps for long.
#[expect(missing_debug_implementations, reason = "a session says nothing")]
pub struct TokenSession {
    session: Session,
    // Behind the session: a module must not end before it.
    _module: Module,
}

/// Makes a key with this id on the token and seals `secret` under it.
pub fn seal_on_token(
    access: &TokenAccess,
    key_id: &[u8; 16],
    secret: &SecretKey,
    sources: &Sources,
) -> Result<Vec<u8>, TokenError> {
    let token = TokenSession::open(access)?;
    let (key, aad) = (token.make(ROOT_LABEL, key_id)?, root_aad(key_id));
    let whole = token.encrypt(key, &aad, secret.expose(), sources)?;
    // What a token can't open again must not become a root.
    let opened = token.decrypt(key, &aad, &whole)?;
    match super::constant_time_eq(opened.expose(), secret.expose()) {
        true => Ok(whole),
        false => Err(TokenError::new(TokenFault::Failed, "the token does not open what it has sealed".to_owned())),
    }
}

/// Opens what [`seal_on_token`] has sealed.
pub fn open_on_token(access: &TokenAccess, key_id: &[u8; 16], sealed: &[u8]) -> Result<SecretKey, TokenError> {
    let token = TokenSession::open(access)?;
    let key = token.find(ROOT_LABEL, key_id)?.ok_or_else(|| {
        let text = "the token does not have the key of this root: it is another token, or the key was deleted";
        TokenError::new(TokenFault::NoKey, text.to_owned())
    })?;
    let opened = token.decrypt(key, &root_aad(key_id), sealed)?;
    let no_root = || TokenError::new(TokenFault::Damaged, "what the token opened is no root".to_owned());
    SecretKey::from_slice(opened.expose()).ok_or_else(no_root)
}

fn root_aad(key_id: &[u8; 16]) -> Vec<u8> {
    [ROOT_LABEL, key_id].concat()
}

impl TokenSession {
    /// Opens the token and logs in.
    pub fn open(access: &TokenAccess) -> Result<Self, TokenError> {
        let module = Module::start(&access.module)?;
        let session = module.open(access.label.as_deref(), &access.pin)?;
        Ok(Self { session, _module: module })
    }

    /// Makes the key of a custom key store with this id.
    pub fn make_key(&self, id: &[u8; 16]) -> Result<(), TokenError> {
        self.make(STORE_LABEL, id).map(drop)
    }

    /// Removes the key of a custom key store; that it is not there is no error.
    pub fn destroy_key(&self, id: &[u8; 16]) -> Result<(), TokenError> {
        let Some(key) = self.find(STORE_LABEL, id)? else { return Ok(()) };
        let destroyed = self.session.destroy_object(key);
        destroyed.map_err(|error| failed(TokenFault::Failed, "the token does not remove the key", &error))
    }

    /// Seals under the key of a custom key store: nonce | ciphertext | tag.
    pub fn seal(&self, id: &[u8; 16], aad: &[u8], plain: &[u8], sources: &Sources) -> Result<Vec<u8>, TokenError> {
        self.encrypt(self.required(id)?, aad, plain, sources)
    }

    /// Opens what [`Self::seal`] has sealed.
    pub fn open_sealed(&self, id: &[u8; 16], aad: &[u8], sealed: &[u8]) -> Result<SecretBytes, TokenError> {
        self.decrypt(self.required(id)?, aad, sealed)
    }

    /// So many bytes of the token's own randomness.
    pub fn random(&self, bytes: usize) -> Result<SecretBytes, TokenError> {
        let mut random = vec![0; bytes];
        let filled = self.session.generate_random_slice(&mut random);
        filled.map_err(|error| failed(TokenFault::Failed, "the token gives no random bytes", &error))?;
        Ok(SecretBytes::new(random))
    }

    fn required(&self, id: &[u8; 16]) -> Result<ObjectHandle, TokenError> {
        let none = || TokenError::new(TokenFault::NoKey, "the token does not have the key".to_owned());
        self.find(STORE_LABEL, id)?.ok_or_else(none)
    }

    fn make(&self, label: &[u8], id: &[u8; 16]) -> Result<ObjectHandle, TokenError> {
        let template = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(32.into()),
            Attribute::Label(label.to_vec()),
            Attribute::Id(id.to_vec()),
        ];
        let made = self.session.generate_key(&Mechanism::AesKeyGen, &template);
        made.map_err(|error| failed(TokenFault::Failed, "the token makes no AES-256 key", &error))
    }

    fn find(&self, label: &[u8], id: &[u8; 16]) -> Result<Option<ObjectHandle>, TokenError> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Label(label.to_vec()),
            Attribute::Id(id.to_vec()),
        ];
        let found = self.session.find_objects(&template);
        let found = found.map_err(|error| failed(TokenFault::Failed, "the token can't be searched", &error))?;
        Ok(found.first().copied())
    }

    fn encrypt(&self, key: ObjectHandle, aad: &[u8], plain: &[u8], sources: &Sources) -> Result<Vec<u8>, TokenError> {
        let mut nonce = sources.random::<TOKEN_NONCE_BYTES>();
        let parameters = gcm(&mut nonce, aad)?;
        let sealed = self.session.encrypt(&Mechanism::AesGcm(parameters), key, plain);
        let sealed = sealed.map_err(|e| failed(TokenFault::Failed, "the token does not seal with AES-GCM", &e))?;
        // Some tokens choose the nonce themselves and write it to where they were given one.
        Ok([&nonce[..], &sealed].concat())
    }

    fn decrypt(&self, key: ObjectHandle, aad: &[u8], sealed: &[u8]) -> Result<SecretBytes, TokenError> {
        let damaged = || TokenError::new(TokenFault::Damaged, "what the token should open is damaged".to_owned());
        let (nonce, body) = sealed.split_first_chunk::<TOKEN_NONCE_BYTES>().ok_or_else(damaged)?;
        let mut nonce = *nonce;
        let parameters = gcm(&mut nonce, aad)?;
        let opened = self.session.decrypt(&Mechanism::AesGcm(parameters), key, body);
        opened
            .map(SecretBytes::new)
            .map_err(|error| failed(fault_of_opening(&error), "the token does not open it", &error))
    }
}

fn gcm<'a>(nonce: &'a mut [u8; TOKEN_NONCE_BYTES], aad: &'a [u8]) -> Result<GcmParams<'a>, TokenError> {
    let parameters = GcmParams::new(nonce, aad, (8 * TOKEN_TAG_BYTES as u64).into());
    parameters.map_err(|error| failed(TokenFault::Failed, "AES-GCM", &error))
}

fn fault_of_opening(error: &Error) -> TokenFault {
    match error {
        // SoftHSM2 calls a wrong tag a general error.
        Error::Pkcs11(RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange | RvError::GeneralError, _) => {
            TokenFault::Damaged
        }
        _ => TokenFault::Failed,
    }
}

impl TokenError {
    fn new(fault: TokenFault, text: String) -> Self {
        Self { fault, text }
    }
}

fn failed(fault: TokenFault, what: &str, error: &Error) -> TokenError {
    TokenError::new(fault, format!("{what}: {error}"))
}
