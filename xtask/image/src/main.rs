//! `ipp-image`: writes the module as an OCI layout and pushes it. `cargo xtask image` runs it with a fresh module.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use ipp_image::Result;
use ipp_image::blob::digest;
use ipp_image::credentials::{Credentials, Found, docker_config, look_up};
use ipp_image::form::{Form, Image, Source};
use ipp_image::layout;
use ipp_image::reference::Reference;
use ipp_image::registry::Registry;
use lexopt::{Arg, Parser, ValueExt};

const USAGE: &str = "\
Usage: ipp-image --module FILE --commit ID --out DIR [--form artifact|image] [--push HOST[:PORT]/REPOSITORY:TAG]
                 [--username NAME --password-stdin] [--https] [--check]
";

struct Options {
    module: PathBuf,
    commit: String,
    out: PathBuf,
    form: Form,
    push: Option<Reference>,
    username: Option<String>,
    password_stdin: bool,
    https: bool,
    /// Only look at the command line.
    check: bool,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprint!("ipp-image: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if options.check {
        return ExitCode::SUCCESS;
    }
    match make(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("ipp-image: {why}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Options> {
    let mut parser = Parser::from_args(arguments);
    let (mut module, mut commit, mut out) = (None, None, None);
    let (mut form, mut push, mut username) = (Form::Artifact, None, None);
    let (mut password_stdin, mut https, mut check) = (false, false, false);
    let unusable = |error: lexopt::Error| error.to_string();
    while let Some(argument) = parser.next().map_err(unusable)? {
        let name = match argument {
            Arg::Long(name) => name.to_owned(),
            other => return Err(other.unexpected().to_string()),
        };
        let mut text = || parser.value().and_then(|value| value.string()).map_err(unusable);
        match name.as_str() {
            "module" => module = Some(text()?.into()),
            "commit" => commit = Some(text()?),
            "out" => out = Some(text()?.into()),
            "form" => form = form_named(&text()?)?,
            "push" => push = Some(Reference::parse(&text()?)?),
            "username" => username = Some(text()?),
            "password-stdin" => password_stdin = true,
            "https" => https = true,
            "check" => check = true,
            other => return Err(format!("there is no option --{other}")),
        }
    }
    if username.is_some() != password_stdin {
        return Err("--username and --password-stdin go together".to_owned());
    }
    if push.is_none() && (username.is_some() || https) {
        return Err("--username, --password-stdin and --https mean something with --push only".to_owned());
    }
    let missing = |name: &str| format!("{name} is missing");
    Ok(Options {
        module: module.or(check.then(PathBuf::new)).ok_or_else(|| missing("--module"))?,
        commit: commit.or(check.then(String::new)).ok_or_else(|| missing("--commit"))?,
        out: out.or(check.then(PathBuf::new)).ok_or_else(|| missing("--out"))?,
        form,
        push,
        username,
        password_stdin,
        https,
        check,
    })
}

fn form_named(name: &str) -> Result<Form> {
    let found = Form::ALL.into_iter().find(|form| form.name() == name);
    found.ok_or_else(|| format!("--form is {name:?}, expected artifact or image"))
}

fn make(options: &Options) -> Result<()> {
    let module = std::fs::read(&options.module)
        .map_err(|error| format!("cannot read {}: {error}", options.module.display()))?;
    if !module.starts_with(b"\0asm") {
        return Err(format!("{} is no WebAssembly module", options.module.display()));
    }
    let source = Source { version: env!("CARGO_PKG_VERSION").to_owned(), commit: options.commit.clone() };
    let image = Image::new(options.form, &module, &source);
    let tag = options.push.as_ref().map_or(source.version.as_str(), |reference| reference.tag.as_str());
    layout::write(&image, tag, &options.out)?;
    let digest_of_image = &image.manifest.digest;
    println!("{}", options.out.display());
    println!("  form       {}, an OCI layout", options.form.name());
    println!("  module     {}, {} bytes", digest(&module), module.len());
    println!("  commit     {}", source.commit);
    println!("  digest     {digest_of_image}");
    match &options.push {
        Some(reference) => {
            let pushed =
                Registry::new(reference, credentials(options, reference)?, options.https).push(&image)?;
            println!("  pushed     {} blobs, {} were there", pushed.sent, pushed.present);
            println!("  reference  {reference}@{digest_of_image}");
            println!("\nin the WasmPlugin:\n  url: oci://{}", reference.pinned(digest_of_image));
        }
        None => println!(
            "\nonce pushed (--push HOST/REPOSITORY:TAG), in the WasmPlugin:\n  \
             url: oci://HOST/REPOSITORY@{digest_of_image}"
        ),
    }
    Ok(())
}

fn credentials(options: &Options, reference: &Reference) -> Result<Option<Credentials>> {
    if let Some(user) = options.username.as_ref().filter(|_| options.password_stdin) {
        let mut password = String::new();
        std::io::stdin()
            .read_to_string(&mut password)
            .map_err(|error| format!("the password cannot be read from standard input: {error}"))?;
        return Ok(Some(Credentials::new(user, password.trim_end_matches(['\r', '\n']))));
    }
    let Some(file) = docker_config() else { return Ok(None) };
    match look_up(&file, reference)? {
        Found::Credentials(credentials) => Ok(Some(credentials)),
        Found::Nothing => Ok(None),
        Found::Unusable(what) => {
            eprintln!(
                "ipp-image: {what} is not used; without credentials unless --username and --password-stdin"
            );
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &str) -> Result<Options> {
        parse(arguments.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_artifact_is_the_default() {
        let options = parsed("--module m --commit c --out o").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((options.form, options.push, options.check), (Form::Artifact, None, false));
    }

    #[test]
    fn a_command_line_that_cannot_be_meant_is_refused() {
        for (arguments, why) in [
            ("--module m --commit c", "--out is missing"),
            ("--check --form tar", "--form is \"tar\", expected artifact or image"),
            ("--check --push ghcr.io/me/ipp", "has no tag"),
            ("--check --push ghcr.io/me/ipp:1 --username me", "go together"),
            ("--check --https", "with --push only"),
            ("--check extra", "unexpected argument"),
        ] {
            let Err(error) = parsed(arguments) else { panic!("{arguments}") };
            assert!(error.contains(why), "{arguments}: {error}");
        }
    }
}
