//! The OpenAPI document as it is committed.

#[test]
fn the_committed_document_is_current() {
    testkit::document("organization-service", &service::web::pretty(&organizations::document()));
}
