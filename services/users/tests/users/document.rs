//! The OpenAPI document as it is committed.

#[test]
fn the_committed_document_is_current() {
    testkit::document("user-service", &service::web::pretty(&users::document()));
}
