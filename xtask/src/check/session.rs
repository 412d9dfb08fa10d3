//! Runs one tier, and keeps the modules that one tier builds for the next.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::counted::{Sink, cannot_start, run_counted};
use super::counts::Counts;
use super::documents;
use super::lanes::Part;
use super::tier::Tier;
use crate::attach::Tools;
use crate::process::{apt_get_install, may_apt_get, on_path};
use crate::stop::{Result, Stop};
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;
use crate::{elsewhere, envoy, launch, module, toolchain};

/// Programs that the tests of the image need, and Debian's packages of the same names.
const REGISTRY: [&str; 3] = ["docker-registry", "skopeo", "openssl"];

/// Scrapes an Envoy in one of the tests; also the name of Debian's package.
const PROMETHEUS: &str = "prometheus";

const HARNESS: &str = "ipp-testharness";

/// The harness's test files with this prefix need no Envoy.
const NATIVE: &str = "native";

/// The harness's test file for what a control plane pushes.
const ATTACH: &str = "attach";

/// The modules' packages: checked natively, but linked for WebAssembly only.
const MODULES: [&str; 3] = [module::STOCK, module::CUSTOM, module::TRAP];

/// Where the harness finds them, in the same order.
const VARIABLES: [&str; 3] = ["IPP_MODULE", "IPP_CUSTOM_MODULE", "IPP_TRAP_MODULE"];

/// About how many seconds the harness's test files take, for those that take long.
const WEIGHTS: [(&str, u32); 4] = [("gate", 160), ("live", 100), ("envoy", 75), ("response", 60)];

/// Tests that compare times, by test file: nothing else may run then.
const QUIET: [(&str, &str); 1] = [("response", "first_byte::")];

/// The ways to attach the module, as the replay calls them.
const ROLES: [&str; 2] = ["direct", "gate"];

pub struct Session<'a> {
    workspace: &'a Workspace,
    /// The paths in the order of [`MODULES`]. Built at most once: what does not build is not tried again.
    modules: Option<std::result::Result<Vec<PathBuf>, String>>,
}

