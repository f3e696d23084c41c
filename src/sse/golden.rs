//! The golden bytes of wrapped object keys. The rows that they stand in are with `objects`.

use super::service::{CUSTOMER_LABEL, KMS_LABEL, bind, customer_check, flatten, unflatten, wrap_keys};
use super::{CustomerKey, Mode, ObjectRef};
use crate::crypto::{ObjectKeys, SecretKey, Suite, open_box};
use crate::golden::{Golden, check};
use crate::names::{BucketName, ObjectKey, hex};
use crate::sources::{Sources, Timestamp};

fn secret(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).expect("32 bytes")
}

/// Object keys of `mode`, wrapped under a key from outside or a data key.
fn wrapped(name: &str, mode: Mode, label: &'static str, keys: &ObjectKeys, suite: Suite) -> Golden {
    let context = move || {
        let bucket = BucketName::parse("bucket").expect("a name");
        let key = ObjectKey::parse("a/b").expect("a key");
        bind(ObjectRef { bucket: &bucket, key: &key, id: [3; 16] }, mode)
    };
    let shown = hex(flatten(keys).expose());
    let sources = Sources::seeded(1, Timestamp(0));
    let write = |_: &String| wrap_keys(&secret(9), label, &context(), &flatten(keys), &sources);
    let read = move |bytes: &[u8]| {
        let plain = open_box(&secret(9), label, &context(), bytes).expect("it opens");
        hex(flatten(&unflatten(suite, plain.expose()).expect("its keys")).expose())
    };
    Golden::of(name, &shown, write, read)
}

#[test]
fn golden() {
    let (single, double) = (ObjectKeys::Single(secret(1)), ObjectKeys::Double(secret(1), secret(2)));
    let noted = || {
        let customer = CustomerKey::new(secret(9), "SCY5xzBvyA28HDOoR/qKFA==");
        customer_check(&customer.expect("the digest is the key's"), [7; 16])
    };
    check(
        "sse",
        &[
            wrapped("SSE-KMS", Mode::SseKms, KMS_LABEL, &single, Suite::Single),
            wrapped("DSSE-KMS", Mode::DsseKms, KMS_LABEL, &double, Suite::Double),
            wrapped("SSE-C", Mode::SseC, CUSTOMER_LABEL, &single, Suite::Single),
            Golden::of("note of a customer's key", &true, |_| noted(), move |bytes| noted() == bytes),
        ],
    );
}
