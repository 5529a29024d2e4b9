//! A whole queue of orders at once: the cheapest way to give each order one location within the capacities.
//!
//! This is the minimum-cost flow order -> location -> sink, solved exactly by successive shortest paths (Ahuja, Magnanti,
//! Orlin, *Network Flows*, 1993, section 9.7). Orders enter one at a time; each entry finds the cheapest chain of moves
//! "this order here, so that one there", in a graph that has only the locations as nodes, which keeps it fast for
//! thousands of orders over tens of locations. An order that fits nowhere goes to a "left over" node that costs more
//! than any chain of moves can save, so the number of orders placed is always the largest possible, and then the cost
//! the smallest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// For each order the location it gets, or None. `choices[order]` lists (location, cost) with cost ≥ 0 in any unit;
/// `capacity[location]` is how many orders it can take.
pub fn assign(choices: &[Vec<(usize, i64)>], capacity: &[i64]) -> Vec<Option<usize>> {
    Solver::new(choices, capacity).solve()
}

struct Solver<'a> {
    choices: &'a [Vec<(usize, i64)>],
    room: Vec<i64>,
    /// Where each order is now; the last node means left over.
    place: Vec<usize>,
    /// For each pair (from, to): orders at `from` by what moving them to `to` would add to the cost. Stale ones are dropped when met.
    moves: Vec<BinaryHeap<Reverse<(i128, usize)>>>,
    nodes: usize,
    left_over_cost: i128,
}

const NOWHERE: usize = usize::MAX;

impl<'a> Solver<'a> {
    fn new(choices: &'a [Vec<(usize, i64)>], capacity: &[i64]) -> Solver<'a> {
        let nodes = capacity.len() + 1;
        let dearest = choices.iter().flatten().map(|(_, cost)| i128::from(*cost)).max().unwrap_or(0) + 1;
        let mut room: Vec<i64> = capacity.iter().map(|c| (*c).max(0)).collect();
        room.push(i64::MAX);
        Solver {
            choices,
            room,
            place: vec![NOWHERE; choices.len()],
            moves: (0..nodes * nodes).map(|_| BinaryHeap::new()).collect(),
            nodes,
            left_over_cost: dearest * (nodes as i128 + 2) * 2,
        }
    }

    fn solve(mut self) -> Vec<Option<usize>> {
        for order in 0..self.choices.len() {
            self.enter(order);
        }
        let left_over = self.nodes - 1;
        self.place.into_iter().map(|place| (place != left_over).then_some(place)).collect()
    }

    /// Every place an order can be: its choices, and left over.
    fn options(&self, order: usize) -> impl Iterator<Item = (usize, i128)> + use<'a> {
        let left_over = (self.nodes - 1, self.left_over_cost);
        self.choices[order].iter().map(|(location, cost)| (*location, i128::from(*cost))).chain([left_over])
    }

    /// Puts one more order in, moving others along the cheapest chain.
    fn enter(&mut self, order: usize) {
        let mut cost: Vec<Option<i128>> = vec![None; self.nodes];
        let mut came_from = vec![NOWHERE; self.nodes];
        for (location, price) in self.options(order) {
            if cost[location].is_none_or(|known| price < known) {
                cost[location] = Some(price);
            }
        }
        // Bellman-Ford over the locations: moves may lower the cost, but a chain never repeats a location.
        for _ in 0..self.nodes {
            let mut changed = false;
            for from in 0..self.nodes {
                let Some(here) = cost[from] else { continue };
                for to in 0..self.nodes {
                    let Some((extra, _)) = self.cheapest_move(from, to) else { continue };
                    if cost[to].is_none_or(|known| here + extra < known) {
                        cost[to] = Some(here + extra);
                        came_from[to] = from;
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        let end = (0..self.nodes)
            .filter(|node| self.room[*node] > 0)
            .filter_map(|node| cost[node].map(|cost| (cost, node)))
            .min()
            .map_or(self.nodes - 1, |(_, node)| node);
        self.room[end] -= 1;
        let mut to = end;
        while came_from[to] != NOWHERE {
            let from = came_from[to];
            if let Some((_, mover)) = self.cheapest_move(from, to) {
                self.put(mover, to);
            }
            to = from;
        }
        self.put(order, to);
    }

    fn cheapest_move(&mut self, from: usize, to: usize) -> Option<(i128, usize)> {
        let heap = &mut self.moves[from * self.nodes + to];
        while let Some(Reverse((extra, order))) = heap.peek() {
            if self.place[*order] == from {
                return Some((*extra, *order));
            }
            heap.pop();
        }
        None
    }

    fn put(&mut self, order: usize, place: usize) {
        self.place[order] = place;
        let options: Vec<(usize, i128)> = self.options(order).collect();
        let here = options.iter().filter(|(location, _)| *location == place).map(|(_, cost)| *cost).min().unwrap_or(0);
        for (location, cost) in options {
            if location != place {
                self.moves[place * self.nodes + location].push(Reverse((cost - here, order)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_dearer_order_yields_the_cheap_place() {
        let choices = [vec![(0, 1), (1, 2)], vec![(0, 1), (1, 100)]];
        assert_eq!(assign(&choices, &[1, 1]), [Some(1), Some(0)]);
        assert_eq!(assign(&choices, &[1, 0]), [Some(0), None]);
        assert_eq!(assign(&[vec![(0, 5)], vec![]], &[9]), [Some(0), None]);
        assert_eq!(assign(&[vec![(0, 1_000_000)], vec![(0, 1), (1, 1)]], &[1, 1]), [Some(0), Some(1)]);
    }

    /// Tries every assignment: most placed, then cheapest.
    fn brute(choices: &[Vec<(usize, i64)>], room: &mut Vec<i64>) -> (i64, i64) {
        let Some((first, rest)) = choices.split_first() else { return (0, 0) };
        let mut best = brute(rest, room);
        for (location, cost) in first {
            if room[*location] > 0 {
                room[*location] -= 1;
                let (placed, total) = brute(rest, room);
                room[*location] += 1;
                if (placed + 1, -(total + cost)) > (best.0, -best.1) {
                    best = (placed + 1, total + cost);
                }
            }
        }
        best
    }

    proptest! {
        #[test]
        fn never_worse_than_trying_everything(
            costs in proptest::collection::vec(proptest::collection::btree_map(0usize..4, 0i64..30, 0..4), 0..7),
            capacity in proptest::collection::vec(0i64..3, 4),
        ) {
            let choices: Vec<Vec<(usize, i64)>> = costs.into_iter().map(|c| c.into_iter().collect()).collect();
            let places = assign(&choices, &capacity);
            let mut used = [0; 4];
            let mut found = (0, 0);
            for (order, place) in places.iter().enumerate() {
                if let Some(place) = place {
                    used[*place] += 1;
                    found.0 += 1;
                    found.1 += choices[order].iter().find(|(l, _)| l == place).unwrap().1;
                }
            }
            prop_assert!(used.iter().zip(&capacity).all(|(u, c)| u <= c));
            prop_assert_eq!(found, brute(&choices, &mut capacity.clone()));
        }
    }
}