impl<'a> Session<'a> {
    pub fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, modules: None }
    }

    /// The tests counted, and what else went wrong.
    pub fn run(&mut self, tier: Tier) -> (Counts, Option<String>) {
        let mut counts = Counts::default();
        let ended = match tier {
            Tier::Fmt => {
                self.yes_or_no(&["fmt", "--all", "--check"], "`cargo fmt --all` formats it", &mut counts)
            }
            Tier::Lint => self.yes_or_no(
                &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
                "what clippy found is above",
                &mut counts,
            ),
            Tier::Unit => self.unit(&mut counts),
            Tier::Module => self.build_modules(&mut counts).map(|_| ()),
            Tier::Harness => self.harness(&mut counts),
            Tier::Envoy | Tier::Attach | Tier::Replay | Tier::Image => {
                Err(Stop::new(format!("the tier {} runs in parts", tier.name())))
            }
            Tier::Docs => documents::check(self.workspace).map(|ok| counts += Counts::one(ok)),
        };
        (counts, ended.err().map(|stop| stop.to_string()))
    }

    fn yes_or_no(&self, arguments: &[&str], help: &str, counts: &mut Counts) -> Result<()> {
        let mut command = self.workspace.cargo();
        command.args(arguments).stdin(Stdio::null());
        let status = command.status().map_err(|error| cannot_start(&command, &error))?;
        *counts += Counts::one(status.success());
        if status.success() { Ok(()) } else { Err(Stop::new("the check failed").help(help)) }
    }

    fn unit(&self, counts: &mut Counts) -> Result<()> {
        let mut packages =
            self.test_command(&["--workspace", "--exclude", HARNESS, "--exclude", launch::IMAGE]);
        for name in MODULES {
            packages.args(["--exclude", name]);
        }
        run_counted(packages, counts, &Sink::Terminal)
    }

    /// Both run even if one fails, because each says something of its own.
    fn harness(&mut self, counts: &mut Counts) -> Result<()> {
        let mut tests = self.harness_command(|name| name.starts_with(NATIVE))?;
        tests.args(["--lib", "--bins"]);
        let examples = self.test_command(&["--package", HARNESS, "--doc"]);
        let ended = [tests, examples].map(|command| run_counted(command, counts, &Sink::Terminal));
        ended.into_iter().collect()
    }

    /// What of a tier can run beside others. Everything that is installed or built by cargo is there when this returns.
    pub fn parts(&mut self, tier: Tier) -> Result<Vec<Part<'a>>> {
        match tier {
            Tier::Envoy => self.envoy(),
            Tier::Attach => self.attach(),
            Tier::Replay => self.replay(),
            Tier::Image => self.image(),
            _ => Err(Stop::new(format!("the tier {} has no parts", tier.name()))),
        }
    }

    fn envoy(&mut self) -> Result<Vec<Part<'a>>> {
        let wanted = |name: &str| !name.starts_with(NATIVE) && name != ATTACH;
        self.build_tests(wanted)?;
        let envoy = envoy::find(self.workspace)?;
        println!("Envoy {} at {} ({})", envoy.version, envoy.path.display(), envoy.origin);
        if on_path(PROMETHEUS).is_none() && may_apt_get() {
            apt_get_install(&[PROMETHEUS])?;
        }
        let names: Vec<String> = self.harness_tests()?.into_iter().filter(|name| wanted(name)).collect();
        let mut parts = Vec::new();
        for name in &names {
            let weight = WEIGHTS.iter().find(|(known, _)| known == name).map_or(20, |(_, weight)| *weight);
            let quiet: Vec<&str> = QUIET.iter().filter(|(file, _)| file == name).map(|(_, it)| *it).collect();
            let mut command = self.harness_command(|it| it == name)?;
            command.env("IPP_ENVOY", &envoy.path).arg("--");
            command.args(quiet.iter().flat_map(|test| ["--skip", *test]));
            parts.push(tests(Tier::Envoy, name, weight, command));
            if !quiet.is_empty() {
                let mut command = self.harness_command(|it| it == name)?;
                command.env("IPP_ENVOY", &envoy.path).arg("--").args(&quiet);
                let title = format!("{name}, what needs a quiet machine");
                parts.push(tests(Tier::Envoy, &title, 0, command).alone());
            }
        }
        Ok(parts)
    }

    /// The objects are rendered first. Those that were are run even if a check of another failed.
    fn attach(&mut self) -> Result<Vec<Part<'a>>> {
        let tools = Tools::get(self.workspace)?;
        self.build_tests(|name| name == ATTACH)?;
        let mut command = self.harness_command(|name| name == ATTACH)?;
        let envoy = envoy::find(self.workspace)?;
        command.env("IPP_ENVOY", &envoy.path).env("IPP_RENDERED", &tools.rendered);
        Ok(vec![Part::new(Tier::Attach, "rendered, and in Envoy", 80, move |sink, counts| {
            let rendered = run_counted(tools.command(), counts, sink);
            rendered.and(run_counted(command, counts, sink))
        })])
    }

    /// Parts of their own, because each says something of its own.
    fn replay(&mut self) -> Result<Vec<Part<'a>>> {
        let modules = self.build_modules(&mut Counts::default())?;
        let envoy = envoy::find(self.workspace)?;
        let part = |role| {
            let mut command = launch::replay_command(self.workspace)?;
            command.args(["--engine", "all", "--role", role]).current_dir(&self.workspace.root);
            command.env("IPP_ENVOY", &envoy.path).envs(VARIABLES.iter().zip(&modules));
            Ok(tests(Tier::Replay, &format!("the module attached as --role {role}"), 70, command))
        };
        ROLES.into_iter().map(part).collect()
    }

    fn image(&mut self) -> Result<Vec<Part<'a>>> {
        // Without root the tests that need them say that they are skipped.
        if REGISTRY.iter().any(|name| on_path(name).is_none()) && may_apt_get() {
            apt_get_install(&REGISTRY)?;
        }
        let mut build = self.test_command(&["--package", launch::IMAGE, "--no-run"]);
        succeeds(&mut build)?;
        // One for each image: what is built now needs no building beside other work of cargo's.
        let images =
            (0..4).map(|_| launch::image_command(self.workspace)).collect::<Result<Vec<Command>>>()?;
        let toolchain = toolchain::choose(self.workspace)?;
        // Both from what lies here now, whatever has been committed since an earlier tier built. Built here and now,
        // because the tests of other tiers take the module from where this puts it.
        let commit = self.workspace.commit();
        let here = module::build_of_commit(self.workspace, &toolchain, module::STOCK, commit.clone())?.path;
        let workspace = self.workspace;
        let same = move |sink: &Sink, counts: &mut Counts| {
            same_elsewhere(workspace, &toolchain, &commit, &here, images, sink, counts)
        };
        Ok(vec![
            Part::new(Tier::Image, "the same from another folder", 90, same),
            tests(Tier::Image, "registries", 20, self.test_command(&["--package", launch::IMAGE])),
        ])
    }

    /// Builds test files, so that those who run them find all of it done.
    fn build_tests(&mut self, wanted: impl Fn(&str) -> bool) -> Result<()> {
        succeeds(self.harness_command(wanted)?.arg("--no-run"))
    }

    /// A run of some of the harness's test files, which find the modules by these variables.
    fn harness_command(&mut self, wanted: impl Fn(&str) -> bool) -> Result<Command> {
        // The tier for the modules counts them; here they are only needed.
        let modules = self.build_modules(&mut Counts::default())?;
        let mut command = self.test_command(&["--package", HARNESS]);
        let tests = self.harness_tests()?;
        let mut names = tests.iter().filter(|name| wanted(name)).peekable();
        if names.peek().is_none() {
            return Err(Stop::new("there are no such tests in testharness/tests"));
        }
        for name in names {
            command.args(["--test", name]);
        }
        for (variable, path) in VARIABLES.iter().zip(&modules) {
            command.env(variable, path);
        }
        Ok(command)
    }

    fn build_modules(&mut self, counts: &mut Counts) -> Result<Vec<PathBuf>> {
        let built = match self.modules.take() {
            Some(built) => built,
            None => self.build_modules_now(counts).map_err(|stop| stop.to_string()),
        };
        self.modules = Some(built.clone());
        built.map_err(|_| Stop::new("the modules did not build; the reason is above"))
    }

    fn build_modules_now(&self, counts: &mut Counts) -> Result<Vec<PathBuf>> {
        let toolchain = toolchain::choose(self.workspace).inspect_err(|stop| println!("{stop}"))?;
        module::build_ahead(self.workspace, &toolchain, &MODULES);
        let mut paths = Vec::new();
        let mut ended = Ok(());
        for package in MODULES {
            let built = module::build(self.workspace, &toolchain, package);
            *counts += Counts::one(built.is_ok());
            match built {
                Ok(built) => {
                    println!("{built}");
                    paths.push(built.path);
                }
                Err(stop) => {
                    println!("{stop}");
                    ended = Err(stop);
                }
            }
        }
        ended.map(|()| paths)
    }

    fn test_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.workspace.cargo();
        command.args(["test", "--no-fail-fast"]).args(arguments);
        command
    }

    fn harness_tests(&self) -> Result<Vec<String>> {
        let folder = self.workspace.root.join("testharness").join("tests");
        let entries = folder.read_dir().map_err(|error| Stop::file("read", &folder, &error))?;
        let mut names: Vec<String> = entries.flatten().filter_map(|entry| test_name(&entry.path())).collect();
        names.sort();
        Ok(names)
    }
}

