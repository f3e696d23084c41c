//! PKCS#11 modules in this process, and which tokens they have opened.
//!
//! A module is one state for the whole process: it is started by its first user and ended with its last one. A token
//! that is logged in is so for all sessions: who opens another one is held to the PIN that has opened the first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::{TokenError, TokenFault, failed};
use crate::crypto::{SecretBytes, constant_time_eq, fill_random, hmac_sha256};

static MODULES: Mutex<BTreeMap<PathBuf, Started>> = Mutex::new(BTreeMap::new());

struct Started {
    module: Pkcs11,
    users: usize,
    /// What a PIN is known by, by slot; under a key of this process, so that it tells nothing of the PIN.
    pins: BTreeMap<u64, [u8; 32]>,
    pin_key: [u8; 32],
}

/// A started module. The last one of a path ends it.
pub(super) struct Module {
    path: PathBuf,
    module: Pkcs11,
}

impl Module {
    /// Starts a module, unless it is.
    pub(super) fn start(path: &Path) -> Result<Self, TokenError> {
        let mut modules = modules();
        if let Some(started) = modules.get_mut(path) {
            started.users += 1;
            return Ok(Self { path: path.to_owned(), module: started.module.clone() });
        }
        let shown = path.display();
        let module = Pkcs11::new(path)
            .map_err(|error| TokenError::new(TokenFault::Module, format!("the module {shown}: {error}")))?;
        let begun = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        begun.map_err(|error| failed(TokenFault::Module, "the module can't be started", &error))?;
        let mut pin_key = [0; 32];
        fill_random(&mut pin_key);
        let started = Started { module: module.clone(), users: 1, pins: BTreeMap::new(), pin_key };
        modules.insert(path.to_owned(), started);
        Ok(Self { path: path.to_owned(), module })
    }

    /// A session with the token of that label, logged in.
    pub(super) fn open(&self, label: Option<&str>, pin: &SecretBytes) -> Result<Session, TokenError> {
        let slot = self.find_slot(label)?;
        let session = self.module.open_rw_session(slot);
        let session = session.map_err(|error| failed(TokenFault::Absent, "no session with the token", &error))?;
        self.log_in(&session, slot, pin)?;
        Ok(session)
    }

    fn log_in(&self, session: &Session, slot: Slot, pin: &SecretBytes) -> Result<(), TokenError> {
        let text = std::str::from_utf8(pin.expose());
        let text = text.map_err(|_| TokenError::new(TokenFault::Pin, "the PIN is no text".to_owned()))?;
        let outcome = session.login(UserType::User, Some(&AuthPin::new(text.into())));
        let mut modules = modules();
        let Some(started) = modules.get_mut(&self.path) else {
            return Err(TokenError::new(TokenFault::Module, "the module has ended".to_owned()));
        };
        let known_by = hmac_sha256(&started.pin_key, pin.expose());
        match outcome {
            Ok(()) => {
                started.pins.insert(slot.id(), known_by);
                Ok(())
            }
            Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => match started.pins.get(&slot.id()) {
                Some(known) if constant_time_eq(known, &known_by) => Ok(()),
                _ => Err(TokenError::new(TokenFault::Pin, "the token does not take the PIN".to_owned())),
            },
            Err(error) => Err(failed(fault_of_login(&error), "the token does not take the PIN", &error)),
        }
    }

    fn find_slot(&self, label: Option<&str>) -> Result<Slot, TokenError> {
        let absent = |text: String| TokenError::new(TokenFault::Absent, text);
        let slots = self.module.get_slots_with_initialized_token();
        let slots = slots.map_err(|error| failed(TokenFault::Absent, "no token can be listed", &error))?;
        let labelled: Vec<(Slot, String)> = slots
            .into_iter()
            .filter_map(|slot| Some((slot, self.module.get_token_info(slot).ok()?.label().trim_end().to_owned())))
            .collect();
        let known = || labelled.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(", ");
        match (label, labelled.as_slice()) {
            (_, []) => Err(absent("there is no token: is it plugged in?".to_owned())),
            (None, [(slot, _)]) => Ok(*slot),
            (None, _) => Err(absent(format!("there are several tokens ({}): set the label of one", known()))),
            (Some(wanted), _) => match labelled.iter().find(|(_, label)| label == wanted) {
                Some((slot, _)) => Ok(*slot),
                None => Err(absent(format!("there is no token {wanted}; there is: {}", known()))),
            },
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        let mut modules = modules();
        let Some(started) = modules.get_mut(&self.path) else { return };
        started.users -= 1;
        if started.users > 0 {
            return;
        }
        if let Some(started) = modules.remove(&self.path)
            && let Err(error) = started.module.finalize()
        {
            tracing::warn!(module = %self.path.display(), %error, "a PKCS#11 module did not end");
        }
    }
}

fn modules() -> MutexGuard<'static, BTreeMap<PathBuf, Started>> {
    MODULES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fault_of_login(error: &Error) -> TokenFault {
    match error {
        Error::Pkcs11(RvError::PinLocked, _) => TokenFault::Locked,
        Error::Pkcs11(RvError::UserPinNotInitialized, _) => TokenFault::NoPin,
        Error::Pkcs11(RvError::DeviceRemoved | RvError::TokenNotPresent, _) => TokenFault::Absent,
        _ => TokenFault::Pin,
    }
}
