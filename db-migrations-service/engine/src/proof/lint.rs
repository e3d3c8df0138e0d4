//! The hazards that a text alone can tell: the rules of squawk, as a library.
//!
//! Three sorts of its rules are left out, each for a reason: those on style (`prefer-…`), those on transactions and
//! timeouts (the engine keeps both), and those on locks – what a statement locks and for how long is forecast on the
//! database as it is, which a rule cannot know.

use squawk_linter::{Linter, Rule};
use squawk_syntax::SourceFile;

/// One violation: rule, what will happen, and where it begins, in bytes.
pub(super) struct Violation {
    pub code: String,
    pub message: String,
    pub help: Option<String>,
    pub byte: usize,
}

/// Rules about what programs that run now will stumble over, and about what is known to go wrong.
const RULES: &[Rule] = &[
    Rule::AddingRequiredField,
    Rule::BanCharField,
    Rule::BanDropColumn,
    Rule::BanDropDefault,
    Rule::BanDropFunction,
    Rule::BanDropNotNull,
    Rule::BanDropTable,
    Rule::BanDropType,
    Rule::BanDropView,
    Rule::BanDuplicateColumnAssignments,
    Rule::BanTruncateCascade,
    Rule::ChangingColumnType,
    Rule::IdentifierTooLong,
    Rule::RenamingColumn,
    Rule::RenamingTable,
];

pub(super) fn lint(sql: &str) -> Vec<Violation> {
    // A linter gathers what it finds, so each file has its own.
    let mut linter = Linter::from(RULES.to_vec());
    linter.settings.assume_in_transaction = true;
    let file = SourceFile::parse(sql);
    let found = linter.lint(&file, sql);
    found
        .into_iter()
        .map(|violation| Violation {
            code: violation.code.to_string(),
            message: violation.message,
            help: violation.help,
            byte: usize::from(violation.text_range.start()),
        })
        .collect()
}
