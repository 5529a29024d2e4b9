//! Checked files that wait for somebody to say that they are to be imported, and imports that run on this server.
//!
//! A file waits on the disk without a name, so that it goes with the program whatever happens, and for an hour at most. On several servers
//! it waits where it arrived.

use crate::upload::MOST_BYTES;
use domain::Refused;
use engine::Stop;
use engine::imports::Kind;
use engine::views::ImportView;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// So long may a file wait, so many may, and so many bytes may they hold together.
const KEPT: Duration = Duration::from_secs(3_600);
const MOST_FILES: usize = 32;
/// Imports whose beginning and end is remembered.
const MOST_RUNS: usize = 200;

/// A file that was read once and written nowhere.
#[derive(Clone)]
pub struct Checked {
    /// Whose it is, as actions name them.
    pub owner: String,
    pub kind: Kind,
    pub name: String,
    pub rows: u64,
    pub view: Arc<ImportView>,
    /// The import that it became.
    pub started: Option<String>,
}

struct Waits {
    checked: Checked,
    file: Option<File>,
    bytes: u64,
    digest: String,
    since: Instant,
}

/// An import that runs on this server, or did.
#[derive(Debug, Clone)]
pub struct Run {
    pub kind: Kind,
    pub name: String,
    /// Rows that the file has.
    pub rows: u64,
    /// Why it ended early.
    pub fault: Option<String>,
    /// Somebody stops it.
    stop: Arc<AtomicBool>,
    began: Instant,
}

impl Run {
    /// Whether the import is to end after the rows that are done.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Has it end after the rows that are under way. The same file goes on there later.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Inner {
    files: HashMap<String, Waits>,
    runs: HashMap<String, Run>,
}

#[derive(Default)]
pub struct Waiting {
    inner: Mutex<Inner>,
}

/// A file as it lies on the disk.
pub struct Spooled {
    file: File,
    bytes: u64,
    /// blake3, the first 32 hexadecimal digits.
    digest: String,
}

impl Spooled {
    /// The file, to be read from its beginning.
    pub fn reader(&self) -> Result<File, Stop> {
        let again = |file: &File| -> std::io::Result<File> {
            let mut file = file.try_clone()?;
            file.seek(SeekFrom::Start(0))?;
            Ok(file)
        };
        again(&self.file).map_err(|e| Stop::broken(format!("the file that waits cannot be read: {e}")))
    }
}

pub fn random() -> Result<String, Stop> {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(|e| Stop::broken(e.to_string()))?;
    Ok(format!("{:032x}", u128::from_le_bytes(random)))
}

