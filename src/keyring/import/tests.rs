use super::*;

#[test]
fn a_tag_is_the_materials_own_and_tells_keys_apart() {
    let tag = imported_tag("mrk-1", &[7; 32]);
    assert_eq!(tag, imported_tag("mrk-1", &[7; 32]));
    assert_ne!(tag, imported_tag("mrk-2", &[7; 32]));
    assert_ne!(tag, imported_tag("mrk-1", &[8; 32]));
    // Frozen: ciphertexts name material by it.
    assert_eq!(super::super::root::hex(&tag), "f578eaad5885cdc9b672dbc495a12aba");
}
