//! Verifies pages between redb and the data file: compares the checksum of each page before redb gets it.
//!
//! The checksum of a page is in its parent page. So the checksums of all pages that a sound page refers to are
//! remembered, from the first page of the file on, and so are those of the pages that this process wrote. A page that
//! differs is noted, and redb gets a page instead that it refuses as damaged.

use std::{
    collections::HashMap,
    io,
    ops::{Bound, Range},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use redb::{BackendError, StorageBackend};
use rustc_hash::FxHashMap;

use super::{
    StoreError,
    pages::{self, HEADER_BYTES, Header, PAGE_BYTES, PageRef, PageTree},
};
use crate::domain::limits::{DAMAGE_NOTES, SCRATCH_BYTES};

/// Number of times that a page with a wrong checksum is read, since another process or thread may be writing it.
const ATTEMPTS: usize = 3;

/// An open data file, below redb.
#[derive(Debug)]
pub struct Disk {
    file: Box<dyn StorageBackend>,
    bytes: AtomicU64,
    sums: RwLock<Sums>,
    header: Mutex<Option<Header>>,
    /// Reason why the first page cannot be used.
    bad_header: Mutex<Option<&'static str>>,
    damage: Arc<Damage>,
    /// Storage for writes if the file must not change.
    scratch: Option<Mutex<Scratch>>,
}

/// Damage that was found since the start, one sentence for each page.
#[derive(Debug, Default)]
pub struct Damage(Mutex<Vec<String>>);

impl Damage {
    #[must_use]
    pub fn found(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the first known damage instead of an error that says only that the file is damaged.
    #[must_use]
    pub fn explain(&self, error: StoreError) -> StoreError {
        match (error, self.found().first()) {
            (StoreError::Damaged(_), Some(first)) => StoreError::Damaged(first.clone()),
            (error, _) => error,
        }
    }

    /// Notes damage, and logs it the first time.
    pub fn note(&self, wrong: String) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() < DAMAGE_NOTES && !found.contains(&wrong) {
            tracing::error!("the data file is damaged: {wrong}");
            found.push(wrong);
        }
    }
}

impl Disk {
    pub fn new(file: Box<dyn StorageBackend>, damage: Arc<Damage>) -> io::Result<Self> {
        let bytes = AtomicU64::new(file.len()?);
        Ok(Self {
            file,
            bytes,
            sums: RwLock::default(),
            header: Mutex::default(),
            bad_header: Mutex::default(),
            damage,
            scratch: None,
        })
    }

    /// Opens a file that must not change. What is written stays in memory until it is closed.
    pub fn unchanged(file: Box<dyn StorageBackend>, damage: Arc<Damage>) -> io::Result<Self> {
        let disk = Self::new(file, damage)?;
        let scratch = Scratch { bytes: disk.bytes(), pages: HashMap::new() };
        Ok(Self { scratch: Some(Mutex::new(scratch)), ..disk })
    }

    /// Reads the first page. The inner error says what is wrong with it.
    pub fn with_header(self) -> io::Result<Result<Self, &'static str>> {
        let mut header = [0; HEADER_BYTES];
        if self.bytes() < header.len() as u64 {
            return Ok(Err("it is shorter than its first page"));
        }
        self.read_raw(0, &mut header)?;
        Ok(self.learn_header(&header, true).map(|()| self))
    }

    /// Returns the length of the file, as redb set it.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Returns why redb could not use the first page.
    pub fn bad_header(&self) -> Option<&'static str> {
        *self.bad_header.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the first page as it was last read or written.
    pub fn header(&self) -> Option<Header> {
        *self.header.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares all pages of the tables with their checksums; `with_system` also those of the lists of free pages,
    /// which is allowed only while nothing writes. `pause` is called after each page.
    pub fn verify(&self, with_system: bool, pause: &mut dyn FnMut() -> io::Result<()>) -> io::Result<Vec<String>> {
        // If it is not certain which commit counts, redb itself reads all pages of a file.
        let Some(header) = self.header().filter(|header| header.is_certain) else { return Ok(Vec::new()) };
        let mut read = |offset, page: &mut [u8]| {
            pause()?;
            self.read_raw(offset, page)
        };
        let mut findings = Vec::new();
        let lists = [
            (header.current.tables, PageTree::of_tables()),
            (header.current.system_tables.filter(|_| with_system), PageTree::of_system_tables()),
        ];
        for (root, tree) in lists {
            if let Some(root) = root {
                findings.extend(pages::verify(root, &tree, self.bytes(), &mut read)?);
            }
        }
        Ok(findings)
    }

    fn read_raw(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &self.scratch {
            None => self.file.read(offset, out),
            Some(scratch) => scratch.lock().unwrap_or_else(PoisonError::into_inner).read(&*self.file, offset, out),
        }
    }

    fn learn_header(&self, bytes: &[u8], is_read: bool) -> Result<(), &'static str> {
        let header = pages::header(bytes)?;
        *self.header.lock().unwrap_or_else(PoisonError::into_inner) = Some(header);
        if is_read && header.is_certain {
            let mut sums = self.sums.write().unwrap_or_else(PoisonError::into_inner);
            let roots = [
                (header.current.tables, PageTree::of_tables()),
                (header.current.system_tables, PageTree::of_system_tables()),
            ];
            for (root, tree) in roots {
                let tree = sums.tree(&tree);
                if let Some(root) = root {
                    sums.expect(root, tree);
                }
            }
        }
        Ok(())
    }

    fn read_page(&self, offset: u64, page: &mut [u8]) -> io::Result<()> {
        for attempt in 1..=ATTEMPTS {
            self.read_raw(offset, page)?;
            let verdict = self.sums.read().unwrap_or_else(PoisonError::into_inner).verdict(offset, page);
            match verdict {
                PageVerdict::Sound => return Ok(()),
                PageVerdict::SoundOf(tree, number) => {
                    self.sums.write().unwrap_or_else(PoisonError::into_inner).expect_below(&tree, number, page);
                    return Ok(());
                }
                PageVerdict::Damaged(wrong) if attempt == ATTEMPTS => {
                    self.damage.note(wrong);
                    refuse(page);
                }
                PageVerdict::Damaged(_) => {}
            }
        }
        Ok(())
    }
}

