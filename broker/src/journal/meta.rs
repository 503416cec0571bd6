//! `store.meta`: who a data directory is. Kept twice, each copy replaced as a whole.
//!
//! It must not know about segments. docs/journal-format.md describes its octets.

use std::io;

use xxhash_rust::xxh3::xxh3_64;

use super::OpenError;
use super::format::{BLOCK_BYTES, DIRECTORY_VERSION, Key};
use super::fs::FileSystem;
use super::octets::Octets;
use crate::model::ShardId;
use crate::model::Timestamp;

pub(super) const NAMES: [&str; 2] = ["store.meta", "store.meta.copy"];
pub(super) const DRAFT: &str = "store.meta.new";
const MAGIC: [u8; 8] = *b"KOLEJKA\0";
const SUMMED_BYTES: usize = MAGIC.len() + 4 * 5 + 4 + 16 * 2 + 8 * 2;

/// Identity of a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) store: u128,
    pub(super) node: u128,
    pub(super) key: Key,
    pub(super) created: Timestamp,
    pub(super) shard: ShardId,
    /// The format of the directory when it was opened.
    pub(super) version: u32,
    /// A segment has been in use: from then on a directory without one is damaged, not new.
    pub(super) begun: bool,
}

impl Meta {
    /// A new identity.
    pub(super) fn random(fs: &dyn FileSystem, shard: ShardId, created: Timestamp) -> io::Result<Meta> {
        let mut octets = [0; 16 + 16 + 8];
        fs.random(&mut octets)?;
        let mut fields = Octets::new(&octets);
        let mut wide = || fields.u128().unwrap_or_default();
        let (store, node) = (wide(), wide());
        let key = Key(fields.u64().unwrap_or_default());
        Ok(Meta { store, node, key, created, shard, version: DIRECTORY_VERSION, begun: false })
    }

    /// Reads the directory's identity; `None` if it has none yet. A damaged copy is replaced by the other.
    pub(super) fn load(fs: &dyn FileSystem) -> Result<Option<Meta>, OpenError> {
        let Some((meta, is_whole)) = Meta::find(fs)? else { return Ok(None) };
        if !is_whole {
            meta.save(fs).map_err(|error| OpenError::io(NAMES[0], error))?;
        }
        Ok(Some(meta))
    }

    /// Reads the directory's identity, and says whether both copies have it.
    pub(super) fn find(fs: &dyn FileSystem) -> Result<Option<(Meta, bool)>, OpenError> {
        let names = fs.list().map_err(|error| OpenError::io("the data directory", error))?;
        let mut copies = Vec::new();
        for name in NAMES.into_iter().filter(|name| names.iter().any(|n| n == name)) {
            copies.push(read_copy(fs, name)?);
        }
        match copies.iter().flatten().find(|meta| meta.begun).or(copies.iter().flatten().next()) {
            None if copies.is_empty() => Ok(None),
            None => Err(OpenError::damaged(NAMES[0], 0, "neither copy of the store's identity is intact")),
            Some(meta) => {
                let same =
                    |copy: &Option<Meta>| copy.is_some_and(|c| (c.begun, c.version) == (meta.begun, meta.version));
                Ok(Some((*meta, copies.len() == NAMES.len() && copies.iter().all(same))))
            }
        }
    }

    /// Replaces both copies, one after the other, by ones of the newest version.
    pub(super) fn save(&self, fs: &dyn FileSystem) -> io::Result<()> {
        let bytes = self.encode();
        for name in NAMES {
            match fs.unlink(DRAFT) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = fs.create(DRAFT, BLOCK_BYTES as u64, false)?;
            file.write_at(&bytes, 0)?;
            file.sync_data()?;
            fs.rename(DRAFT, name)?;
            fs.sync_dir()?;
        }
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BLOCK_BYTES);
        bytes.extend_from_slice(&MAGIC);
        for field in [DIRECTORY_VERSION, 0, 0, u32::from(self.begun), u32::from(self.shard.get()), 0] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&self.store.to_le_bytes());
        bytes.extend_from_slice(&self.node.to_le_bytes());
        bytes.extend_from_slice(&self.key.0.to_le_bytes());
        bytes.extend_from_slice(&self.created.0.to_le_bytes());
        let sum = xxh3_64(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.resize(BLOCK_BYTES, 0);
        bytes
    }
}

/// One copy; `None` if it is damaged.
fn read_copy(fs: &dyn FileSystem, name: &'static str) -> Result<Option<Meta>, OpenError> {
    let mut block = vec![0; SUMMED_BYTES + 8];
    let file = fs.open(name).map_err(|error| OpenError::io(name, error))?;
    let read = file.read_at(&mut block, 0).map_err(|error| OpenError::io(name, error))?;
    let Some((summed, sum)) = block.get(..read).and_then(|b| b.split_at_checked(SUMMED_BYTES)) else { return Ok(None) };
    if Octets::new(sum).u64() != Some(xxh3_64(summed)) {
        return Ok(None);
    }
    match decode(summed) {
        Some((version, features, _)) if !(1..=DIRECTORY_VERSION).contains(&version) || features != 0 => {
            Err(OpenError::Newer { file: name.to_owned(), version })
        }
        Some((_, _, meta)) => Ok(Some(meta)),
        None => Ok(None),
    }
}

fn decode(bytes: &[u8]) -> Option<(u32, u32, Meta)> {
    let mut fields = Octets::new(bytes);
    if fields.take(MAGIC.len())? != MAGIC {
        return None;
    }
    let (version, incompatible, _compatible) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let (begun, shard, _) = (fields.u32()? != 0, fields.u32()?, fields.u32()?);
    let meta = Meta {
        store: fields.u128()?,
        node: fields.u128()?,
        key: Key(fields.u64()?),
        created: Timestamp(fields.u64()?),
        shard: ShardId::new(u16::try_from(shard).ok()?)?,
        version,
        begun,
    };
    Some((version, incompatible, meta))
}
