//! Sets of incidents: sorted if they are small, bitmaps if they are large.

use rustc_hash::FxHashSet;

/// Size up to which a set is a sorted list.
const FEW: usize = 4_096;
/// Id from which ids are stored one by one: a damaged index may contain any id, and memory must not grow with its
/// value.
const FAR: u64 = 1 << 28;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IdSet {
    /// Sorted, without duplicates.
    Few(Vec<u64>),
    Many(Bits),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits {
    words: Vec<u64>,
    far: FxHashSet<u64>,
}

impl Bits {
    fn insert(&mut self, id: u64) {
        if id >= FAR {
            self.far.insert(id);
            return;
        }
        let word = (id / 64) as usize;
        if self.words.len() <= word {
            self.words.resize(word + 1 + word / 2, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << (id % 64);
        }
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        if id >= FAR {
            return self.far.contains(&id);
        }
        self.words.get((id / 64) as usize).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }
}

impl Default for IdSet {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl IdSet {
    pub(super) fn contains(&self, id: u64) -> bool {
        match self {
            Self::Few(ids) => ids.binary_search(&id).is_ok(),
            Self::Many(bits) => bits.contains(id),
        }
    }

    pub(super) fn for_each(&self, mut visit: impl FnMut(u64)) {
        match self {
            Self::Few(ids) => ids.iter().copied().for_each(visit),
            Self::Many(bits) => {
                for (at, word) in bits.words.iter().enumerate() {
                    let mut left = *word;
                    while left != 0 {
                        visit(at as u64 * 64 + u64::from(left.trailing_zeros()));
                        left &= left - 1;
                    }
                }
                bits.far.iter().copied().for_each(visit);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Few(ids) if ids.is_empty())
    }

    pub(super) fn intersect(self, other: Self) -> Self {
        match (self, other) {
            (Self::Few(mut ids), other) | (other, Self::Few(mut ids)) => {
                ids.retain(|&id| other.contains(id));
                Self::Few(ids)
            }
            (Self::Many(mut bits), Self::Many(other)) => {
                bits.words.truncate(other.words.len());
                for (word, other) in bits.words.iter_mut().zip(&other.words) {
                    *word &= other;
                }
                bits.far.retain(|id| other.far.contains(id));
                Self::Many(bits)
            }
        }
    }
}

impl FromIterator<u64> for IdSet {
    fn from_iter<I: IntoIterator<Item = u64>>(ids: I) -> Self {
        let mut collector = Collector::default();
        ids.into_iter().for_each(|id| collector.add(id));
        collector.finish()
    }
}

/// Collects ids in any order, with or without duplicates.
#[derive(Debug, Default)]
pub(super) struct Collector {
    few: Vec<u64>,
    many: Option<Bits>,
}

impl Collector {
    pub(super) fn add(&mut self, id: u64) {
        if let Some(bits) = &mut self.many {
            bits.insert(id);
            return;
        }
        self.few.push(id);
        if self.few.len() > FEW {
            let mut bits = Bits::default();
            for id in self.few.drain(..) {
                bits.insert(id);
            }
            self.many = Some(bits);
        }
    }

    pub(super) fn finish(mut self) -> IdSet {
        if let Some(bits) = self.many {
            return IdSet::Many(bits);
        }
        self.few.sort_unstable();
        self.few.dedup();
        IdSet::Few(self.few)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_visited_once() {
        for count in [0, 10, 10_000_u64] {
            let ids: Vec<u64> = (0..count).map(|n| n * 7 + n % 3).chain([FAR + 5]).collect();
            let set: IdSet = ids.iter().chain(&ids).copied().collect();
            let mut visited = Vec::new();
            set.for_each(|id| visited.push(id));
            visited.sort_unstable();
            assert_eq!(visited, ids);
        }
    }

    #[test]
    fn few_and_many_intersect_alike() {
        let few: IdSet = [5, 3, 3, 9_000, 70_000].into_iter().collect();
        let odd: IdSet = (0..50_000).filter(|id| id % 2 == 1).collect();
        let third: IdSet = (0..60_000).filter(|id| id % 3 == 0).collect();
        assert_eq!(few, IdSet::Few(vec![3, 5, 9_000, 70_000]));
        assert!(matches!((&odd, &third), (IdSet::Many(_), IdSet::Many(_))));
        assert_eq!(few.clone().intersect(odd.clone()), IdSet::Few(vec![3, 5]));
        assert_eq!(third.clone().intersect(few), IdSet::Few(vec![3, 9_000]));
        let both = odd.intersect(third);
        assert!((0..70_000).all(|id| both.contains(id) == (id < 50_000 && id % 2 == 1 && id % 3 == 0)));
    }

    #[test]
    fn an_id_that_nobody_has_costs_no_memory() {
        let far = [u64::MAX, u64::MAX - 1, 1 << 50, FAR];
        let one: IdSet = (0..5_000).chain(far).collect();
        let other: IdSet = (4_000..9_000).chain([1 << 50, FAR + 1]).collect();
        let (IdSet::Many(bits), IdSet::Many(_)) = (&one, &other) else { panic!("both are many") };
        assert!(bits.words.len() < 1_000);
        assert!(far.iter().all(|id| one.contains(*id)) && !one.contains(FAR + 1));
        let both = one.intersect(other);
        assert!(both.contains(1 << 50) && both.contains(4_500) && !both.contains(FAR) && !both.contains(u64::MAX));
    }
}
