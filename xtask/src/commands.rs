//! The commands, their one-line descriptions, and what the command line must look like.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};

use crate::check::{self, Tier};
use crate::launch::{self, Demo};
use crate::stop::{Result, Stop};
use crate::workspace::Workspace;
use crate::{envoy, module, toolchain};

/// Name, arguments, description: the order is the one a newcomer needs them in.
const COMMANDS: &[(&str, &str, &str)] = &[
    (
        "up",
        "[--once] [--port N] [--config FILE]",
        "build all, get Envoy, start the demo; --once: ask and leave",
    ),
    (
        "test",
        "[--no-envoy] [TIER...]",
        "run the test tiers: fmt lint unit module harness envoy attach replay image docs",
    ),
    ("module", "[--package NAME]", "build the module for Envoy: target/ipp/ipp.wasm"),
    (
        "image",
        "[--form artifact|image] [--out DIR] [--push REF] [...]",
        "the module as an OCI layout for Istio; --push: to a registry, see CONTRIBUTING.md",
    ),
    ("envoy", "", "find Envoy, or fetch the pinned one, and print where it is"),
    (
        "replay",
        "[PATHS...] [ARGS...]",
        "replay recordings; ARGS go to ipp-replay, --engine is wasm by default",
    ),
    ("bench", "[ARGS...]", "measure the module in Envoy; ARGS go to ipp-bench"),
    ("help", "", "print this list"),
];

const SETTINGS: &[(&str, &str)] = &[
    ("ENVOY", "the Envoy to use instead of one from PATH or the pinned one"),
    (
        toolchain::CHOICE,
        "`rustup` or `debian`: the toolchain for wasm32-wasip1, instead of the first that serves",
    ),
];

pub fn run(arguments: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let mut parser = Parser::from_args(arguments);
    let name = match parser.next()? {
        None | Some(Arg::Long("help") | Arg::Short('h')) => "help".to_owned(),
        Some(Arg::Value(value)) => value.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    match name.as_str() {
        "help" => {
            print!("{}", help());
            Ok(ExitCode::SUCCESS)
        }
        "module" => build_module(parser),
        "envoy" => {
            no_more(&mut parser)?;
            let found = envoy::find(&Workspace::find()?)?;
            println!("{}\n  version {}\n  from    {}", found.path.display(), found.version, found.origin);
            Ok(ExitCode::SUCCESS)
        }
        "up" => up(parser),
        "image" => launch::image(&Workspace::find()?, parser.raw_args()?),
        "test" => test(parser),
        "replay" => launch::replay(&Workspace::find()?, parser.raw_args()?),
        "bench" => launch::bench(&Workspace::find()?, parser.raw_args()?),
        other => Err(Stop::usage(format!("there is no command `{other}`")).help(suggestion(
            other,
            COMMANDS.iter().map(|it| it.0),
            "cargo xtask ",
        ))),
    }
}

fn help() -> String {
    let mut text = "Usage: cargo xtask COMMAND\n\nCommands:\n".to_owned();
    for (name, arguments, description) in COMMANDS {
        let call = format!("{name} {arguments}");
        text.push_str(&format!("  {:<42} {description}\n", call.trim_end()));
    }
    text.push_str("\nEnvironment:\n");
    for (name, description) in SETTINGS {
        text.push_str(&format!("  {name:<42} {description}\n"));
    }
    text
}

fn build_module(mut parser: Parser) -> Result<ExitCode> {
    let mut package = module::STOCK.to_owned();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("package") | Arg::Short('p') => package = parser.value()?.string()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let workspace = Workspace::find()?;
    let toolchain = toolchain::choose(&workspace)?;
    let built = module::build(&workspace, &toolchain, &package)?;
    println!("{built}");
    Ok(ExitCode::SUCCESS)
}

fn up(mut parser: Parser) -> Result<ExitCode> {
    let mut demo = Demo::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("once") => demo.once = true,
            Arg::Long("port") => demo.port = Some(parser.value()?.parse()?),
            Arg::Long("config") => demo.config = Some(PathBuf::from(parser.value()?)),
            other => return Err(other.unexpected().into()),
        }
    }
    launch::up(&Workspace::find()?, &demo)
}

fn test(mut parser: Parser) -> Result<ExitCode> {
    let mut named = Vec::new();
    let mut with_envoy = true;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("no-envoy") => with_envoy = false,
            Arg::Value(value) => {
                let name = value.string()?;
                named.push(Tier::from_name(&name).ok_or_else(|| {
                    Stop::usage(format!("there is no test tier `{name}`")).help(suggestion(
                        &name,
                        Tier::ALL.iter().map(|it| it.name()),
                        "cargo xtask test ",
                    ))
                })?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    check::run(&Workspace::find()?, &check::select(&named, with_envoy)?)
}

fn no_more(parser: &mut Parser) -> Result<()> {
    match parser.next()? {
        None => Ok(()),
        Some(other) => Err(other.unexpected().into()),
    }
}

fn suggestion<'a>(typed: &str, known: impl Iterator<Item = &'a str> + Clone, call: &str) -> String {
    match nearest(typed, known.clone()) {
        Some(name) => format!("did you mean `{call}{name}`?"),
        None => format!("one of: {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// The known name with the fewest letters changed: two at most, as when two have changed places, and no more than
/// half of what was typed.
fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, name) = known.map(|name| (edit_distance(typed, name), name)).min_by_key(|it| it.0)?;
    (distance <= 2 && distance * 2 <= typed.chars().count().max(2)).then_some(name)
}

/// Levenshtein's distance, one row at a time.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from_char) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, to_char) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from_char != *to_char);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(typed: &str) -> Option<&'static str> {
        nearest(typed, COMMANDS.iter().map(|it| it.0))
    }

    fn code(arguments: &[&str]) -> std::result::Result<ExitCode, (u8, String)> {
        run(arguments.iter().map(OsString::from)).map_err(|stop| (stop.code, stop.to_string()))
    }

    #[test]
    fn the_nearest_command_is_suggested() {
        assert_eq!(command("modul"), Some("module"));
        assert_eq!(command("tets"), Some("test"));
        assert_eq!(command("envy"), Some("envoy"));
        assert_eq!(command("u"), Some("up"));
        assert_eq!(command("kubernetes"), None);
    }

    #[test]
    fn distances() {
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn a_wrong_command_line_does_nothing_and_ends_with_2() {
        let (exit, text) = code(&["bulid"]).expect_err("unknown");
        assert_eq!(
            (exit, text.as_str()),
            (
                2,
                "error: there is no command `bulid`\nhelp: one of: up, test, module, image, envoy, replay, bench, help"
            )
        );
        let (exit, text) = code(&["test", "units"]).expect_err("unknown tier");
        assert_eq!(
            (exit, text.as_str()),
            (2, "error: there is no test tier `units`\nhelp: did you mean `cargo xtask test unit`?")
        );
        assert_eq!(code(&["envoy", "extra"]).expect_err("too many").0, 2);
        assert_eq!(code(&["up", "--port", "high"]).expect_err("no number").0, 2);
    }

    #[test]
    fn help_has_a_line_for_every_command() {
        let text = help();
        for (name, ..) in COMMANDS {
            assert_eq!(
                text.lines().filter(|line| line.starts_with(&format!("  {name} "))).count(),
                1,
                "{text}"
            );
        }
    }
}
