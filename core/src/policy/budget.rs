//! How many calls may be made again: a bucket per endpoint. Pure.

/// A retry takes a token, a call made for the first time brings a tenth of one: whatever fails, what reaches a manager is a
/// tenth more than what was wanted of it, beyond what the bucket held at first.
pub(crate) struct Budget {
    tenths: u32,
    most: u32,
}

impl Budget {
    /// Full.
    pub(crate) fn new(tokens: u32) -> Self {
        let most = tokens.saturating_mul(10);
        Self { tenths: most, most }
    }

    /// Notes a call that is made for the first time.
    pub(crate) fn first(&mut self) {
        self.tenths = self.tenths.saturating_add(1).min(self.most);
    }

    /// Takes as many tokens as there are, and no more than these.
    pub(crate) fn take(&mut self, wanted: usize) -> usize {
        let taken = u32::try_from(wanted).unwrap_or(u32::MAX).min(self.tenths / 10);
        self.tenths -= taken * 10;
        taken as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ten_at_first_and_one_for_every_ten_calls() {
        let mut budget = Budget::new(10);
        budget.first(); // full is full
        assert_eq!((budget.take(7), budget.take(7), budget.take(1)), (7, 3, 0));
        (0..9).for_each(|_| budget.first());
        assert_eq!(budget.take(1), 0);
        budget.first();
        assert_eq!((budget.take(5), budget.take(1)), (1, 0));
        let mut none = Budget::new(0);
        (0..100).for_each(|_| none.first());
        assert_eq!(none.take(1), 0);
    }

    proptest! {
        #[test]
        fn it_never_gives_more_than_came_in(steps in proptest::collection::vec((any::<bool>(), 0_usize..5), 0..500)) {
            let mut budget = Budget::new(10);
            let (mut firsts, mut taken, mut held) = (0_usize, 0_usize, 10.0_f64);
            for (first, wanted) in steps {
                if first {
                    budget.first();
                    firsts += 1;
                    held = (held + 0.1).min(10.0);
                } else {
                    let got = budget.take(wanted);
                    prop_assert_eq!(got, wanted.min((held + 1e-6).floor() as usize));
                    held -= got as f64;
                    taken += got;
                }
                prop_assert!(taken * 10 <= 100 + firsts);
            }
        }
    }
}
