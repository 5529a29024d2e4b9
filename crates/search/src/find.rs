//! Finding: what was typed becomes four questions to the index, from the strictest to the most lenient, until there are hits enough.
//! Not here: what a word is (`text.rs`).

use crate::schema::{Fields, ID, Terms};
use crate::text::{self, Word};
use std::collections::HashSet;
use std::ops::Bound;
use tantivy::columnar::Column;
use tantivy::query::{
    AllQuery, BooleanQuery, EmptyQuery, EnableScoring, FuzzyTermQuery, InvertedIndexRangeQuery, Occur, Query as Question, Scorer, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, SegmentReader, TERMINATED, Term};

/// Most hits that are answered.
pub const MAX_LIMIT: usize = 1_000;
/// What is found is counted up to here.
pub const MAX_TOTAL: usize = 10_000;
/// Words that are looked for; further ones are not looked at.
const MAX_WORDS: usize = 16;
/// Words of one segment that are looked at for one long beginning.
const MAX_LONG: u64 = 1_000;
/// Letters of a word in which one slip is forgiven.
const FORGIVEN: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Item,
    Order,
}

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Plain text: nothing in it has a meaning of its own. Each of its words must be found, at the beginning of a word. The first
    /// 512 characters and 16 words count.
    pub text: &'a str,
    /// Only these; both if left out.
    pub kind: Option<Kind>,
    /// Only orders of these channels; items have none and are not concerned.
    pub channels: Option<&'a [String]>,
    /// Only orders that have lines of the item with this id; any of them if no text is given.
    pub of_item: Option<i64>,
    /// No items that are not active.
    pub active_only: bool,
    /// Most hits wanted; [`MAX_LIMIT`] is the most there are.
    pub limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hit {
    pub kind: Kind,
    pub id: i64,
}

/// What was found in the index.
#[derive(Debug, Default, PartialEq)]
pub struct Matches {
    pub hits: Vec<Hit>,
    pub total: usize,
    pub is_near: bool,
}

type Asked = Box<dyn Question>;

/// Finds items and orders. Of equals, items come before orders and the newest first.
pub fn find(searcher: &Searcher, fields: &Fields, query: &Query<'_>) -> tantivy::Result<Matches> {
    let typed = Typed::read(query.text);
    if typed.words.is_empty() {
        return if query.of_item.is_some() { of_item(searcher, fields, query) } else { Ok(Matches::default()) };
    }
    let kinds: Vec<(Kind, Terms)> = [(Kind::Item, fields.items), (Kind::Order, fields.orders)]
        .into_iter()
        .filter(|(kind, _)| query.kind.is_none_or(|wanted| wanted == *kind) && (query.of_item.is_none() || *kind == Kind::Order))
        .collect();
    let narrowed = |ask: &dyn Fn(&Typed, Terms) -> Asked, kind: Kind, terms: Terms| narrow(ask(&typed, terms), fields, kind, query);
    let limit = query.limit.min(MAX_LIMIT);
    let mut hits = Hits::default();
    for ask in [Typed::code, Typed::code_begins, Typed::whole_words, Typed::all] {
        for (kind, terms) in &kinds {
            if hits.list.len() < limit {
                hits.add(*kind, newest(searcher, narrowed(&ask, *kind, *terms), limit)?, limit);
            }
        }
    }
    let mut total = hits.list.len();
    if total == limit {
        total = 0;
        for (kind, terms) in &kinds {
            total += count(searcher, narrowed(&Typed::all, *kind, *terms), MAX_TOTAL - total)?;
        }
    }
    let is_near = total == 0 && typed.may_have_slipped();
    if is_near {
        for (kind, terms) in &kinds {
            hits.add(*kind, newest(searcher, narrowed(&Typed::nearly, *kind, *terms), limit)?, limit);
        }
        total = hits.list.len();
    }
    Ok(Matches { total: total.max(hits.list.len()), is_near: is_near && total > 0, hits: hits.list })
}

