//! The examples of RFC 7515, appendices A.2 to A.4, and what must not verify.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

/// Algorithm, signed text, signature, key: `n e` or `curve x y`.
const EXAMPLES: [(&str, &str, &str, &[&str]); 3] = [
    (
        "RS256",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1d\
         nZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwu\
         sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        &[
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-p\
             CgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Cap\
             Hg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5\
             4h4FRWyuXpoQ",
            "AQAB",
        ],
    ),
    (
        "ES256",
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        &["P-256", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"],
    ),
    (
        "ES512",
        "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
        "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPE\
         X3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        &[
            "P-521",
            "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
            "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
        ],
    ),
];

const ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn key(parts: &[&str]) -> JwsKey {
    match parts {
        [n, e] => JwsKey::rsa(&bytes(n), &bytes(e)).unwrap(),
        [curve, x, y] => JwsKey::ec(curve, &bytes(x), &bytes(y)).unwrap(),
        _ => unreachable!(),
    }
}

#[test]
fn examples_of_the_standard() {
    for (name, signed, signature, parts) in EXAMPLES {
        let (key, signature) = (key(parts), bytes(signature));
        for algorithm in ALGORITHMS {
            let verified = key.verifies(JwsAlgorithm::parse(algorithm).unwrap(), signed.as_bytes(), &signature);
            assert_eq!(verified, algorithm == name, "{name} as {algorithm}");
        }
        let algorithm = JwsAlgorithm::parse(name).unwrap();
        for at in 0..signature.len() {
            let mut altered = signature.clone();
            altered[at] ^= 1;
            assert!(!key.verifies(algorithm, signed.as_bytes(), &altered), "{name}: byte {at}");
        }
        for altered in [&signature[1..], &signature[..signature.len() - 1], &[]] {
            assert!(!key.verifies(algorithm, signed.as_bytes(), altered), "{name}");
        }
        assert!(!key.verifies(algorithm, &signed.as_bytes()[1..], &signature), "{name}");
    }
}

#[test]
fn other_algorithms_are_none() {
    for name in ["", "none", "None", "HS256", "HS512", "PS256", "ES256K", "EdDSA", "rs256", "RS256 "] {
        assert_eq!(JwsAlgorithm::parse(name), None, "{name}");
    }
}

#[test]
fn keys_that_are_none() {
    let modulus = |bytes: usize| [vec![0x81], vec![0; bytes - 2], vec![1]].concat();
    assert!(JwsKey::rsa(&modulus(256), &[1, 0, 1]).is_ok());
    assert_eq!(JwsKey::rsa(&[vec![0], modulus(256)].concat(), &[0, 3]), JwsKey::rsa(&modulus(256), &[3]));
    for (n, e) in [
        (modulus(255), vec![1, 0, 1]),
        (modulus(1025), vec![1, 0, 1]),
        (modulus(256), vec![]),
        (modulus(256), vec![1]),
        (modulus(256), vec![2]),
        (modulus(256), vec![1; 5]),
        (vec![0; 256], vec![3]),
        (vec![], vec![3]),
    ] {
        assert!(JwsKey::rsa(&n, &e).is_err(), "{} {e:?}", n.len());
    }
    for (curve, x, y) in [("P-256", 31, 32), ("P-256", 32, 33), ("P-521", 65, 66), ("secp256k1", 32, 32), ("", 0, 0)] {
        assert!(JwsKey::ec(curve, &vec![1; x], &vec![1; y]).is_err(), "{curve}");
    }
    // A point that is not on its curve verifies nothing.
    let (_, signed, signature, _) = EXAMPLES[1];
    let off = JwsKey::ec("P-256", &[1; 32], &[1; 32]).unwrap();
    assert!(!off.verifies(JwsAlgorithm::Es256, signed.as_bytes(), &bytes(signature)));
}
