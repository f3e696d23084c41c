//! How answers are shown: as columns for people, or as the JSON that the AWS CLI prints.

use serde_json::{Map, Value};

use super::api::Element;
use super::connection::Output;
use crate::cli::{Failure, say};
use crate::wire::decode_path;

/// Lists of the answers shown, which are lists also where they are empty.
const LISTS: [&str; 20] = [
    "AccessKeyMetadata",
    "AttachedManagedPolicies",
    "AttachedPolicies",
    "EvaluationResults",
    "Groups",
    "GroupPolicyList",
    "InstanceProfiles",
    "MatchedStatements",
    "MissingContextValues",
    "Policies",
    "PolicyGroups",
    "PolicyNames",
    "PolicyRoles",
    "PolicyUsers",
    "PolicyVersionList",
    "Roles",
    "Tags",
    "Users",
    "Versions",
    "ResourceSpecificResults",
];
const NUMBERS: [&str; 3] = ["AttachmentCount", "MaxSessionDuration", "PermissionsBoundaryUsageCount"];
/// Percent-encoded policies.
const DOCUMENTS: [&str; 3] = ["AssumeRolePolicyDocument", "Document", "PolicyDocument"];

/// Prints one result in the form that was asked for.
pub(super) fn show(output: Output, json: &Value, text: impl FnOnce() -> String) -> Result<(), Failure> {
    match output {
        Output::Json => say(format_args!("{json:#}")),
        Output::Text => match text() {
            text if text.is_empty() => Ok(()),
            text => say(text.trim_end()),
        },
    }
}

/// An answer's element as the AWS CLI shows it.
pub(super) fn json(element: &Element) -> Value {
    let name = element.name.as_str();
    if LISTS.contains(&name) || (!element.children.is_empty() && element.children.iter().all(|c| c.name == "member")) {
        return element.children.iter().map(json).collect();
    }
    if !element.children.is_empty() {
        let fields = element.children.iter().map(|child| (child.name.clone(), json(child)));
        return Value::Object(fields.collect::<Map<_, _>>());
    }
    let text = element.text.trim();
    match text {
        "true" => return true.into(),
        "false" => return false.into(),
        _ => {}
    }
    if NUMBERS.contains(&name)
        && let Ok(number) = text.parse::<u64>()
    {
        return number.into();
    }
    if DOCUMENTS.contains(&name)
        && let Some(document) = document(text)
    {
        return document;
    }
    text.into()
}

/// A policy document of an answer.
pub(super) fn document(encoded: &str) -> Option<Value> {
    serde_json::from_str(&decode_path(encoded)?).ok()
}

/// Elements under one name, as lists of answers are shown.
pub(super) fn list(name: &str, items: &[Element]) -> Value {
    let items: Value = items.iter().map(json).collect();
    Value::Object(Map::from_iter([(name.to_owned(), items)]))
}

/// Columns with a line of headings; nothing but `none` where there are no rows.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]], none: &str) -> String {
    if rows.is_empty() {
        return none.to_owned();
    }
    let headings = headings.map(str::to_owned);
    let all = || std::iter::once(&headings).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{json as of_element, list, table};
    use crate::wire::xml::parse;

    #[test]
    fn answers_become_json() {
        let answer = parse(
            b"<GetRoleResult><Role><RoleName>r</RoleName><MaxSessionDuration>3600</MaxSessionDuration><Tags/>\
              <AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%7D</AssumeRolePolicyDocument>\
              <Listed><member><Id>1</Id></member></Listed><IsAttachable>true</IsAttachable></Role></GetRoleResult>",
        );
        let expected = json!({"Role": {
            "RoleName": "r", "MaxSessionDuration": 3600, "Tags": [],
            "AssumeRolePolicyDocument": {"Version": "2012-10-17"}, "Listed": [{"Id": "1"}], "IsAttachable": true,
        }});
        assert_eq!(of_element(&answer.unwrap()), expected);
        assert_eq!(list("Users", &[]), json!({"Users": []}));
    }

    #[test]
    fn columns() {
        let rows = [["a".to_owned(), "long".to_owned()], ["bbb".to_owned(), String::new()]];
        assert_eq!(table(["A", "B"], &rows, "none"), "A    B\na    long\nbbb");
        assert_eq!(table(["A"], &[], "none"), "none");
    }
}
