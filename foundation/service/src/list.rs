//! Lists: how much of them, from where on, and how they look.
//!
//! They are paged by key: a cursor holds the sort key of the last row, so that the thousandth page costs what the first does and
//! nobody is skipped when somebody else is added meanwhile. `page` is there for clients that count pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Problem, kinds};

use crate::fault::Fault;

/// The most rows of one page.
pub const LONGEST: u32 = 100;
/// Of one page, where nobody says otherwise.
pub const USUAL: u32 = 20;
/// By number no further than this; a cursor goes on for ever.
pub const DEEPEST: u32 = 10_000;
/// Lists that may be longer are counted so far: `SELECT count(*) FROM (SELECT … LIMIT 10001)` costs two milliseconds where all of
/// a large school's people cost fifty.
pub const MOST_COUNTED: i64 = 10_000;
/// No cursor of ours is as long.
const LONGEST_CURSOR: usize = 2_048;

/// A page of a list as a client asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paging {
    /// How many rows, 1 to 100; 20 where nothing is said.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Which page, from 1 on; not together with a cursor.
    pub page: Option<u32>,
}

/// A page of a list as a store is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<K> {
    limit: u32,
    offset: u32,
    after: Option<K>,
}

/// The place of a row in a list, in text.
#[derive(Debug, Clone, Copy)]
pub struct Cursor;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many there are on all pages, as far as the caller may see them; at least so many where `totalIsExact` is false.
    pub total: i64,
    /// Whether all were counted: of very long lists only the beginning is.
    #[serde(rename = "totalIsExact")]
    pub total_is_exact: bool,
    /// The `cursor` of the next page; null where this is the last one.
    pub next: Option<String>,
}

impl Paging {
    /// Which rows to fetch.
    ///
    /// # Errors
    /// 400 for a limit or a page outside of its bounds, a cursor of another list, or both a cursor and a page.
    pub fn page<K: DeserializeOwned>(&self) -> Result<Page<K>, Fault> {
        let limit = self.limit.unwrap_or(USUAL);
        if !(1..=LONGEST).contains(&limit) {
            return Err(wrong(
                "limit",
                &format!("is {limit}, expected 1 to {LONGEST}"),
                "ask for less at once, and go on with the parameter \"cursor\"",
            ));
        }
        let after = self.cursor.as_deref().map(Cursor::read).transpose()?;
        if after.is_some() && self.page.is_some() {
            return Err(wrong("page", "is given together with a cursor", "leave one of both out"));
        }
        let page = self.page.unwrap_or(1);
        let offset = page.checked_sub(1).and_then(|before| before.checked_mul(limit));
        match offset.filter(|offset| *offset <= DEEPEST) {
            Some(offset) => Ok(Page { limit, offset, after }),
            None => Err(wrong(
                "page",
                &format!("is {page}, expected 1 to {}", DEEPEST / limit + 1),
                "go on with the parameter \"cursor\", which has no end",
            )),
        }
    }
}

impl<K: Serialize> Page<K> {
    /// For LIMIT: one row more than is shown tells whether there is a next page.
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// For OFFSET.
    pub fn offset(&self) -> i64 {
        i64::from(self.offset)
    }

    /// The sort key after which the page begins.
    pub fn after(&self) -> Option<&K> {
        self.after.as_ref()
    }

    /// The page of these rows, of which there may be one too many; `key` is the sort key of a row.
    pub fn list<T>(&self, mut rows: Vec<T>, total: i64, key: impl FnOnce(&T) -> K) -> List<T> {
        let limit = self.limit as usize;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|last| Cursor::write(&key(last)));
        List { items: rows, total, total_is_exact: true, next }
    }

    /// As [`list`](Self::list), where at most [`MOST_COUNTED`]` + 1` rows were counted.
    pub fn list_counted<T>(&self, rows: Vec<T>, counted: i64, key: impl FnOnce(&T) -> K) -> List<T> {
        let list = self.list(rows, counted.min(MOST_COUNTED), key);
        List { total_is_exact: counted <= MOST_COUNTED, ..list }
    }
}

impl Cursor {
    /// The text of a sort key.
    pub fn write(key: &impl Serialize) -> String {
        // Texts, numbers and ids: nothing of it can fail to be written.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
    }

    fn read<K: DeserializeOwned>(text: &str) -> Result<K, Fault> {
        let bytes =
            Some(text).filter(|text| text.len() <= LONGEST_CURSOR).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        // No row has a NUL in its sort key, and PostgreSQL takes none as a parameter.
        let bytes = bytes.filter(|bytes| !bytes.windows(6).any(|six| six == b"\\u0000"));
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
            wrong(
                "cursor",
                "is none of this list",
                "give the \"next\" of the page before, or leave it out for the first",
            )
        })
    }
}

fn wrong(parameter: &str, what: &str, cure: &str) -> Fault {
    let problem = Problem::new(kinds::INVALID_QUERY).detail(format!("the parameter {parameter:?} {what}"));
    problem.cure(cure).with("parameter", parameter).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Key = (String, u32);

    fn asked(limit: Option<u32>, cursor: Option<&str>, page: Option<u32>) -> Result<Page<Key>, &'static str> {
        Paging { limit, cursor: cursor.map(str::to_owned), page }.page().map_err(|fault| fault.code())
    }

    #[test]
    fn a_page_goes_on_where_the_last_one_ended() {
        let first = asked(Some(2), None, None).expect("a page");
        assert_eq!((first.fetch(), first.offset(), first.after()), (3, 0, None));
        let rows = vec![("a".to_owned(), 1), ("b".to_owned(), 2), ("c".to_owned(), 3)];
        let list = first.list(rows.clone(), 3, Clone::clone);
        assert_eq!((list.items.len(), list.total), (2, 3));
        let next = asked(Some(2), list.next.as_deref(), None).expect("a page");
        assert_eq!(next.after(), Some(&("b".to_owned(), 2)));
        assert_eq!(next.list(rows[2..].to_vec(), 3, Clone::clone).next, None, "the last page says so");
        assert_eq!(asked(Some(50), None, Some(3)).expect("a page").offset(), 100);
        for (counted, total) in [(10_000, (10_000, true)), (10_001, (10_000, false))] {
            let list = first.list_counted(rows.clone(), counted, Clone::clone);
            assert_eq!((list.total, list.total_is_exact), total);
        }
    }

    #[test]
    fn what_is_outside_is_refused() {
        for (limit, page) in
            [(Some(0), None), (Some(101), None), (None, Some(0)), (None, Some(502)), (None, Some(u32::MAX))]
        {
            assert_eq!(asked(limit, None, page), Err("invalid_query"), "{limit:?} {page:?}");
        }
        let other = Cursor::write(&"another list's");
        for cursor in ["", "%%%", "e30", other.as_str(), &"A".repeat(3_000)] {
            assert_eq!(asked(None, Some(cursor), None), Err("invalid_query"), "{cursor:.20}");
        }
        assert_eq!(asked(None, Some(&Cursor::write(&("a", 1))), Some(1)), Err("invalid_query"));
    }
}
