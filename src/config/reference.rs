//! The table of settings in `docs/configuration.md`, made from the definition.

use std::fmt::Write as _;

use clap::{Arg, Args as _, Command};

use super::SettingsArgs;

/// Every setting as a row of a Markdown table: key, flag, variable, default, meaning.
pub fn render_reference() -> String {
    let mut out = "| Key | Flag | Variable | Default | Meaning |\n|---|---|---|---|---|\n".to_owned();
    for arg in SettingsArgs::augment_args(Command::new("strongroom")).get_arguments() {
        let key = arg.get_id().as_str();
        // Which file to read is no key of that file.
        let key = if key == "config" { "–".to_owned() } else { format!("`{key}`") };
        let text = |text: Option<String>| text.map_or_else(|| "–".to_owned(), |text| format!("`{text}`"));
        let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned());
        let default = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
        // A star would set what follows in italics.
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('*', "\\*");
        let _infallible =
            writeln!(out, "| {key} | {} | {} | {} | {help} |", text(flag(arg)), text(variable), text(default));
    }
    out
}

fn flag(arg: &Arg) -> Option<String> {
    let value = arg.get_value_names().and_then(|names| names.first());
    Some(format!("--{} {}", arg.get_long()?, value.map_or("", |name| name.as_str())))
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command};

    use super::super::file::field_names;
    use super::super::settings::Settings;
    use super::*;

    #[test]
    fn flag_variable_and_key_share_one_name() {
        for arg in SettingsArgs::augment_args(Command::new("strongroom")).get_arguments() {
            let id = arg.get_id().as_str();
            assert_eq!(arg.get_long(), Some(id.replace('_', "-").as_str()));
            let variable = format!("STRONGROOM_{}", id.to_ascii_uppercase());
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(variable.as_str()));
            assert!(arg.get_help().is_some(), "{id}");
            assert!(id == "config" || field_names::<Settings>().contains(&id), "{id}");
        }
    }

    #[test]
    fn the_manual_holds_the_table() {
        let manual = include_str!("../../docs/configuration.md");
        assert!(
            manual.contains(&render_reference()),
            "put the output of `strongroom config reference` between the settings marks of docs/configuration.md"
        );
        for key in field_names::<Settings>() {
            assert!(manual.contains(&format!("`{key}`")) || manual.contains(&format!("[[{key}]]")), "{key}");
        }
    }

    #[test]
    fn every_key_is_a_flag_and_a_variable() {
        let command = SettingsArgs::augment_args(Command::new("strongroom"));
        for key in field_names::<Settings>() {
            // Secrets stand in it, and a process list shows flags: `accounts_file` and STRONGROOM_ACCOUNTS instead.
            let given = *key == "account" || command.get_arguments().any(|arg| arg.get_id() == *key);
            assert!(given, "{key}");
        }
    }
}