/// Turns the page into one that redb refuses as damaged in any place: a branch whose only child cannot exist. Other
/// forms may make redb panic.
fn refuse(page: &mut [u8]) {
    page.fill(0);
    if let Some(kind) = page.first_mut() {
        *kind = 2;
    }
    if let Some(child) = page.get_mut(24..32) {
        child.fill(0xFF);
    }
}

/// Returns whether the text is redb's error about a page that was refused.
pub fn is_refusal(text: &str) -> bool {
    text.contains("has order greater than")
}

#[derive(Debug, Default)]
struct Sums {
    /// Checksums, by the number of the smallest page at the same offset.
    pages: FxHashMap<u32, Sum>,
    trees: Vec<PageTree>,
}

/// The lower half of a checksum, with tree and order of its page.
#[derive(Clone, Copy, Debug)]
struct Sum {
    halves: [u32; 2],
    tree: u16,
    order: u8,
}

/// Value of `tree` for a page that this process wrote. Its checksum is that of all bytes of the page.
const WRITTEN_HERE: u16 = u16::MAX;

enum PageVerdict {
    Sound,
    /// A sound page that may refer to other pages.
    SoundOf(PageTree, u16),
    Damaged(String),
}

impl Sums {
    fn tree(&mut self, tree: &PageTree) -> u16 {
        let known = self.trees.iter().position(|it| it == tree).unwrap_or_else(|| {
            self.trees.push(tree.clone());
            self.trees.len() - 1
        });
        known.min(usize::from(WRITTEN_HERE)) as u16
    }

    fn expect(&mut self, page: PageRef, tree: u16) {
        if let Some(number) = number(page.offset) {
            self.pages.insert(number, Sum::new(page.sum, tree, order(page.bytes)));
        }
    }

    fn expect_below(&mut self, tree: &PageTree, number: u16, page: &[u8]) {
        for child in pages::children(page).unwrap_or_default() {
            self.expect(child, number);
        }
        if tree.holds_tables() {
            for table in pages::tables(tree, page).unwrap_or_default() {
                let number = self.tree(&table.tree);
                table.root.into_iter().for_each(|root| self.expect(root, number));
            }
        }
    }

    /// Judges a page. One without known checksum counts as sound: it is new, or belongs to a commit that redb is still
    /// deciding about, and then redb compares all checksums itself.
    fn verdict(&self, offset: u64, page: &[u8]) -> PageVerdict {
        let Some(sum) = number(offset).and_then(|number| self.pages.get(&number)) else { return PageVerdict::Sound };
        if sum.order != order(page.len() as u64) {
            return PageVerdict::Sound;
        }
        let Some(tree) = self.trees.get(usize::from(sum.tree)) else {
            let is_sound = sum.halves == halves(pages::sum_of(page));
            let wrong = || PageVerdict::Damaged(format!("the page at byte {offset} is not what was written"));
            return if is_sound { PageVerdict::Sound } else { wrong() };
        };
        if tree.sum(page).map(halves) != Some(sum.halves) {
            return PageVerdict::Damaged(pages::damaged_page(tree, offset));
        }
        let points_on = tree.holds_tables() || page.first() == Some(&2);
        if points_on { PageVerdict::SoundOf(tree.clone(), sum.tree) } else { PageVerdict::Sound }
    }
}

impl Sum {
    fn new(sum: u128, tree: u16, order: u8) -> Self {
        Self { halves: halves(sum), tree, order }
    }
}

fn halves(sum: u128) -> [u32; 2] {
    [sum as u32, (sum >> 32) as u32]
}

