//! The two forms that Istio's agent takes a module in, and the manifest of each.

use serde_json::{Value, json};

use crate::archive;
use crate::blob::{Blob, digest};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MODULE: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
const MODULE_CONFIG: &str = "application/vnd.module.wasm.config.v1+json";
const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The name by which Istio's agent looks for the module in an image.
const FILE: &str = "plugin.wasm";

/// How the module is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An artifact of two layers: the module as it is, and a few facts about it.
    Artifact,
    /// An image of one layer, an archive that holds `plugin.wasm`: for registries that take images only.
    Image,
}

impl Form {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Artifact, Self::Image];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Image => "image",
        }
    }
}

/// Where a module comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The version of the packages.
    pub version: String,
    /// The commit that the module was built from.
    pub commit: String,
}

/// A manifest and all that it refers to.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it is.
    pub form: Form,
    /// The manifest; its digest is what `@sha256:...` in a reference means.
    pub manifest: Blob,
    /// What the manifest refers to.
    pub blobs: Vec<Blob>,
}

impl Image {
    /// Wraps a module.
    pub fn new(form: Form, module: &[u8], source: &Source) -> Self {
        match form {
            Form::Artifact => Self::artifact(module, source),
            Form::Image => Self::archived(module, source),
        }
    }

    fn artifact(module: &[u8], source: &Source) -> Self {
        let about = json!({"commit": source.commit, "name": "ipp", "version": source.version});
        let config = Blob::json(EMPTY, &json!({}));
        let module = Blob::new(MODULE, module.to_vec());
        let about = Blob::json(MODULE_CONFIG, &about);
        let manifest = json!({
            "annotations": annotations(source),
            "artifactType": MODULE_CONFIG,
            "config": config.descriptor(),
            "layers": [module.descriptor(), about.descriptor()],
            "mediaType": MANIFEST,
            "schemaVersion": 2,
        });
        let blobs = vec![config, module, about];
        Self { form: Form::Artifact, manifest: Blob::json(MANIFEST, &manifest), blobs }
    }

    fn archived(module: &[u8], source: &Source) -> Self {
        let archive = archive::of_one_file(FILE, module);
        let config = Blob::json(
            CONFIG,
            &json!({
                "architecture": "wasm",
                "config": {},
                "os": "wasip1",
                "rootfs": {"diff_ids": [digest(&archive.plain)], "type": "layers"},
            }),
        );
        let layer = Blob::new(TAR_GZIP, archive.gzipped);
        let mut annotations = annotations(source);
        // The mark of this form in the specification that it comes from.
        annotations["module.wasm.image/variant"] = "compat".into();
        let manifest = json!({
            "annotations": annotations,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
            "mediaType": MANIFEST,
            "schemaVersion": 2,
        });
        Self { form: Form::Image, manifest: Blob::json(MANIFEST, &manifest), blobs: vec![config, layer] }
    }
}

/// No time of creation: it would make every build another one.
fn annotations(source: &Source) -> Value {
    let mut all = json!({});
    // Sorted, in case something in the build makes serde_json keep the order of insertion.
    all["org.opencontainers.image.licenses"] = "Apache-2.0".into();
    all["org.opencontainers.image.revision"] = source.commit.clone().into();
    all["org.opencontainers.image.title"] = "ipp".into();
    all["org.opencontainers.image.version"] = source.version.clone().into();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(form: Form) -> Image {
        Image::new(form, b"\0asm\x01\0\0\0", &Source { version: "1.2.3".into(), commit: "abc".into() })
    }

    fn manifest(form: Form) -> Value {
        serde_json::from_slice(&image(form).manifest.bytes).unwrap()
    }

    /// What Istio's agent asks of an artifact: two layers, one of them of the module's type and not compressed.
    #[test]
    fn the_artifact_has_the_module_as_it_is_and_one_layer_more() {
        let manifest = manifest(Form::Artifact);
        let layers = manifest["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 2);
        assert_eq!(layers[0]["mediaType"], MODULE);
        assert_eq!(layers[0]["digest"], digest(b"\0asm\x01\0\0\0"));
        assert_eq!(layers[1]["mediaType"], MODULE_CONFIG);
    }

    #[test]
    fn the_image_has_one_gzipped_layer_and_names_the_archive_in_it() {
        let manifest = manifest(Form::Image);
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
        assert_eq!(manifest["layers"][0]["mediaType"], TAR_GZIP);
        assert_eq!(manifest["config"]["mediaType"], CONFIG);
    }

    #[test]
    fn every_blob_of_a_manifest_is_there_with_its_size() {
        for form in Form::ALL {
            let (image, manifest) = (image(form), manifest(form));
            let mut named = vec![manifest["config"].clone()];
            named.extend(manifest["layers"].as_array().unwrap().iter().cloned());
            let held: Vec<Value> = image.blobs.iter().map(Blob::descriptor).collect();
            assert_eq!(named, held);
        }
    }

    /// The fields are sorted whatever the map of serde_json does; else a feature of another package would change
    /// the digest.
    #[test]
    fn fields_are_sorted() {
        for form in Form::ALL {
            let image = image(form);
            for blob in
                image.blobs.iter().chain([&image.manifest]).filter(|blob| blob.media_type.ends_with("json"))
            {
                let text = std::str::from_utf8(&blob.bytes).unwrap();
                let sorted: std::collections::BTreeMap<String, Value> = serde_json::from_str(text).unwrap();
                assert_eq!(serde_json::to_string(&sorted).unwrap(), text);
            }
        }
    }
}
