//! The two calls into libpg_query that pg_query's safe API does not offer whole: parsing with the position of an
//! error, and scanning without a detour through protobuf. The layouts are those of `pg_query.h` 18.1.
#![expect(unsafe_code, reason = "calls the C parser that the pg_query crate builds and links")]

use std::ffi::{CStr, CString, c_char, c_int};

// Links the static library; without a use of the crate the linker would leave it out.
use pg_query as _;

#[repr(C)]
struct RawError {
    message: *mut c_char,
    funcname: *mut c_char,
    filename: *mut c_char,
    lineno: c_int,
    cursorpos: c_int,
    context: *mut c_char,
}

#[repr(C)]
struct RawParse {
    parse_tree: *mut c_char,
    stderr_buffer: *mut c_char,
    error: *mut RawError,
}

#[repr(C)]
struct RawToken {
    start: c_int,
    end: c_int,
    token: c_int,
    keyword_kind: c_int,
}

#[repr(C)]
struct RawScan {
    tokens: *mut RawToken,
    n_tokens: c_int,
    error: *mut RawError,
}

unsafe extern "C" {
    fn pg_query_parse(input: *const c_char) -> RawParse;
    fn pg_query_free_parse_result(result: RawParse);
    fn pg_query_scan_tokens(input: *const c_char) -> RawScan;
    fn pg_query_free_scan_tokens_result(result: RawScan);
}

/// What the parser or the scanner objected to.
pub(crate) struct GrammarError {
    pub message: String,
    /// 1-based, in characters; 0 where the parser did not say.
    pub position: usize,
}

pub(crate) struct ScannedToken {
    pub start: usize,
    pub end: usize,
    pub token: i32,
    pub keyword: bool,
}

/// Parses `sql`; `read` is given the tree as JSON, which is large, and so is not copied.
pub(crate) fn parse_to_json<T>(sql: &CString, read: impl FnOnce(&str) -> T) -> Result<T, GrammarError> {
    // SAFETY: the input is a NUL-terminated string that outlives the call; the result is read before it is freed, once.
    unsafe {
        let raw = pg_query_parse(sql.as_ptr());
        let result = if raw.error.is_null() {
            Ok(read(&CStr::from_ptr(raw.parse_tree).to_string_lossy()))
        } else {
            Err(read_error(raw.error))
        };
        pg_query_free_parse_result(raw);
        result
    }
}

/// Scans `sql` into tokens, comments included.
pub(crate) fn scan(sql: &CString) -> Result<Vec<ScannedToken>, GrammarError> {
    // SAFETY: as above; `tokens` points to `n_tokens` tokens.
    unsafe {
        let raw = pg_query_scan_tokens(sql.as_ptr());
        let result = if raw.error.is_null() {
            let count = usize::try_from(raw.n_tokens).unwrap_or(0);
            let raws = if count == 0 { &[] } else { std::slice::from_raw_parts(raw.tokens, count) };
            Ok(raws
                .iter()
                .map(|t| ScannedToken {
                    start: usize::try_from(t.start).unwrap_or(0),
                    end: usize::try_from(t.end).unwrap_or(0),
                    token: t.token,
                    keyword: t.keyword_kind != 0,
                })
                .collect())
        } else {
            Err(read_error(raw.error))
        };
        pg_query_free_scan_tokens_result(raw);
        result
    }
}

/// # Safety
/// `error` points to a live error of libpg_query.
unsafe fn read_error(error: *const RawError) -> GrammarError {
    // SAFETY: see above; a null message is not read.
    unsafe {
        let message = if (*error).message.is_null() {
            "the parser gave no reason".to_owned()
        } else {
            CStr::from_ptr((*error).message).to_string_lossy().into_owned()
        };
        GrammarError { message, position: usize::try_from((*error).cursorpos).unwrap_or(0) }
    }
}
