//! A registry of its own for each test, and the programs that are run against it.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::tokens;

pub(crate) const USER: &str = "me";
pub(crate) const PASSWORD: &str = "correct horse";
/// `me` and the password above in the only form that the registry reads: bcrypt, made with Python's `bcrypt`.
const HTPASSWD: &str = include_str!("htpasswd");

/// A program on PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The bytes that stand for a module: more than one buffer of anything.
pub(crate) fn module() -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    bytes.extend((0..300_000_u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 24) as u8));
    bytes
}

/// A folder that goes away.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ipp-registry-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("ipp.wasm"), module()).expect("a module");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// What `docker login` leaves.
    pub(crate) fn docker_login(&self, registry: &Server) {
        use base64::Engine;
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
        self.write(
            "config.json",
            &format!(r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#, registry.host()),
        );
    }

    /// A key and a certificate that vouches for itself.
    pub(crate) fn certificate(&self, name: &str) {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ]);
        // The client takes no authority for a server.
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout"]);
        openssl.arg(self.path(&format!("{name}.key"))).arg("-out").arg(self.path(&format!("{name}.crt")));
        ended(&mut openssl).expect("openssl");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Who may push.
pub(crate) enum Guard<'a> {
    None,
    Password,
    Token(&'a tokens::Server),
    Https,
}

/// A running registry.
pub(crate) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    pub(crate) fn start(folder: &Folder, guard: Guard<'_>) -> Self {
        let port = free_port();
        let (mut auth, mut tls) = (String::new(), String::new());
        match guard {
            Guard::None => {}
            Guard::Password => {
                let file = folder.write("htpasswd", HTPASSWD);
                auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", file.display());
            }
            Guard::Token(server) => {
                auth = format!(
                    "auth: {{token: {{realm: \"{}\", service: \"{}\", issuer: {}, rootcertbundle: {}}}}}\n",
                    server.realm(),
                    tokens::SERVICE,
                    tokens::ISSUER,
                    folder.path("token.crt").display()
                );
            }
            Guard::Https => {
                folder.certificate("tls");
                let path = |name| folder.path(name).display().to_string();
                tls = format!("  tls: {{certificate: {}, key: {}}}\n", path("tls.crt"), path("tls.key"));
            }
        }
        let config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n{auth}http:\n  addr: 127.0.0.1:{port}\n{tls}",
            folder.path("registry").display()
        );
        let config = folder.write("registry.yml", &config);
        let log = std::fs::File::create(folder.path("registry.log")).expect("a log");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("docker-registry starts");
        let server = Self { process, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || std::fs::read_to_string(folder.path("registry.log")).unwrap_or_default();
            assert!(started.elapsed() < Duration::from_secs(30), "the registry does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub(crate) fn repository(&self) -> String {
        format!("{}/me/ipp", self.host())
    }

    pub(crate) fn reference(&self) -> String {
        format!("{}:0.1.0", self.repository())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|it| it.local_addr()).expect("a port").port()
}

/// `ipp-image` with the module of the folder, knowing of no login but one in the folder.
pub(crate) fn image(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipp-image"));
    command.arg("--module").arg(folder.path("ipp.wasm")).args(["--commit", "0123456789ab", "--out"]);
    command.arg(folder.path("layout")).env("DOCKER_CONFIG", &folder.0);
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(proxy);
    }
    command
}

pub(crate) fn push(folder: &Folder, to: &Server, more: &[&str]) -> Result<String, String> {
    ended(image(folder).args(["--push", &to.reference()]).args(more))
}

pub(crate) fn push_as(folder: &Folder, to: &Server, more: &[&str], password: &str) -> Result<String, String> {
    let mut command = image(folder);
    command.args(["--push", &to.reference()]).args(more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("ipp-image starts");
    child.stdin.take().expect("its input").write_all(password.as_bytes()).expect("the password");
    result(&child.wait_with_output().expect("its end"))
}

/// What a program said on its output, or if it failed on its error output.
pub(crate) fn ended(command: &mut Command) -> Result<String, String> {
    result(&command.stdin(Stdio::null()).output().expect("it starts"))
}

fn result(output: &std::process::Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// The manifest as the registry gives it, byte by byte.
pub(crate) fn raw_manifest(place: &str) -> Vec<u8> {
    let output = Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", place]).output();
    let output = output.expect("skopeo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Everything of an image, in a folder with a file for each blob.
pub(crate) fn unpack(folder: &Folder, place: &str) -> PathBuf {
    let to = folder.path("copied");
    let _ = std::fs::remove_dir_all(&to);
    let target = format!("dir:{}", Path::new(&to).display());
    ended(Command::new("skopeo").args(["copy", "-q", "--src-tls-verify=false", place, &target]))
        .expect("copied");
    to
}
