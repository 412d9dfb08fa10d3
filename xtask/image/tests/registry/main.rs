//! Pushes to a real registry (Debian's docker-registry) on loopback, read back with a real client (Debian's skopeo).

mod rig;
mod tokens;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};

use rig::{Folder, Guard, PASSWORD, Server, USER, ended, find, image, module, push, raw_manifest, unpack};

const TESTS: &[(&str, fn())] = &[
    ("an_artifact_arrives_as_it_was_written", an_artifact_arrives_as_it_was_written),
    ("an_image_arrives_with_plugin_wasm_in_it", an_image_arrives_with_plugin_wasm_in_it),
    ("skopeo_copies_the_layout_with_the_same_digest", skopeo_copies_the_layout_with_the_same_digest),
    ("a_registry_with_a_password", a_registry_with_a_password),
    ("a_registry_that_wants_a_token", a_registry_that_wants_a_token),
    ("https_with_a_certificate_of_ones_own", https_with_a_certificate_of_ones_own),
];

fn main() -> ExitCode {
    let missing: Vec<&str> =
        ["docker-registry", "skopeo", "openssl"].into_iter().filter(|name| find(name).is_none()).collect();
    if !missing.is_empty() {
        println!(
            "skipped, because {} is not here. As root on Debian: apt-get install -y docker-registry skopeo openssl",
            missing.join(", ")
        );
        println!("0 passed, 0 failed, {} skipped", TESTS.len());
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for (name, test) in TESTS {
        let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += usize::from(!passed);
    }
    println!("{} passed, {failed} failed, 0 skipped", TESTS.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn an_artifact_arrives_as_it_was_written() {
    let folder = Folder::new("artifact");
    let registry = Server::start(&folder, Guard::None);
    let said = push(&folder, &registry, &[]).expect("pushed");
    assert!(said.contains("pushed     3 blobs, 0 were there"), "{said}");
    let digest = said.split("  url: oci://").nth(1).expect("a url").trim().to_owned();
    let (place, digest) = digest.split_once('@').expect("a digest");
    assert_eq!(place, registry.repository());

    let manifest = raw_manifest(&format!("docker://{place}@{digest}"));
    assert_eq!(ipp_image::blob::digest(&manifest), digest);
    let copied = unpack(&folder, &format!("docker://{place}:0.1.0"));
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let layer = manifest["layers"][0]["digest"].as_str().expect("a digest");
    let wasm = std::fs::read(copied.join(layer.trim_start_matches("sha256:"))).expect("the module");
    assert_eq!(wasm, module());

    let again = push(&folder, &registry, &[]).expect("pushed again");
    assert!(again.contains("pushed     0 blobs, 3 were there") && again.contains(digest), "{again}");
}

fn an_image_arrives_with_plugin_wasm_in_it() {
    let folder = Folder::new("image");
    let registry = Server::start(&folder, Guard::None);
    push(&folder, &registry, &["--form", "image"]).expect("pushed");
    let place = format!("docker://{}:0.1.0", registry.repository());
    let manifest: serde_json::Value = serde_json::from_slice(&raw_manifest(&place)).expect("JSON");
    let layer = manifest["layers"][0]["digest"].as_str().expect("a digest");
    let copied = unpack(&folder, &place);
    let layer = copied.join(layer.trim_start_matches("sha256:"));
    let tar = Command::new("tar").arg("-xzOf").arg(layer).arg("plugin.wasm").output().expect("tar");
    assert_eq!(tar.stdout, module());
}

/// What somebody does who pushes with a tool of their own.
fn skopeo_copies_the_layout_with_the_same_digest() {
    let folder = Folder::new("layout");
    let registry = Server::start(&folder, Guard::None);
    for form in ["artifact", "image"] {
        let said = ended(image(&folder).args(["--form", form])).expect("written");
        let digest = said.split('@').nth(1).expect("a digest").trim().to_owned();
        let layout = format!("oci:{}:0.1.0", folder.path("layout").display());
        let place = format!("docker://{}:{form}", registry.repository());
        ended(Command::new("skopeo").args(["copy", "-q", "--dest-tls-verify=false", &layout, &place]))
            .expect("copied");
        assert_eq!(ipp_image::blob::digest(&raw_manifest(&place)), digest, "{form}");
    }
}

fn a_registry_with_a_password() {
    let folder = Folder::new("password");
    let registry = Server::start(&folder, Guard::Password);
    let nobody = push(&folder, &registry, &[]).expect_err("nobody");
    assert!(nobody.contains("it wants a name and a password"), "{nobody}");

    let login = ["--username", USER, "--password-stdin"];
    let wrong = rig::push_as(&folder, &registry, &login, "wrong").expect_err("a wrong password");
    assert!(wrong.contains("it answered 401") && wrong.contains("the credentials do not suffice"), "{wrong}");
    assert!(!wrong.contains("wrong"), "the password is shown: {wrong}");
    rig::push_as(&folder, &registry, &login, &format!("{PASSWORD}\n")).expect("the right password");

    folder.docker_login(&registry);
    let said = push(&folder, &registry, &["--form", "image"]).expect("as docker login left it");
    assert!(said.contains("pushed     2 blobs, 0 were there"), "{said}");
}

fn a_registry_that_wants_a_token() {
    let folder = Folder::new("token");
    let tokens = tokens::Server::start(&folder);
    let registry = Server::start(&folder, Guard::Token(&tokens));
    let nobody = push(&folder, &registry, &[]).expect_err("nobody");
    assert!(nobody.contains("asking for a token: it answered 401"), "{nobody}");
    folder.docker_login(&registry);
    let said = push(&folder, &registry, &[]).expect("with a token");
    assert!(said.contains("pushed     3 blobs, 0 were there"), "{said}");
    let asked = tokens.asked();
    assert!(
        asked.last().is_some_and(|it| it.contains("scope=repository%3Ame%2Fipp%3Apull%2Cpush")
            && it.contains("service=ipp%20test")),
        "{asked:?}"
    );
}

fn https_with_a_certificate_of_ones_own() {
    let folder = Folder::new("https");
    let registry = Server::start(&folder, Guard::Https);
    let unknown = push(&folder, &registry, &["--https"]).expect_err("nobody vouches for it");
    assert!(unknown.to_lowercase().contains("certificate"), "{unknown}");
    let mut command = image(&folder);
    command.args(["--https", "--push", &registry.reference()]).env("SSL_CERT_FILE", folder.path("tls.crt"));
    ended(&mut command).expect("the certificate is known");
}
