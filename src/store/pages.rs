//! The layout of pages in redb's file format 3, and the verification of their checksums.
//!
//! redb stores the checksum of each page in its parent page, but compares it only on request and while nothing else
//! uses the file. Otherwise it trusts what it reads. Here pages are parsed without trust in any byte of them, and
//! without allocations whose size is a stored number.

use std::{io, ops::Range};

use twox_hash::XxHash3_128;

pub const PAGE_BYTES: u64 = 4096;
/// Bytes that redb reads and writes at the start of the file.
pub const HEADER_BYTES: usize = 320;
pub const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";

const PAGES_PER_REGION: u64 = 1 << 20;
/// Order of the largest page, which is as large as a region.
const ORDER_MAX: u64 = 20;
const LEAF: u8 = 1;
const BRANCH: u8 = 2;
/// Bytes of checksum and number of a child.
const CHILD_BYTES: usize = 24;
const NORMAL_TABLE: u8 = 3;
/// Upper bound on the depth of trees. No tree is as deep, whatever the size of the file.
const DEPTH_MAX: usize = 128;

const PRIMARY_IS_SECOND: u8 = 1;
const UNCLEAN: u8 = 2;
const TWO_PHASE: u8 = 4;
const SLOTS: [usize; 2] = [64, 192];
const SLOT_BYTES: usize = 128;

/// Returns redb's checksum of the bytes of a page.
#[must_use]
pub fn sum_of(bytes: &[u8]) -> u128 {
    XxHash3_128::oneshot(bytes)
}

/// Position of a page, and its checksum, according to its parent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRef {
    pub offset: u64,
    pub bytes: u64,
    pub sum: u128,
}

impl PageRef {
    /// Parses a page number: 20 bits of index, 20 bits of region, and in the highest 5 bits the order, which is the
    /// binary logarithm of its size in smallest pages. `None`: such a page cannot exist.
    fn new(number: u64, sum: u128) -> Option<Self> {
        let order = number >> 59;
        if order > ORDER_MAX {
            return None;
        }
        let index = number & (0xF_FFFF >> order);
        let region = (number >> 20) & 0xF_FFFF;
        let bytes = PAGE_BYTES << order;
        Some(Self { offset: PAGE_BYTES + region * PAGES_PER_REGION * PAGE_BYTES + index * bytes, bytes, sum })
    }
}

/// A tree of pages: a table, or a list of tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageTree {
    pub name: String,
    /// Length of all keys in bytes. `None` if they differ.
    key: Option<usize>,
    value: Option<usize>,
    holds_tables: bool,
}

impl PageTree {
    #[must_use]
    pub fn of_tables() -> Self {
        Self { name: "the list of tables".to_owned(), key: None, value: None, holds_tables: true }
    }

    #[must_use]
    pub fn of_system_tables() -> Self {
        Self { name: "the list of free pages".to_owned(), ..Self::of_tables() }
    }

    #[must_use]
    pub const fn holds_tables(&self) -> bool {
        self.holds_tables
    }

    /// Returns the length of the part of a page that its checksum covers. `None`: not a page of this tree.
    fn covered(&self, page: &[u8]) -> Option<usize> {
        let count = count(page)?;
        let last = count.checked_sub(1)?;
        let end = match *page.first()? {
            LEAF => self.value_end(page, count, last)?,
            BRANCH => {
                let keys = 8 + CHILD_BYTES * (count + 1);
                match self.key {
                    Some(width) => keys.checked_add(width.checked_mul(count)?)?,
                    None => number_at(page, keys + 4 * last)?,
                }
            }
            _ => return None,
        };
        (end <= page.len()).then_some(end)
    }

    fn key_end(&self, page: &[u8], count: usize, entry: usize) -> Option<usize> {
        match self.key {
            Some(width) => self.keys_start(count).checked_add(width.checked_mul(entry + 1)?),
            None => number_at(page, 4 + 4 * entry),
        }
    }

    fn value_end(&self, page: &[u8], count: usize, entry: usize) -> Option<usize> {
        match self.value {
            Some(width) => self.key_end(page, count, count.checked_sub(1)?)?.checked_add(width.checked_mul(entry + 1)?),
            None => number_at(page, 4 + 4 * entry + if self.key.is_none() { 4 * count } else { 0 }),
        }
    }

