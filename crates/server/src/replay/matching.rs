//! Which sale a return belongs to: the same customer and the same code, sold earlier, with units that have not come back.
//! The newest such sale comes first: people bring back what they bought last.

use std::collections::HashMap;

#[derive(Debug, Default)]
pub struct Sales {
    sold: HashMap<(String, usize), Vec<Sold>>,
    /// Units that were taken back, by order and item.
    taken: HashMap<(usize, usize), i64>,
}

#[derive(Debug)]
struct Sold {
    order: usize,
    left: i64,
}

/// Units of one item that one order gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub order: usize,
    pub units: i64,
    /// With all that this order gave back of this item before.
    pub in_all: i64,
}

impl Sales {
    pub fn sold(&mut self, customer: &str, item: usize, order: usize, units: i64) {
        self.sold.entry((customer.to_owned(), item)).or_default().push(Sold { order, left: units });
    }

    /// Finds sales for units that come back. They may be fewer than asked.
    pub fn take(&mut self, customer: &str, item: usize, units: i64) -> Vec<Taken> {
        let mut taken = Vec::new();
        let mut wanted = units;
        let Some(sales) = self.sold.get_mut(&(customer.to_owned(), item)) else { return taken };
        while let Some(sale) = sales.last_mut().filter(|_| wanted > 0) {
            let share = sale.left.min(wanted);
            sale.left -= share;
            wanted -= share;
            let in_all = self.taken.entry((sale.order, item)).or_default();
            *in_all += share;
            taken.push(Taken { order: sale.order, units: share, in_all: *in_all });
            if sale.left == 0 {
                sales.pop();
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_sale_gives_first_and_nobody_gives_more_than_he_has() {
        let mut sales = Sales::default();
        sales.sold("1", 7, 100, 5);
        sales.sold("1", 7, 101, 3);
        sales.sold("2", 7, 102, 9);
        assert_eq!(sales.take("1", 8, 1), []);
        assert_eq!(sales.take("1", 7, 2), [Taken { order: 101, units: 2, in_all: 2 }]);
        let rest = [Taken { order: 101, units: 1, in_all: 3 }, Taken { order: 100, units: 5, in_all: 5 }];
        assert_eq!(sales.take("1", 7, 9), rest);
        assert_eq!(sales.take("1", 7, 1), []);
    }
}
