//! `/api/compatibility`: whether a release of a service and the schemas fit each other.

pub(super) mod get;

use migration_engine::MigrationId;
use migration_engine::catalogue::ReleaseNeeds;
use web::{Problem, kinds};

/// What a caller names, as lists or separated by commas; `None` where they name nothing.
///
/// # Errors
/// A text that names no migration.
pub(super) fn needs(needs: &[String], tolerates: &[String]) -> Result<Option<ReleaseNeeds>, Problem> {
    let read = |member: &'static str, texts: &[String]| {
        let ids = texts.iter().map(|text| text.trim().parse::<MigrationId>());
        ids.collect::<Result<Vec<_>, _>>().map_err(|error| {
            Problem::new(kinds::INVALID_QUERY)
                .detail(format!("{member:?}: {error}"))
                .cure("write <schema>/<version>, as in plans/20260901100000")
                .with("parameter", member)
        })
    };
    let needs = ReleaseNeeds { needs: read("needs", needs)?, tolerates: read("tolerates", tolerates)? };
    Ok(Some(needs).filter(|needs| *needs != ReleaseNeeds::default()))
}

/// The parts of a list that is separated by commas.
pub(super) fn parts(list: Option<&str>) -> Vec<String> {
    let parts = list.unwrap_or_default().split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
