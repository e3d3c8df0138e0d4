//! A service that does a little of everything, on the platform's database.

use axum::extract::State;
use http::StatusCode;
use reqwest::{Method, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service::web::{Json, Path, Query};
use service::{
    Answer, AsService, ClientAddress, Definition, Fault, IfMatch, Keyed, List, Paging, Platform as State_, Service,
    Settings, SignedIn, Tenant, Version, Versioned, once,
};
use testkit::{Person, Platform, Seen, Served};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub const DEFINITION: Definition = Definition {
    name: "organization-service",
    prefix: "ORGANIZATION_SERVICE",
    port: 3003,
    role: "organizations_service",
    needs: &["organizations/20260901020100", "public/20261101000000"],
    title: "A service for tests",
    description: "It does a little of everything.",
};

pub struct World {
    pub platform: Platform,
    pub served: Served,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let world = Self::start_unready(change).await;
        world.served.readiness.ready().await;
        assert_eq!(world.get("/ready", None).await.status, 200);
        world
    }

    pub async fn start_unready(change: impl FnOnce(&mut Settings)) -> Self {
        let platform = Platform::start().await;
        let mut settings = platform.settings(&DEFINITION).await;
        change(&mut settings);
        let service = Service::bind(&DEFINITION, settings).await.expect("it starts");
        let routes = routes(service.platform());
        Self { platform, served: Served::start(service.with(routes)) }
    }

    pub fn request(&self, method: Method, path: &str, person: Option<&Person>) -> RequestBuilder {
        let request = self.served.request(method, path);
        match person {
            Some(person) => request.bearer_auth(self.platform.issuer.token(person)),
            None => request,
        }
    }

    pub async fn get(&self, path: &str, person: Option<&Person>) -> Seen {
        Seen::of(self.request(Method::GET, path, person)).await
    }
}

fn routes(state: State_) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(get_school, put_school))
        .routes(routes!(list_settings, post_setting))
        .routes(routes!(who))
        .routes(routes!(as_service))
        .routes(routes!(panics))
        .routes(routes!(slow))
        .with_state(state)
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct School {
    name: String,
}

#[utoipa::path(get, path = "/schools/{id}", params(("id" = Uuid, Path)), responses((status = 200, body = School)))]
async fn get_school(Tenant { tx, .. }: Tenant, Path(id): Path<Uuid>) -> Result<Versioned<School>, Fault> {
    let sql = "SELECT name, xmin::text AS version FROM organizations.organizations WHERE id = $1";
    let row = tx.last().query_one(sql, &[&id]).await?;
    Ok(Versioned(Version::of(&row), School { name: row.get("name") }))
}

#[utoipa::path(put, path = "/schools/{id}", params(("id" = Uuid, Path)), responses((status = 200, body = School)))]
async fn put_school(
    Tenant { mut tx, .. }: Tenant,
    if_match: IfMatch,
    Path(id): Path<Uuid>,
    Json(school): Json<School>,
) -> Result<Versioned<School>, Fault> {
    let sql = "UPDATE organizations.organizations SET name = $2 \
               WHERE id = $1 AND ($3::text[] IS NULL OR xmin::text = ANY ($3)) RETURNING xmin::text AS version";
    let Some(row) = tx.query_opt(sql, &[&id, &school.name, &if_match.versions()]).await? else {
        let sql = "SELECT 1 FROM organizations.organizations WHERE id = $1";
        let is_there = tx.last().query_opt(sql, &[&id]).await?.is_some();
        return Err(if_match.missed("school", is_there));
    };
    tx.commit().await?;
    Ok(Versioned(Version::of(&row), school))
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    page: Option<u32>,
}

#[utoipa::path(get, path = "/settings", responses((status = 200, body = List<String>)))]
async fn list_settings(
    Tenant { mut tx, .. }: Tenant,
    Query(query): Query<ListQuery>,
) -> Result<Json<List<String>>, Fault> {
    let ListQuery { limit, cursor, page } = query;
    let page = Paging { limit, cursor, page }.page::<String>()?;
    let sql = "SELECT count(*) FROM organizations.organization_configs";
    let total: i64 = tx.query_one(sql, &[]).await?.get(0);
    let sql = "SELECT config_key FROM organizations.organization_configs WHERE ($1::text IS NULL OR config_key > $1) \
               ORDER BY config_key LIMIT $2 OFFSET $3";
    let rows = tx.last().query(sql, &[&page.after(), &page.fetch(), &page.offset()]).await?;
    Ok(Json(page.list(rows.iter().map(|row| row.get(0)).collect(), total, Clone::clone)))
}

#[derive(Debug, Deserialize, ToSchema)]
struct Setting {
    key: String,
}

#[utoipa::path(post, path = "/settings", request_body = Setting, responses((status = 201)))]
async fn post_setting(tenant: Tenant, Keyed { body, once }: Keyed<Setting>) -> Result<axum::response::Response, Fault> {
    let school = tenant.organization()?;
    let mut tx = tenant.tx;
    let first = match once.begin(&mut tx).await? {
        once::Begun::First(first) => first,
        once::Begun::Before(answer) => return Ok(answer),
    };
    let sql = "INSERT INTO organizations.organization_configs (organization_id, config_key, config_value) \
               VALUES ($1, $2, 'true') RETURNING id";
    let id: Uuid = tx.query_one(sql, &[&school.uuid(), &body.key]).await?.get(0);
    Ok(first.keep(tx, Answer::created(format!("/settings/{id}"), &json!({ "id": id }))).await?)
}

#[utoipa::path(get, path = "/who", responses((status = 200)))]
async fn who(SignedIn(claims): SignedIn, ClientAddress(address): ClientAddress) -> Json<Value> {
    Json(json!({ "user": claims.caller().user, "address": address }))
}

#[utoipa::path(get, path = "/as-service", security(()), responses((status = 200)))]
async fn as_service(AsService(tx): AsService) -> Result<Json<Value>, Fault> {
    let row = tx.last().query_one("SELECT count(*), current_user::text FROM organizations.organizations", &[]).await?;
    Ok(Json(json!({ "schools": row.get::<_, i64>(0), "role": row.get::<_, String>(1) })))
}

#[utoipa::path(get, path = "/panics", security(()), responses((status = 200)))]
async fn panics(State(_state): State<State_>) -> StatusCode {
    panic!("a defect with a secret: hunter2")
}

#[utoipa::path(get, path = "/slow", responses((status = 200)))]
async fn slow(Tenant { tx, .. }: Tenant) -> Result<StatusCode, Fault> {
    let tx = tx.with_statement_timeout(std::time::Duration::from_millis(20));
    tx.last().query("SELECT pg_sleep(60)", &[]).await?;
    Ok(StatusCode::OK)
}