/// The newest orders that have lines of an item.
fn of_item(searcher: &Searcher, fields: &Fields, query: &Query<'_>) -> tantivy::Result<Matches> {
    let all = || narrow(Box::new(AllQuery), fields, Kind::Order, query);
    let limit = query.limit.min(MAX_LIMIT);
    let hits: Vec<Hit> = newest(searcher, all(), limit)?.into_iter().map(|id| Hit { kind: Kind::Order, id }).collect();
    let total = if hits.len() == limit { count(searcher, all(), MAX_TOTAL)? } else { hits.len() };
    Ok(Matches { hits, total, is_near: false })
}

/// Hits in their order, each once.
#[derive(Default)]
struct Hits {
    list: Vec<Hit>,
    seen: HashSet<Hit>,
}

impl Hits {
    fn add(&mut self, kind: Kind, ids: Vec<i64>, limit: usize) {
        for hit in ids.into_iter().map(|id| Hit { kind, id }) {
            if self.list.len() < limit && self.seen.insert(hit) {
                self.list.push(hit);
            }
        }
    }
}

/// What was typed.
struct Typed {
    words: Vec<Word>,
    /// All of it as one code.
    code: String,
}

impl Typed {
    fn read(text: &str) -> Typed {
        let mut words: Vec<Word> = Vec::new();
        for word in text::words(text) {
            if words.len() < MAX_WORDS && !words.contains(&word) {
                words.push(word);
            }
        }
        let code = if let [word] = &words[..] { word.whole.clone() } else { text::code(text) };
        Typed { words, code }
    }

    /// Every word is found, or all of it begins a code that was typed with blanks in it.
    fn all(&self, terms: Terms) -> Asked {
        let each = all_of(self.words.iter().map(|word| begins(terms, word)));
        if self.words.len() == 1 { each } else { any_of([each, code_begins(terms, &self.code)]) }
    }

    /// All of it is a code; or every word is found, and one of them is a code.
    fn code(&self, terms: Terms) -> Asked {
        self.with_code(terms, &|code| code_is(terms, code))
    }

    /// All of it begins a code; or every word is found, and one of them begins a code.
    fn code_begins(&self, terms: Terms) -> Asked {
        self.with_code(terms, &|code| code_begins(terms, code))
    }

    fn with_code(&self, terms: Terms, test: &dyn Fn(&str) -> Asked) -> Asked {
        let whole = test(&self.code);
        if self.words.len() == 1 {
            return whole;
        }
        let one = any_of(self.words.iter().map(|word| test(&word.whole)));
        any_of([whole, all_of([self.all(terms), one])])
    }

    /// Every word is found whole.
    fn whole_words(&self, terms: Terms) -> Asked {
        all_of(self.words.iter().map(|word| {
            let parts = all_of(word.parts.iter().map(|part| is(terms.word, part)));
            any_of([is(terms.word, &word.whole), code_is(terms, &word.whole), parts])
        }))
    }

    fn may_have_slipped(&self) -> bool {
        self.words.iter().any(is_forgiven)
    }

    /// Every word is found, long ones with one letter too many, too few, another or two swapped.
    fn nearly(&self, terms: Terms) -> Asked {
        all_of(self.words.iter().map(|word| {
            if !is_forgiven(word) {
                return begins(terms, word);
            }
            let near = FuzzyTermQuery::new(Term::from_field_text(terms.word, &text::whole(&word.whole)), 1, true);
            any_of([begins(terms, word), Box::new(near)])
        }))
    }
}

/// Slips are forgiven in words of letters; a number with another digit is another number.
fn is_forgiven(word: &Word) -> bool {
    word.parts.is_empty() && word.whole.chars().count() >= FORGIVEN && word.whole.chars().all(char::is_alphabetic)
}

fn begins(terms: Terms, word: &Word) -> Asked {
    let parts = all_of(word.parts.iter().map(|part| begins_with(terms.word, part)));
    any_of([code_begins(terms, &word.whole), begins_with(terms.word, &word.whole), parts])
}

