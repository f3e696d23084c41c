//! A PKCS#11 token that holds a key which never leaves it: AES-256, made on the token, not extractable. What it seals is
//! AES-GCM: nonce (12) | ciphertext | tag (16), with [`LABEL`] and the key's id as additional data. Frozen.
//!
//! By `cryptoki`, the Parsec project's binding: kept up, its API safe, tested by its authors on SoftHSM2 and others.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::{SecretBytes, SecretKey};
use crate::sources::Sources;

const NONCE_BYTES: usize = 12;
const TAG_BITS: u64 = 128;
/// `CKA_LABEL` of the keys that are made, and the start of the additional data.
const LABEL: &[u8] = b"strongroom root token v1";
/// A module is one state for the whole process: one caller at a time opens and closes it.
static MODULE: Mutex<()> = Mutex::new(());

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
pub struct TokenError(pub String);

/// An opened token. One at a time.
struct OpenToken<'a> {
    session: Session,
    _module: Pkcs11,
    _turn: MutexGuard<'a, ()>,
}

/// Makes a key with this id on the token and seals `secret` under it.
pub fn seal_on_token(
    access: &TokenAccess,
    key_id: &[u8; 16],
    secret: &SecretKey,
    sources: &Sources,
) -> Result<Vec<u8>, TokenError> {
    let token = OpenToken::open(access)?;
    let key = token.make_key(key_id)?;
    let mut nonce = sources.random::<NONCE_BYTES>();
    let sealed = token.encrypt(key, &mut nonce, key_id, secret.expose())?;
    // Some tokens choose the nonce themselves and write it to where they were given one.
    let whole = [&nonce[..], &sealed].concat();
    // What a token can't open again must not become a root.
    let opened = token.decrypt(key, key_id, &whole)?;
    match super::constant_time_eq(opened.expose(), secret.expose()) {
        true => Ok(whole),
        false => Err(TokenError("the token does not open what it has sealed".to_owned())),
    }
}

/// Opens what [`seal_on_token`] has sealed.
pub fn open_on_token(access: &TokenAccess, key_id: &[u8; 16], sealed: &[u8]) -> Result<SecretKey, TokenError> {
    let token = OpenToken::open(access)?;
    let key = token.find_key(key_id)?.ok_or_else(|| {
        TokenError("the token does not have the key of this root: it is another token, or the key was deleted".into())
    })?;
    let opened = token.decrypt(key, key_id, sealed)?;
    SecretKey::from_slice(opened.expose()).ok_or_else(|| TokenError("what the token opened is no root".to_owned()))
}

impl OpenToken<'_> {
    fn open(access: &TokenAccess) -> Result<Self, TokenError> {
        let turn = MODULE.lock().expect("no holder panics");
        let shown = access.module.display();
        let module = Pkcs11::new(&access.module).map_err(|e| TokenError(format!("the module {shown}: {e}")))?;
        let initialized = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        initialized.map_err(|e| failed("the module can't be started", &e))?;
        let slot = find_slot(&module, access.label.as_deref())?;
        let session = module.open_rw_session(slot).map_err(|e| failed("no session with the token", &e))?;
        let pin = std::str::from_utf8(access.pin.expose()).map_err(|_| TokenError("the PIN is no text".to_owned()))?;
        let pin = AuthPin::new(pin.into());
        session.login(UserType::User, Some(&pin)).map_err(|e| failed("the token does not take the PIN", &e))?;
        Ok(Self { session, _module: module, _turn: turn })
    }

    fn make_key(&self, key_id: &[u8; 16]) -> Result<ObjectHandle, TokenError> {
        let template = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(32.into()),
            Attribute::Label(LABEL.to_vec()),
            Attribute::Id(key_id.to_vec()),
        ];
        let made = self.session.generate_key(&Mechanism::AesKeyGen, &template);
        made.map_err(|e| failed("the token makes no AES-256 key", &e))
    }

    fn find_key(&self, key_id: &[u8; 16]) -> Result<Option<ObjectHandle>, TokenError> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Id(key_id.to_vec()),
        ];
        let found = self.session.find_objects(&template).map_err(|e| failed("the token can't be searched", &e))?;
        Ok(found.first().copied())
    }

    fn encrypt(
        &self,
        key: ObjectHandle,
        nonce: &mut [u8; NONCE_BYTES],
        key_id: &[u8; 16],
        plain: &[u8],
    ) -> Result<Vec<u8>, TokenError> {
        let aad = [LABEL, key_id].concat();
        let parameters = GcmParams::new(nonce, &aad, TAG_BITS.into());
        let mechanism = Mechanism::AesGcm(parameters.map_err(|e| failed("AES-GCM", &e))?);
        self.session.encrypt(&mechanism, key, plain).map_err(|e| failed("the token does not seal with AES-GCM", &e))
    }

    fn decrypt(&self, key: ObjectHandle, key_id: &[u8; 16], sealed: &[u8]) -> Result<SecretBytes, TokenError> {
        let damaged = || TokenError("what the token should open is damaged".to_owned());
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let (mut nonce, aad) = (*nonce, [LABEL, key_id].concat());
        let parameters = GcmParams::new(&mut nonce, &aad, TAG_BITS.into());
        let mechanism = Mechanism::AesGcm(parameters.map_err(|e| failed("AES-GCM", &e))?);
        let opened = self.session.decrypt(&mechanism, key, body);
        opened.map(SecretBytes::new).map_err(|e| failed("the token does not open this root", &e))
    }
}

fn find_slot(module: &Pkcs11, label: Option<&str>) -> Result<Slot, TokenError> {
    let slots = module.get_slots_with_initialized_token().map_err(|e| failed("no token can be listed", &e))?;
    let labelled: Vec<(Slot, String)> = slots
        .into_iter()
        .filter_map(|slot| Some((slot, module.get_token_info(slot).ok()?.label().trim_end().to_owned())))
        .collect();
    let known = || labelled.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(", ");
    match (label, labelled.as_slice()) {
        (_, []) => Err(TokenError("there is no token: is it plugged in?".to_owned())),
        (None, [(slot, _)]) => Ok(*slot),
        (None, _) => Err(TokenError(format!("there are several tokens ({}): set root_token_label", known()))),
        (Some(wanted), _) => match labelled.iter().find(|(_, label)| label == wanted) {
            Some((slot, _)) => Ok(*slot),
            None => Err(TokenError(format!("there is no token {wanted}; there is: {}", known()))),
        },
    }
}

fn failed(what: &str, error: &Error) -> TokenError {
    TokenError(format!("{what}: {error}"))
}
