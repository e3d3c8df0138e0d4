//! The OpenAPI document of a service, as it is served and committed.

use utoipa::PartialSchema as _;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, Object, ObjectBuilder, OpenApi, OpenApiBuilder, Ref,
    RefOr, Response, ResponseBuilder, Server,
};
use web::problem::ProblemDocument;

use crate::settings::Definition;

/// Paths that say all of their answers themselves.
const PROBES: [&str; 3] = ["/health", "/ready", "/metrics"];

/// What every refusal looks like.
const PROBLEM: &str = "ProblemDocument";

/// The name of the scheme; routes for everybody say `security(())`.
const BEARER: &str = "bearer";

/// Describes a service whose routes are in `routes`: every route wants an access token unless it says otherwise. What follows from
/// what it takes is said here, for all alike; who may not, what is taken and what may not be, each route says itself. So a client is
/// never answered what is not written down, and a test may insist on it.
pub fn document(definition: &Definition, routes: OpenApi) -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title(definition.title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(definition.description))
        .license(Some(license))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The `token` that /api/auth/login answers; good for ten minutes"))
        .build();
    let mut components = Components::new();
    // Every refusal refers to it.
    components.schemas.insert(PROBLEM.to_owned(), ProblemDocument::schema());
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    let mut server = Server::new(format!("http://localhost:{}", definition.port));
    server.description = Some("The default address".to_owned());
    let mut document = OpenApiBuilder::new()
        .info(info)
        .servers(Some([server]))
        .components(Some(components))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], &str>(BEARER, [])]))
        .build();
    document.merge(routes);
    for (path, item) in &mut document.paths.paths {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.options,
            &mut item.head,
            &mut item.patch,
            &mut item.trace,
        ];
        for operation in operations.into_iter().flatten() {
            if PROBES.contains(&path.as_str()) {
                operation.security = Some(vec![SecurityRequirement::default()]);
            } else {
                complete(operation);
            }
        }
    }
    document
}

/// The roles of the platform, for `#[schema(schema_with = service::role_schema)]`: `kernel` knows no OpenAPI.
pub fn role_schema() -> Object {
    let names = kernel::AppRole::ALL.map(kernel::AppRole::as_str);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

/// Adds the answers that follow from what the operation takes, and says of each refusal that it is a problem.
fn complete(operation: &mut Operation) {
    let parameters: Vec<_> = operation.parameters.iter().flatten().filter_map(inline).collect();
    let takes = |header: &str| parameters.iter().any(|parameter| parameter.name.eq_ignore_ascii_case(header));
    // A secret in a path names no record.
    let names_a_record =
        parameters.iter().any(|parameter| parameter.parameter_in == ParameterIn::Path && parameter.name != "token");
    let takes_a_body = operation.request_body.is_some();
    let is_once = takes("Idempotency-Key");
    let rules = [
        (!parameters.is_empty() || takes_a_body, 400, "A parameter or the body cannot be read"),
        (operation.security.is_none(), 401, "Nobody is signed in"),
        (names_a_record, 404, "There is none, or none that the caller may see"),
        (takes_a_body, 408, "The body did not arrive whole, or not in time"),
        (is_once, 409, "The same request is still under way"),
        (takes("If-Match"), 412, "It was changed meanwhile"),
        (takes_a_body, 413, "The body is too large"),
        (takes_a_body, 415, "The body is not of the type that is taken"),
        (takes_a_body, 422, "A value is not valid"),
        (true, 500, "A defect of the service; its log knows the `requestId`"),
        (true, 503, "It cannot be done now; `Retry-After` says when to try again"),
    ];
    let responses = &mut operation.responses.responses;
    for (applies, status, description) in rules {
        if applies {
            let refusal = || RefOr::T(ResponseBuilder::new().description(description).build());
            responses.entry(u16::to_string(&status)).or_insert_with(refusal);
        }
    }
    for (status, response) in responses {
        let RefOr::T(response) = response else { continue };
        if status.as_str() >= "400" && response.content.is_empty() {
            is_a_problem(response);
        }
    }
}

fn inline<T>(either: &RefOr<T>) -> Option<&T> {
    match either {
        RefOr::T(it) => Some(it),
        RefOr::Ref(_) => None,
    }
}

/// Whatever goes wrong looks like this: `code` says which, `message` says it to a person, `cure` says what to do.
fn is_a_problem(response: &mut Response) {
    let schema = RefOr::Ref(Ref::from_schema_name(PROBLEM));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    response.content.insert(web::problem::PROBLEM_JSON.to_owned(), RefOr::T(content));
}