    fn keys_start(&self, count: usize) -> usize {
        let ends = usize::from(self.key.is_none()) + usize::from(self.value.is_none());
        4 + 4 * count * ends
    }

    /// Returns the ranges of key and value of an entry in a leaf.
    fn entry(&self, page: &[u8], count: usize, entry: usize) -> Option<(Range<usize>, Range<usize>)> {
        let (key, value) = match entry.checked_sub(1) {
            Some(before) => (self.key_end(page, count, before)?, self.value_end(page, count, before)?),
            None => (self.keys_start(count), self.key_end(page, count, count.checked_sub(1)?)?),
        };
        Some((key..self.key_end(page, count, entry)?, value..self.value_end(page, count, entry)?))
    }

    #[must_use]
    pub fn is_sound(&self, page: &[u8], sum: u128) -> bool {
        self.sum(page) == Some(sum)
    }

    /// Returns the checksum that the parent page should contain. `None`: not a page of this tree.
    #[must_use]
    pub fn sum(&self, page: &[u8]) -> Option<u128> {
        page.get(..self.covered(page)?).map(sum_of)
    }
}

/// Returns the number of entries in a leaf, or of keys in a branch.
fn count(page: &[u8]) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(page.get(2..4)?.try_into().ok()?)))
}

fn number_at(page: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(page.get(at..at + 4)?.try_into().ok()?) as usize)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn u128_at(bytes: &[u8], at: usize) -> Option<u128> {
    Some(u128::from_le_bytes(bytes.get(at..at + 16)?.try_into().ok()?))
}

/// Returns the children of a branch, or none for a leaf. `None`: such pages cannot exist.
#[must_use]
pub fn children(page: &[u8]) -> Option<Vec<PageRef>> {
    if page.first() != Some(&BRANCH) {
        return Some(Vec::new());
    }
    let children = count(page)? + 1;
    let numbers = 8 + 16 * children;
    (0..children)
        .map(|child| PageRef::new(u64_at(page, numbers + 8 * child)?, u128_at(page, 8 + 16 * child)?))
        .collect()
}

/// A table according to the list of tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageTable {
    pub tree: PageTree,
    pub rows: u64,
    pub root: Option<PageRef>,
}

/// Returns the tables in a leaf of a list of tables. `None`: it does not contain such a list.
#[must_use]
pub fn tables(tree: &PageTree, page: &[u8]) -> Option<Vec<PageTable>> {
    if page.first() != Some(&LEAF) {
        return Some(Vec::new());
    }
    let count = count(page)?;
    (0..count)
        .map(|entry| {
            let (key, value) = tree.entry(page, count, entry)?;
            table(str::from_utf8(page.get(key)?).ok()?, page.get(value)?)
        })
        .collect()
}

fn table(name: &str, description: &[u8]) -> Option<PageTable> {
    let width = |at: usize| match description.get(at)? {
        0 => Some(None),
        _ => number_at(description, at + 1).map(Some),
    };
    if description.first() != Some(&NORMAL_TABLE) {
        return None;
    }
    let root = match description.get(9)? {
        0 => None,
        _ => Some(PageRef::new(u64_at(description, 10)?, u128_at(description, 18)?)?),
    };
    let tree = PageTree { name: format!("table {name}"), key: width(42)?, value: width(47)?, holds_tables: false };
    Some(PageTable { tree, rows: u64_at(description, 1)?, root })
}

/// A commit: the roots of its two lists of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    pub tables: Option<PageRef>,
    pub system_tables: Option<PageRef>,
    number: u64,
}

/// Content of the first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub current: Commit,
    /// Whether the current commit was on disk before it became the current one, so no other commit is possible. If not,
    /// redb reads all pages when it opens the file, and decides.
    pub is_certain: bool,
}

