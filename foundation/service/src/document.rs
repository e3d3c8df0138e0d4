//! The OpenAPI document of a service, as it is served and committed.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, Server};

use crate::settings::Definition;

/// The name of the scheme; routes for everybody say `security(())`.
const BEARER: &str = "bearer";

/// Describes a service whose routes are in `routes`: every route wants an access token unless it says otherwise, and any may answer
/// with a problem of the shell.
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
            let is_probe = matches!(path.as_str(), "/health" | "/ready" | "/metrics");
            if !is_probe {
                operation.responses.responses.entry("default".to_owned()).or_insert_with(problem);
            }
        }
    }
    document
}

/// Whatever goes wrong looks like this.
fn problem() -> RefOr<utoipa::openapi::Response> {
    use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
    let schema = RefOr::Ref(Ref::from_schema_name("ProblemDocument"));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let text = "A problem: `code` says which, `message` says it to a person, `cure` says what to do";
    RefOr::T(ResponseBuilder::new().description(text).content(web::problem::PROBLEM_JSON, content).build())
}