/// A file on the disk that has no name any more.
fn nameless() -> Result<File, Stop> {
    let path = std::env::temp_dir().join(format!("holdfast-import-{}", random()?));
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options.open(&path).and_then(|file| std::fs::remove_file(&path).map(|()| file));
    made.map_err(|e| Stop::broken(format!("{}: {e}", path.display())))
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(|e| e.into_inner());
        inner.files.retain(|_, w| w.since.elapsed() < KEPT);
        inner
    }

    /// Writes what arrives to the disk. Reads it to its end even where it is refused, because a browser shows an answer only then.
    /// Blocks.
    pub fn spool(&self, mut from: impl Read) -> Result<Spooled, Stop> {
        let held: u64 = self.lock().files.values().map(|w| w.bytes).sum();
        let mut file = nameless()?;
        let (mut bytes, mut hasher, mut buffer) = (0, blake3::Hasher::new(), vec![0; 64 << 10]);
        let mut fault: Option<Stop> = None;
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(Refused::invalid("file", format!("did not arrive whole: {error}")).into()),
            };
            bytes += count as u64;
            if fault.is_none() && held + bytes > MOST_BYTES {
                fault = Some(
                    Refused::invalid("file", "is too large to wait here beside the others; import it with the program itself: holdfast import")
                        .into(),
                );
            }
            if fault.is_none() {
                hasher.update(&buffer[..count]);
                if let Err(error) = file.write_all(&buffer[..count]) {
                    tracing::warn!("a file to be imported cannot be kept: {error}");
                    fault = Some(Refused::StorageFull.into());
                }
            }
        }
        match fault {
            Some(stop) => Err(stop),
            None if bytes == 0 => Err(Refused::invalid("file", "is empty; choose one").into()),
            None => Ok(Spooled { file, bytes, digest: hasher.finalize().to_hex()[..32].to_owned() }),
        }
    }

    /// Keeps a checked file; answers the name that it waits under.
    pub fn keep(&self, checked: Checked, spooled: Spooled) -> Result<String, Stop> {
        let mut inner = self.lock();
        if inner.files.len() >= MOST_FILES {
            return Err(Refused::invalid("file", "must wait: too many checked files are here already; import or discard one").into());
        }
        let id = random()?;
        let Spooled { file, bytes, digest } = spooled;
        inner.files.insert(id.clone(), Waits { checked, file: Some(file), bytes, digest, since: Instant::now() });
        Ok(id)
    }

    /// A file that waits for its owner.
    pub fn find(&self, id: &str, owner: &str) -> Option<Checked> {
        self.lock().files.get(id).map(|w| w.checked.clone()).filter(|c| c.owner == owner)
    }

    /// Everything that waits for somebody: (its name here, the file), the newest first.
    pub fn of(&self, owner: &str) -> Vec<(String, Checked)> {
        let inner = self.lock();
        let mut own: Vec<_> = inner.files.iter().filter(|(_, w)| w.checked.owner == owner && w.checked.started.is_none()).collect();
        own.sort_by_key(|(_, w)| std::cmp::Reverse(w.since));
        own.into_iter().map(|(id, w)| (id.clone(), w.checked.clone())).collect()
    }

    pub fn discard(&self, id: &str) {
        self.lock().files.remove(id);
    }

    /// The beginning of the keys of all imports of this very file.
    pub fn prefix(&self, id: &str) -> Option<String> {
        self.lock().files.get(id).map(|w| format!("web:{}:", w.digest))
    }

    /// Takes the file, to be imported under a key. None if somebody did so before.
    pub fn take(&self, id: &str, key: &str) -> Option<File> {
        let mut inner = self.lock();
        let waits = inner.files.get_mut(id)?;
        let mut file = waits.file.take()?;
        waits.bytes = 0;
        waits.checked.started = Some(key.to_owned());
        let Checked { kind, name, rows, .. } = waits.checked.clone();
        let run = Run { kind, name, rows, fault: None, stop: Arc::default(), began: Instant::now() };
        if inner.runs.len() >= MOST_RUNS {
            let oldest = inner.runs.iter().min_by_key(|(_, r)| r.began).map(|(key, _)| key.clone());
            oldest.and_then(|key| inner.runs.remove(&key));
        }
        inner.runs.insert(key.to_owned(), run);
        file.seek(SeekFrom::Start(0)).ok().map(|_| file)
    }

    pub fn run(&self, key: &str) -> Option<Run> {
        self.lock().runs.get(key).cloned()
    }

    /// Notes why an import ended early.
    pub fn failed(&self, key: &str, fault: String) {
        if let Some(run) = self.lock().runs.get_mut(key) {
            run.fault = Some(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn checked(owner: &str) -> Checked {
        Checked { owner: owner.into(), kind: Kind::Items, name: "items.csv".into(), rows: 2, view: Arc::default(), started: None }
    }

    #[test]
    fn a_file_waits_for_its_owner_and_is_taken_once() {
        let waiting = Waiting::default();
        let spooled = waiting.spool(Cursor::new(b"sku,name\nA,B\n")).unwrap();
        let mut text = String::new();
        spooled.reader().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "sku,name\nA,B\n");
        let id = waiting.keep(checked("ada"), spooled).unwrap();
        assert!(waiting.find(&id, "bob").is_none() && waiting.of("bob").is_empty());
        assert_eq!((waiting.find(&id, "ada").unwrap().rows, waiting.of("ada").len()), (2, 1));
        let prefix = waiting.prefix(&id).unwrap();
        let other = waiting.spool(Cursor::new(b"sku,name\nA,C\n")).unwrap();
        let other = waiting.keep(checked("ada"), other).unwrap();
        assert_ne!(waiting.prefix(&other).unwrap(), prefix, "another file");
        let mut file = waiting.take(&id, "web:1").unwrap();
        text.clear();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text.len(), 13);
        assert!(waiting.take(&id, "web:2").is_none());
        assert_eq!(waiting.find(&id, "ada").unwrap().started.as_deref(), Some("web:1"));
        waiting.failed("web:1", "the disk broke".into());
        assert_eq!(waiting.run("web:1").unwrap().fault.as_deref(), Some("the disk broke"));
        waiting.discard(&other);
        assert!(waiting.of("ada").is_empty());
        assert!(waiting.spool(Cursor::new(b"")).is_err(), "no file was chosen");
    }
}
