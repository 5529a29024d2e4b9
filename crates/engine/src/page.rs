//! Pages of lists: rows, and where the page ends as text that fits into a URL. Not here: which rows; each list has its own file.

use domain::Refused;
use std::fmt;

/// Where a page ends: the figures that its last row is sorted by. Shown as `1772442000000000.1042`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor<const N: usize>(pub [i64; N]);

impl<const N: usize> Cursor<N> {
    /// Reads what a page gave out. Refuses anything else, naming `field`.
    pub fn parse(field: &str, text: &str) -> Result<Cursor<N>, Refused> {
        let mut parts = text.split('.').map(str::parse);
        let mut figures = [0; N];
        for figure in &mut figures {
            *figure = parts.next().and_then(Result::ok).ok_or_else(|| unreadable(field))?;
        }
        if parts.next().is_some() {
            return Err(unreadable(field));
        }
        Ok(Cursor(figures))
    }
}

impl<const N: usize> fmt::Display for Cursor<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, figure) in self.0.iter().enumerate() {
            write!(f, "{}{figure}", if n == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

/// The refusal of a cursor that no page of this list gave out.
pub(crate) fn unreadable(field: &str) -> Refused {
    Refused::invalid(field, "must be what a page of this list ended with")
}

/// Part of a list.
#[derive(Debug, Clone)]
pub struct Page<T, C> {
    pub rows: Vec<T>,
    /// Where the next page goes on, if more may follow. A page that looked at as much as one may can hold few rows, or none, and still
    /// have a next one.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// The page that the rows make which were looked at, in their order: those of them that fit, at most `limit`. `looked_at` is how many
    /// could have been read: if there are as many, more may follow. `place` says where a row stands.
    pub(crate) fn of(mut found: Vec<T>, looked_at: usize, limit: usize, fits: impl FnMut(&T) -> bool, place: impl Fn(&T) -> C) -> Page<T, C> {
        let end = found.last().filter(|_| found.len() == looked_at).map(&place);
        found.retain(fits);
        let is_cut = found.len() > limit;
        found.truncate(limit);
        let next = if is_cut { found.last().map(place) } else { end };
        Page { rows: found, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_it_was_cut_or_where_nobody_looked_further() {
        let page = |found: &[i64], looked_at, limit| {
            let page = Page::of(found.to_vec(), looked_at, limit, |n| n % 2 == 0, |n| *n);
            (page.rows, page.next)
        };
        assert_eq!(page(&[1, 2, 3, 4, 5, 6], 9, 2), (vec![2, 4], Some(4)));
        assert_eq!(page(&[1, 2, 3, 4], 9, 2), (vec![2, 4], None));
        assert_eq!(page(&[1, 2, 3], 3, 2), (vec![2], Some(3)));
        assert_eq!(page(&[], 3, 2), (vec![], None));
    }

    #[test]
    fn cursors_come_back_as_they_were_and_nothing_else_does() {
        for cursor in [Cursor([0, 0]), Cursor([i64::MAX, i64::MIN]), Cursor([-3, 42])] {
            assert_eq!(Cursor::parse("after", &cursor.to_string()), Ok(cursor));
        }
        for text in ["", "1", "1.", "1.2.3", "a.b", "1.2 ", "1,2", "9223372036854775808.1", "1.2\u{0}"] {
            assert!(Cursor::<2>::parse("after", text).is_err(), "{text:?}");
        }
    }
}
