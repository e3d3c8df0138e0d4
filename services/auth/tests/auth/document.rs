//! The OpenAPI document as it is committed.

#[test]
fn the_committed_document_is_the_services() {
    testkit::document("auth-service", &service::web::pretty(&auth::document()));
}
