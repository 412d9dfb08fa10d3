//! Bytes with their digest and their media type: what manifests, layouts and registries deal in.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Something that is stored under its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What it is.
    pub media_type: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
}

impl Blob {
    /// Takes the digest of `bytes`.
    pub fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let digest = digest(&bytes);
        Self { media_type, bytes, digest }
    }

    /// A blob that holds `document`, in the shortest form.
    pub fn json(media_type: &'static str, document: &Value) -> Self {
        Self::new(media_type, document.to_string().into_bytes())
    }

    /// How a manifest speaks of it.
    pub(crate) fn descriptor(&self) -> Value {
        json!({"digest": self.digest, "mediaType": self.media_type, "size": self.bytes.len()})
    }

    /// The digest without its algorithm.
    pub(crate) fn hex(&self) -> &str {
        self.digest.trim_start_matches("sha256:")
    }
}

/// The digest of `bytes` as OCI writes it.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_sha256sum() {
        let of_nothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(b""), of_nothing);
    }
}
