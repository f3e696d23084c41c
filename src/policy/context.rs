//! What a request tells about itself: values for condition keys and policy variables, on demand.

use std::cell::Cell;

use super::key::{Key, NamedKey};
use super::pattern::Template;
use super::principal::Subject;
use super::value::Value;

/// The condition keys of one request. Implemented by the caller of the engine over what it has at hand, so that nothing
/// is gathered that no policy asks for and nothing has to be allocated.
pub trait Context {
    /// Calls `each` with every value that `key` has in this request; not at all if the request does not have the key.
    ///
    /// `parameter` is the part after the key's `/` or `:`, in lower case: a tag's key or a key of the encryption
    /// context, to be compared without regard to ASCII case. It is empty for other keys.
    ///
    /// Keys that follow from who asks and whose resource it is (`aws:PrincipalArn`, `aws:username`,
    /// `kms:CallerAccount`, `aws:ResourceAccount`, …) are answered by the engine and never asked for here; see
    /// [`Subject`].
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>));

    /// Whether this context's answer stands in place of what follows from who asks or whose resource it is. Of real
    /// requests it never does: only who simulates one may say what its caller's ARN is to be.
    fn overrides(&self, key: Key) -> bool {
        let _ = key;
        false
    }
}

/// A context without any key.
#[derive(Debug, Clone, Copy)]
pub struct NoContext;

impl Context for NoContext {
    fn each(&self, _: Key, _: &str, _: &mut dyn FnMut(Value<'_>)) {}
}

/// What may be asked during one evaluation, and a buffer for expanded variables.
pub(super) struct Facts<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) owner: &'a str,
    pub(super) context: &'a dyn Context,
    /// Empty until a pattern with a variable gets as far as being compared.
    scratch: Cell<Vec<u8>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(subject: &'a Subject<'a>, owner: &'a str, context: &'a dyn Context) -> Self {
        Self { subject, owner, context, scratch: Cell::default() }
    }

    /// Calls `each` with every value of `key`.
    pub(super) fn each(&self, named: &NamedKey, each: &mut dyn FnMut(Value<'_>)) {
        let Some(key) = named.key() else { return };
        let owners = matches!(key, Key::AwsResourceAccount | Key::S3ResourceAccount);
        let follows = owners || Subject::answers(key);
        if !follows || self.context.overrides(key) {
            return self.context.each(key, named.parameter(), each);
        }
        let value = if owners { Some(Value::Text(self.owner)) } else { self.subject.value(key) };
        value.into_iter().for_each(each);
    }

    /// Calls `f` with the template's pattern, its variables replaced; none if one of them has no value.
    pub(super) fn with_pattern<R>(&self, template: &Template, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        if let Some(pattern) = template.fixed() {
            return Some(f(pattern));
        }
        let mut buffer = self.scratch.take();
        buffer.clear();
        let result = template.expand(self, &mut buffer).then(|| f(&buffer));
        self.scratch.set(buffer);
        result
    }
}
