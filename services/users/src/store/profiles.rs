//! Profiles and preferences: what is the person's.

use postgres_link::tenant::{Row, TenantTx, TxError};
use serde_json::{Map, Value};
use service::{IfMatch, Version};
use uuid::Uuid;

use crate::model::{Preferences, Profile};

/// As far as the caller sees it.
pub(crate) async fn profile(tx: &mut TenantTx, person: Uuid) -> Result<Option<(Version, Profile)>, TxError> {
    let sql = "SELECT first_name, last_name, phone, date_of_birth, gender, avatar_url, xmin::text AS version \
               FROM users.user_profiles WHERE user_id = $1";
    Ok(tx.query_opt(sql, &[&person]).await?.map(|row| (Version::of(&row), profile_of(&row))))
}

/// Writes it, where the caller may and it has one of these versions.
pub(crate) async fn write_profile(
    tx: &mut TenantTx,
    person: Uuid,
    profile: &Profile,
    versions: &IfMatch,
) -> Result<Option<(Version, Profile)>, TxError> {
    let sql = "UPDATE users.user_profiles SET first_name = $2, last_name = $3, phone = $4, date_of_birth = $5, gender = $6 \
               WHERE user_id = $1 AND ($7::text[] IS NULL OR xmin::text = ANY ($7)) \
               RETURNING first_name, last_name, phone, date_of_birth, gender, avatar_url, xmin::text AS version";
    let Profile { first_name, last_name, phone, date_of_birth, gender, .. } = profile;
    let parameters: &[&(dyn postgres_link::tenant::types::ToSql + Sync)] =
        &[&person, first_name, last_name, phone, date_of_birth, gender, &versions.versions()];
    Ok(tx.query_opt(sql, parameters).await?.map(|row| (Version::of(&row), profile_of(&row))))
}

/// As [`write_profile`], of the picture alone.
pub(crate) async fn write_avatar(
    tx: &mut TenantTx,
    person: Uuid,
    address: Option<&str>,
) -> Result<Option<(Version, Profile)>, TxError> {
    let sql = "UPDATE users.user_profiles SET avatar_url = $2 WHERE user_id = $1 \
               RETURNING first_name, last_name, phone, date_of_birth, gender, avatar_url, xmin::text AS version";
    Ok(tx.query_opt(sql, &[&person, &address]).await?.map(|row| (Version::of(&row), profile_of(&row))))
}

fn profile_of(row: &Row) -> Profile {
    Profile {
        first_name: row.get("first_name"),
        last_name: row.get("last_name"),
        phone: row.get("phone"),
        date_of_birth: row.get("date_of_birth"),
        gender: row.get("gender"),
        avatar_url: row.get("avatar_url"),
    }
}

/// As far as the caller sees them; `None` also where the person has said nothing.
pub(crate) async fn preferences(tx: &mut TenantTx, person: Uuid) -> Result<Option<(Version, Preferences)>, TxError> {
    let sql = "SELECT language, timezone, notification_settings, theme, xmin::text AS version \
               FROM users.user_preferences WHERE user_id = $1";
    Ok(tx.query_opt(sql, &[&person]).await?.map(|row| (Version::of(&row), preferences_of(&row))))
}

/// Writes those of the caller, who may have said nothing before. `None` where there are others than `versions` wants.
pub(crate) async fn write_preferences(
    tx: &mut TenantTx,
    person: Uuid,
    preferences: &Preferences,
    versions: &IfMatch,
) -> Result<Option<(Version, Preferences)>, TxError> {
    let sql = "INSERT INTO users.user_preferences AS p (user_id, language, timezone, notification_settings, theme) \
               VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (user_id) DO UPDATE SET language = excluded.language, timezone = excluded.timezone, \
                   notification_settings = excluded.notification_settings, theme = excluded.theme \
                   WHERE $6::text[] IS NULL OR p.xmin::text = ANY ($6) \
               RETURNING language, timezone, notification_settings, theme, xmin::text AS version";
    let Preferences { language, timezone, notification_settings, theme } = preferences;
    let settings = Value::Object(notification_settings.clone());
    let row = tx.query_opt(sql, &[&person, language, timezone, &settings, theme, &versions.versions()]).await?;
    Ok(row.map(|row| (Version::of(&row), preferences_of(&row))))
}

fn preferences_of(row: &Row) -> Preferences {
    let settings = match row.get("notification_settings") {
        Value::Object(settings) => settings,
        // The table's constraint allows nothing else.
        _ => Map::new(),
    };
    Preferences {
        language: row.get("language"),
        timezone: row.get("timezone"),
        notification_settings: settings,
        theme: row.get("theme"),
    }
}
