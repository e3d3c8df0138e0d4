//! What a school is.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A school.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    #[schema(example = "Escuela de Ejemplo")]
    pub name: String,
    /// What it says of itself.
    pub description: Option<String>,
    /// The address of its logo.
    pub logo_url: Option<String>,
    /// Its web site.
    pub website: Option<String>,
    /// Its contact address.
    pub email: Option<String>,
    /// Its telephone.
    pub phone: Option<String>,
    /// Its postal address.
    pub address: Option<String>,
    /// Whether it may use the platform; the platform's decision.
    pub is_active: bool,
    /// When it was founded.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// What a school says of itself, all of it: what is left out is empty afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Details {
    /// Its name, 1 to 255 characters.
    #[schema(min_length = 1, max_length = 255, example = "Escuela de Ejemplo")]
    pub name: String,
    /// What it says of itself, at most 4,000 characters.
    #[schema(max_length = 4000)]
    pub description: Option<String>,
    /// The address of its logo, http or https.
    #[schema(max_length = 500)]
    pub logo_url: Option<String>,
    /// Its web site, http or https.
    #[schema(max_length = 255)]
    pub website: Option<String>,
    /// Its contact address.
    #[schema(max_length = 255, example = "contacto@escuela.example")]
    pub email: Option<String>,
    /// Its telephone: digits, spaces and `+()-.`.
    #[schema(max_length = 20)]
    pub phone: Option<String>,
    /// Its postal address, at most 1,000 characters.
    #[schema(max_length = 1000)]
    pub address: Option<String>,
}

/// A school as the web client knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnOrganization {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its postal address; empty where it has none.
    pub address: String,
    /// Its telephone; empty where it has none.
    pub phone: String,
    /// Its contact address; empty where it has none.
    pub email: String,
    /// Its web site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// When it was founded.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl From<Organization> for OwnOrganization {
    fn from(school: Organization) -> Self {
        Self {
            id: school.id,
            name: school.name,
            address: school.address.unwrap_or_default(),
            phone: school.phone.unwrap_or_default(),
            email: school.email.unwrap_or_default(),
            website: school.website,
            created_at: school.created_at,
            updated_at: school.updated_at,
        }
    }
}
