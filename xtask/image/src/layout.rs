//! An OCI layout: a folder that holds an image as a registry would, for tools such as skopeo and crane.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::Result;
use crate::blob::Blob;
use crate::form::Image;

const MARK: &str = "oci-layout";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Writes `image` to `folder` under the name `tag`. A layout that is there already is replaced.
///
/// # Errors
/// The folder holds something else, or cannot be written.
pub fn write(image: &Image, tag: &str, folder: &Path) -> Result<()> {
    clear(folder)?;
    let blobs = folder.join("blobs").join("sha256");
    fs::create_dir_all(&blobs).map_err(|error| format!("cannot make {}: {error}", blobs.display()))?;
    for blob in image.blobs.iter().chain([&image.manifest]) {
        put(&blobs.join(blob.hex()), &blob.bytes)?;
    }
    let mut manifest = json!({"annotations": {"org.opencontainers.image.ref.name": tag}});
    if let (Some(entry), Some(descriptor)) =
        (manifest.as_object_mut(), image.manifest.descriptor().as_object())
    {
        entry.extend(descriptor.clone());
    }
    let index = Blob::json(INDEX, &json!({"manifests": [manifest], "mediaType": INDEX, "schemaVersion": 2}));
    put(&folder.join("index.json"), &index.bytes)?;
    put(&folder.join(MARK), json!({"imageLayoutVersion": "1.0.0"}).to_string().as_bytes())
}

/// Removes an older layout, and nothing that is not one.
fn clear(folder: &Path) -> Result<()> {
    let Ok(mut entries) = folder.read_dir() else { return Ok(()) };
    if entries.next().is_none() {
        return Ok(());
    }
    if !folder.join(MARK).is_file() {
        return Err(format!(
            "{} is there and is no OCI layout; expected a new or an empty folder",
            folder.display()
        ));
    }
    for part in ["blobs", "index.json", MARK] {
        let path = folder.join(part);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("cannot remove {}: {error}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::blob::digest;
    use crate::form::{Form, Source};

    fn source() -> Source {
        Source { version: "1.2.3".into(), commit: "abc".into() }
    }

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("ipp-layout-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn json_at(path: &Path) -> Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn a_layout_leads_from_its_index_to_the_module() {
        let folder = folder("read");
        let module = b"\0asm\x01\0\0\0";
        let image = Image::new(Form::Artifact, module, &source());
        write(&image, "1.2.3", &folder).unwrap();
        let index = json_at(&folder.join("index.json"));
        let blob = |digest: &Value| {
            let hex = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
            fs::read(folder.join("blobs/sha256").join(hex)).unwrap()
        };
        assert_eq!(index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], "1.2.3");
        let manifest = blob(&index["manifests"][0]["digest"]);
        assert_eq!(digest(&manifest), image.manifest.digest);
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(blob(&manifest["layers"][0]["digest"]), module);
        assert_eq!(json_at(&folder.join(MARK))["imageLayoutVersion"], "1.0.0");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_older_layout_is_replaced_whole() {
        let folder = folder("again");
        write(&Image::new(Form::Image, b"one", &source()), "a", &folder).unwrap();
        write(&Image::new(Form::Artifact, b"two", &source()), "a", &folder).unwrap();
        assert_eq!(fs::read_dir(folder.join("blobs/sha256")).unwrap().count(), 4);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_with_something_else_is_left_alone() {
        let folder = folder("other");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("thesis.txt"), "years of work").unwrap();
        let error = write(&Image::new(Form::Image, b"one", &source()), "a", &folder).unwrap_err();
        assert!(
            error.ends_with("is there and is no OCI layout; expected a new or an empty folder"),
            "{error}"
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