/// Cargo takes `tests/NAME.rs` and `tests/NAME/main.rs` for tests; every other folder there holds their parts.
fn test_name(path: &Path) -> Option<String> {
    let is_test =
        path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file();
    is_test.then(|| path.file_stem()?.to_str().map(str::to_owned))?
}

/// Builds the module in a second place, and both forms of the image of each.
fn same_elsewhere(
    workspace: &Workspace,
    toolchain: &Toolchain,
    commit: &str,
    here: &Path,
    images: Vec<Command>,
    sink: &Sink,
    counts: &mut Counts,
) -> Result<()> {
    let copy = elsewhere::copy(workspace)?;
    let there = module::build_of_commit(&copy, toolchain, module::STOCK, commit.to_owned())?.path;
    let mut images = images.into_iter();
    for form in ["artifact", "image"] {
        let mut digests = Vec::new();
        for ((number, module), mut command) in [here, &there].into_iter().enumerate().zip(&mut images) {
            let out = workspace.output()?.join(format!("image-check-{number}"));
            command.args(["--form", form, "--commit", commit]).arg("--module").arg(module);
            command.arg("--out").arg(out).stdin(Stdio::null());
            let output = command.output().map_err(|error| cannot_start(&command, &error))?;
            sink.write(&output.stderr);
            digests.push(digest_in(&String::from_utf8_lossy(&output.stdout)));
        }
        let same = matches!(&digests[..], [Some(one), Some(other)] if one == other);
        let verdict = if same { "ok" } else { "FAILED" };
        sink.line(format!("test the_{form}_has_the_same_digest_from_another_folder ... {verdict}"));
        *counts += Counts::one(same);
        if !same {
            sink.line(format!("{digests:?}, of {} and {}", here.display(), there.display()));
        }
    }
    Ok(())
}

fn tests<'a>(tier: Tier, title: &str, weight: u32, command: Command) -> Part<'a> {
    Part::new(tier, title, weight, move |sink, counts| run_counted(command, counts, sink))
}

fn succeeds(build: &mut Command) -> Result<()> {
    let status = build.stdin(Stdio::null()).status().map_err(|error| cannot_start(build, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(Stop::new("the tests did not build; cargo's words are above"))
}

/// The digest that `ipp-image` prints.
fn digest_in(said: &str) -> Option<String> {
    let line = said.lines().find_map(|line| line.trim_start().strip_prefix("digest "))?;
    Some(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_from_its_line() {
        assert_eq!(digest_in("DIR\n  form       x\n  digest     sha256:00\n").as_deref(), Some("sha256:00"));
        assert_eq!(digest_in("error"), None);
    }

    #[test]
    fn a_test_file_and_a_test_folder_are_told_from_their_parts() {
        let folder = std::env::temp_dir().join(format!("xtask-tests-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("big")).expect("folder");
        std::fs::create_dir_all(folder.join("support")).expect("folder");
        std::fs::write(folder.join("big/main.rs"), "").expect("file");
        assert_eq!(test_name(Path::new("tests/native_replay.rs")).as_deref(), Some("native_replay"));
        assert_eq!(test_name(&folder.join("big")).as_deref(), Some("big"));
        assert_eq!(test_name(&folder.join("support")), None);
        assert_eq!(test_name(Path::new("tests/README.md")), None);
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
