use super::*;

/// The guide's table as its readers know it, a row an operation. Columns: Enabled, Disabled, PendingDeletion,
/// PendingReplicaDeletion, PendingImport, Unavailable, Creating, Updating. `.` allowed; numbers as on the guide's page:
/// 1 disabled, 3 pending deletion, 4 not pending deletion, 5 pending import, 6 origin, 11 unavailable, 14 creating,
/// 15 updating.
const GUIDE: &str = "
    Use               .  1  3  3  5  11 14 .
    Grant             .  1  3  3  5  .  14 .
    Switch            .  .  3  3  5  .  14 15
    ScheduleDeletion  .  .  3  3  .  .  .  15
    CancelDeletion    4  4  .  .  4  4  4  4
    ConfigureRotation .  1  3  3  6  6  14 .
    Rotate            .  1  3  3  5  6  14 15
    Import            .  .  3  3  .  6  14 15
    DeleteMaterial    .  .  .  .  .  6  14 15
    Replicate         .  1  3  3  5  6  14 15
    UpdatePrimary     .  1  3  3  5  6  14 .
    TakeAlias         .  .  3  3  .  .  .  .
    Label             .  .  3  3  .  .  .  .
    Read              .  .  .  .  .  .  .  .
";

const COLUMNS: [KeyState; 8] = [
    KeyState::Enabled,
    KeyState::Disabled,
    KeyState::PendingDeletion,
    KeyState::PendingReplicaDeletion,
    KeyState::PendingImport,
    KeyState::Unavailable,
    KeyState::Creating,
    KeyState::Updating,
];

#[test]
fn every_cell_is_as_the_guide_has_it() {
    let rows: Vec<Vec<&str>> =
        GUIDE.lines().map(|line| line.split_whitespace().collect()).filter(|row: &Vec<_>| !row.is_empty()).collect();
    assert_eq!(rows.len(), TABLE.len());
    for (row, (operation, _)) in rows.iter().zip(&TABLE) {
        assert_eq!(row[0], format!("{operation:?}"));
        assert_eq!(row.len(), 1 + COLUMNS.len(), "{operation:?}");
        for (state, expected) in COLUMNS.into_iter().zip(&row[1..]) {
            let answer = match check_state(state, *operation) {
                Ok(()) => ".",
                Err(StateRefusal::Disabled) => "1",
                Err(StateRefusal::PendingDeletion) => "3",
                Err(StateRefusal::NotPendingDeletion) => "4",
                Err(StateRefusal::PendingImport) => "5",
                Err(StateRefusal::Origin) => "6",
                Err(StateRefusal::Unavailable) => "11",
                Err(StateRefusal::Creating) => "14",
                Err(StateRefusal::Updating) => "15",
            };
            assert_eq!(answer, *expected, "{operation:?} in {state:?}");
        }
    }
}
