//! Runs one tier, and keeps the modules that one tier builds for the next.

use std::io::{Read, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::counts::{Counter, Counts};
use super::documents;
use super::tier::Tier;
use crate::attach::Tools;
use crate::process::{apt_get_install, may_apt_get, on_path};
use crate::stop::{Result, Stop};
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
            Tier::Envoy => self.envoy(&mut counts),
            Tier::Attach => self.attach(&mut counts),
            Tier::Replay => self.replay(&mut counts),
            Tier::Image => self.image(&mut counts),
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
        run_counted(packages, counts, &mut stdout())
    }

    /// Both run even if one fails, because each says something of its own.
    fn harness(&mut self, counts: &mut Counts) -> Result<()> {
        let mut tests = self.harness_command(|name| name.starts_with(NATIVE))?;
        tests.args(["--lib", "--bins"]);
        let examples = self.test_command(&["--package", HARNESS, "--doc"]);
        let ended = [tests, examples].map(|command| run_counted(command, counts, &mut stdout()));
        ended.into_iter().collect()
    }

    fn envoy(&mut self, counts: &mut Counts) -> Result<()> {
        let mut command = self.harness_command(|name| !name.starts_with(NATIVE) && name != ATTACH)?;
        let envoy = envoy::find(self.workspace)?;
        println!("Envoy {} at {} ({})", envoy.version, envoy.path.display(), envoy.origin);
        if on_path(PROMETHEUS).is_none() && may_apt_get() {
            apt_get_install(&[PROMETHEUS])?;
        }
        command.env("IPP_ENVOY", &envoy.path);
        run_counted(command, counts, &mut stdout())
    }

    /// The objects are rendered first. Those that were are run even if a check of another failed.
    fn attach(&mut self, counts: &mut Counts) -> Result<()> {
        let tools = Tools::get(self.workspace)?;
        let rendered = run_counted(tools.command(), counts, &mut stdout());
        let mut command = self.harness_command(|name| name == ATTACH)?;
        let envoy = envoy::find(self.workspace)?;
        command.env("IPP_ENVOY", &envoy.path).env("IPP_RENDERED", &tools.rendered);
        rendered.and(run_counted(command, counts, &mut stdout()))
    }

    fn replay(&mut self, counts: &mut Counts) -> Result<()> {
        let modules = self.build_modules(&mut Counts::default())?;
        let envoy = envoy::find(self.workspace)?;
        // Both run even if one fails, because each says something of its own.
        let ended = ROLES.map(|role| {
            println!("the module attached as --role {role}");
            let mut command = launch::replay_command(self.workspace)?;
            command.args(["--engine", "all", "--role", role]).current_dir(&self.workspace.root);
            command.env("IPP_ENVOY", &envoy.path).envs(VARIABLES.iter().zip(&modules));
            run_counted(command, counts, &mut stdout())
        });
        ended.into_iter().collect()
    }

    /// All run even if one fails, because each says something of its own.
    fn image(&mut self, counts: &mut Counts) -> Result<()> {
        let same = self.same_elsewhere(counts);
        // Without root the tests that need them say that they are skipped.
        if REGISTRY.iter().any(|name| on_path(name).is_none()) && may_apt_get() {
            apt_get_install(&REGISTRY)?;
        }
        let tests = run_counted(self.test_command(&["--package", launch::IMAGE]), counts, &mut stdout());
        same.and(tests)
    }

    /// Builds the module here and in a second place, and both forms of the image of each.
    fn same_elsewhere(&self, counts: &mut Counts) -> Result<()> {
        // Both from what lies here now, whatever has been committed since an earlier tier built.
        let commit = self.workspace.commit();
        let copy = elsewhere::copy(self.workspace)?;
        let toolchain = toolchain::choose(self.workspace)?;
        let mut modules = Vec::new();
        for place in [self.workspace, &copy] {
            modules.push(module::build_of_commit(place, &toolchain, module::STOCK, commit.clone())?.path);
        }
        for form in ["artifact", "image"] {
            let mut digests = Vec::new();
            for (number, module) in modules.iter().enumerate() {
                let out = self.workspace.output()?.join(format!("image-check-{number}"));
                let mut command = launch::image_command(self.workspace)?;
                command.args(["--form", form, "--commit", &commit]).arg("--module").arg(module);
                command.arg("--out").arg(out).stdin(Stdio::null());
                let output = command.output().map_err(|error| cannot_start(&command, &error))?;
                digests.push(digest_in(&String::from_utf8_lossy(&output.stdout)));
            }
            let same = digests[0].is_some() && digests[0] == digests[1];
            let verdict = if same { "ok" } else { "FAILED" };
            println!("test the_{form}_has_the_same_digest_from_another_folder ... {verdict}");
            *counts += Counts::one(same);
            if !same {
                println!("{digests:?}, of {modules:?}");
            }
        }
        Ok(())
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

/// Runs a `cargo test`, passes on what it prints as it comes, and counts along. Failed tests are in the counts;
/// an error is anything else that went wrong.
fn run_counted(mut command: Command, counts: &mut Counts, out: &mut impl Write) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_start(&command, &error))?;
    let mut counter = Counter::default();
    if let Some(mut output) = child.stdout.take() {
        let mut buffer = [0_u8; 8192];
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            let new = &buffer[..count];
            // A closed terminal is no reason to lose the verdict.
            let _ = out.write_all(new).and_then(|()| out.flush());
            counter.feed(new);
        }
    }
    let status = child.wait().map_err(|error| cannot_start(&command, &error))?;
    *counts += counter.counts;
    if status.success() || counter.counts.failed > 0 {
        return Ok(());
    }
    Err(Stop::new("the tests did not build, or ended without a result; cargo's words are above"))
}

/// The digest that `ipp-image` prints.
fn digest_in(said: &str) -> Option<String> {
    let line = said.lines().find_map(|line| line.trim_start().strip_prefix("digest "))?;
    Some(line.trim().to_owned())
}

fn cannot_start(command: &Command, error: &std::io::Error) -> Stop {
    Stop::new(format!("cannot start {}: {error}", command.get_program().to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(script: &str) -> (Counts, Result<()>) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut counts = Counts::default();
        // Not to our own standard output: the run that counts these tests would count that line as well.
        let ended = run_counted(command, &mut counts, &mut Vec::new());
        (counts, ended)
    }

    #[test]
    fn failed_tests_are_counted_and_are_no_other_trouble() {
        let (counts, ended) = counted("echo 'test result: FAILED. 2 passed; 1 failed; 0 ignored'; exit 101");
        assert_eq!(counts, Counts { passed: 2, failed: 1, skipped: 0 });
        assert!(ended.is_ok());
    }

    #[test]
    fn a_digest_is_read_from_its_line() {
        assert_eq!(digest_in("DIR\n  form       x\n  digest     sha256:00\n").as_deref(), Some("sha256:00"));
        assert_eq!(digest_in("error"), None);
    }

    #[test]
    fn a_build_that_fails_is_trouble() {
        let (counts, ended) = counted("exit 101");
        assert_eq!(counts, Counts::default());
        assert!(ended.is_err());
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
