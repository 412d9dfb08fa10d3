//! One file as a gzipped tar archive, without anything of the machine that made it.

use std::io::Write;

use flate2::{Compression, GzBuilder};

/// The archive, and the archive before compression, whose digest an image's configuration names.
pub(crate) struct Archive {
    pub(crate) gzipped: Vec<u8>,
    pub(crate) plain: Vec<u8>,
}

/// An archive with the file `name`: of root, readable by all, of the first second of 1970.
pub(crate) fn of_one_file(name: &str, content: &[u8]) -> Archive {
    const IN_MEMORY: &str = "memory can be written to";
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut header, name, content).expect(IN_MEMORY);
    let plain = tar.into_inner().expect(IN_MEMORY);
    // No name, no time; 255 is "unknown" for the system that made it.
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    gzip.write_all(&plain).expect(IN_MEMORY);
    Archive { gzipped: gzip.finish().expect(IN_MEMORY), plain }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_archive_holds_the_file_and_nothing_else() {
        let archive = of_one_file("plugin.wasm", b"\0asm");
        assert_eq!(
            archive.gzipped[..10],
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255],
            "a gzip header without a time"
        );
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&archive.gzipped[..]));
        let mut entries = tar.entries().unwrap();
        let mut entry = entries.next().unwrap().unwrap();
        let header = entry.header();
        assert_eq!(entry.path().unwrap().to_str(), Some("plugin.wasm"));
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.mode().unwrap()), (0, 0, 0o644));
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        assert_eq!(content, b"\0asm");
        assert!(entries.next().is_none());
    }
}