fn term(term: Term) -> Asked {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

/// The word is there, whole.
fn is(field: Field, word: &str) -> Asked {
    term(Term::from_field_text(field, &text::whole(word)))
}

/// A word that begins so is there.
fn begins_with(field: Field, word: &str) -> Asked {
    if let Some(beginning) = text::beginning(word) {
        return term(Term::from_field_text(field, beginning));
    }
    let from = Term::from_field_text(field, word);
    let to = Term::from_field_text(field, &format!("{word}{}", char::MAX));
    let mut range = InvertedIndexRangeQuery::new(Bound::Included(from), Bound::Excluded(to));
    range.limit(MAX_LONG);
    Box::new(range)
}

fn code_is(terms: Terms, code: &str) -> Asked {
    with_digits(terms, code, &|code| is(terms.code, code))
}

fn code_begins(terms: Terms, code: &str) -> Asked {
    with_digits(terms, code, &|code| begins_with(terms.code, code))
}

/// Of digits alone also as the number that they are short for.
fn with_digits(terms: Terms, code: &str, test: &dyn Fn(&str) -> Asked) -> Asked {
    if terms.before_digits.is_empty() || !code.bytes().all(|b| b.is_ascii_digit()) {
        return test(code);
    }
    any_of([test(code), test(&format!("{}{code}", terms.before_digits))])
}

/// None of nothing.
fn all_of(asked: impl IntoIterator<Item = Asked>) -> Asked {
    let mut asked: Vec<Asked> = asked.into_iter().collect();
    match asked.len() {
        0 => Box::new(EmptyQuery),
        1 => asked.remove(0),
        _ => Box::new(BooleanQuery::intersection(asked)),
    }
}

fn any_of(asked: impl IntoIterator<Item = Asked>) -> Asked {
    let mut asked: Vec<Asked> = asked.into_iter().filter(|a| !a.is::<EmptyQuery>()).collect();
    match asked.len() {
        0 => Box::new(EmptyQuery),
        1 => asked.remove(0),
        _ => Box::new(BooleanQuery::union(asked)),
    }
}

/// Keeps to what the query lets through.
fn narrow(asked: Asked, fields: &Fields, kind: Kind, query: &Query<'_>) -> Asked {
    let asked = match query.of_item {
        Some(item) => all_of([asked, term(Term::from_field_i64(fields.of_item, item))]),
        None => asked,
    };
    match (kind, query.channels) {
        (Kind::Order, Some(channels)) => {
            let channels = any_of(channels.iter().map(|channel| term(Term::from_field_text(fields.channel, channel))));
            if channels.is::<EmptyQuery>() { channels } else { all_of([asked, channels]) }
        }
        (Kind::Item, _) if query.active_only => {
            let inactive = term(Term::from_field_bool(fields.inactive, true));
            Box::new(BooleanQuery::new(vec![(Occur::Must, asked), (Occur::MustNot, inactive)]))
        }
        _ => asked,
    }
}

/// The ids of the newest, up to `limit`. Each segment has its newest first.
fn newest(searcher: &Searcher, asked: Asked, limit: usize) -> tantivy::Result<Vec<i64>> {
    let mut ids = Vec::new();
    each_segment(searcher, asked, |segment, scorer| {
        let column: Column<i64> = segment.fast_fields().i64(ID)?;
        let mut found = 0;
        while found < limit && scorer.doc() != TERMINATED {
            if !segment.is_deleted(scorer.doc()) {
                ids.extend(column.first(scorer.doc()));
                found += 1;
            }
            scorer.advance();
        }
        Ok(true)
    })?;
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    ids.truncate(limit);
    Ok(ids)
}

/// How many there are, up to `most`.
fn count(searcher: &Searcher, asked: Asked, most: usize) -> tantivy::Result<usize> {
    let mut counted = 0;
    each_segment(searcher, asked, |segment, scorer| {
        while counted < most && scorer.doc() != TERMINATED {
            counted += usize::from(!segment.is_deleted(scorer.doc()));
            scorer.advance();
        }
        Ok(counted < most)
    })?;
    Ok(counted)
}

/// Goes through the segments for as long as `look` wants more.
fn each_segment(
    searcher: &Searcher,
    asked: Asked,
    mut look: impl FnMut(&SegmentReader, &mut dyn Scorer) -> tantivy::Result<bool>,
) -> tantivy::Result<()> {
    let weight = asked.weight(EnableScoring::disabled_from_searcher(searcher))?;
    for segment in searcher.segment_readers() {
        if !look(segment, weight.scorer(segment, 1.0)?.as_mut())? {
            break;
        }
    }
    Ok(())
}