/// Parses the first page. The error says what is impossible.
pub fn header(bytes: &[u8]) -> Result<Header, &'static str> {
    let incomplete = "its first page is incomplete";
    let flags = *bytes.get(9).ok_or(incomplete)?;
    if bytes.get(..9) != Some(MAGIC.as_slice()) {
        return Err("it does not begin like a data file");
    }
    let geometry = [number_at(bytes, 12), number_at(bytes, 16), number_at(bytes, 20)];
    if geometry != [Some(PAGE_BYTES as usize), Some(0), Some(PAGES_PER_REGION as usize)] {
        return Err("its first page gives sizes that it cannot have");
    }
    let slots = SLOTS.map(|at| bytes.get(at..at + SLOT_BYTES).and_then(slot));
    let (primary, secondary) = if flags & PRIMARY_IS_SECOND == 0 { (slots[0], slots[1]) } else { (slots[1], slots[0]) };
    let is_certain = flags & TWO_PHASE != 0;
    let current = match (primary, secondary) {
        (Some(primary), Some(secondary)) if secondary.number > primary.number && flags & UNCLEAN == 0 => {
            return Err("its first page names a commit that is not the last one");
        }
        (Some(primary), _) => primary,
        (None, Some(secondary)) if !is_certain => secondary,
        (None, _) => return Err("its first page does not name a commit"),
    };
    Ok(Header { current, is_certain })
}

/// Parses a commit. `None` if its checksum is wrong.
fn slot(bytes: &[u8]) -> Option<Commit> {
    let (summed, sum) = bytes.split_at_checked(SLOT_BYTES - 16)?;
    if u128_at(sum, 0)? != sum_of(summed) {
        return None;
    }
    let root = |flag: usize, at: usize| match bytes.get(flag)? {
        0 => Some(None),
        _ => PageRef::new(u64_at(bytes, at)?, u128_at(bytes, at + 8)?).map(Some),
    };
    Some(Commit { tables: root(1, 8)?, system_tables: root(2, 40)?, number: u64_at(bytes, 104)? })
}

/// Function that reads bytes of the file at an offset.
pub type Read<'a> = dyn FnMut(u64, &mut [u8]) -> io::Result<()> + 'a;

/// Reads all pages below the root of a list of tables, and compares their checksums. Returns a sentence for each table
/// with a fault. Errors are those of the disk.
pub fn verify(root: PageRef, tree: &PageTree, file_bytes: u64, read: &mut Read<'_>) -> io::Result<Vec<String>> {
    let mut walk = PageWalk { file_bytes, read, page: Vec::new(), tables: Vec::new() };
    if let Err(wrong) = walk.tree(root, tree)? {
        return Ok(vec![wrong]);
    }
    let mut findings = Vec::new();
    for table in std::mem::take(&mut walk.tables) {
        let rows = match table.root {
            None => Ok(0),
            Some(root) => walk.tree(root, &table.tree)?,
        };
        match rows {
            Ok(rows) if rows != table.rows => {
                findings.push(format!("{} should have {} rows, but has {rows}", table.tree.name, table.rows));
            }
            Ok(_) => {}
            Err(wrong) => findings.push(wrong),
        }
    }
    Ok(findings)
}

#[must_use]
pub fn damaged_page(tree: &PageTree, offset: u64) -> String {
    format!("{}: the page at byte {offset} is not what was written", tree.name)
}

struct PageWalk<'a, 'r> {
    file_bytes: u64,
    read: &'a mut Read<'r>,
    page: Vec<u8>,
    tables: Vec<PageTable>,
}

impl PageWalk<'_, '_> {
    /// Returns the number of entries in the leaves of a tree, or what is wrong with it.
    fn tree(&mut self, root: PageRef, tree: &PageTree) -> io::Result<Result<u64, String>> {
        let mut rows = 0;
        let mut open = vec![(root, 0)];
        while let Some((next, depth)) = open.pop() {
            let wrong = || Ok(Err(damaged_page(tree, next.offset)));
            if depth > DEPTH_MAX || next.offset.checked_add(next.bytes).is_none_or(|end| end > self.file_bytes) {
                return wrong();
            }
            self.page.resize(next.bytes as usize, 0);
            (self.read)(next.offset, &mut self.page)?;
            if !tree.is_sound(&self.page, next.sum) {
                return wrong();
            }
            let Some(children) = children(&self.page) else { return wrong() };
            if children.is_empty() {
                rows += count(&self.page).unwrap_or_default() as u64;
                if tree.holds_tables {
                    match tables(tree, &self.page) {
                        Some(tables) => self.tables.extend(tables),
                        None => return wrong(),
                    }
                }
            }
            open.extend(children.into_iter().rev().map(|child| (child, depth + 1)));
        }
        Ok(Ok(rows))
    }
}