fn number(offset: u64) -> Option<u32> {
    u32::try_from(offset / PAGE_BYTES).ok()
}

fn order(bytes: u64) -> u8 {
    (bytes / PAGE_BYTES).checked_ilog2().unwrap_or_default() as u8
}

/// Written data in memory, in pages of the smallest size.
#[derive(Debug)]
struct Scratch {
    bytes: u64,
    pages: HashMap<u64, Box<[u8]>>,
}

impl Scratch {
    fn read(&self, file: &dyn StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= self.bytes);
        let end = end.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let in_file = file.len()?.min(end).saturating_sub(offset) as usize;
        let (from_file, beyond) = out.split_at_mut(in_file.min(out.len()));
        file.read(offset, from_file)?;
        beyond.fill(0);
        Self::each_page(offset, out.len(), |number, in_page, in_out| {
            if let (Some(page), Some(out)) = (self.pages.get(&number), out.get_mut(in_out))
                && let Some(page) = page.get(in_page)
            {
                out.copy_from_slice(page);
            }
        });
        Ok(())
    }

    fn write(&mut self, file: &dyn StorageBackend, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut wanted = Vec::new();
        Self::each_page(offset, data.len(), |number, in_page, in_data| wanted.push((number, in_page, in_data)));
        for (number, in_page, in_data) in wanted {
            if !self.pages.contains_key(&number) {
                if self.pages.len() as u64 >= SCRATCH_BYTES / PAGE_BYTES {
                    return Err(io::Error::other("more would be changed than fits into memory"));
                }
                let mut page = vec![0; PAGE_BYTES as usize].into_boxed_slice();
                let start = number * PAGE_BYTES;
                let there = self.bytes.min(start + PAGE_BYTES).saturating_sub(start) as usize;
                if let Some(there) = page.get_mut(..there) {
                    self.read(file, start, there)?;
                }
                self.pages.insert(number, page);
            }
            if let (Some(page), Some(data)) = (self.pages.get_mut(&number), data.get(in_data))
                && let Some(page) = page.get_mut(in_page)
            {
                page.copy_from_slice(data);
            }
        }
        Ok(())
    }

    /// Calls `visit` for each part of a range that is within one smallest page, with the number of the page, and the
    /// ranges within the page and within the range.
    fn each_page(offset: u64, bytes: usize, mut visit: impl FnMut(u64, Range<usize>, Range<usize>)) {
        let mut done = 0;
        while done < bytes {
            let at = offset + done as u64;
            let in_page = (at % PAGE_BYTES) as usize;
            let step = (PAGE_BYTES as usize - in_page).min(bytes - done);
            visit(at / PAGE_BYTES, in_page..in_page + step, done..done + step);
            done += step;
        }
    }
}

/// The part of a [`Disk`] that redb owns.
#[derive(Debug)]
pub struct Backend(pub Arc<Disk>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        match &self.0.scratch {
            None => self.0.file.len(),
            Some(scratch) => Ok(scratch.lock().unwrap_or_else(PoisonError::into_inner).bytes),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset >= PAGE_BYTES {
            return self.0.read_page(offset, out);
        }
        self.0.read_raw(offset, out)?;
        if out.len() == HEADER_BYTES
            && let Err(wrong) = self.0.learn_header(out, true)
        {
            *self.0.bad_header.lock().unwrap_or_else(PoisonError::into_inner) = Some(wrong);
            return Err(io::Error::other(wrong));
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len < self.0.bytes() {
            // Set before the change, so that it is not taken for that of another process.
            self.0.bytes.store(len, Ordering::Release);
        }
        match &self.0.scratch {
            None => self.0.file.set_len(len)?,
            Some(scratch) => scratch.lock().unwrap_or_else(PoisonError::into_inner).bytes = len,
        }
        self.0.bytes.store(len, Ordering::Release);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.0.scratch.is_some() { Ok(()) } else { self.0.file.sync_data() }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Some(number) = number(offset).filter(|_| offset >= PAGE_BYTES) {
            let sum = Sum::new(pages::sum_of(data), WRITTEN_HERE, order(data.len() as u64));
            self.0.sums.write().unwrap_or_else(PoisonError::into_inner).pages.insert(number, sum);
        }
        match &self.0.scratch {
            None => self.0.file.write(offset, data)?,
            Some(scratch) => {
                scratch.lock().unwrap_or_else(PoisonError::into_inner).write(&*self.0.file, offset, data)?;
            }
        }
        if offset == 0 && data.len() == HEADER_BYTES {
            // While a header is being created, it has no beginning and is not read.
            let _ = self.0.learn_header(data, false);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.0.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        // A file that must not change is open for reading only, which does not allow an exclusive lock.
        if self.0.scratch.is_some() {
            return self.0.file.try_lock_shared_range(start, end);
        }
        self.0.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.scratch.is_some() {
            return self.0.file.lock_shared_range(start, end);
        }
        self.0.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.query_lock_range(start, end)
    }
}
