//! The layout of pages in redb's file format 3, and the verification of their checksums.
//!
//! redb keeps the sum of each page in the page above it but compares them only when it is asked to and nobody else uses
//! the file; what it reads otherwise it trusts. Here pages are parsed without trust in any byte of them, and without an
//! allocation that a stored number decides.

use std::{io, ops::Range};

use twox_hash::XxHash3_128;

pub const PAGE_BYTES: u64 = 4096;
/// What redb reads and writes at the start of the file.
pub const HEADER_BYTES: usize = 320;
pub const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";

const PAGES_PER_REGION: u64 = 1 << 20;
/// A page is at most one region.
const ORDER_MAX: u64 = 20;
const LEAF: u8 = 1;
const BRANCH: u8 = 2;
/// Sum and number of a child.
const CHILD_BYTES: usize = 24;
const NORMAL_TABLE: u8 = 3;
/// Trees are less deep than this whatever the size of the file.
const DEPTH_MAX: usize = 128;

const PRIMARY_IS_SECOND: u8 = 1;
const UNCLEAN: u8 = 2;
const TWO_PHASE: u8 = 4;
const SLOTS: [usize; 2] = [64, 192];
const SLOT_BYTES: usize = 128;

/// The sum that redb keeps of a page's bytes.
#[must_use]
pub fn sum_of(bytes: &[u8]) -> u128 {
    XxHash3_128::oneshot(bytes)
}

/// Where a page is and which sum it must have, as the page above it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRef {
    pub offset: u64,
    pub bytes: u64,
    pub sum: u128,
}

impl PageRef {
    /// Reads a page number: 20 bits of index, 20 bits of region, and in the highest 5 bits the power of two by which the
    /// page is larger than the smallest. `None` if there cannot be such a page.
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
    /// The width of all keys in bytes; `None` if they differ.
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

    /// The part of a page that its sum is about; `None` if no page of this tree looks like that.
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

    /// Where key and value of an entry of a leaf are.
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

    /// The sum that the page above should hold; `None` if no page of this tree looks like that.
    #[must_use]
    pub fn sum(&self, page: &[u8]) -> Option<u128> {
        page.get(..self.covered(page)?).map(sum_of)
    }
}

/// How many entries a leaf has, or keys a branch.
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

/// The pages below a branch; none of a leaf. `None` if there cannot be such pages.
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

/// A table as the list of tables describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageTable {
    pub tree: PageTree,
    pub rows: u64,
    pub root: Option<PageRef>,
}

/// The tables that a leaf of a list of tables describes. `None` if it does not hold such a list.
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

/// A commit: where its two lists of tables begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    pub tables: Option<PageRef>,
    pub system_tables: Option<PageRef>,
    number: u64,
}

/// What the first page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub current: Commit,
    /// The current commit was on disk before it became the current one, so nothing else can be meant. If not, redb looks
    /// at all pages when it opens the file and decides.
    pub is_certain: bool,
}

/// Reads the first page. The error says what cannot be.
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

/// `None` if its sum is wrong.
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

/// Reads bytes of the file at an offset.
pub type Read<'a> = dyn FnMut(u64, &mut [u8]) -> io::Result<()> + 'a;

/// Reads all pages below the root of a list of tables, and compares their sums. Returns a sentence for each table in
/// which something is wrong. Errors are those of the disk.
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
    /// How many entries its leaves have, or what is wrong with it.
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
